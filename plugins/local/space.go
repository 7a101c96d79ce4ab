package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"

	"canopy/plugins"
)

// Space implements plugins.Spacer: the room of the file system which holds p,
// or would hold it.
func (e *endpoint) Space(ctx context.Context, p string) (plugins.Space, error) {
	root, err := e.enter(ctx, "space", p)
	if err != nil {
		return plugins.Space{}, err
	}
	for ; ; p = path.Dir(p) {
		f, err := root.OpenFile(inside(p), os.O_RDONLY|directoryOnly, 0)
		if err != nil {
			if p == "/" {
				return plugins.Space{}, e.fail("space", p, err)
			}
			continue
		}
		defer f.Close()
		s, err := room(f)
		if err != nil {
			return plugins.Space{}, e.fail("space", p, err)
		}
		return s, nil
	}
}

// Inspect implements plugins.Inspector by this process's rights to the
// directory that holds p, or to the first one above it that is there. The clock
// is our own.
func (e *endpoint) Inspect(ctx context.Context, p string) (plugins.Inspection, error) {
	root, err := e.enter(ctx, "inspect", p)
	if err != nil {
		return plugins.Inspection{}, err
	}
	for dir := path.Dir(p); ; dir = path.Dir(dir) {
		f, err := root.OpenFile(inside(dir), os.O_RDONLY|directoryOnly, 0)
		switch {
		case err == nil:
			defer f.Close()
			return plugins.Inspection{Writable: writable(f)}, nil
		case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ENOTDIR):
			return plugins.Inspection{Writable: plugins.No}, nil
		case dir == "/" || !errors.Is(err, fs.ErrNotExist):
			return plugins.Inspection{}, e.fail("inspect", p, err)
		}
	}
}
