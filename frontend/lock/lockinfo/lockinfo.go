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
	"slices"
	"strconv"
	"strings"
	"time"

	"canopy/frontend/lock"
	"canopy/plugins"
	"canopy/plugins/wire/fragment"
)

const (
	// MaxBody is the greatest length of a LOCK body in bytes.
	MaxBody = 64 << 10
	// maxDepth is how deep elements may nest.
	maxDepth = 32
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
	r := fragment.NewReader(b, fragment.Limits{Room: lock.MaxOwner, Depth: maxDepth})
	info, err := document(r)
	if r.Err() != nil {
		err = r.Err()
	}
	if err != nil {
		return Info{}, invalid(err)
	}
	return info, nil
}

func invalid(err error) error {
	return &plugins.Error{Kind: plugins.Invalid, Op: "lock", Err: err}
}

const dav = "DAV:"

// document reads a lockinfo. What it returns is right unless r has an error.
// Elements that are unknown are passed over, as RFC 4918 section 17 demands.
func document(r *fragment.Reader) (info Info, err error) {
	if r.Root() && r.Name() != (xml.Name{Space: dav, Local: "lockinfo"}) {
		return info, errors.New("the document is not a lockinfo")
	}
	var scopes, types []string
	owner := false
	for r.Next() {
		switch name := r.Name(); name {
		case xml.Name{Space: dav, Local: "lockscope"}:
			scopes = append(scopes, children(r)...)
		case xml.Name{Space: dav, Local: "locktype"}:
			types = append(types, children(r)...)
		case xml.Name{Space: dav, Local: "owner"}:
			if owner {
				return info, errors.New("two owners")
			}
			owner, info.Owner = true, r.Content()
		default:
			r.Skip()
		}
	}
	r.Finish()
	switch {
	case len(scopes) > 1 || len(types) > 1:
		return info, errors.New("two scopes or types of lock at once")
	case slices.Equal(scopes, []string{"exclusive"}):
		info.Scope = lock.Exclusive
	case slices.Equal(scopes, []string{"shared"}):
		info.Scope = lock.Shared
	default:
		return info, errors.New("the lockscope is neither exclusive nor shared")
	}
	if !slices.Equal(types, []string{"write"}) {
		return info, errors.New("the locktype is not write")
	}
	return info, nil
}

// children ends the innermost element and returns the local names of its
// children in DAV:.
func children(r *fragment.Reader) (names []string) {
	for r.Next() {
		if name := r.Name(); name.Space == dav {
			names = append(names, name.Local)
		}
		r.Skip()
	}
	return names
}

// Sound reports whether owner could have come from Parse. A store asks that of
// what others may have changed.
func Sound(owner string) bool {
	return len(owner) <= lock.MaxOwner && (strings.Trim(owner, plain) == "" || fragment.Sound(owner, maxDepth))
}

// plain are characters that stand for themselves; most owners have no other.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:;@/-_+()"

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
