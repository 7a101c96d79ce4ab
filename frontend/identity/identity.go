// Package identity tells who a request comes from.
//
// A Provider understands one kind of credential: a password, a token, a
// certificate. It answers that the request holds none of its kind, or who the
// credential belongs to, or that it is no good. Providers stand in a Chain;
// the first that finds a credential of its kind decides. A request without any
// credential is anonymous, which is not an error: what anonymous clients may
// do is a question for package access. A credential that is no good is an
// error even where no credential is needed, so that a wrong password is never
// mistaken for a missing right.
package identity

import (
	"errors"
	"net/http"
	"slices"
)

// Identity is who a request comes from. The zero value is anonymous.
type Identity struct {
	// Name is the user's name; "" is anonymous.
	Name string
	// Groups are the groups that the user is in.
	Groups []string
	// Method is how that was found out: "basic", …
	Method string
}

// Anonymous reports whether nobody knows who it is. A nil *Identity is
// anonymous too.
func (i *Identity) Anonymous() bool { return i == nil || i.Name == "" }

// In reports whether the identity is in group.
func (i *Identity) In(group string) bool { return i != nil && slices.Contains(i.Groups, group) }

// The errors of a Provider; it may wrap them.
var (
	// ErrRefused: there is a credential and it is no good. The answer is 401.
	ErrRefused = errors.New("the credential is not valid")
	// ErrBusy: the credential could not be checked, because too many others
	// are being checked. The answer is 503, and to try again makes sense.
	ErrBusy = errors.New("too many credentials are being checked; try again")
)

// Provider understands one kind of credential. Its methods may be called by
// any number of goroutines at once.
type Provider interface {
	// Identify tells who sent r. It returns false when r holds no credential
	// of this kind. It returns true with ErrRefused or ErrBusy when it does
	// and that is no good or could not be checked; the text of the error never
	// holds any of it. It returns the error of r's context if that ends first.
	Identify(r *http.Request) (who Identity, found bool, err error)
	// Challenge is the value of the WWW-Authenticate field by which a client
	// is asked for such a credential (RFC 9110, section 11.6.1); "" if there
	// is none.
	Challenge() string
}

// Chain asks providers in order. The empty chain knows nobody.
type Chain []Provider

// Identify returns the answer of the first provider that finds a credential of
// its kind, and the anonymous identity if none does.
func (c Chain) Identify(r *http.Request) (Identity, error) {
	for _, p := range c {
		if who, found, err := p.Identify(r); err != nil {
			return Identity{}, err
		} else if found {
			return who, nil
		}
	}
	return Identity{}, nil
}

// Challenges returns the values of the WWW-Authenticate fields of an answer
// 401, none if there is no way to authenticate.
func (c Chain) Challenges() []string {
	var all []string
	for _, p := range c {
		if challenge := p.Challenge(); challenge != "" {
			all = append(all, challenge)
		}
	}
	return all
}
