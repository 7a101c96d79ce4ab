//go:build linux || darwin || freebsd

package at

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// again calls f until no signal has come in between.
func again(op, name string, f func() error) error {
	for {
		err := f()
		switch {
		case err == nil:
			return nil
		case err != unix.EINTR:
			return &os.PathError{Op: op, Path: name, Err: err}
		}
	}
}

// Mkdir makes the directory name, with mode less the umask.
func Mkdir(dir *os.File, name string, mode fs.FileMode) error {
	return again("mkdirat", name, func() error { return unix.Mkdirat(int(dir.Fd()), name, uint32(mode.Perm())) })
}

// Unlink removes name, which is no directory.
func Unlink(dir *os.File, name string) error {
	return again("unlinkat", name, func() error { return unix.Unlinkat(int(dir.Fd()), name, 0) })
}

// Rmdir removes the empty directory name.
func Rmdir(dir *os.File, name string) error {
	return again("rmdir", name, func() error { return unix.Unlinkat(int(dir.Fd()), name, unix.AT_REMOVEDIR) })
}

// Rename makes what is at name in dir be newName in newDir, in one step and in
// place of what is there: a file of a file, a directory of an empty directory.
func Rename(dir *os.File, name string, newDir *os.File, newName string) error {
	return again("renameat", newName, func() error {
		return unix.Renameat(int(dir.Fd()), name, int(newDir.Fd()), newName)
	})
}

// linkNew is RenameNew for files in two steps, between which both names are
// there.
func linkNew(dir *os.File, name string, newDir *os.File, newName string) error {
	err := again("linkat", newName, func() error {
		return unix.Linkat(int(dir.Fd()), name, int(newDir.Fd()), newName, 0)
	})
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EMLINK), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
		// Directories, and file systems that know no second name of a file.
		return errors.ErrUnsupported
	case err != nil:
		return err
	}
	return Unlink(dir, name)
}

// Open opens name as it is: a link is refused, and the other end of a FIFO not
// waited for.
func Open(dir *os.File, name string, flags int, mode fs.FileMode) (*os.File, error) {
	var fd int
	err := again("openat", name, func() (err error) {
		fd, err = unix.Openat(int(dir.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, uint32(mode.Perm()))
		return err
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Lock takes hold of f for as long as it is open in this process; false means
// that it is held already, here or in another process. Where there are no locks
// the error is errors.ErrUnsupported.
func Lock(f *os.File) (bool, error) {
	err := again("flock", f.Name(), func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) })
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return false, nil
	case errors.Is(err, unix.ENOLCK), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EOPNOTSUPP):
		return false, errors.ErrUnsupported
	}
	return err == nil, err
}

// Sync brings the names in dir to the disk, where the file system does that for
// directories.
func Sync(dir *os.File) error {
	err := again("fsync", dir.Name(), func() error { return unix.Fsync(int(dir.Fd())) })
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	return err
}
