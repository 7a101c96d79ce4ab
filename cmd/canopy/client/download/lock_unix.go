//go:build unix

package download

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock makes sure that no other process writes to f, until f is closed.
func lock(f *os.File) error {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}
