package write

import (
	"context"
	"iter"
	"path"
	"sync"
	"time"

	"canopy/federator"
	"canopy/federator/record"
	"canopy/federator/veil"
	"canopy/plugins"
)

const (
	// buryEvery is how often it is tried to remove what could not be removed.
	buryEvery = 5 * time.Second
	// restoreEvery is how many of those pass between looks into the ledger, for
	// words of other front ends that were missed.
	restoreEvery = 3
	// removeTimeout bounds the removal of one copy.
	removeTimeout = 30 * time.Second
	// gravesAtOnce is how many copies are removed at once.
	gravesAtOnce = 16
)

// bury removes dead copies as soon as their endpoints answer.
func (w *Writer) bury() {
	t := time.NewTicker(buryEvery)
	defer t.Stop()
	for n := 0; ; n++ {
		if n == 0 { // there is more that others know
			w.veil.Ask()
		}
		if n%restoreEvery == 0 {
			kept, err := w.veil.Restore(w.ctx)
			if err != nil && w.ctx.Err() == nil {
				w.log.Warn("the graves of deleted files are not known; they may be seen until they are", "err", err)
				n-- // again at the next turn
			}
			w.orphans(kept)
			w.restore(kept)
		}
		w.veil.Expire(time.Now().UnixNano())
		w.later(w.veil.Graves(""))
		select {
		case <-w.ctx.Done():
			return
		case <-w.news:
			n = -1
		case <-t.C:
		}
	}
}

// later removes copies that could not be removed when they died. What has been
// written meanwhile is not to go with them, so changes of the path wait.
func (w *Writer) later(graves []veil.Grave) {
	if len(graves) == 0 {
		return
	}
	s := w.f.Enter()
	defer s.Leave()
	var wg sync.WaitGroup
	defer wg.Wait()
	room := make(chan struct{}, gravesAtOnce)
	for _, g := range graves {
		st := storageOf(s, string(g.Path), g.Endpoint)
		if st == nil || st.Down() {
			continue
		}
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			letGo, ok := w.pass(hold{path: string(g.Path), tree: g.Tree})
			if !ok {
				return
			}
			defer letGo()
			if lasts, err := w.veil.Lasts(w.ctx, g); err != nil || !lasts {
				return // the path was written to, and the grave seen to
			}
			if err := w.remains(w.ctx, st, g, true); err == nil {
				w.veil.Unbury(w.ctx, g)
			}
		})
	}
}

// supplant buries what has come to be dead because paths were written to, and
// removes it where that can be done. It returns what could not be removed yet.
func (w *Writer) supplant(ctx context.Context, s *federator.Session, graves []veil.Grave, paths ...string) (left Failures) {
	w.veil.Bury(ctx, graves)
	w.f.Written(paths...)
	w.f.Told() // else who asks one storage before and another after would find nothing
	left = w.dissolve(ctx, s, graves)
	w.elapse(graves)
	return left
}

// dissolve removes the copies that lie in graves, where their endpoints answer,
// and then the graves. It returns what could not be removed.
func (w *Writer) dissolve(ctx context.Context, s *federator.Session, graves []veil.Grave) (left Failures) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	room := make(chan struct{}, gravesAtOnce)
	for _, g := range graves {
		st := storageOf(s, string(g.Path), g.Endpoint)
		if st == nil {
			continue // no longer configured; it may come back
		}
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			err := error(&plugins.Error{Kind: plugins.Unavailable, Op: "remove", Endpoint: st.Name(), Path: string(g.Path)})
			if !st.Down() {
				err = w.remains(ctx, st, g, false)
			}
			if err == nil {
				w.veil.Unbury(ctx, g)
				return
			}
			mu.Lock()
			left = append(left, Failure{Path: string(g.Path), Endpoint: st.Name(), Err: err, Pending: true})
			mu.Unlock()
		})
	}
	wg.Wait()
	return left
}

// unseen is the grave of what a storage may have at path, and could not be asked
// for: all that is older than now. Storages tell times to the second, so where
// something may have been put there in the second that is not over yet, it is
// all that is older than the next.
func unseen(st *federator.Storage, p string, tree bool) veil.Grave {
	now := time.Now()
	g := veil.Grave{Path: veil.Name(p), Endpoint: st.ID(), Tree: tree, Since: now.UnixNano(), Dug: now.UnixNano()}
	if second := now.Truncate(time.Second); !st.Down() || st.Since() >= second.UnixNano() {
		g.Since = second.Add(time.Second).UnixNano()
	}
	return g
}

// elapse waits, where copies that were not seen are buried, until whatever is
// written is newer than they: for less than a second, and only where an endpoint
// has just fallen silent.
func (w *Writer) elapse(graves []veil.Grave) {
	var last int64
	for _, g := range graves {
		if !g.Seen && g.Since > last && w.veil.Has(g) {
			last = g.Since
		}
	}
	left := time.Until(time.Unix(0, last))
	if left <= 0 {
		return
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.ctx.Done():
	}
}

func storageOf(s *federator.Session, p string, id record.ID) *federator.Storage {
	for _, st := range s.Storages(p) {
		if st.ID() == id {
			return st
		}
	}
	return nil
}

// remains removes what lies in a grave, if it is still that. No error means
// that nothing of it is there any more. careful is that others may write there
// at the same time, who know nothing of it.
func (w *Writer) remains(ctx context.Context, st *federator.Storage, g veil.Grave, careful bool) error {
	if !st.Writable() || st.Abilities().Remover == nil {
		return &ReadOnly{Path: string(g.Path), Endpoint: st.Name()}
	}
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	for via, own := range st.Own() {
		began := time.Now()
		entry, err := st.Endpoint().Stat(ctx, own)
		st.Asked("stat", err, began)
		if plugins.KindOf(err) == plugins.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		r := record.Of(st.ID(), uint8(via), &entry, 0)
		if g.Tree && entry.Kind == plugins.Directory {
			if _, err := w.raze(ctx, st, own, &g, careful); err != nil {
				return err
			}
			continue
		}
		if !g.Holds(string(g.Path), &r) {
			continue // somebody has put another file there since
		}
		if careful && w.canPutAside(st) {
			err = w.withdraw(ctx, st, own, &g)
		} else {
			err = take(ctx, st, own)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// list yields what a storage has in a directory. A name that is none is an error: it
// would lead elsewhere, and something living be removed.
func list(ctx context.Context, st *federator.Storage, own string) iter.Seq2[plugins.Entry, error] {
	return func(yield func(plugins.Entry, error) bool) {
		lister := st.Abilities().Lister
		if lister == nil {
			yield(plugins.Entry{}, &plugins.Error{Kind: plugins.Unsupported, Op: "list", Endpoint: st.Name(), Path: own})
			return
		}
		for e, err := range lister.List(ctx, own) {
			if err == nil && !record.ValidName(e.Name) {
				err = &plugins.Error{Kind: plugins.Malformed, Op: "list", Endpoint: st.Name(), Path: own}
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// take removes one path from a storage, where it may be gone already.
func take(ctx context.Context, st *federator.Storage, own string) error {
	began := time.Now()
	err := st.Abilities().Remover.Remove(ctx, own)
	if plugins.KindOf(err) == plugins.NotFound {
		err = nil
	}
	st.Asked("remove", err, began)
	return err
}

// raze removes what is dead of a directory on a storage, and the directory if
// nothing else is in it; alive is whether something is.
func (w *Writer) raze(ctx context.Context, st *federator.Storage, own string, g *veil.Grave, careful bool) (alive bool, err error) {
	if err := shallow("remove", own); err != nil {
		return false, err
	}
	var children []plugins.Entry
	for e, err := range list(ctx, st, own) {
		if plugins.KindOf(err) == plugins.NotFound {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		children = append(children, e)
	}
	for _, e := range children {
		child := path.Join(own, e.Name)
		r := record.Of(st.ID(), 0, &e, 0)
		switch {
		case e.Kind == plugins.Directory:
			living, err := w.raze(ctx, st, child, g, careful)
			if err != nil {
				return false, err
			}
			alive = alive || living
		case !g.Holds(child, &r):
			alive = true
		default:
			if err := take(ctx, st, child); err != nil {
				return false, err
			}
		}
	}
	switch {
	case alive:
		return true, nil
	case careful && w.canPutAside(st):
		err = w.withdrawDirectory(ctx, st, own)
	default:
		err = take(ctx, st, own)
	}
	if plugins.KindOf(err) == plugins.NotEmpty {
		return true, nil // since it was listed
	}
	return false, err
}

// canPutAside reports whether what is to be removed from a storage can be put
// aside before, and must be: one that sweeps by itself removes only directories
// that are empty. Without a ledger there is no other front end that could have
// written meanwhile, and none that would put it back.
func (w *Writer) canPutAside(st *federator.Storage) bool {
	a := st.Abilities()
	return w.ledger != nil && a.Mover != nil && a.Sweeper == nil && a.Lister != nil
}

// leastAge is how old at least what is swept is, whatever Cleanup says: a copy
// stands still where it is staged until its time tells it from others.
const leastAge = 3 * apart

// sweepEvery is how often staging directories are looked through.
const sweepEvery = 5 * time.Minute

// sweep removes what front ends that died have left in staging directories.
func (w *Writer) sweep() {
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-w.ctx.Done():
			return
		case <-t.C:
		}
		s := w.f.Enter()
		for _, st := range s.All() {
			if st.Writable() && !st.Down() {
				w.sweepOne(st)
			}
		}
		s.Leave()
		t.Reset(min(sweepEvery, w.settings.Load().Cleanup))
	}
}

func (w *Writer) sweepOne(st *federator.Storage) {
	a := st.Abilities()
	ctx, cancel := context.WithTimeout(w.ctx, removeTimeout)
	defer cancel()
	age := w.settings.Load().Cleanup
	if a.Sweeper != nil {
		if n, err := a.Sweeper.Sweep(ctx, age); err != nil {
			w.log.Warn("what is left of uploads could not be removed", "endpoint", st.Name(), "err", err)
		} else if n > 0 {
			w.log.Info("what was left of uploads is removed", "endpoint", st.Name(), "files", n)
		}
		return
	}
	if a.Remover == nil {
		return
	}
	dir := "/" + plugins.Staging
	old := time.Now().Add(-max(age, leastAge))
	var stale []string
	for e, err := range list(ctx, st, dir) {
		if err != nil {
			break // mostly, that there is no such directory
		}
		// A file that is still being sent grows, where the storage shows that.
		if e.Kind == plugins.File && begun(e.Name).Before(old) && e.ModTime.Before(old) && !isAside(e.Name) {
			stale = append(stale, e.Name)
		}
	}
	for _, name := range stale {
		if err := take(ctx, st, dir+"/"+name); err != nil {
			w.log.Warn("what is left of an upload could not be removed", "endpoint", st.Name(), "name", name, "err", err)
			return
		}
		w.log.Info("what was left of an upload is removed", "endpoint", st.Name(), "name", name)
	}
}
