// Package lockinfo reads what a LOCK request asks for, and writes what is
// answered about locks: the lockinfo body (RFC 4918 section 14.11), the Timeout
// and Depth headers (sections 10.7 and 9.10.3), and the properties
// lockdiscovery and supportedlock (sections 15.8 and 15.10).
//
// The owner element is the one thing that a client says and others are shown.
// It may hold any XML, of which elements, attributes and text are kept, and
// comments and processing instructions are not. It is not echoed byte for byte
// but written anew with its own namespace declarations, so that it says the
// same wherever it stands and cannot end, open or redefine anything around it.
//
// A body has at most 64 KiB, in UTF-8, without a document type declaration and
// thus without entities of its own.
package lockinfo

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"canopy/frontend/lock"
	"canopy/plugins"
)

const (
	// MaxBody is the greatest length of a LOCK body in bytes.
	MaxBody = 64 << 10
	// maxElements is how deep elements may nest, and maxAttributes how many
	// attributes and declarations may be in force at once.
	maxElements   = 32
	maxAttributes = 256
)

// ErrTooLarge is why a body of more than MaxBody bytes is refused.
var ErrTooLarge = fmt.Errorf("the body exceeds %d bytes", MaxBody)

// Info is what the body of a LOCK asks for.
type Info struct {
	// Refresh is whether there is no body: a lock is to be refreshed, and the
	// If header names it.
	Refresh bool
	Scope   lock.Scope
	// Owner is the content of the owner element, safe to be written into any
	// document.
	Owner string
}

// Parse reads the body, which it does not close. When the body is at fault the
// error is a *plugins.Error of Kind Invalid, to be answered 413 if it wraps
// ErrTooLarge, else 400; an error of body itself is returned unchanged.
func Parse(body io.Reader) (Info, error) {
	b, err := io.ReadAll(io.LimitReader(body, MaxBody+1))
	switch {
	case err != nil:
		return Info{}, err
	case len(b) > MaxBody:
		return Info{}, invalid(ErrTooLarge)
	case len(bytes.TrimSpace(b)) == 0:
		return Info{Refresh: true}, nil
	}
	r := reader{decoder: xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff"))))}
	info, err := r.document()
	if err != nil {
		return Info{}, invalid(err)
	}
	return info, nil
}

func invalid(err error) error {
	return &plugins.Error{Kind: plugins.Invalid, Op: "lock", Err: err}
}

const dav = "DAV:"

// document reads lockinfo. What it does not know it passes over, as section 17
// demands, but never a second answer to the same question.
func (r *reader) document() (info Info, err error) {
	root, err := r.next()
	if err != nil {
		return info, err
	}
	if root.kind != opened || root.name != (xml.Name{Space: dav, Local: "lockinfo"}) {
		return info, errors.New("the document is not a lockinfo")
	}
	scope, write, owner := "", "", false
	for {
		child, err := r.child()
		if err != nil {
			return info, err
		}
		if child == nil {
			break
		}
		switch child.Local {
		case "lockscope":
			err = r.choice(&scope)
		case "locktype":
			err = r.choice(&write)
		case "owner":
			if owner {
				err = errors.New("two owners")
				break
			}
			owner = true
			info.Owner, err = r.content()
		default:
			err = r.skip()
		}
		if err != nil {
			return info, err
		}
	}
	if err := r.end(); err != nil {
		return info, err
	}
	switch scope {
	case "exclusive":
		info.Scope = lock.Exclusive
	case "shared":
		info.Scope = lock.Shared
	default:
		return info, errors.New("the lockscope is neither exclusive nor shared")
	}
	if write != "write" {
		return info, errors.New("the locktype is not write")
	}
	return info, nil
}

// child moves to the next child in the namespace DAV:; nil is the end.
func (r *reader) child() (*xml.Name, error) {
	for {
		t, err := r.next()
		switch {
		case err != nil:
			return nil, err
		case t.kind == closed:
			return nil, nil
		case t.kind == opened && t.name.Space == dav:
			return &t.name, nil
		case t.kind == opened:
			if err := r.skip(); err != nil {
				return nil, err
			}
		}
	}
}

// choice reads an element that has one child, and sets name to that of the
// child.
func (r *reader) choice(name *string) error {
	for {
		child, err := r.child()
		switch {
		case err != nil || child == nil:
			return err
		case *name != "":
			return errors.New("two scopes or types of lock at once")
		}
		*name = child.Local
		if err := r.skip(); err != nil {
			return err
		}
	}
}

// ParseTimeout reads the Timeout header: the first of its wishes that is known
// counts (section 10.7). It is 0 if there is no header. What may be granted is
// for lock.Granted to say. The error is of Kind Invalid.
func ParseTimeout(header string) (time.Duration, error) {
	if strings.TrimSpace(header) == "" {
		return 0, nil
	}
	for wish := range strings.SplitSeq(header, ",") {
		wish = strings.Trim(wish, " \t")
		if strings.EqualFold(wish, "Infinite") {
			return lock.MaxTimeout, nil
		}
		const prefix = "Second-"
		if len(wish) <= len(prefix) || !strings.EqualFold(wish[:len(prefix)], prefix) {
			continue
		}
		digits := wish[len(prefix):]
		if strings.Trim(digits, "0123456789") != "" {
			continue
		}
		// A number that is too large to be read is too large to be granted.
		n, err := strconv.ParseUint(digits, 10, 32)
		if err != nil {
			return lock.MaxTimeout, nil
		}
		return max(time.Second, min(time.Duration(n)*time.Second, lock.MaxTimeout)), nil
	}
	return 0, invalid(errors.New("the Timeout header holds neither Second-N nor Infinite"))
}

// ParseDepth reads the Depth header of a LOCK; deep is also what its absence
// means. The error is of Kind Invalid.
func ParseDepth(header string) (deep bool, err error) {
	switch header = strings.TrimSpace(header); {
	case header == "0":
		return false, nil
	case header == "", strings.EqualFold(header, "infinity"):
		return true, nil
	}
	return false, invalid(errors.New("the Depth of a LOCK is 0 or infinity"))
}
