package write

import (
	"context"
	"path"

	"canopy/federator"
	"canopy/federator/choice"
	"canopy/plugins"
)

// Copy makes to a copy of from, through here: of a directory with all that is in
// it if deep, else of the directory alone. What is at to is replaced if
// overwrite says so, and is an error of Kind Exists otherwise; other errors are
// as those of Move. may is asked for each path before it is read. A copy of a
// tree that fails midway leaves what was copied.
func (w *Writer) Copy(ctx context.Context, from, to string, overwrite, deep bool, c *choice.Client, may func(path string) error) (created bool, err error) {
	if from == to || below(to, from) || below(from, to) {
		return false, failure(plugins.Invalid, "copy", to)
	}
	letGo, err := w.begin(ctx, hold{path: to, tree: true})
	if err != nil {
		return false, err
	}
	defer letGo()
	s := w.f.Enter()
	defer s.Leave()
	found, err := w.f.Lookup(ctx, from, federator.First, c)
	if err != nil {
		return false, err
	}
	old, _, err := w.destination(ctx, s, to, overwrite, c)
	if err != nil {
		return false, err
	}
	if old != nil && (old.Kind() == plugins.Directory || found.Kind() == plugins.Directory) {
		if err := w.remove(ctx, s, to, c, anything, nil); err != nil {
			return false, err
		}
	}
	if found.Kind() == plugins.Directory {
		copied := &copying{w: w, s: s, client: c, may: may, deep: deep, left: w.settings.Load().Most}
		return old == nil, copied.tree(ctx, from, to)
	}
	if err := may(from); err != nil {
		return false, err
	}
	return old == nil, w.carry(ctx, s, from, to, c)
}

// copying is one Copy of a directory.
type copying struct {
	w      *Writer
	s      *federator.Session
	client *choice.Client
	may    func(path string) error
	deep   bool
	left   int // how many paths may still be copied
}

// spend counts a path that is about to be copied, if it may be.
func (c *copying) spend(p string) error {
	if c.left--; c.left < 0 {
		return &plugins.Error{Kind: plugins.Invalid, Op: "copy", Path: p, Err: errTooMany}
	}
	if err := shallow("copy", p); err != nil {
		return err
	}
	return c.may(p)
}

func (c *copying) tree(ctx context.Context, from, to string) error {
	if err := c.spend(from); err != nil {
		return err
	}
	if err := c.w.mkdir(ctx, c.s, to, c.client); err != nil {
		return err
	}
	for _, st := range c.s.Storages(to) {
		c.w.keep(ctx, c.s, from, to, st)
	}
	if !c.deep {
		return nil
	}
	d, err := c.w.f.List(ctx, from)
	if err != nil {
		return err
	}
	defer d.Close()
	for child, err := range d.Children() {
		if err != nil {
			return err
		}
		at, into := path.Join(from, child.Name), path.Join(to, child.Name)
		if child.Kind() == plugins.Directory {
			err = c.tree(ctx, at, into)
		} else if err = c.spend(at); err == nil {
			err = c.w.carry(ctx, c.s, at, into, c.client)
		}
		if err != nil {
			return err
		}
	}
	if missing := d.Missing(); len(missing) > 0 {
		return &federator.Unknown{Path: from, Missing: missing, RetryAfter: retryAfter}
	}
	return nil
}

// carry copies a file through here. The path to is held by the caller.
func (w *Writer) carry(ctx context.Context, s *federator.Session, from, to string, c *choice.Client) error {
	d, err := w.f.Locate(ctx, from, federator.Best, c)
	if err != nil {
		return err
	}
	if d.Kind() != plugins.File {
		return failure(plugins.IsDirectory, "copy", from)
	}
	file := File{Size: d.Size(), ModTime: d.ModTime(), Client: c}
	plan, err := w.plan(ctx, s, to, &file, true)
	if err != nil {
		return err
	}
	done := w.veil.Await(to, atMost)
	defer done()
	for _, st := range plan.choice {
		if err = w.carryTo(ctx, s, st, plan, d, &file); err == nil || ctx.Err() != nil {
			return err
		}
		w.log.Info("a copy could not be made", "endpoint", st.Name(), "from", from, "to", to, "err", err)
	}
	return err
}

func (w *Writer) carryTo(ctx context.Context, s *federator.Session, st *federator.Storage, plan *plan, d *federator.Decision, file *File) error {
	content, err := w.f.Open(ctx, d, 0, plugins.Whole)
	if err != nil {
		return err
	}
	defer content.Close() // it was read to its end, or failed already
	end := w.intend(ctx, plan, st.ID(), w.others(s, plan, st.ID()), forsaken)
	_, err = w.put(ctx, st, plan, &once{r: w.checked(content, d.Digests())}, file)
	if err == nil {
		w.keep(ctx, s, d.Path, plan.path, st)
		w.replace(ctx, s, plan, st.ID())
		w.settle(ctx, s, plan.path, st.ID())
	}
	end(!plugins.KindOf(err).Silent())
	return err
}

// keep copies the properties that clients have given to what is at from, by the
// first endpoint that keeps any, to its copy on a storage. A copy without them
// is a copy all the same.
func (w *Writer) keep(ctx context.Context, s *federator.Session, from, to string, st *federator.Storage) {
	target := st.Abilities().Keeper
	if target == nil || !st.Writable() || st.Down() {
		return
	}
	for _, source := range s.Storages(from) {
		k := source.Abilities().Keeper
		if k == nil || source.Down() {
			continue
		}
		err := plugins.CopyProperties(ctx, k, source.Own()[0], target, st.Own()[0])
		switch plugins.KindOf(err) {
		case 0:
			return
		case plugins.NotFound:
		default:
			w.log.Info("the properties of a copy are not those of the original", "from", from, "to", to, "endpoint", st.Name(), "err", err)
		}
	}
}
