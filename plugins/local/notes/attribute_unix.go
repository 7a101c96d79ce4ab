//go:build linux || darwin || freebsd

package notes

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// get returns the attribute, nil if there is none.
func get(f *os.File) ([]byte, error) {
	// Another one may be written between the two questions; it is asked again
	// then.
	for range 8 {
		size, err := again(func() (int, error) { return unix.Fgetxattr(int(f.Fd()), attribute, nil) })
		if err != nil || size <= 0 {
			return nil, failed(err)
		}
		text := make([]byte, size)
		n, err := again(func() (int, error) { return unix.Fgetxattr(int(f.Fd()), attribute, text) })
		if err == nil {
			return text[:n], nil
		}
		if err != unix.ERANGE {
			return nil, failed(err)
		}
	}
	return nil, unix.ERANGE
}

func set(f *os.File, text []byte) error {
	_, err := again(func() (int, error) { return 0, unix.Fsetxattr(int(f.Fd()), attribute, text, 0) })
	return failed(err)
}

func remove(f *os.File) error {
	_, err := again(func() (int, error) { return 0, unix.Fremovexattr(int(f.Fd()), attribute) })
	return failed(err)
}

func again(ask func() (int, error)) (int, error) {
	for {
		n, err := ask()
		if err != unix.EINTR {
			return n, err
		}
	}
}

// failed is what an error of the system comes to; that there is no such
// attribute is none.
func failed(err error) error {
	switch {
	case err == nil || err == absent:
		return nil
	case errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("extended attributes: %w", errors.ErrUnsupported)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT), errors.Is(err, unix.E2BIG), errors.Is(err, unix.ERANGE):
		return fmt.Errorf("%w: %w", ErrTooMuch, err)
	}
	return err
}
