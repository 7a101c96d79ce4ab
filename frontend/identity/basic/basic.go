// Package basic identifies clients by user name and password (RFC 7617), as
// kept in a file of package htpasswd.
//
// # What it costs
//
// A good hash is slow on purpose, a tenth of a second of a core, and clients
// send the password with every request. So a credential that was found good is
// remembered for a minute, and for as long as the file stays as it is. What is
// remembered is a keyed hash (HMAC-SHA-256) under a key that this process drew
// for itself, so that nothing in memory or in a core file is of use elsewhere.
//
// Only half of the cores check passwords at any time; a bounded number of
// requests waits for its turn, and those beyond are told ErrBusy. Guessing
// passwords thus slows down logging in, and nothing else.
package basic

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"canopy/frontend/identity"
	"canopy/frontend/identity/htpasswd"
	"canopy/frontend/listen/reload"
)

const (
	// remember is how long a good credential is not checked again.
	remember = time.Minute
	// remembered is how many good credentials are kept.
	remembered = 4096
	// waiting is how many requests may wait for their turn, patience how long.
	waiting  = 256
	patience = 10 * time.Second
	// maxCredential bounds the field that is looked at.
	maxCredential = 4096
)

// Method is the identity.Identity.Method of these identities.
const Method = "basic"

// Options are what a provider is made of.
type Options struct {
	// Htpasswd is the name of the file.
	Htpasswd string
	// Realm is what clients show to people when they ask for a password.
	Realm string
	// Log is told when the file was read anew, or cannot be.
	Log *slog.Logger
	// Checks is how many passwords are checked at once; 0 is half the cores.
	Checks int
}

// Provider is an identity.Provider for the scheme Basic.
type Provider struct {
	users     *reload.Value[*htpasswd.Users]
	challenge string
	key       [sha256.Size]byte
	good      *lru.Cache[digest, good]
	// turns has room for those who check, queue for those who wait as well.
	turns, queue chan struct{}
}

type digest [sha256.Size]byte

// good is a credential that was found good.
type good struct {
	users *htpasswd.Users // in whose file
	until time.Time
}

// New reads the file and returns a provider. A file that cannot be used is an
// error now; later it is logged, and the last good one stays in force.
func New(o Options) (*Provider, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Checks <= 0 {
		o.Checks = max(1, runtime.GOMAXPROCS(0)/2)
	}
	users, err := reload.New(
		func(contents [][]byte) (*htpasswd.Users, error) {
			users, err := htpasswd.Parse(contents[0])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", o.Htpasswd, err)
			}
			return users, nil
		},
		func(err error) {
			if err != nil {
				o.Log.Warn("the password file cannot be used, the last good one stays in force", "err", err)
				return
			}
			o.Log.Info("the password file was read anew", "file", o.Htpasswd)
		},
		o.Htpasswd)
	if err != nil {
		return nil, err
	}
	p := &Provider{
		users: users, challenge: `Basic realm="` + quotable(o.Realm) + `", charset="UTF-8"`,
		turns: make(chan struct{}, o.Checks), queue: make(chan struct{}, o.Checks+waiting),
	}
	rand.Read(p.key[:])
	p.good, err = lru.New[digest, good](remembered)
	return p, err
}

// quotable is s fit for a quoted string in a header field.
func quotable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, s)
}

// Challenge asks for a user name and a password.
func (p *Provider) Challenge() string { return p.challenge }

// Identify checks the credential of r, if it has one of the scheme Basic.
func (p *Provider) Identify(r *http.Request) (identity.Identity, bool, error) {
	fields := r.Header["Authorization"]
	if len(fields) == 0 || !isBasic(fields[0]) {
		return identity.Identity{}, false, nil
	}
	name, password, ok := r.BasicAuth()
	if !ok || name == "" || len(fields) > 1 || len(fields[0]) > maxCredential {
		return identity.Identity{}, true, identity.ErrRefused
	}
	users, sum := p.users.Get(), p.digest(fields[0])
	if !p.knows(sum, users) {
		if err := p.check(r, users, sum, name, password); err != nil {
			return identity.Identity{}, true, err
		}
	}
	return identity.Identity{Name: name, Method: Method}, true, nil
}

func isBasic(field string) bool {
	const scheme = "basic "
	return len(field) >= len(scheme) && strings.EqualFold(field[:len(scheme)], scheme)
}

func (p *Provider) digest(field string) (sum digest) {
	mac := hmac.New(sha256.New, p.key[:])
	mac.Write([]byte(field))
	mac.Sum(sum[:0])
	return sum
}

// knows reports whether a credential was found good lately, in the same file.
func (p *Provider) knows(sum digest, users *htpasswd.Users) bool {
	g, ok := p.good.Get(sum)
	return ok && g.users == users && time.Now().Before(g.until)
}

// check compares a password with the file when its turn has come.
func (p *Provider) check(r *http.Request, users *htpasswd.Users, sum digest, name, password string) error {
	select {
	case p.queue <- struct{}{}:
		defer func() { <-p.queue }()
	default:
		return identity.ErrBusy
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-timer.C:
		return identity.ErrBusy
	case <-r.Context().Done():
		return r.Context().Err()
	}
	if p.knows(sum, users) {
		return nil // another request with it had its turn before
	}
	if !users.Check(name, password) {
		return identity.ErrRefused
	}
	p.good.Add(sum, good{users: users, until: time.Now().Add(remember)})
	return nil
}
