// Package htpasswd reads the files of user names and hashed passwords that the
// program htpasswd of the Apache web server writes, and checks passwords
// against them.
//
// Of the hashes, bcrypt ($2y$, htpasswd -B), Apache's MD5 ($apr1$, htpasswd
// -m) and SHA-1 ({SHA}, htpasswd -s) are understood. The others are refused
// when the file is read: crypt, because it heeds eight characters only; SHA-2
// crypt; and plain text, because it needs no breaking at all.
package htpasswd

import (
	"bytes"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

const (
	maxUsers = 100_000
	maxLine  = 1024
	// maxCost is the largest bcrypt cost accepted: 2^16 rounds keep a core
	// busy for some seconds.
	maxCost = 16
)

// Users are the users of one file. They do not change and may be used by any
// number of goroutines at once.
type Users struct {
	hashes map[string]hash
	// slowest is what passwords of unknown users are checked against.
	slowest hash
}

// hash is one way to keep a password.
type hash interface {
	matches(password string) bool
	// work is how long a check takes, in no particular unit.
	work() int
}

// Parse reads the content of a file. Errors name the line, never its content
// but for the user's name.
func Parse(content []byte) (*Users, error) {
	u := &Users{hashes: make(map[string]hash)}
	number := 0
	for line := range bytes.Lines(content) {
		number++
		text := strings.TrimRight(string(line), "\r\n")
		if strings.TrimSpace(text) == "" || text[0] == '#' {
			continue
		}
		if len(u.hashes) == maxUsers {
			return nil, fmt.Errorf("line %d: there are more than %d users", number, maxUsers)
		}
		if err := u.add(text); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	return u, nil
}

func (u *Users) add(line string) error {
	if len(line) > maxLine {
		return fmt.Errorf("the line is longer than %d bytes", maxLine)
	}
	name, text, ok := strings.Cut(line, ":")
	if !ok || name == "" {
		return errors.New("this is not NAME:HASH; write the file with htpasswd -B")
	}
	if u.hashes[name] != nil {
		return fmt.Errorf("user %.64q is there twice; keep one", name)
	}
	// As the web server does, ignore what follows a further colon.
	text, _, _ = strings.Cut(strings.TrimRight(text, " \t"), ":")
	h, err := parseHash(text)
	if err != nil {
		return fmt.Errorf("user %.64q: %w", name, err)
	}
	u.hashes[name] = h
	if u.slowest == nil || h.work() > u.slowest.work() {
		u.slowest = h
	}
	return nil
}

func parseHash(text string) (hash, error) {
	switch {
	case strings.HasPrefix(text, "$2y$"), strings.HasPrefix(text, "$2b$"), strings.HasPrefix(text, "$2a$"):
		return parseBcrypt(text)
	case strings.HasPrefix(text, "$apr1$"):
		return parseAPR1(text)
	case strings.HasPrefix(text, "{SHA}"):
		return parseSHA(text)
	case strings.HasPrefix(text, "$5$"), strings.HasPrefix(text, "$6$"):
		return nil, errors.New("SHA-2 crypt is not understood; set the password with htpasswd -B")
	}
	return nil, errors.New("crypt and plain passwords are not accepted; set the password with htpasswd -B")
}

// Len is the number of users.
func (u *Users) Len() int { return len(u.hashes) }

// Check reports whether password is that of the user called name. It takes as
// long for a user that does not exist as for the one with the slowest hash.
func (u *Users) Check(name, password string) bool {
	h, known := u.hashes[name]
	if !known {
		h = u.slowest
	}
	return h != nil && h.matches(password) && known
}

// bcryptHash is a hash by bcrypt.
type bcryptHash struct {
	text []byte
	cost int
}

func parseBcrypt(text string) (hash, error) {
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil || len(text) != 60 {
		return nil, errors.New("this is not a whole bcrypt hash; set the password with htpasswd -B")
	}
	if cost > maxCost {
		return nil, fmt.Errorf("a bcrypt cost of %d would take minutes for each check; use %d at most", cost, maxCost)
	}
	return bcryptHash{[]byte(text), cost}, nil
}

func (h bcryptHash) matches(password string) bool {
	return bcrypt.CompareHashAndPassword(h.text, []byte(password)) == nil
}

func (h bcryptHash) work() int { return 1000 << h.cost }

// shaHash is the SHA-1 of the password alone.
type shaHash [sha1.Size]byte

func parseSHA(text string) (hash, error) {
	sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "{SHA}"))
	if err != nil || len(sum) != sha1.Size {
		return nil, errors.New("this is not a whole {SHA} hash; set the password with htpasswd -B")
	}
	return shaHash(sum), nil
}

func (h shaHash) matches(password string) bool {
	sum := sha1.Sum([]byte(password))
	return subtle.ConstantTimeCompare(sum[:], h[:]) == 1
}

func (shaHash) work() int { return 1 }
