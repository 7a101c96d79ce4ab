//go:build darwin || freebsd

package at

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Unnamed is for Linux.
func Unnamed(*os.File) (*os.File, error) { return nil, errors.ErrUnsupported }

// Link is for Linux.
func Link(*os.File, *os.File, string) error { return errors.ErrUnsupported }

// RenameNew is Rename to a name that must be new. For directories the error is
// errors.ErrUnsupported.
func RenameNew(dir *os.File, name string, newDir *os.File, newName string) error {
	return linkNew(dir, name, newDir, newName)
}

// SetTime sets when f was last changed, to the microsecond.
func SetTime(f *os.File, t time.Time) error {
	v := unix.NsecToTimeval(t.UnixNano())
	return again("futimes", f.Name(), func() error { return unix.Futimes(int(f.Fd()), []unix.Timeval{v, v}) })
}
