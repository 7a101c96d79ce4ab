package write

import (
	"context"
	"errors"
	"slices"
	"time"

	"canopy/federator"
	"canopy/federator/choice"
	"canopy/federator/record"
	"canopy/federator/veil"
	"canopy/plugins"
)

// Move gives path from the name to, on every endpoint that holds it; where an
// endpoint cannot, because to lies elsewhere, the file is carried over. What is
// at to is replaced if overwrite says so, and is an error of Kind Exists
// otherwise. If one of several endpoints fails, the others are moved back.
// Before anything is touched, may is asked for each path that goes away. created is
// whether nothing was at to. Other errors are NoParent, *ReadOnly, Failures where it
// could not be taken back, and those of a lookup.
func (w *Writer) Move(ctx context.Context, from, to string, overwrite bool, c *choice.Client, may func(path string) error) (created bool, err error) {
	if from == to || below(to, from) || below(from, to) {
		return false, failure(plugins.Invalid, "move", to)
	}
	letGo, err := w.begin(ctx, hold{path: from, tree: true}, hold{path: to, tree: true})
	if err != nil {
		return false, err
	}
	defer letGo()
	s := w.f.Enter()
	defer s.Leave()
	if s.Virtual(from) || s.Virtual(to) {
		return false, &ReadOnly{Path: from}
	}
	found, err := w.ask(ctx, from, c)
	if err == nil && len(w.veil.Comings(from, false)) > 0 {
		// What readers do not see is no file yet, or none any more.
		found, err = w.f.Lookup(ctx, from, federator.All, c)
	}
	if err != nil {
		return false, err
	}
	old, silent, err := w.destination(ctx, s, to, overwrite, c)
	if err != nil {
		return false, err
	}
	r := &removal{w: w, s: s, client: c, may: may, left: w.settings.Load().Most}
	if err := r.survey(ctx, from, found.Kind(), &found.Facts); err != nil {
		return false, err
	}
	m := &move{w: w, s: s, from: from, to: to, found: &found, old: old, silent: silent, overwrite: overwrite, client: c}
	if err := m.plan(); err != nil {
		return false, err
	}
	doneFrom, doneTo := w.veil.Await(from, removeTimeout), w.veil.Await(to, atMost)
	defer doneFrom()
	defer doneTo()
	if old != nil && (old.Kind() == plugins.Directory || found.Kind() == plugins.Directory) {
		if err := w.remove(ctx, s, to, c, anything, nil); err != nil {
			return false, err
		}
		m.old = nil
	}
	err = m.run(ctx)
	if found.Kind() == plugins.Directory {
		w.f.TreeWritten(from)
		w.f.TreeWritten(to)
	}
	return old == nil, err
}

// destination returns what is at to, nil if nothing is, and who may have
// something there and could not be asked.
func (w *Writer) destination(ctx context.Context, s *federator.Session, to string, overwrite bool, c *choice.Client) (old *federator.Found, silent []string, err error) {
	if _, err := w.holdersAbove(ctx, s, to, c); err != nil {
		return nil, nil, err
	}
	found, err := w.ask(ctx, to, c)
	var absent *federator.Absent
	switch {
	case errors.As(err, &absent):
		return nil, absent.Missing, nil
	case err != nil:
		return nil, nil, err
	case !overwrite:
		return nil, nil, failure(plugins.Exists, "move", to)
	}
	return &found, found.Missing, (&removal{s: s}).check(to, &found.Facts)
}

// move is one Move.
type move struct {
	w        *Writer
	s        *federator.Session
	from, to string
	found    *federator.Found
	old      *federator.Found // at to; nil if nothing is
	silent   []string         // who may have something there
	client   *choice.Client
	// overwrite is whether what is at to may be replaced.
	overwrite bool

	native []step
	others []record.ID // who holds from, and cannot move it or be asked to
}

// step is the move on one storage.
type step struct {
	st       *federator.Storage // with its paths for to
	from, to string
}

// plan finds out who can do what, before anything is touched. A directory is moved by
// all who hold it, or may, or by nobody: what is in it may be nowhere else.
func (m *move) plan() error {
	up, unable := false, false
	var silent []string
	for _, st := range m.s.Storages(m.from) {
		r, holds := m.found.By(st.ID())
		if !holds {
			if slices.Contains(m.found.Missing, st.Name()) && st.Writable() {
				m.others = append(m.others, st.ID())
				silent = append(silent, st.Name())
			}
			continue
		}
		up = up || !st.Down()
		there := storageOf(m.s, m.to, st.ID())
		if there == nil || st.Down() || st.Abilities().Mover == nil || int(r.Via) >= len(st.Own()) {
			m.others = append(m.others, st.ID())
			if unable = true; st.Down() {
				silent = append(silent, st.Name())
			}
			continue
		}
		m.native = append(m.native, step{there, st.Own()[r.Via], there.Own()[0]})
	}
	switch {
	case !up:
		return &federator.Unknown{Path: m.from, RetryAfter: retryAfter}
	case m.found.Kind() == plugins.Directory && len(silent) > 0:
		return &federator.Unknown{Path: m.from, Missing: silent, RetryAfter: retryAfter}
	case m.found.Kind() == plugins.Directory && unable:
		return failure(plugins.Unsupported, "move", m.from)
	}
	return nil
}

func (m *move) run(ctx context.Context) error {
	graves := m.graves()
	end := func(bool) {}
	if len(m.native) == 0 {
		if err := m.w.carry(ctx, m.s, m.from, m.to, m.client); err != nil {
			return err
		}
	} else {
		if m.found.Kind() == plugins.File {
			to := &plan{path: m.to, size: -1}
			if m.old != nil {
				to.old = *m.old
			}
			// Those too that move: whoever comes upon it half done finishes it.
			all := graves
			for _, step := range m.native[1:] {
				if r, ok := m.found.By(step.st.ID()); ok {
					all = append(all[:len(all):len(all)], veil.Of(m.from, &r))
				}
			}
			end = m.w.intend(ctx, to, m.native[0].st.ID(), all, forsaken)
		}
		if err := m.each(ctx); err != nil {
			end(!plugins.KindOf(err).Silent())
			return err
		}
	}
	// What is left of the old name, and of what was at the new one.
	ctx = context.WithoutCancel(ctx)
	left := m.w.supplant(ctx, m.s, graves, m.from, m.to)
	if len(m.native) > 0 && m.found.Kind() == plugins.File {
		ids := make([]record.ID, len(m.native))
		for i, step := range m.native {
			ids[i] = step.st.ID()
		}
		m.w.settle(ctx, m.s, m.to, ids...)
	}
	end(true)
	return m.known(left)
}

// graves are those of the old name where it is not moved, and of what was at
// the new one where nothing is moved to.
func (m *move) graves() []veil.Grave {
	var graves []veil.Grave
	for _, id := range m.others {
		if r, ok := m.found.By(id); ok { // a file: all who hold a directory move it
			graves = append(graves, veil.Of(m.from, &r))
		} else {
			graves = append(graves, unseen(storageOf(m.s, m.from, id), m.from, true))
		}
	}
	if len(m.native) == 0 {
		return graves // what is carried sees to it
	}
	if m.old != nil {
		for _, r := range m.old.Replicas {
			if !m.moved(r.Endpoint) {
				graves = append(graves, veil.Of(m.to, &r))
			}
		}
	}
	for _, st := range m.s.Storages(m.to) {
		if st.Writable() && slices.Contains(m.silent, st.Name()) && !m.moved(st.ID()) && (m.old == nil || !holds(m.old, st.ID())) {
			graves = append(graves, unseen(st, m.to, false))
		}
	}
	return graves
}

func holds(found *federator.Found, id record.ID) bool {
	_, is := found.By(id)
	return is
}

// known returns those failures that concern a copy that is known to be there.
func (m *move) known(left Failures) error {
	var failed Failures
	for _, f := range left {
		st := byName(m.s, f.Path, f.Endpoint)
		if st == nil {
			continue
		}
		_, holds := m.found.By(st.ID())
		if m.old != nil && f.Path == m.to {
			_, holds = m.old.By(st.ID())
		}
		if holds {
			failed = append(failed, f)
		}
	}
	if failed == nil {
		return nil
	}
	return failed
}

func (m *move) moved(id record.ID) bool {
	for _, st := range m.native {
		if st.st.ID() == id {
			return true
		}
	}
	return false
}

// each moves on one storage after the other, and back again if one fails.
func (m *move) each(ctx context.Context) error {
	for i, step := range m.native {
		err := m.step(ctx, step)
		if err == nil {
			continue
		}
		ctx := context.WithoutCancel(ctx)
		var lost Failures
		for _, done := range m.native[:i] {
			if back := m.w.rename(ctx, done.st, done.to, done.from, false); back != nil {
				lost = append(lost, Failure{Path: m.from, Endpoint: done.st.Name(), Err: back})
			}
		}
		if plugins.KindOf(err).Silent() {
			// It may have been done all the same.
			if back := m.w.rename(ctx, step.st, step.to, step.from, false); back != nil && plugins.KindOf(back) != plugins.NotFound && plugins.KindOf(back) != plugins.Exists {
				lost = append(lost, Failure{Path: m.from, Endpoint: step.st.Name(), Err: errors.Join(err, back)})
			}
		}
		if lost != nil {
			return lost
		}
		return err
	}
	return nil
}

// step makes the directories on one storage, and moves.
func (m *move) step(ctx context.Context, s step) error {
	if err := m.w.exhume(ctx, s.st, m.to); err != nil {
		return err
	}
	if err := m.w.parents(ctx, s.st, s.to, m.to); err != nil {
		return err
	}
	undo := m.w.brace(s.st, m.to, m.found.Kind() == plugins.Directory, renamed)
	err := m.w.rename(ctx, s.st, s.from, s.to, m.overwrite)
	undo(err)
	if err == nil || plugins.KindOf(err).Silent() {
		size := int64(-1)
		if r, ok := m.found.By(s.st.ID()); ok && r.Kind == plugins.File {
			size = r.Size
		}
		m.w.shown(ctx, s.st, m.to, s.to, size, true)
	}
	return err
}

func (w *Writer) rename(ctx context.Context, st *federator.Storage, from, to string, replace bool) error {
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	began := time.Now()
	err := st.Abilities().Mover.Move(ctx, from, to, replace)
	st.Asked("move", err, began)
	return err
}

// anything is what may be touched by one who was allowed to overwrite it.
func anything(string) error { return nil }
