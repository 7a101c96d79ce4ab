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
// as those of Move. A copy of a tree that fails midway leaves what was copied.
func (w *Writer) Copy(ctx context.Context, from, to string, overwrite, deep bool, c *choice.Client) (created bool, err error) {
	if from == to || below(to, from) || below(from, to) {
		return false, failure(plugins.Invalid, "copy", to)
	}
	letGo, err := w.paths.take(ctx, hold{path: to, tree: true})
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
	old, err := w.destination(ctx, s, to, overwrite, c)
	if err != nil {
		return false, err
	}
	if old != nil && (old.Kind() == plugins.Directory || found.Kind() == plugins.Directory) {
		if err := w.remove(ctx, s, to, c, nil, nil); err != nil {
			return false, err
		}
	}
	left := w.settings.Load().Most
	if found.Kind() == plugins.Directory {
		return old == nil, w.copyTree(ctx, s, from, to, deep, c, &left)
	}
	return old == nil, w.carry(ctx, s, from, to, c)
}

func (w *Writer) copyTree(ctx context.Context, s *federator.Session, from, to string, deep bool, c *choice.Client, left *int) error {
	if *left--; *left < 0 {
		return &plugins.Error{Kind: plugins.Invalid, Op: "copy", Path: from, Err: errTooMany}
	}
	if err := w.mkdir(ctx, s, to, c); err != nil {
		return err
	}
	if !deep {
		return nil
	}
	d, err := w.f.List(ctx, from)
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
			err = w.copyTree(ctx, s, at, into, deep, c, left)
		} else if *left--; *left < 0 {
			err = &plugins.Error{Kind: plugins.Invalid, Op: "copy", Path: at, Err: errTooMany}
		} else {
			err = w.carry(ctx, s, at, into, c)
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
	done := w.veil.await(to, atMost)
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
	_, err = w.put(ctx, st, plan, w.checked(content, d.Digests()), file)
	if err == nil {
		w.replace(ctx, s, plan, st.ID())
	}
	return err
}
