package write

import (
	"context"
	"errors"
	"path"
	"slices"
	"time"

	"canopy/federator"
	"canopy/federator/choice"
	"canopy/plugins"
)

// MakeDirectory makes the directory path, on the storage where the policy would
// put a file. The error is of Kind Exists if anything is there, NoParent if
// there is no directory above it, *ReadOnly, or that of a lookup.
func (w *Writer) MakeDirectory(ctx context.Context, p string, c *choice.Client) error {
	letGo, err := w.begin(ctx, hold{path: p})
	if err != nil {
		return err
	}
	defer letGo()
	s := w.f.Enter()
	defer s.Leave()
	return w.mkdir(ctx, s, p, c)
}

func (w *Writer) mkdir(ctx context.Context, s *federator.Session, p string, c *choice.Client) error {
	if s.Virtual(p) {
		return failure(plugins.Exists, "mkdir", p)
	}
	_, err := w.ask(ctx, p, c)
	var absent *federator.Absent
	switch {
	case err == nil:
		return failure(plugins.Exists, "mkdir", p)
	case !errors.As(err, &absent):
		return err
	}
	plan := &plan{path: p}
	dir := path.Dir(p)
	found, err := w.f.Lookup(ctx, dir, federator.First, c)
	switch {
	case errors.As(err, &absent) && s.Virtual(dir):
	case errors.As(err, &absent):
		return failure(plugins.NoParent, "mkdir", p)
	case err != nil:
		return err
	case found.Kind() != plugins.Directory:
		return failure(plugins.NoParent, "mkdir", p)
	}
	makers, err := w.makers(s, plan)
	if err != nil {
		return err
	}
	order, err := w.order(ctx, s, p, &File{Size: -1, Client: c}, makers)
	if err != nil {
		return err
	}
	done := w.veil.Await(p, removeTimeout)
	defer done()
	for _, st := range order {
		if err = w.mkdirOn(ctx, st, p); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// makers returns the storages that can make directories and have a place for
// the path.
func (w *Writer) makers(s *federator.Session, p *plan) ([]*federator.Storage, error) {
	all, err := w.takers(s, p, true)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(st *federator.Storage) bool { return st.Abilities().Maker == nil })
	if len(all) == 0 {
		return nil, failure(plugins.Unsupported, "mkdir", p.path)
	}
	return all, nil
}

// mkdirOn makes a directory, and those above it, on one storage.
func (w *Writer) mkdirOn(ctx context.Context, st *federator.Storage, p string) error {
	if err := w.exhume(ctx, st, p); err != nil {
		return err
	}
	own := st.Own()[0]
	if err := w.parents(ctx, st, own, p); err != nil {
		return err
	}
	began := time.Now()
	err := st.Abilities().Maker.MakeDirectory(ctx, own)
	st.Asked("mkdir", err, began)
	return err
}
