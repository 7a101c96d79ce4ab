// Package condition reads and evaluates what a WebDAV request demands of the
// state of resources: the If header (RFC 4918 section 10.4), and the Lock-Token
// header of UNLOCK (section 10.5).
//
// An If header is a choice of lists; it holds if one list holds. A list speaks
// of one resource, the one that its tag names or else the one that is requested,
// and holds if all its conditions do. A condition is a state token, which holds
// where the resource is within that lock, or an entity tag, or the opposite of
// one of these.
//
//	If: (<urn:uuid:181d4fae-…> ["1a-16f3"]) (Not <DAV:no-lock>)
//	If: </docs/> (<urn:uuid:f81de2ad-…>)
//
// Besides, every token in the header counts as submitted, whatever becomes of
// the list in which it stands (section 10.4.1). So a header can hold and yet
// not submit the token that a write needs: the second answer, 423, is for
// package lock to give.
//
// The grammar is taken strictly: what does not match it is refused, since a
// condition that is misread protects nothing. "Not" and the scheme of a token
// may be written in any case.
package condition

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"canopy/plugins"
)

// The limits on a header.
const (
	// MaxHeader is the greatest length of an If header in bytes.
	MaxHeader = 16 << 10
	// MaxConditions is how many conditions an If header may have.
	MaxConditions = 256
	// MaxResources is how many resources the tags of an If header may name.
	MaxResources = 64
	// MaxToken is the greatest length of a state token in bytes.
	MaxToken = 512
)

// If is a header that has been read. A nil *If is the absence of one.
type If struct{ Lists []List }

// List is a conjunction of conditions on one resource.
type List struct {
	// Path is the resource, "" if it is not one of ours: it then is in no
	// state that a condition could name.
	Path       string
	Conditions []Condition
}

// Condition is what a list demands of its resource. One of Token and ETag is
// set.
type Condition struct {
	// Not turns the demand around.
	Not bool
	// Token is a state token, an absolute URI.
	Token string
	// ETag is an entity tag with its quotes, and W/ before them if it is weak.
	ETag string
}

// Locator returns the clean path of the resource that a tag names, and false
// if the tag is of another server or outside of the namespace. The URL has a
// scheme and a host or neither, and a path that begins with a slash, decoded.
type Locator func(tag *url.URL) (path string, ok bool)

// Parse reads the value of an If header. request is the clean path that is
// requested, of which lists without a tag speak. The error is a *plugins.Error
// of Kind Invalid, to be answered 400; so should be a request with two If
// headers, which nobody may join (RFC 9110 section 5.3).
func Parse(header, request string, locate Locator) (*If, error) {
	if len(header) > MaxHeader {
		return nil, invalid(fmt.Errorf("longer than %d bytes", MaxHeader))
	}
	p := parser{rest: header, locate: locate}
	if err := p.header(request); err != nil {
		return nil, invalid(err)
	}
	return &p.parsed, nil
}

func invalid(err error) error {
	return &plugins.Error{Kind: plugins.Invalid, Err: fmt.Errorf("the If header: %w", err)}
}

// ParseToken reads the value of a Lock-Token header, a state token in angle
// brackets. The error is a *plugins.Error of Kind Invalid, to be answered 400.
func ParseToken(header string) (string, error) {
	p := parser{rest: header}
	p.space()
	token, err := p.token()
	if p.space(); err == nil && p.rest != "" {
		err = errors.New("something follows the token")
	}
	if err != nil {
		return "", &plugins.Error{Kind: plugins.Invalid, Err: fmt.Errorf("the Lock-Token header: %w", err)}
	}
	return token, nil
}

// Paths returns the resources of ours that the lists speak of, each once.
func (f *If) Paths() []string {
	var paths []string
	if f == nil {
		return paths
	}
	for _, l := range f.Lists {
		if l.Path != "" && !slices.Contains(paths, l.Path) {
			paths = append(paths, l.Path)
		}
	}
	return paths
}

// Submitted returns the tokens that the header submits. One may come twice.
func (f *If) Submitted() []string {
	var tokens []string
	if f == nil {
		return tokens
	}
	for _, l := range f.Lists {
		for _, c := range l.Conditions {
			if c.Token != "" {
				tokens = append(tokens, c.Token)
			}
		}
	}
	return tokens
}

// Sole returns the token of a header that consists of one list with one token,
// which is the form in which a LOCK names the lock to be refreshed (section
// 9.10.2).
func (f *If) Sole() (token string, ok bool) {
	if f == nil || len(f.Lists) != 1 || len(f.Lists[0].Conditions) != 1 {
		return "", false
	}
	c := f.Lists[0].Conditions[0]
	return c.Token, c.Token != "" && !c.Not
}

// State is what conditions are compared with.
type State struct {
	// Locked reports whether path is within the lock of that token, be it
	// that the lock is rooted there or above.
	Locked func(path, token string) bool
	// ETag returns the entity tag of the resource at path, "" if it has none
	// or does not exist. It is asked once for each path that needs it. Its
	// error ends the evaluation.
	ETag func(path string) (string, error)
}

// Holds reports whether one of the lists holds; the absence of a header does.
// If it does not, the answer is 412. An error is one of State.ETag.
func (f *If) Holds(s State) (bool, error) {
	if f == nil {
		return true, nil
	}
	e := evaluation{State: s, tags: make(map[string]string)}
	for _, l := range f.Lists {
		if holds, err := e.list(&l); holds || err != nil {
			return holds, err
		}
	}
	return false, nil
}

// evaluation is a State with the entity tags that were found out.
type evaluation struct {
	State
	tags map[string]string
}

func (e *evaluation) list(l *List) (bool, error) {
	for _, c := range l.Conditions {
		holds, err := e.condition(l.Path, &c)
		if err != nil || holds == c.Not {
			return false, err
		}
	}
	return true, nil
}

// condition reports whether path is in the state that c names.
func (e *evaluation) condition(path string, c *Condition) (bool, error) {
	switch {
	case path == "":
		return false, nil
	case c.Token != "":
		return e.Locked(path, c.Token), nil
	}
	tag, known := e.tags[path]
	if !known {
		var err error
		if tag, err = e.ETag(path); err != nil {
			return false, err
		}
		e.tags[path] = tag
	}
	// Section 10.4.4 allows the weak comparison; it forgives the proxies
	// which weaken a tag on its way to the client.
	return tag != "" && strings.TrimPrefix(tag, "W/") == strings.TrimPrefix(c.ETag, "W/"), nil
}
