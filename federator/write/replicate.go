package write

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"canopy/federator"
	"canopy/federator/veil"
	"canopy/plugins"
)

var (
	// ErrBusy is the error of what gives way to a change of the path.
	ErrBusy = errors.New("the file is being written")
	// ErrNowhere is the error of a copy for which there is no endpoint: those
	// that could take it have one, do not answer, or are being drained.
	ErrNowhere = errors.New("no further endpoint takes a copy")
)

// apart is how far two writes of one file must be from each other so that times
// told to the second tell them apart, and the clocks of storages that are kept
// in step.
const apart = 2 * time.Second

// Copied is what Replicate came to.
type Copied struct {
	// Enough is that nothing is left to be done: there are as many copies as
	// wished for, or the file has gone.
	Enough bool
	// Made is the copy that was made; nil if none was. It is to be Confirmed.
	Made *Made
}

// Replicate makes one copy more of the file path if there are fewer than copies
// of it that can be had, not counting those on endpoints that are being
// drained. Nothing of it shows before it is whole, and it does not come to show
// if the file has changed meanwhile. It never stands in the way of a change:
// ErrBusy is the error if one is under way, or comes. Other errors are
// ErrNowhere, those of a lookup, and *plugins.Error, Changed being that of a
// file that was another one at the end, or of which there are two contents.
//
// Front ends do not wait for each other. One that began to change the file just
// before the copy came to show may not have known of it, so the copy is to be
// confirmed a little later.
func (w *Writer) Replicate(ctx context.Context, path string, copies int) (Copied, error) {
	var copied Copied
	err := w.yielding(ctx, path, func(ctx context.Context, r *replication) (err error) {
		copied, err = r.run(ctx, copies)
		return err
	})
	return copied, err
}

// Confirm takes a copy away again if the file is no longer what it is a copy
// of, and the copy still is what it was. The errors are those of Replicate.
func (w *Writer) Confirm(ctx context.Context, path string, made *Made) error {
	return w.yielding(ctx, path, func(ctx context.Context, r *replication) error { return r.confirm(ctx, made) })
}

// yielding has do work at path unless, and until, somebody wants to change it.
func (w *Writer) yielding(ctx context.Context, p string, do func(context.Context, *replication) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	yields := func() { cancel(ErrBusy) }
	letGo, err := w.paths.take(ctx, hold{path: p, yields: &yields})
	if err != nil {
		return err
	}
	defer letGo()
	s := w.f.Enter()
	defer s.Leave()
	r := &replication{w: w, s: s, path: p}
	if w.veil.Awaited(p) {
		return ErrBusy
	}
	err = do(ctx, r)
	if err != nil && context.Cause(ctx) == ErrBusy {
		return ErrBusy
	}
	return err
}

// replication is one Replicate or Confirm.
type replication struct {
	w    *Writer
	s    *federator.Session
	path string
	// of are the copies that there are, whose change is the end of it.
	of []Sight
}

func (r *replication) run(ctx context.Context, copies int) (Copied, error) {
	found, err := r.w.f.Ask(ctx, r.path, nobody)
	var absent *federator.Absent
	switch {
	case errors.As(err, &absent):
		return Copied{Enough: true}, nil
	case err != nil:
		return Copied{}, err
	case found.Kind() != plugins.File:
		return Copied{Enough: true}, nil
	case r.live(&found) >= copies:
		return Copied{Enough: true}, nil
	case len(found.Diverged()) > 0:
		return Copied{}, failure(plugins.Changed, "copy", r.path)
	}
	if age := time.Since(found.ModTime()); 0 <= age && age < apart {
		return Copied{}, ErrBusy // what comes next might not be told from it
	}
	if err := r.witness(ctx, &found); err != nil {
		return Copied{}, err
	}
	d, err := r.w.f.Locate(ctx, r.path, federator.Best, nobody)
	if err != nil {
		return Copied{}, err
	}
	if d.Kind() != plugins.File || d.Size() != found.Size() || !d.ModTime().Equal(found.ModTime()) {
		return Copied{}, failure(plugins.Changed, "copy", r.path)
	}
	targets := r.targets(&found)
	if len(targets) == 0 {
		return Copied{}, ErrNowhere
	}
	targets, err = r.w.order(ctx, r.s, r.path, &File{Size: found.Size(), Client: nobody}, targets)
	if err != nil {
		return Copied{}, err
	}
	for _, st := range targets {
		var made *Made
		if made, err = r.on(ctx, st, d); err == nil {
			return Copied{Made: made}, nil
		}
		if ctx.Err() != nil || errors.Is(err, ErrBusy) || plugins.KindOf(err) == plugins.Changed {
			break
		}
		r.w.log.Debug("an endpoint does not take a copy", "endpoint", st.Name(), "path", r.path, "err", err)
	}
	return Copied{}, err
}

// live is how many copies there are that clients can have, and that are to
// stay.
func (r *replication) live(found *federator.Found) (n int) {
	for i := range found.Replicas[:found.Agreed] {
		if st := storageOf(r.s, r.path, found.Replicas[i].Endpoint); st != nil && !st.Down() && !st.Draining() {
			n++
		}
	}
	return n
}

// targets are the storages that said that they have no copy, and can take one
// that nobody sees before it is whole.
func (r *replication) targets(found *federator.Found) []*federator.Storage {
	var can []*federator.Storage
	for _, st := range r.s.Storages(r.path) {
		_, holds := found.By(st.ID())
		a := st.Abilities()
		switch {
		case holds, !found.Coverage.Has(st.ID()), !st.Writable(), st.Down(), st.Draining():
		case a.Writer == nil, a.Remover == nil, a.Mover == nil && !a.Writer.Atomic():
		case r.w.veil.Buried(r.path, st.ID()):
			// What is dead there has to go first.
		default:
			can = append(can, st)
		}
	}
	return can
}

// on makes the copy on a storage.
func (r *replication) on(ctx context.Context, st *federator.Storage, d *federator.Decision) (*Made, error) {
	if a := st.Abilities(); a.Mover != nil && a.Sweeper == nil {
		return r.staged(ctx, st, d)
	}
	return r.straight(ctx, st, d)
}

// staged makes it where nobody looks, and moves it. The bytes come through here
// only if the storages cannot copy by themselves.
func (r *replication) staged(ctx context.Context, st *federator.Storage, d *federator.Decision) (*Made, error) {
	for _, p := range r.parties(st, d) {
		made, err := r.moved(ctx, st, d, func(staged string) error {
			if err := r.third(ctx, &p, staged, d); err != nil {
				return err
			}
			return r.unchanged(ctx)
		})
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrBusy) || plugins.KindOf(err) == plugins.Changed {
			return made, err
		}
	}
	return r.moved(ctx, st, d, func(staged string) error {
		return r.carry(ctx, st, staged, d, func() error { return r.unchanged(ctx) })
	})
}

// moved has store make the copy where nobody looks, and moves it.
func (r *replication) moved(ctx context.Context, st *federator.Storage, d *federator.Decision, store func(staged string) error) (*Made, error) {
	own := st.Own()[0]
	staged, err := r.w.stage(ctx, st)
	if err != nil {
		return nil, err
	}
	moved := false
	defer func() {
		if !moved {
			r.w.wg.Go(func() { r.w.discard(st, staged) }) // nobody is to wait for that
		}
	}()
	if err := store(staged); err != nil {
		return nil, err
	}
	seen, err := r.see(ctx, st, staged, 0)
	if err != nil {
		return nil, err
	}
	r.inherit(ctx, st, staged)
	if err := outlast(ctx, &seen, d); err != nil {
		return nil, err
	}
	if err := r.unchanged(ctx); err != nil {
		return nil, err
	}
	g, err := r.hide(ctx, &seen, false)
	if err != nil {
		return nil, err
	}
	if err = r.w.rename(ctx, st, staged, own, false); plugins.KindOf(err) == plugins.NoParent {
		if err = r.w.parents(ctx, st, own, d.Path); err == nil {
			err = r.w.rename(ctx, st, staged, own, false)
		}
	}
	if err != nil {
		r.abandon(ctx, g, err)
		return nil, err
	}
	moved = true
	return r.show(ctx, st, g, d)
}

// straight makes it in its place, on a storage that shows it when it is whole.
func (r *replication) straight(ctx context.Context, st *federator.Storage, d *federator.Decision) (*Made, error) {
	own := st.Own()[0]
	var hidden atomic.Pointer[veil.Grave]
	still := func() error {
		err := r.unchanged(ctx)
		if err != nil {
			return err
		}
		g, err := r.hide(ctx, &Sight{Endpoint: st.ID(), Size: d.Size()}, true)
		hidden.Store(g)
		return err
	}
	err := r.carry(ctx, st, own, d, still)
	if plugins.KindOf(err) == plugins.NoParent {
		if err = r.w.parents(ctx, st, own, d.Path); err == nil {
			err = r.carry(ctx, st, own, d, still)
		}
	}
	g := hidden.Load()
	if err != nil {
		if g != nil {
			r.abandon(ctx, g, err)
		}
		return nil, err
	}
	// Now it is there, whoever wants the path.
	seen, err := r.see(context.WithoutCancel(ctx), st, own, 0)
	if err != nil {
		r.stay(g)
		return nil, err
	}
	if g, err = r.hide(context.WithoutCancel(ctx), &seen, false); err != nil {
		return nil, err
	}
	r.inherit(ctx, st, own)
	_ = outlast(ctx, &seen, d) // its end is seen next
	return r.show(ctx, st, g, d)
}

// outlast waits, where the time of a copy is that of now, until whatever is written
// is of another.
func outlast(ctx context.Context, seen *Sight, d *federator.Decision) error {
	if seen.ModTime != 0 && seen.ModTime <= d.ModTime().UnixNano() {
		return nil
	}
	t := time.NewTimer(apart)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hide buries a copy that is about to come to be, so that no front end shows it
// yet, and whoever lives then removes it if this one dies. Its time is not known
// if unborn.
func (r *replication) hide(ctx context.Context, seen *Sight, unborn bool) (*veil.Grave, error) {
	g := []veil.Grave{veil.Of(r.path, seen.replica())}
	g[0].Unborn = unborn
	if kept := r.w.veil.Bury(ctx, g); r.w.ledger != nil && !kept[0] {
		r.w.veil.Unbury(context.WithoutCancel(ctx), g[0])
		return nil, failure(plugins.Unavailable, "bury", r.path)
	}
	return &g[0], nil
}

// stay has a copy that is in its place stay buried, also where somebody has seen
// to the grave before the copy lay in it.
func (r *replication) stay(g *veil.Grave) {
	if !r.w.veil.Has(*g) {
		again := *g
		again.Since = time.Now().UnixNano()
		again.Dug = again.Since
		r.w.veil.Bury(context.WithoutCancel(r.w.ctx), []veil.Grave{again})
	}
}

// abandon is the end of a copy that an error kept from coming to be. It stays
// buried where that is not certain.
func (r *replication) abandon(ctx context.Context, g *veil.Grave, err error) {
	if k := plugins.KindOf(err); ctx.Err() == nil && k != 0 && k != plugins.Canceled && !k.Silent() {
		r.w.veil.Unbury(ctx, *g)
	} else {
		r.stay(g)
	}
}

// inherit gives the copy the properties of the file, as far as the storage
// keeps any. A copy without them is a copy all the same.
func (r *replication) inherit(ctx context.Context, st *federator.Storage, own string) {
	target := st.Abilities().Keeper
	if target == nil {
		return
	}
	for _, of := range r.of {
		source := storageOf(r.s, r.path, of.Endpoint)
		if source == nil || source.Abilities().Keeper == nil {
			continue
		}
		err := plugins.CopyProperties(ctx, source.Abilities().Keeper, source.Own()[of.Via], target, own)
		if err == nil {
			return
		}
		r.w.log.Info("the properties of a copy are not those of the original", "path", r.path, "endpoint", st.Name(), "err", err)
	}
}

// show takes a copy that is in its place out of its grave, if the file is still
// what was copied. If not, it stays there until it is removed.
func (r *replication) show(ctx context.Context, st *federator.Storage, g *veil.Grave, d *federator.Decision) (*Made, error) {
	seen, err := r.see(ctx, st, st.Own()[0], 0)
	if err == nil && !g.Holds(r.path, seen.replica()) {
		err = failure(plugins.Changed, "copy", r.path) // somebody has put another file there
	}
	if err == nil {
		_, err = r.verify(ctx, st, st.Own()[0], d.Digests())
	}
	if err == nil {
		err = r.unchanged(ctx)
	}
	if err == nil && !r.w.veil.Has(*g) {
		err = failure(plugins.Changed, "copy", r.path)
	}
	if err != nil {
		r.stay(g)
		return nil, err
	}
	r.w.veil.Unbury(ctx, *g)
	if r.w.veil.Has(*g) {
		return nil, failure(plugins.Unavailable, "unbury", r.path)
	}
	r.w.f.Written(r.path)
	return &Made{Copy: seen, Of: r.of}, nil
}

// verify compares the checksum that a storage tells of its copy with one of sums.
// It is verified only if the storage tells one.
func (r *replication) verify(ctx context.Context, st *federator.Storage, own string, sums []plugins.Digest) (verified bool, err error) {
	digester := st.Abilities().Digester
	if digester == nil {
		return false, nil
	}
	for _, want := range sums {
		began := time.Now()
		got, err := digester.Digest(ctx, own, want.Algorithm)
		st.Asked("digest", err, began)
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case err == nil && got.Sum != want.Sum:
			return false, ErrChecksum
		case err == nil:
			return true, nil // one is enough
		}
	}
	return false, nil
}

func (r *replication) confirm(ctx context.Context, made *Made) error {
	r.of = made.Of
	err := r.unchanged(ctx)
	if err == nil || plugins.KindOf(err) != plugins.Changed {
		return err
	}
	st := storageOf(r.s, r.path, made.Copy.Endpoint)
	if st == nil || int(made.Copy.Via) >= len(st.Own()) {
		return nil
	}
	seen, err := r.see(ctx, st, st.Own()[made.Copy.Via], made.Copy.Via)
	switch {
	case plugins.KindOf(err) == plugins.NotFound:
		return nil
	case err != nil:
		return err
	case seen != made.Copy:
		return nil // it was written over
	}
	r.w.log.Info("a copy is removed, because the file was changed when it was made", "path", r.path, "endpoint", st.Name())
	if left := r.w.supplant(ctx, r.s, []veil.Grave{veil.Of(r.path, seen.replica())}, r.path); len(left) > 0 {
		r.w.log.Info("a copy that is hidden will be removed later", "path", r.path, "endpoint", st.Name(), "err", left)
	}
	return nil
}
