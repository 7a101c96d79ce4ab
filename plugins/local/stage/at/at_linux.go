package at

import (
	"errors"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Unnamed makes a file in dir that has no name, so that it goes with whoever
// has it open. The error is errors.ErrUnsupported where there are none.
func Unnamed(dir *os.File) (*os.File, error) {
	f, err := Open(dir, ".", unix.O_TMPFILE|unix.O_RDWR, 0o666)
	switch {
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EISDIR), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT):
		return nil, errors.ErrUnsupported
	case err != nil:
		return nil, err
	}
	// Without this there is no way to give it a name later.
	if _, err := os.Lstat(descriptor(f)); err != nil {
		f.Close()
		return nil, errors.ErrUnsupported
	}
	return f, nil
}

func descriptor(f *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) }

// Link gives the unnamed file f a name in dir, which must be new.
func Link(f *os.File, dir *os.File, name string) error {
	return again("linkat", name, func() error {
		return unix.Linkat(unix.AT_FDCWD, descriptor(f), int(dir.Fd()), name, unix.AT_SYMLINK_FOLLOW)
	})
}

// RenameNew is Rename to a name that must be new, checked in the same step.
// Where the file system cannot do that for directories, the error is
// errors.ErrUnsupported.
func RenameNew(dir *os.File, name string, newDir *os.File, newName string) error {
	err := again("renameat2", newName, func() error {
		return unix.Renameat2(int(dir.Fd()), name, int(newDir.Fd()), newName, unix.RENAME_NOREPLACE)
	})
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return linkNew(dir, name, newDir, newName)
	}
	return err
}

// SetTime sets when f was last changed.
func SetTime(f *os.File, t time.Time) error {
	spec := unix.NsecToTimespec(t.UnixNano())
	return again("utimensat", f.Name(), func() error {
		err := unix.UtimesNanoAt(int(f.Fd()), "", []unix.Timespec{spec, spec}, unix.AT_EMPTY_PATH)
		if err == unix.EINVAL || err == unix.ENOENT {
			// Linux before 5.8.
			return unix.UtimesNanoAt(unix.AT_FDCWD, descriptor(f), []unix.Timespec{spec, spec}, 0)
		}
		return err
	})
}
