package write

import (
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"canopy/federator"
	"canopy/federator/choice"
	"canopy/federator/geo"
	"canopy/federator/record"
	"canopy/federator/veil"
	"canopy/plugins"
)

// Stored is what became of an upload.
type Stored struct {
	Endpoint string
	// Replaced is whether a file was there before.
	Replaced bool
	Entry    plugins.Entry
}

// atMost is for how long other front ends go on asking afresh for a path of
// which nothing more is heard: the one that carries the upload may have died.
const atMost = 6 * time.Hour

// Put stores content at path. Nothing of it shows before it has ended well: an
// error of content leaves what was there. The error is *ReadOnly, that of a
// lookup, or a *plugins.Error.
func (w *Writer) Put(ctx context.Context, p string, content io.Reader, file File) (Stored, error) {
	letGo, err := w.begin(ctx, hold{path: p})
	if err != nil {
		return Stored{}, err
	}
	defer letGo()
	s := w.f.Enter()
	defer s.Leave()
	plan, err := w.plan(ctx, s, p, &file, true)
	if err != nil {
		return Stored{}, err
	}
	done := w.veil.Await(p, atMost)
	defer done()
	body := &once{r: w.checked(content, file.Digests)}
	for _, st := range plan.choice {
		end := w.intend(ctx, plan, st.ID(), w.others(s, plan, st.ID()), forsaken)
		entry, failed := w.put(ctx, st, plan, body, &file)
		if err = failed; err == nil {
			w.replace(ctx, s, plan, st.ID())
			w.settle(ctx, s, p, st.ID())
			end(true)
			st.Sent()
			return Stored{Endpoint: st.Name(), Replaced: plan.exists(), Entry: entry}, nil
		}
		end(!plugins.KindOf(err).Silent()) // else the file may be there all the same
		if body.begun || ctx.Err() != nil {
			break // it cannot be had a second time
		}
		w.log.Info("an endpoint does not take a file", "endpoint", st.Name(), "path", p, "err", err)
	}
	return Stored{}, err
}

// once is a body that remembers whether any of it was taken.
type once struct {
	r     io.Reader
	begun bool
}

func (o *once) Read(p []byte) (int, error) {
	o.begun = true
	return o.r.Read(p)
}

// put stores the file on one storage.
func (w *Writer) put(ctx context.Context, st *federator.Storage, plan *plan, body *once, file *File) (plugins.Entry, error) {
	entry, err := w.putOn(ctx, st, plan, body, file)
	if err == nil || plugins.KindOf(err).Silent() {
		w.shown(ctx, st, plan.path, where(st, plan), plan.size, false)
	}
	return entry, err
}

// shown has all front ends tell what was put at a storage, a file of that size, or a
// directory or what is not known if that is negative, from what clients are sending
// there themselves. What is of another size has come after it, unless it was moved
// there: then it may have been written over before, and nobody knows.
func (w *Writer) shown(ctx context.Context, st *federator.Storage, p, own string, size int64, moved bool) {
	tree := size < 0
	if !w.veil.Sent(p, st.ID(), tree) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	entry, err := st.Endpoint().Stat(ctx, own)
	switch r := record.Of(st.ID(), 0, &entry, 0); {
	case err != nil || entry.Kind != plugins.File:
		w.veil.Show(p, st.ID(), tree, nil)
	case tree || size == r.Size:
		w.veil.Show(p, st.ID(), false, &r) // below a file is nothing
	case moved:
		w.veil.Show(p, st.ID(), false, nil)
	}
}

// renamed is more than it takes to give a file its name, and to see how it looks.
const renamed = 3 * removeTimeout

// brace is for before that: who puts something at a storage may die when it is there. It
// is undone where err says that nothing was put.
func (w *Writer) brace(st *federator.Storage, p string, tree bool, atMost time.Duration) (undo func(err error)) {
	if !w.veil.Sent(p, st.ID(), tree) {
		return func(error) {}
	}
	unbrace := w.veil.Brace(p, st.ID(), tree, atMost)
	w.f.Told()
	return func(err error) {
		if err != nil && !plugins.KindOf(err).Silent() {
			unbrace()
		}
	}
}

func (w *Writer) putOn(ctx context.Context, st *federator.Storage, plan *plan, body *once, file *File) (plugins.Entry, error) {
	own := where(st, plan)
	if !slices.Contains(plan.parents, st.ID()) {
		if err := w.parents(ctx, st, own, plan.path); err != nil {
			return plugins.Entry{}, err
		}
	}
	if err := w.exhume(ctx, st, plan.path); err != nil {
		return plugins.Entry{}, err
	}
	a := st.Abilities()
	if !a.Writer.Atomic() && a.Mover != nil && a.Remover != nil {
		return w.putStaged(ctx, st, own, plan, body, file)
	}
	undo := w.brace(st, plan.path, false, forsaken)
	store := func() (plugins.Entry, error) {
		began := time.Now()
		entry, err := a.Writer.Store(ctx, own, body, plugins.Upload{Size: file.Size, ModTime: file.ModTime, New: file.New})
		st.Asked("store", err, began)
		return entry, err
	}
	entry, err := store()
	if plugins.KindOf(err) == plugins.NoParent && !body.begun {
		// The directory was known, and has gone since.
		if err = w.parents(ctx, st, own, plan.path); err == nil {
			entry, err = store()
		}
	}
	if err != nil && !a.Writer.Atomic() && !plan.exists() {
		w.discard(st, own)
	}
	undo(err)
	return entry, err
}

// putStaged stores the file where nobody sees it, and moves it when it is
// whole.
func (w *Writer) putStaged(ctx context.Context, st *federator.Storage, own string, plan *plan, body io.Reader, file *File) (plugins.Entry, error) {
	staged, err := w.stage(ctx, st)
	if err != nil {
		return plugins.Entry{}, err
	}
	began := time.Now()
	entry, err := st.Abilities().Writer.Store(ctx, staged, body, plugins.Upload{Size: file.Size, ModTime: file.ModTime})
	st.Asked("store", err, began)
	if k := st.Abilities().Keeper; err == nil && plan.exists() && k != nil {
		// They are those of the path, whatever content it has.
		if err := plugins.CopyProperties(ctx, k, own, k, staged); err != nil && plugins.KindOf(err) != plugins.NotFound {
			w.log.Info("the properties of a file that is written over are lost", "endpoint", st.Name(), "path", own, "err", err)
		}
	}
	if err == nil {
		undo := w.brace(st, plan.path, false, renamed)
		err = w.rename(ctx, st, staged, own, !file.New)
		if plugins.KindOf(err) == plugins.NoParent {
			// The directory was known, and has gone since.
			if err = w.parents(ctx, st, own, plan.path); err == nil {
				err = w.rename(ctx, st, staged, own, !file.New)
			}
		}
		undo(err)
	}
	if err != nil {
		w.discard(st, staged)
		return plugins.Entry{}, err
	}
	return entry, nil
}

// where returns where on the storage the file goes: where it is, if it is
// there, else where something new is put.
func where(st *federator.Storage, plan *plan) string {
	if plan.exists() {
		if r, ok := plan.old.By(st.ID()); ok && int(r.Via) < len(st.Own()) {
			return st.Own()[r.Via]
		}
	}
	return st.Own()[0]
}

// stage returns a path in the staging directory of a storage, which names when
// it was made.
func (w *Writer) stage(ctx context.Context, st *federator.Storage) (string, error) {
	dir := "/" + plugins.Staging
	if maker := st.Abilities().Maker; maker != nil {
		if err := maker.MakeDirectory(ctx, dir); err != nil && plugins.KindOf(err) != plugins.Exists {
			return "", err
		}
	}
	return dir + "/" + strconv.FormatInt(time.Now().Unix(), 36) + "-" + strings.ToLower(rand.Text()), nil
}

// begun returns when the staged file of that name was; the zero time where the
// name is none that stage gives.
func begun(name string) time.Time {
	stamp, _, _ := strings.Cut(name, "-")
	seconds, err := strconv.ParseInt(stamp, 36, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// discardTimeout bounds the removal of what was left by a failure.
const discardTimeout = 10 * time.Second

// discard removes what was stored in part. Its client may have gone. What
// cannot be removed now is swept later where it is in the staging directory.
func (w *Writer) discard(st *federator.Storage, own string) {
	remover := st.Abilities().Remover
	if remover == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), discardTimeout)
	defer cancel()
	if err := remover.Remove(ctx, own); err != nil && plugins.KindOf(err) != plugins.NotFound {
		w.log.Warn("what is left of an upload could not be removed", "endpoint", st.Name(), "path", own, "err", err)
	}
}

// replace takes the other copies away of a file that is now on the storage id,
// those too that may be where nobody could be asked.
func (w *Writer) replace(ctx context.Context, s *federator.Session, plan *plan, id record.ID) {
	graves := w.others(s, plan, id)
	if len(graves) == 0 {
		return
	}
	// The client may go: what is half done is done to its end.
	ctx = context.WithoutCancel(ctx)
	w.supplant(ctx, s, graves, plan.path)
}

// others are the graves of all that a file on the storage id takes the place
// of elsewhere.
func (w *Writer) others(s *federator.Session, plan *plan, id record.ID) []veil.Grave {
	var graves []veil.Grave
	if plan.exists() {
		for _, r := range plan.old.Replicas {
			if r.Endpoint != id {
				graves = append(graves, veil.Of(plan.path, &r))
			}
		}
	}
	for _, st := range s.Storages(plan.path) {
		if st.ID() != id && st.Writable() && slices.Contains(plan.silent, st.Name()) && !hasGrave(graves, st.ID()) {
			graves = append(graves, unseen(st, plan.path, false))
		}
	}
	return graves
}

// settle sees to it that a file is of one content where others have stored it
// at the same time as it was put on the storages ids, and neither knew of the
// other: whoever ends last finds both, and the newest stays. That they are of one
// size says nothing.
func (w *Writer) settle(ctx context.Context, s *federator.Session, p string, ids ...record.ID) {
	defer w.stored(p)
	if len(s.Storages(p)) == len(ids) {
		return
	}
	found, err := w.f.Ask(context.WithoutCancel(ctx), p, nobody)
	if err != nil || found.Kind() != plugins.File {
		return
	}
	others := slices.ContainsFunc(found.Replicas, func(r record.Replica) bool { return !slices.Contains(ids, r.Endpoint) })
	if !others {
		return
	}
	whole := func(r *record.Replica) int {
		if part, _ := w.veil.Part(p, r); part {
			return 0 // it may never be a file; if it comes to be one, that is seen to then
		}
		return 1
	}
	newest := slices.MaxFunc(found.Replicas, func(a, b record.Replica) int {
		return cmp.Or(cmp.Compare(whole(&a), whole(&b)), cmp.Compare(a.ModTime, b.ModTime), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	w.log.Info("a file was written twice at once; the newest stays", "path", p)
	w.replace(ctx, s, &plan{path: p, old: found}, newest.Endpoint)
}

// nobody is a client of no place, for questions whose answer does not depend on
// it.
var nobody = &choice.Client{Place: new(geo.Place)}

func hasGrave(graves []veil.Grave, id record.ID) bool {
	return slices.ContainsFunc(graves, func(g veil.Grave) bool { return g.Endpoint == id })
}

// exhume removes a dead copy of path from a storage to which the path is about
// to be written again.
func (w *Writer) exhume(ctx context.Context, st *federator.Storage, p string) error {
	s := w.f.Enter()
	defer s.Leave()
	emptied := false
	for at := p; at != "/"; at = path.Dir(at) {
		for _, g := range w.veil.Graves(at) {
			if g.Endpoint != st.ID() || at != p && !g.Tree {
				continue
			}
			// That of a tree is of another path.
			holder := storageOf(s, at, g.Endpoint)
			if holder == nil {
				continue
			}
			// What others have seen to already may hold something living by now.
			if lasts, err := w.veil.Lasts(ctx, g); err != nil || lasts {
				if err := w.remains(ctx, holder, g, g.Tree); err != nil {
					return err
				}
			}
			w.veil.Unbury(ctx, g)
			emptied = true
		}
	}
	if emptied {
		w.f.Told() // else others would hide what comes, which may be older than the grave
	}
	return nil
}
