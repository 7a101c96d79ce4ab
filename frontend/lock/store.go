package lock

import (
	"context"
	"time"
)

// Store keeps the locks of a Table, or of several. Its methods may be called
// by any number of goroutines at once, and each is atomic: nobody sees half of
// what another does, whichever process it is in.
//
// now is the time, for a store that has no clock of its own. A store that is
// shared goes by one clock for all who share it, and tells the Expires of a
// lock in the time of the caller. A lock whose time has come is as good as
// gone.
//
// Errors are *plugins.Error: Unavailable, Timeout or Canceled when it is not
// known what is locked, Full when a limit is reached, Malformed for a lock that
// cannot be read. None of them means that nothing is locked. A change may have
// been made although it is reported as failed.
type Store interface {
	// Add adds a lock that ends after ttl, unless it conflicts with others:
	// then it returns some of these. To add the same token twice is to add it
	// once.
	Add(ctx context.Context, now time.Time, l Lock, ttl time.Duration, limits Limits) (conflicts []Lock, err error)
	// Extend makes the lock end ttl after now and returns it; false if it
	// does not exist.
	Extend(ctx context.Context, now time.Time, token string, ttl time.Duration) (Lock, bool, error)
	// Get returns the lock; false if it does not exist.
	Get(ctx context.Context, now time.Time, token string) (Lock, bool, error)
	// Remove removes the lock; false if it did not exist.
	Remove(ctx context.Context, now time.Time, token string) (bool, error)
	// Drop removes all locks that are rooted at path or below.
	Drop(ctx context.Context, now time.Time, path string) error
	// Find returns the locks of the query, each once, in no order. More than
	// MaxFound are an error of Kind Locked.
	Find(ctx context.Context, now time.Time, q Query) ([]Lock, error)
}

// Query says which locks are wanted.
type Query struct {
	// On asks for the locks that cover any of these paths.
	On []string
	// Below asks for the locks that are rooted at these paths, or below them.
	Below []string
}

// Limits bounds what a Store takes, so that nobody fills it.
type Limits struct {
	// Total is for all locks together, PerHolder for those of one holder, and
	// PerPath for those on one root.
	Total, PerHolder, PerPath int
}

const (
	// MaxFound is how many locks one query may find.
	MaxFound = 4096
	// MaxConflicts is how many of the locks in the way are told.
	MaxConflicts = 16
)

// Above returns the roots at which a deep lock would cover path, from "/" on,
// path itself excluded. Where nothing can be locked nothing is looked for.
func Above(path string) []string {
	if path == "/" {
		return nil
	}
	above := []string{"/"}
	for i := 1; i < min(len(path), MaxPath+1) && len(above) <= maxDepth; i++ {
		if path[i] == '/' {
			above = append(above, path[:i])
		}
	}
	return above
}
