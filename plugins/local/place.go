package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"

	"canopy/plugins"
	"canopy/plugins/local/stage"
	"canopy/plugins/local/stage/at"
)

// errNotOurs is why a path is neither replaced, moved nor removed.
var errNotOurs = errors.New("neither a file nor a directory nor a link is there")

// place is where something is to be changed: a name in an open directory.
type place struct {
	e        *endpoint
	op, path string
	root     *os.Root
	dir      *os.File
	name     string
}

// target opens the directory of p, where something is to be made.
func (e *endpoint) target(ctx context.Context, op, p string) (*place, error) {
	if reserved(p) {
		return nil, &plugins.Error{Kind: plugins.Invalid, Op: op, Path: p, Err: errReserved}
	}
	l, err := e.place(ctx, op, p)
	if plugins.KindOf(err) == plugins.NotFound {
		err = &plugins.Error{Kind: plugins.NoParent, Op: op, Path: p, Err: err}
	}
	return l, err
}

// place opens the directory of p.
func (e *endpoint) place(ctx context.Context, op, p string) (*place, error) {
	root, err := e.enter(ctx, op, p)
	if err != nil {
		return nil, err
	}
	if p != path.Clean("/"+p) {
		// Its last component may not be the name that it seems to be.
		return nil, &plugins.Error{Kind: plugins.Invalid, Op: op, Path: p, Err: errors.New("a path that is not clean")}
	}
	if p == "/" {
		kind := plugins.Invalid
		switch op {
		case "store":
			kind = plugins.IsDirectory
		case "mkdir":
			kind = plugins.Exists
		}
		return nil, &plugins.Error{Kind: kind, Op: op, Path: p, Err: errors.New("the root of the endpoint")}
	}
	dir, err := root.OpenFile(inside(path.Dir(p)), os.O_RDONLY|directoryOnly, 0)
	if err != nil {
		return nil, e.fail(op, p, err)
	}
	return &place{e: e, op: op, path: p, root: root, dir: dir, name: path.Base(p)}, nil
}

func (l *place) close() { l.dir.Close() }

func (l *place) failure(kind plugins.Kind, cause error) error {
	return &plugins.Error{Kind: kind, Op: l.op, Path: l.path, Err: cause}
}

// fail turns an error of the file system in changing something at l into one of
// the contract.
func (l *place) fail(err error) error {
	var number syscall.Errno
	switch errors.As(err, &number); number {
	case syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, syscall.EMLINK:
		return l.failure(plugins.Full, err)
	case syscall.EROFS, syscall.EBUSY:
		return l.failure(plugins.Denied, err)
	case syscall.EISDIR:
		return l.failure(plugins.IsDirectory, err)
	case syscall.EEXIST:
		return l.failure(plugins.Exists, err)
	case syscall.ENOTEMPTY:
		return l.failure(plugins.NotEmpty, err)
	case syscall.EINVAL, syscall.EILSEQ, syscall.ENAMETOOLONG:
		return l.failure(plugins.Invalid, err)
	case syscall.EXDEV:
		return l.failure(plugins.Unsupported, err)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return l.failure(plugins.Unsupported, err)
	}
	return l.e.fail(l.op, l.path, err)
}

// settle brings a change to the disk. It is not done if the root is no longer
// what it was: nobody would see it there.
func (l *place) settle() error {
	if err := at.Sync(l.dir); err != nil {
		return l.e.unavailable(l.op, l.path, err)
	}
	if l.e.absent() != plugins.NotFound {
		return l.e.unavailable(l.op, l.path, errors.New("the root has gone, or is another one"))
	}
	return nil
}

// replaceable reports whether f may be replaced, moved or removed: devices,
// FIFOs and sockets may not.
func (f facts) replaceable() bool {
	switch f.mode.Type() {
	case 0, fs.ModeDir, fs.ModeSymlink:
		return true
	}
	return false
}

// Sweep removes what uploads left behind whose process has been killed, if it
// has not been written to for olderThan; those under way in any process stay.
// It returns how many files it removed.
func (e *endpoint) Sweep(ctx context.Context, olderThan time.Duration) (removed int, err error) {
	root, err := e.enter(ctx, "sweep", "/")
	if err != nil {
		return 0, err
	}
	removed, err = stage.Sweep(ctx, root, time.Now().Add(-olderThan))
	if ctx.Err() != nil {
		return removed, plugins.Fail("sweep", "/", ctx.Err())
	}
	if err != nil {
		return removed, e.fail("sweep", "/", err)
	}
	return removed, nil
}
