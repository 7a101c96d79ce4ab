package local

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"canopy/plugins"
	"canopy/plugins/local/stage/at"
)

// Remove implements plugins.Remover. Of a symbolic link it removes the link.
func (e *endpoint) Remove(ctx context.Context, p string) error {
	l, err := e.place(ctx, "remove", p)
	if err != nil {
		return err
	}
	defer l.close()
	if err := l.remove(); err != nil {
		return err
	}
	return l.settle()
}

// remove removes what is at l.
func (l *place) remove() error {
	l.e.change.Lock()
	defer l.e.change.Unlock()
	itself, err := l.there()
	if err != nil {
		return err
	}
	if !itself.mode.IsDir() {
		err = at.Unlink(l.dir, l.name)
	} else if err = at.Rmdir(l.dir, l.name); errors.Is(err, syscall.EEXIST) {
		return l.failure(plugins.NotEmpty, err) // as POSIX allows too
	}
	if err != nil {
		return l.fail(err)
	}
	return nil
}

// there returns the facts of what is at l. NotFound is the error for what is not
// seen there, a dangling link for example.
func (l *place) there() (facts, error) {
	itself, err := lstat(l.root, l.path, l.dir, l.name)
	if err != nil {
		return itself, l.e.fail(l.op, l.path, err)
	}
	target := itself
	if itself.mode.Type() == fs.ModeSymlink {
		if target, err = follow(l.root, l.path); err != nil {
			return itself, l.e.fail(l.op, l.path, err)
		}
	}
	if _, ok := target.entry(""); !ok {
		return itself, notEntry(l.op, l.path)
	}
	return itself, nil
}

// MakeDirectory implements plugins.Maker.
func (e *endpoint) MakeDirectory(ctx context.Context, p string) error {
	l, err := e.target(ctx, "mkdir", p)
	if err != nil {
		return err
	}
	defer l.close()
	if err := at.Mkdir(l.dir, l.name, 0o777); err != nil {
		return l.fail(err)
	}
	return l.settle()
}

// Move implements plugins.Mover. Of a symbolic link it moves the link. Between
// file systems mounted below the root it is Unsupported.
func (e *endpoint) Move(ctx context.Context, from, to string, replace bool) error {
	src, err := e.place(ctx, "move", from)
	if err != nil {
		return err
	}
	defer src.close()
	// What is not there is said to be absent before anything else is said.
	if _, err := src.there(); err != nil {
		return err
	}
	if to == "/" {
		return &plugins.Error{Kind: plugins.Exists, Op: "move", Path: to, Err: errors.New("the root of the endpoint")}
	}
	dst, err := e.target(ctx, "move", to)
	if err != nil {
		return err
	}
	defer dst.close()
	if strings.HasPrefix(to, from+"/") {
		return src.failure(plugins.Invalid, errors.New("into itself"))
	}
	if err := src.moveTo(dst, replace); err != nil {
		return err
	}
	if err := dst.settle(); err != nil {
		return err
	}
	return src.settle()
}

// moveTo moves what is at l.
func (l *place) moveTo(dst *place, replace bool) error {
	l.e.change.Lock()
	defer l.e.change.Unlock()
	itself, err := l.there()
	if err != nil {
		return err
	}
	old, err := lstat(dst.root, dst.path, dst.dir, dst.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = at.RenameNew(l.dir, l.name, dst.dir, dst.name)
		if errors.Is(err, errors.ErrUnsupported) {
			// The lock keeps Canopy's own hands off meanwhile.
			err = at.Rename(l.dir, l.name, dst.dir, dst.name)
		}
	case err != nil:
	case !replace, !old.replaceable(), dst.isDirectory(old), itself.mode.IsDir():
		return dst.failure(plugins.Exists, nil)
	case old.inode == itself.inode && !l.is(dst):
		// Renaming one name of a file to another does nothing and leaves
		// both; removing one is not safe where names differ in case alone.
		return l.failure(plugins.Unsupported, errors.New("both may be names of the same file"))
	default:
		err = at.Rename(l.dir, l.name, dst.dir, dst.name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return l.fail(err)
	}
	if err != nil {
		return dst.fail(err)
	}
	return nil
}

// isDirectory reports whether itself, at l, is a directory or leads to one.
func (l *place) isDirectory(itself facts) bool {
	if itself.mode.Type() == fs.ModeSymlink {
		if target, err := follow(l.root, l.path); err == nil {
			return target.mode.IsDir()
		}
	}
	return itself.mode.IsDir()
}

// is reports whether l and m are the same name in the same directory.
func (l *place) is(m *place) bool {
	return path.Base(l.path) == path.Base(m.path) && at.Same(l.dir, m.dir)
}
