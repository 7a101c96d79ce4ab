// Package lock keeps the write locks of WebDAV class 2 (RFC 4918 sections 6 and
// 7). It knows paths, names and times, and no HTTP: what a request says is read
// by its packages condition and lockinfo.
//
// # What is locked
//
// A lock has a root, a clean path of the namespace, and covers that resource;
// a deep one (Depth: infinity) covers all that is or will be below it as well.
// An exclusive lock bears no other on anything that it covers, a shared lock
// bears shared ones only; the holder's own locks are no exception. Creating a
// lock that is in conflict with another is a *ConflictError (423,
// no-conflicting-lock).
//
// What a request is about to change is a list of Touches. A touched resource
// that is covered by locks may be changed by whoever submits the token of one
// of them and is its holder: the only one if it is exclusive, any if they are
// shared. To make or remove a member of a collection is to change that
// collection, so that even a lock of depth 0 on it is asked for; to remove or
// replace a tree is to change all that is locked in it. Whoever does not have
// the tokens gets a *LockedError (423, lock-token-submitted) which names the
// roots of the locks that are in the way.
//
// A URL that is locked while nothing is there becomes an empty file, by the
// hand of the caller. Deleting or moving a resource ends the locks in it (Table.Drop);
// copies are not locked.
//
// # Time
//
// Every lock ends by itself. A client may ask for any time; it gets at most an
// hour, and ten minutes if it does not ask. An hour covers every editor that
// refreshes at all, and bounds how long the lock of a laptop that went home
// keeps others out.
//
// # Truth
//
// A Table judges by what its Store knows. Front ends that share a store honour
// each other's locks; of two that want the same exclusive lock one gets it. A
// store that cannot be reached is an error of Kind Unavailable for everything,
// to create a lock as well as to find out that there is none: nobody is told
// that a resource is free when that is not known.
//
// A check is a look at one moment. A lock that is granted while a write is
// under way, and had been checked before, does not stop that write.
package lock

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"canopy/plugins"
)

// Scope is whether a lock bears others.
type Scope uint8

// The scopes.
const (
	Exclusive Scope = iota + 1
	Shared
)

// Lock is a lock that was granted.
type Lock struct {
	// Token is a URI that nobody can guess.
	Token string
	// Root is the path that was locked.
	Root string
	// Deep is whether all below Root is locked as well.
	Deep  bool
	Scope Scope
	// Holder is who may use the token, the name of a user; "" is anonymous.
	Holder string
	// Owner is what the client said about who holds the lock, for people: XML
	// that package lockinfo made safe.
	Owner string
	// Expires is when the lock ends.
	Expires time.Time
}

// The limits on the fields of a lock.
const (
	// MaxPath is the length of the longest path that can be locked, in bytes,
	// and maxDepth how many components it may have.
	MaxPath  = 4 << 10
	maxDepth = 128
	// MaxHolder and MaxOwner are in bytes.
	MaxHolder = 1 << 10
	MaxOwner  = 4 << 10
	// maxToken is in bytes; those made here have 45.
	maxToken = 64
)

// Covers reports whether path is locked by l.
func (l *Lock) Covers(path string) bool {
	return l.Root == path || l.Deep && below(path, l.Root)
}

// Conflicts reports whether two locks cannot be at the same time (section 6.2).
func (l *Lock) Conflicts(with *Lock) bool {
	if l.Scope == Shared && with.Scope == Shared {
		return false
	}
	return l.Covers(with.Root) || with.Covers(l.Root)
}

// Validate returns what is wrong with a lock: a field that exceeds its limit
// or could not be stored. A Store uses it on what it reads from elsewhere.
func (l *Lock) Validate() error {
	switch {
	case l.Token == "" || len(l.Token) > maxToken || strings.ContainsFunc(l.Token, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return fmt.Errorf("a token of %d bytes, or with characters that none has", len(l.Token))
	case l.Scope != Exclusive && l.Scope != Shared:
		return fmt.Errorf("an unknown scope, %d", l.Scope)
	case len(l.Root) > MaxPath || strings.Count(l.Root, "/") > maxDepth:
		return fmt.Errorf("a path of more than %d bytes or %d components", MaxPath, maxDepth)
	case l.Root == "" || l.Root[0] != '/' || l.Root != "/" && strings.HasSuffix(l.Root, "/"):
		return errors.New("a path that is not absolute, or ends in a slash")
	case len(l.Holder) > MaxHolder:
		return fmt.Errorf("a holder's name of more than %d bytes", MaxHolder)
	case len(l.Owner) > MaxOwner:
		return fmt.Errorf("an owner of more than %d bytes", MaxOwner)
	case strings.Contains(l.Root, "\x00") || strings.Contains(l.Holder, "\x00") || strings.Contains(l.Owner, "\x00"):
		return errors.New("a NUL")
	}
	return nil
}

// below reports whether path is strictly below root.
func below(path, root string) bool {
	if root == "/" {
		return path != "/"
	}
	return len(path) > len(root) && path[len(root)] == '/' && path[:len(root)] == root
}

// parent returns the collection that path is a member of; "/" has none.
func parent(path string) (string, bool) {
	if path == "/" {
		return "", false
	}
	return path[:max(1, strings.LastIndexByte(path, '/'))], true
}

// ConflictError is why a lock was not granted: others are in the way. The
// answer is 423 with the condition no-conflicting-lock.
type ConflictError struct {
	// Roots are where those locks are; some of them, if they are many.
	Roots []string
}

// Error says so.
func (e *ConflictError) Error() string {
	return "a lock that is in conflict exists at " + quote(e.Roots)
}

// Unwrap returns an error of Kind Locked.
func (e *ConflictError) Unwrap() error { return &plugins.Error{Kind: plugins.Locked, Op: "lock"} }

// LockedError is why a request may not do what it wants: a token was not
// submitted. The answer is 423 with the condition lock-token-submitted.
type LockedError struct {
	// Roots are where the locks are whose tokens would be needed.
	Roots []string
}

// Error says so.
func (e *LockedError) Error() string {
	return "no token was submitted for the lock at " + quote(e.Roots)
}

// Unwrap returns an error of Kind Locked.
func (e *LockedError) Unwrap() error { return &plugins.Error{Kind: plugins.Locked, Op: "change"} }

// quote shows the first of roots.
func quote(roots []string) string {
	const most = 3
	shown := fmt.Sprintf("%.200q", roots[:min(len(roots), most)])
	if len(roots) > most {
		return fmt.Sprintf("%s and %d more", shown, len(roots)-most)
	}
	return shown
}
