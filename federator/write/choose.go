package write

import (
	"context"
	"errors"
	"path"
	"slices"
	"sync"
	"time"

	"canopy/federator"
	"canopy/federator/choice"
	"canopy/federator/place"
	"canopy/federator/record"
	"canopy/plugins"
)

// File is what is known of an upload before it comes.
type File struct {
	// Size is in bytes, negative when unknown.
	Size int64
	// ModTime is for storages that let it be chosen; zero is now.
	ModTime time.Time
	// Digests are what the content must have; ErrChecksum is the error if it
	// has not.
	Digests []plugins.Digest
	// New is that nothing may be there; Match, when set, reports whether what
	// is there is what the client means.
	New   bool
	Match func(*federator.Found) bool
	// Client is who sends it, Sender what tells him from others; "" is nobody.
	Client *choice.Client
	Sender string
	// Pull is that the client will have the storage fetch the file from another
	// server, by COPY; Harms, when set, reports whether the client is not to be
	// sent to an address. Both concern Redirect alone.
	Pull  bool
	Harms func(url string) bool
}

// plan is what is to be done to store a file.
type plan struct {
	path string
	size int64 // negative when unknown
	// old is what is there now, of which Record is nil if nothing is.
	old federator.Found
	// choice are the storages that can take it, best first.
	choice []*federator.Storage
	// parents are the endpoints known to have the directory above.
	parents []record.ID
	// silent are those who may have the path, and could not be asked.
	silent []string
}

// exists reports whether a file is replaced.
func (p *plan) exists() bool { return p.old.Record != nil }

// plan finds out where a file can go. carried is whether the bytes come
// through here.
func (w *Writer) plan(ctx context.Context, s *federator.Session, p string, file *File, carried bool) (*plan, error) {
	return w.planAfter(ctx, s, p, file, carried, w.ask)
}

// planAfter is plan, with what asks for the path.
func (w *Writer) planAfter(ctx context.Context, s *federator.Session, p string, file *File, carried bool, ask func(context.Context, string, *choice.Client) (federator.Found, error)) (*plan, error) {
	if s.Virtual(p) {
		return nil, failure(plugins.IsDirectory, "store", p)
	}
	plan := &plan{path: p, size: file.Size}
	found, err := ask(ctx, p, file.Client)
	var absent *federator.Absent
	switch {
	case errors.As(err, &absent):
		plan.silent = absent.Missing
	case err != nil:
		return nil, err
	case found.Kind() != plugins.File:
		return nil, failure(plugins.IsDirectory, "store", p)
	default:
		plan.old, plan.silent = found, found.Missing
	}
	switch {
	case plan.exists() && file.New:
		return nil, failure(plugins.Exists, "store", p)
	case file.Match != nil && (!plan.exists() || !file.Match(&plan.old)):
		return nil, failure(plugins.Changed, "store", p)
	}
	if plan.parents, err = w.holdersAbove(ctx, s, p, file.Client); err != nil {
		return nil, err
	}
	storages, err := w.takers(s, plan, carried)
	if err != nil {
		return nil, err
	}
	plan.choice, err = w.order(ctx, s, p, file, storages)
	return plan, err
}

// holdersAbove returns who has the directory in which p is to be. If nobody has,
// the error is NoParent, unless directories are made.
func (w *Writer) holdersAbove(ctx context.Context, s *federator.Session, p string, c *choice.Client) ([]record.ID, error) {
	dir := path.Dir(p)
	virtual := s.Virtual(dir)
	found, err := w.f.Lookup(ctx, dir, federator.First, c)
	var absent *federator.Absent
	switch {
	case errors.As(err, &absent):
		if !virtual && !w.settings.Load().MakeParents {
			return nil, failure(plugins.NoParent, "store", p)
		}
		return nil, nil
	case err != nil:
		return nil, err
	case found.Kind() != plugins.Directory:
		return nil, failure(plugins.NoParent, "store", p)
	}
	var ids []record.ID
	for _, r := range found.Replicas {
		if r.Kind == plugins.Directory {
			ids = append(ids, r.Endpoint)
		}
	}
	return ids, nil
}

// takers returns the storages that could store the file: of one that exists,
// those who hold it. A copy where nothing may be written would stay as it is
// and come to light some day, so that is refused.
func (w *Writer) takers(s *federator.Session, p *plan, carried bool) ([]*federator.Storage, error) {
	var can []*federator.Storage
	here, down := false, []string(nil)
	for _, st := range s.Storages(p.path) {
		if p.exists() {
			if _, holds := p.old.By(st.ID()); !holds {
				continue
			}
			if !st.Writable() {
				return nil, &ReadOnly{Path: p.path, Endpoint: st.Name()}
			}
		}
		a := st.Abilities()
		if !st.Writable() || a.Writer == nil && (carried || !st.Redirects()) {
			continue
		}
		here = true
		switch {
		case st.Down():
			down = append(down, st.Name())
		case !st.Draining() || p.exists():
			can = append(can, st)
		}
	}
	switch {
	case !here:
		return nil, &ReadOnly{Path: p.path}
	case len(can) == 0:
		return nil, &federator.Unknown{Path: p.path, Missing: down, RetryAfter: retryAfter}
	}
	return can, nil
}

// retryAfter is what clients are told to wait for an endpoint that is down.
const retryAfter = 5 * time.Second

// spaceTimeout bounds how long is waited to learn of an endpoint's room: then
// it is taken to have enough.
const spaceTimeout = 2 * time.Second

// order puts storages with room in the order of the policy.
func (w *Writer) order(ctx context.Context, s *federator.Session, p string, file *File, storages []*federator.Storage) ([]*federator.Storage, error) {
	turns, groups := s.Rank(file.Client, storages)
	candidates := make([]place.Candidate, len(storages))
	for turn, i := range turns {
		st := storages[i]
		candidates[i] = place.Candidate{Name: st.Name(), Turn: turn, Group: groups[turn], Free: -1, Weight: st.Share()}
	}
	if len(storages) > 1 || file.Size > 0 {
		ctx, cancel := context.WithTimeout(ctx, spaceTimeout)
		defer cancel()
		var wg sync.WaitGroup
		for i, st := range storages {
			if spacer := st.Abilities().Spacer; spacer != nil {
				wg.Go(func() {
					if space, err := spacer.Space(ctx, path.Dir(st.Own()[0])); err == nil {
						candidates[i].Free = space.Free
					}
				})
			}
		}
		wg.Wait()
	}
	fit := place.Fit(candidates, file.Size)
	if len(fit) == 0 {
		return nil, failure(plugins.Full, "store", p)
	}
	var all []*federator.Storage
	for _, i := range w.settings.Load().Policy(p, fit) {
		at := slices.IndexFunc(storages, func(st *federator.Storage) bool { return st.Name() == fit[i].Name })
		all = append(all, storages[at])
	}
	return all, nil
}

// parents makes the directories above own, which is the path p, on a storage.
// Where it is known to have them, nothing is asked.
func (w *Writer) parents(ctx context.Context, st *federator.Storage, own, p string) error {
	made, err := above(ctx, st, own)
	if made {
		// They may have been absent until now, for all front ends.
		var dirs []string
		for at := path.Dir(p); at != "/"; at = path.Dir(at) {
			dirs = append(dirs, at)
		}
		w.f.Written(dirs...)
	}
	return err
}

// above makes the directories above own, and reports whether it has made any.
func above(ctx context.Context, st *federator.Storage, own string) (made bool, err error) {
	maker := st.Abilities().Maker
	if maker == nil {
		return false, nil // a storage without directories
	}
	dir := path.Dir(own)
	if dir == "/" {
		return false, nil
	}
	began := time.Now()
	err = maker.MakeDirectory(ctx, dir)
	if plugins.KindOf(err) == plugins.NoParent {
		if _, err := above(ctx, st, dir); err != nil {
			return false, err
		}
		err = maker.MakeDirectory(ctx, dir)
	}
	made = err == nil
	if plugins.KindOf(err) == plugins.Exists {
		err = nil
	}
	st.Asked("mkdir", err, began)
	return made, err
}
