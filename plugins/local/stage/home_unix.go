//go:build linux || darwin || freebsd

package stage

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"canopy/plugins/local/stage/at"
)

// directory makes opening anything else an error.
const directory = unix.O_DIRECTORY

// deepest is how far below its root a directory can be.
const deepest = 4096

// home opens the staging directory of the file system on which dir is.
func home(root *os.Root, dir *os.File) (*os.File, error) {
	base, err := root.OpenFile(".", os.O_RDONLY|directory, 0)
	if err != nil {
		return nil, err
	}
	defer base.Close()
	if device(base) == device(dir) {
		return open(base, true)
	}
	// Up to the root, past the place where it is mounted.
	var top *os.File
	defer func() {
		if top != nil && top != dir {
			top.Close()
		}
	}()
	here := dir
	for range deepest {
		above, err := at.Open(here, "..", os.O_RDONLY|directory, 0)
		if err != nil {
			return nil, err
		}
		if top == nil && device(above) != device(dir) {
			top = here
		}
		if here != dir && here != top {
			here.Close()
		}
		here = above
		if at.Same(here, base) && top != nil {
			here.Close()
			return open(top, true)
		}
	}
	if here != dir && here != top {
		here.Close()
	}
	return nil, errors.New("the directory is no longer below the root")
}

func device(f *os.File) uint64 {
	if info, err := f.Stat(); err == nil {
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			return uint64(s.Dev)
		}
	}
	return 0
}
