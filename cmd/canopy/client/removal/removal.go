// Package removal removes files and trees of files from a server, one by one.
//
// A server could remove a directory with all that is in it in one go. Not all
// do, none tells how far it is, and what one of them could not remove is often
// not named. So the tree is walked: the files of a directory go, several at
// once, then the directories in it, then itself, unless something is left in
// it. An interruption leaves the rest as it was.
package removal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"canopy/cmd/canopy/client"
	"canopy/plugins"
)

// maxLevels bounds how deep a tree is followed: a server can make it endless.
const maxLevels = 128

// Server is where files are.
type Server interface {
	Look(ctx context.Context, a client.Address) (plugins.Entry, error)
	List(ctx context.Context, a client.Address, yield func(plugins.Entry) error) (client.Listing, error)
	Remove(ctx context.Context, a client.Address) error
}

// Remover removes. All fields but the flags must be set, and none may change
// once it is used; its methods may be called by several goroutines at once.
type Remover struct {
	Server   Server
	Patience client.Patience
	// Recursive lets directories be removed.
	Recursive bool
	// Force takes for done what is not there.
	Force bool
	// Slots bounds by its capacity how many files are removed at once.
	Slots chan struct{}
	// Removed is told what is gone, Failed what is not; by several goroutines
	// at once.
	Removed func(a client.Address)
	Failed  func(err error)
}

// Remove removes a. What fails goes to Failed.
func (r *Remover) Remove(ctx context.Context, a client.Address) {
	var e plugins.Entry
	err := r.Patience.Try(ctx, func() (err error) {
		e, err = r.Server.Look(ctx, a)
		return err
	})
	switch {
	case r.Force && plugins.KindOf(err) == plugins.NotFound:
	case err != nil:
		r.Failed(err)
	case e.Kind != plugins.Directory:
		if a.Collection {
			r.Failed(fmt.Errorf("%s: it is a file; leave out the slash at the end", a))
			return
		}
		r.one(ctx, a)
	case !r.Recursive:
		r.Failed(fmt.Errorf("%s: it is a directory; add -r to remove it with all that is in it", a))
	case a.Path == "/":
		r.Failed(fmt.Errorf("%s: it is the root of the server; name what is to be removed", a))
	default:
		a.Collection = true
		r.tree(ctx, a, 0)
	}
}

// tree removes the directory a and reports whether it is gone.
func (r *Remover) tree(ctx context.Context, a client.Address, level int) bool {
	if level > maxLevels {
		r.Failed(fmt.Errorf("%s: deeper than %d directories", a, maxLevels))
		return false
	}
	files, below, whole := r.list(ctx, a)
	var wait sync.WaitGroup
	var mu sync.Mutex
	for _, name := range files {
		select {
		case r.Slots <- struct{}{}:
		case <-ctx.Done():
			r.Failed(ctx.Err())
			wait.Wait()
			return false
		}
		wait.Go(func() {
			defer func() { <-r.Slots }()
			if !r.one(ctx, a.Join(name)) {
				mu.Lock()
				whole = false
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	for _, name := range below {
		if ctx.Err() != nil {
			r.Failed(ctx.Err())
			return false
		}
		child := a.Join(name)
		child.Collection = true
		whole = r.tree(ctx, child, level+1) && whole
	}
	return whole && r.one(ctx, a)
}

// list returns what is in the directory a. whole is whether that is all.
func (r *Remover) list(ctx context.Context, a client.Address) (files, below []string, whole bool) {
	var listing client.Listing
	err := r.Patience.Try(ctx, func() (err error) {
		files, below = nil, nil
		listing, err = r.Server.List(ctx, a, func(e plugins.Entry) error {
			if e.Kind == plugins.Directory {
				below = append(below, e.Name)
			} else {
				files = append(files, e.Name)
			}
			return ctx.Err()
		})
		return err
	})
	switch {
	case err != nil:
		r.Failed(err)
	case listing.File:
		r.Failed(fmt.Errorf("%s: it is a directory no more", a))
		files = nil
	case len(listing.Missing) > 0:
		r.Failed(fmt.Errorf("%s: not all of it is known, no answer from %s", a, strings.Join(listing.Missing, ", ")))
	default:
		whole = true
	}
	return files, below, whole
}

// one asks the server to remove a, and reports whether it is gone.
func (r *Remover) one(ctx context.Context, a client.Address) bool {
	err := r.Patience.Try(ctx, func() error { return r.Server.Remove(ctx, a) })
	var partial *client.Partial
	switch {
	case err == nil, plugins.KindOf(err) == plugins.NotFound && !errors.As(err, &partial):
		// Who removes it at the same time has done the same.
		r.Removed(a)
		return true
	case errors.As(err, &partial):
		for _, f := range partial.Failures {
			r.Failed(fmt.Errorf("%s: %v", a, f))
		}
		if partial.More > 0 {
			r.Failed(fmt.Errorf("%s: %d more failures", a, partial.More))
		}
	default:
		r.Failed(err)
	}
	return false
}
