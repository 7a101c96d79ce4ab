package mem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"canopy/plugins"
)

// Store implements plugins.Writer. There is room for a file that is no larger
// than what SetSpace said to be free; storing it leaves that number alone.
func (e *Endpoint) Store(ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
	if err := ctx.Err(); err != nil {
		return plugins.Entry{}, plugins.Fail("store", p, err)
	}
	// What is wrong already need not be sent.
	e.mu.RLock()
	_, err := e.admits(p, u)
	room := e.space.Free
	e.mu.RUnlock()
	if err != nil {
		return plugins.Entry{}, err
	}
	if room >= 0 && u.Size > room {
		return plugins.Entry{}, failure("store", p, plugins.Full)
	}
	text, err := receive(ctx, p, content, u.Size, room)
	if err != nil {
		return plugins.Entry{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	dir, err := e.admits(p, u)
	if err != nil {
		return plugins.Entry{}, err
	}
	if u.ModTime.IsZero() {
		u.ModTime = time.Now()
	}
	e.version++
	n := &node{content: text, entry: plugins.Entry{
		Name: path.Base(p), Kind: plugins.File, Size: int64(len(text)), ModTime: u.ModTime, ETag: fmt.Sprintf(`"%d"`, e.version),
	}}
	if i, ok := dir.search(n.entry.Name); ok {
		n.properties = dir.children[i].properties
	}
	dir.set(n)
	return n.entry, nil
}

// receive reads the content of the file p.
func receive(ctx context.Context, p string, content io.Reader, size, room int64) (string, error) {
	var b strings.Builder
	buffer := make([]byte, 32<<10)
	for {
		if err := ctx.Err(); err != nil {
			return "", plugins.Fail("store", p, err)
		}
		n, err := content.Read(buffer)
		b.Write(buffer[:n])
		stored := int64(b.Len())
		end := errors.Is(err, io.EOF)
		switch {
		case err != nil && !end:
			// The storage has no part in that.
			return "", &plugins.Error{Kind: plugins.Canceled, Op: "store", Path: p, Err: err}
		case size >= 0 && (stored > size || end && stored < size):
			return "", failure("store", p, plugins.Invalid)
		case room >= 0 && stored > room:
			return "", failure("store", p, plugins.Full)
		case end:
			return b.String(), nil
		}
	}
}

// admits returns the directory in which u may be stored at p; e.mu is held.
func (e *Endpoint) admits(p string, u plugins.Upload) (*node, error) {
	dir, old, err := e.place("store", p)
	kind := plugins.Kind(0)
	switch {
	case p == "/" || old != nil && old.entry.Kind == plugins.Directory:
		kind = plugins.IsDirectory
	case err != nil:
		return nil, err
	case u.New && old != nil:
		kind = plugins.Exists
	case u.IfMatch != "" && (old == nil || old.entry.ETag != u.IfMatch):
		kind = plugins.Changed
	}
	if kind != 0 {
		return nil, failure("store", p, kind)
	}
	return dir, nil
}

// place returns the directory that holds or would hold p, and what is there, if
// anything is; e.mu is held.
func (e *Endpoint) place(op, p string) (dir, there *node, err error) {
	dir = e.find(path.Dir(p))
	if dir == nil || dir.entry.Kind != plugins.Directory {
		return nil, nil, failure(op, p, plugins.NoParent)
	}
	if i, ok := dir.search(path.Base(p)); ok {
		there = dir.children[i]
	}
	return dir, there, nil
}

// Atomic implements plugins.Writer: it is true.
func (e *Endpoint) Atomic() bool { return true }

// MakeDirectory implements plugins.Maker.
func (e *Endpoint) MakeDirectory(ctx context.Context, p string) error {
	if err := ctx.Err(); err != nil {
		return plugins.Fail("mkdir", p, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	dir, there, err := e.place("mkdir", p)
	switch {
	case p == "/" || there != nil:
		return failure("mkdir", p, plugins.Exists)
	case err != nil:
		return err
	}
	dir.set(&node{entry: plugins.Entry{Name: path.Base(p), Kind: plugins.Directory}})
	return nil
}

// Remove implements plugins.Remover. A directory must be empty.
func (e *Endpoint) Remove(ctx context.Context, p string) error {
	if err := ctx.Err(); err != nil {
		return plugins.Fail("remove", p, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	n := e.find(p)
	switch {
	case n == nil:
		return failure("remove", p, plugins.NotFound)
	case p == "/":
		return failure("remove", p, plugins.Invalid)
	case len(n.children) > 0:
		return failure("remove", p, plugins.NotEmpty)
	}
	e.cut(p)
	return nil
}

// Move implements plugins.Mover.
func (e *Endpoint) Move(ctx context.Context, from, to string, replace bool) error {
	if err := ctx.Err(); err != nil {
		return plugins.Fail("move", from, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	n := e.find(from)
	switch {
	case n == nil:
		return failure("move", from, plugins.NotFound)
	case to == "/":
		return failure("move", to, plugins.Exists)
	case from == "/" || strings.HasPrefix(to, from+"/"):
		return failure("move", from, plugins.Invalid)
	}
	dir, there, err := e.place("move", to)
	switch {
	case err != nil:
		return err
	case there != nil && (!replace || there.entry.Kind == plugins.Directory || n.entry.Kind == plugins.Directory):
		return failure("move", to, plugins.Exists)
	}
	e.cut(from)
	// A copy, because those who read or list the old one must not see it change.
	moved := *n
	moved.entry.Name = path.Base(to)
	dir.set(&moved)
	return nil
}

// cut takes p out of its directory; e.mu is held.
func (e *Endpoint) cut(p string) {
	if dir, there, err := e.place("cut", p); err == nil && there != nil {
		i, _ := dir.search(path.Base(p))
		dir.children = slices.Delete(dir.children, i, i+1)
	}
}

func failure(op, p string, kind plugins.Kind) error {
	return &plugins.Error{Kind: kind, Op: op, Path: p}
}
