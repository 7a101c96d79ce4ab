package write

import (
	"context"
	"errors"
	"iter"
	"path"
	"slices"
	"strings"
	"sync"

	"canopy/federator"
	"canopy/federator/choice"
	"canopy/federator/record"
	"canopy/federator/veil"
	"canopy/plugins"
)

// removesAtOnce is how many children of a directory are removed at once.
const removesAtOnce = 16

// Remove removes path, and if it is a directory all that is in it, from every
// endpoint that holds it. Before anything is touched, may is asked for each
// path, and *ReadOnly is the error if any of it is on an endpoint to which
// nothing is written. progress, if not nil, is told how many paths are gone.
// The error is Failures where some of it could not be removed, or that of a
// lookup.
func (w *Writer) Remove(ctx context.Context, p string, c *choice.Client, may func(path string) error, progress func(done int)) error {
	letGo, err := w.begin(ctx, hold{path: p, tree: true})
	if err != nil {
		return err
	}
	defer letGo()
	s := w.f.Enter()
	defer s.Leave()
	return w.remove(ctx, s, p, c, may, progress)
}

func (w *Writer) remove(ctx context.Context, s *federator.Session, p string, c *choice.Client, may func(string) error, progress func(int)) error {
	if s.Virtual(p) {
		return &ReadOnly{Path: p}
	}
	found, err := w.ask(ctx, p, c)
	if err != nil {
		return err
	}
	r := &removal{w: w, s: s, client: c, may: may, progress: progress, left: w.settings.Load().Most}
	if err := r.survey(ctx, p, found.Kind(), &found.Facts); err != nil {
		return err
	}
	if found.Kind() == plugins.Directory {
		err = r.tree(ctx, p, &found)
		w.f.TreeWritten(p)
		w.f.Told()
	} else {
		err = r.file(ctx, p, &found)
	}
	if err == nil && len(r.failures) > 0 {
		err = r.failures
	}
	return err
}

// removal is one Remove.
type removal struct {
	w      *Writer
	s      *federator.Session
	client *choice.Client
	may    func(string) error
	left   int // how many paths may still be in it; of survey alone

	mu       sync.Mutex
	progress func(int)
	done     int
	failures Failures
}

// errTooMany is the end of a change that touches more than it may.
var errTooMany = errors.New("there is more in it than one request may change")

// deepest is how many directories may lie in each other where a whole tree is changed:
// one that holds itself, by a link, has no end.
const deepest = 1000

var errTooDeep = errors.New("more directories lie in each other than one request may change")

func shallow(op, p string) error {
	if strings.Count(p, "/") > deepest {
		return &plugins.Error{Kind: plugins.Invalid, Op: op, Path: p, Err: errTooDeep}
	}
	return nil
}

// survey goes through all that is to be removed, and returns an error for what
// may not be.
func (r *removal) survey(ctx context.Context, p string, kind plugins.EntryKind, facts *record.Facts) error {
	if r.left--; r.left < 0 {
		return &plugins.Error{Kind: plugins.Invalid, Op: "remove", Path: p, Err: errTooMany}
	}
	if err := shallow("remove", p); err != nil {
		return err
	}
	if err := r.may(p); err != nil {
		return err
	}
	if r.s.Virtual(p) {
		return &ReadOnly{Path: p}
	}
	if err := r.check(p, facts); err != nil || kind != plugins.Directory {
		return err
	}
	r.w.f.Refresh(p) // what is gone through is what the storages say now
	d, err := r.w.f.List(ctx, p)
	if err != nil {
		return err
	}
	defer d.Close()
	for c, err := range d.Children() {
		if err == nil {
			err = r.survey(ctx, path.Join(p, c.Name), c.Kind(), &c.Facts)
		}
		if err != nil {
			return err
		}
	}
	for c, err := range r.parts(ctx, p) {
		if err == nil {
			err = r.survey(ctx, path.Join(p, c.Name), c.Kind(), &c.Facts)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// parts yields the children of a directory to which clients are sending files,
// of which listings say nothing before they are whole.
func (r *removal) parts(ctx context.Context, dir string) iter.Seq2[*record.Child, error] {
	return func(yield func(*record.Child, error) bool) {
		for _, p := range r.w.veil.SentTo(dir) {
			found, err := r.w.ask(ctx, p, r.client)
			var absent *federator.Absent
			if errors.As(err, &absent) {
				continue
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(&record.Child{Name: path.Base(p), Facts: found.Facts}, nil) {
				return
			}
		}
	}
}

func (r *removal) gone() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	if r.progress != nil {
		r.progress(r.done)
	}
}

func (r *removal) fail(all ...Failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, all[:min(len(all), max(0, mostFailures-len(r.failures)))]...)
}

// check returns the error for a path that is where nothing may be written.
func (r *removal) check(p string, facts *record.Facts) error {
	for _, st := range r.s.Storages(p) {
		if _, holds := facts.By(st.ID()); holds && (!st.Writable() || st.Abilities().Remover == nil) {
			return &ReadOnly{Path: p, Endpoint: st.Name()}
		}
	}
	return nil
}

// file removes a file from all who hold it, and has it buried where that cannot
// be done, or be asked for.
func (r *removal) file(ctx context.Context, p string, found *federator.Found) error {
	graves := r.graves(p, found, false)
	done := r.w.veil.Await(p, removeTimeout)
	defer done()
	// Begun is done: the client may go now.
	ctx = context.WithoutCancel(ctx)
	r.fail(r.inter(ctx, graves, found)...)
	r.gone()
	return nil
}

// graves are those of a path at all who hold it, and at those who may.
func (r *removal) graves(p string, found *federator.Found, tree bool) []veil.Grave {
	var graves []veil.Grave
	for _, st := range r.s.Storages(p) {
		held, holds := found.By(st.ID())
		switch {
		case holds && !tree:
			graves = append(graves, veil.Of(p, &held))
		case holds || st.Writable() && slices.Contains(found.Missing, st.Name()):
			graves = append(graves, unseen(st, p, tree))
		}
	}
	return graves
}

// inter hides copies, removes them, and returns what could not be removed: from
// those who are known to hold it, and, where the grave could be lost, from
// those who may.
func (r *removal) inter(ctx context.Context, graves []veil.Grave, found *federator.Found) (failed Failures) {
	kept := r.w.veil.Bury(ctx, graves)
	for _, f := range r.w.dissolve(ctx, r.s, graves) {
		for i, g := range graves {
			st := storageOf(r.s, f.Path, g.Endpoint)
			if st == nil || st.Name() != f.Endpoint {
				continue
			}
			if _, holds := found.By(g.Endpoint); holds || !kept[i] {
				failed = append(failed, f)
			}
		}
	}
	r.w.elapse(graves)
	return failed
}

func byName(s *federator.Session, p, name string) *federator.Storage {
	for _, st := range s.Storages(p) {
		if st.Name() == name {
			return st
		}
	}
	return nil
}

// tree removes a directory: its children first, then the directory itself from
// all who hold it.
func (r *removal) tree(ctx context.Context, p string, found *federator.Found) error {
	children, missing, err := r.children(ctx, p)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	var once sync.Once
	room := make(chan struct{}, removesAtOnce)
	for _, c := range children {
		if ctx.Err() != nil {
			break
		}
		at := path.Join(p, c.Name)
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			if failed := r.child(ctx, at, &federator.Found{Record: &record.Record{Facts: c.Facts}, Missing: missing}); failed != nil {
				once.Do(func() { err = failed })
			}
		})
	}
	wg.Wait()
	if err != nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	ctx = context.WithoutCancel(ctx)
	r.fail(r.inter(ctx, r.graves(p, found, true), found)...)
	for _, name := range missing {
		st := byName(r.s, p, name)
		if st == nil || !holds(found, st.ID()) {
			continue // it is buried there in any case
		}
		r.fail(Failure{Path: p, Endpoint: name, Pending: true, Err: &plugins.Error{Kind: plugins.Unavailable, Op: "list", Endpoint: name, Path: p}})
	}
	r.gone()
	return nil
}

// child removes what a directory has under one name, by what its listing says.
func (r *removal) child(ctx context.Context, p string, found *federator.Found) error {
	if found.Kind() == plugins.Directory {
		return r.tree(ctx, p, found)
	}
	return r.file(ctx, p, found)
}

// children lists a directory; missing are those whose word is not in it.
func (r *removal) children(ctx context.Context, p string) (all []record.Child, missing []string, err error) {
	d, err := r.w.f.List(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	defer d.Close()
	for c, err := range d.Children() {
		if err != nil {
			return nil, nil, err
		}
		all = append(all, *c)
	}
	for c, err := range r.parts(ctx, p) {
		if err != nil {
			return nil, nil, err
		}
		same := func(other record.Child) bool { return other.Name == c.Name }
		all = append(slices.DeleteFunc(all, same), *c)
	}
	return all, d.Missing(), nil
}
