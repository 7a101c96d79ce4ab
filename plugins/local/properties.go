package local

import (
	"context"
	"encoding/xml"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"canopy/plugins"
	"canopy/plugins/local/notes"
)

// Properties implements plugins.Keeper: see package notes.
func (e *endpoint) Properties(ctx context.Context, p string, names []xml.Name) ([]plugins.Property, error) {
	f, err := e.noted(ctx, "properties", p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := notes.Read(f)
	if err != nil {
		return nil, e.unnoted("properties", p, err)
	}
	return plugins.ChooseProperties(all, names), nil
}

// SetProperties implements plugins.Keeper.
func (e *endpoint) SetProperties(ctx context.Context, p string, set []plugins.Property, remove []xml.Name) error {
	f, err := e.noted(ctx, "proppatch", p)
	if err != nil {
		return err
	}
	defer f.Close()
	e.change.Lock()
	defer e.change.Unlock()
	old, err := notes.Read(f)
	if err != nil {
		return e.unnoted("proppatch", p, err)
	}
	amended, ok := plugins.AmendProperties(old, set, remove)
	if !ok {
		return e.unnoted("proppatch", p, notes.ErrTooMuch)
	}
	if err := notes.Write(f, amended); err != nil {
		return e.unnoted("proppatch", p, err)
	}
	if err := f.Sync(); err != nil {
		return e.unavailable("proppatch", p, err)
	}
	return nil
}

// noted opens what p leads to, be it a file or a directory.
func (e *endpoint) noted(ctx context.Context, op, p string) (*os.File, error) {
	root, _, err := e.look(ctx, op, p)
	if err != nil {
		return nil, err
	}
	// Without waiting, should a FIFO have taken the file's place just now.
	f, err := root.OpenFile(inside(p), os.O_RDONLY|withoutWaiting, 0)
	if err != nil {
		return nil, e.fail(op, p, err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, e.fail(op, p, err)
	}
	if _, ok := factsOf(info).entry(""); !ok {
		f.Close()
		return nil, notEntry(op, p)
	}
	return f, nil
}

// unnoted turns an error of package notes into one of the contract.
func (e *endpoint) unnoted(op, p string, err error) error {
	kind := plugins.Unavailable
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		kind = plugins.Unsupported
	case errors.Is(err, notes.ErrTooMuch):
		kind = plugins.Full
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		kind = plugins.Denied
	}
	return &plugins.Error{Kind: kind, Op: op, Path: p, Err: err}
}

// handOver gives the properties of the file that f is to replace to it.
func (l *place) handOver(f *os.File) error {
	old, err := l.root.OpenFile(inside(l.path), os.O_RDONLY|withoutWaiting, 0)
	if err != nil {
		return nil // what cannot be read has none that anybody could see
	}
	defer old.Close()
	all, err := notes.Read(old)
	if err != nil || len(all) == 0 {
		return nil
	}
	if err := notes.Write(f, all); err != nil {
		return l.e.unnoted(l.op, l.path, err)
	}
	if err := f.Sync(); err != nil {
		return l.fail(err)
	}
	return nil
}
