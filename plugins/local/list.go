package local

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strings"

	"canopy/plugins"
)

// batch is how many names are read from a directory at a time.
const batch = 4096

// Ordered implements plugins.Ordered: it is true.
func (e *endpoint) Ordered() bool { return true }

// List implements plugins.Lister. All names are read and sorted first, at some
// 20 bytes each; what they name is looked at as it is yielded.
func (e *endpoint) List(ctx context.Context, p string) iter.Seq2[plugins.Entry, error] {
	return func(yield func(plugins.Entry, error) bool) {
		if err := e.list(ctx, p, yield); err != nil {
			yield(plugins.Entry{}, err)
		}
	}
}

// list yields the entries of p; the error is still to be yielded.
func (e *endpoint) list(ctx context.Context, p string, yield func(plugins.Entry, error) bool) error {
	root, found, err := e.look(ctx, "list", p)
	if err != nil {
		return err
	}
	if found.Kind != plugins.Directory {
		return &plugins.Error{Kind: plugins.NotDirectory, Op: "list", Path: p}
	}
	dir, err := root.OpenFile(inside(p), os.O_RDONLY|directoryOnly, 0)
	if err != nil {
		return e.fail("list", p, err)
	}
	defer dir.Close()
	names, err := e.names(ctx, p, dir)
	if err != nil {
		return err
	}
	for name := range names.all() {
		if err := ctx.Err(); err != nil {
			return plugins.Fail("list", p, err)
		}
		child, ok, err := e.child(root, p, dir, name)
		switch {
		case err != nil:
			return err
		case ok && !yield(child, nil):
			return nil
		}
	}
	return nil
}

// names reads the names in the directory dir.
func (e *endpoint) names(ctx context.Context, p string, dir *os.File) (*register, error) {
	r := new(register)
	for {
		if err := ctx.Err(); err != nil {
			return nil, plugins.Fail("list", p, err)
		}
		names, err := dir.Readdirnames(batch)
		for _, name := range names {
			if !reserved(name) {
				r.add(name)
			}
		}
		if errors.Is(err, io.EOF) {
			r.sort()
			return r, nil
		}
		if err != nil {
			return nil, e.fail("list", p, err)
		}
	}
}

// child describes name in dir, the directory p of root; false if it is no entry
// or has gone since its name was read.
func (e *endpoint) child(root *os.Root, p string, dir *os.File, name string) (plugins.Entry, bool, error) {
	full := strings.TrimSuffix(p, "/") + "/" + name
	f, err := lstat(root, full, dir, name)
	link := err == nil && f.mode.Type() == fs.ModeSymlink
	if link {
		// From the root again, because the link may lead elsewhere in it.
		f, err = follow(root, full)
	}
	if err != nil {
		err = e.fail("list", p, err)
		// A barred target makes the link no entry, and the listing no less
		// complete.
		if k := plugins.KindOf(err); k == plugins.NotFound || link && k == plugins.Denied {
			return plugins.Entry{}, false, nil
		}
		return plugins.Entry{}, false, err
	}
	child, ok := f.entry(name)
	return child, ok, nil
}

// register holds many names in little memory.
type register struct {
	text []byte
	// spans are where the names are in text: offset<<16 | length.
	spans []uint64
}

func (r *register) add(name string) {
	r.spans = append(r.spans, uint64(len(r.text))<<16|uint64(len(name)))
	r.text = append(r.text, name...)
}

func (r *register) at(span uint64) []byte {
	offset := span >> 16
	return r.text[offset : offset+span&0xffff]
}

func (r *register) sort() {
	slices.SortFunc(r.spans, func(x, y uint64) int { return bytes.Compare(r.at(x), r.at(y)) })
}

// all yields the names. One that came twice, as it may while a directory is
// being changed, is yielded once.
func (r *register) all() iter.Seq[string] {
	return func(yield func(string) bool) {
		var last []byte
		for i, span := range r.spans {
			name := r.at(span)
			if i > 0 && bytes.Equal(name, last) {
				continue
			}
			last = name
			if !yield(string(name)) {
				return
			}
		}
	}
}
