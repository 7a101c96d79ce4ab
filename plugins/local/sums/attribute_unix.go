//go:build linux || darwin || freebsd

package sums

import (
	"os"

	"golang.org/x/sys/unix"
)

func get(f *os.File, name string, buffer []byte) (int, error) {
	for {
		n, err := unix.Fgetxattr(int(f.Fd()), name, buffer)
		if err != unix.EINTR {
			return n, err
		}
	}
}

func set(f *os.File, name string, value []byte) error {
	for {
		err := unix.Fsetxattr(int(f.Fd()), name, value, 0)
		if err != unix.EINTR {
			return err
		}
	}
}
