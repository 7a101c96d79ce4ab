//go:build linux || darwin || freebsd

package local

import (
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"canopy/plugins"
)

// Flags for opening. A directory or file is known by its path only until it is
// opened; these make sure that something else in its place opens nothing and
// nobody waits for the other end of a FIFO.
const (
	directoryOnly  = unix.O_DIRECTORY | unix.O_NONBLOCK
	withoutWaiting = unix.O_NONBLOCK
)

func inode(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Ino)
	}
	return 0
}

// lstat returns the facts of name in dir itself, in one system call, where
// os.Root would walk the whole path for each of a million names.
func lstat(_ *os.Root, _ string, dir *os.File, name string) (facts, error) {
	var s unix.Stat_t
	for {
		err := unix.Fstatat(int(dir.Fd()), name, &s, unix.AT_SYMLINK_NOFOLLOW)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return facts{}, &os.PathError{Op: "fstatat", Path: name, Err: err}
		}
		break
	}
	f := facts{size: s.Size, changed: time.Unix(s.Mtim.Unix()), inode: uint64(s.Ino)}
	f.mode = fs.FileMode(s.Mode) & fs.ModePerm
	switch uint32(s.Mode) & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		f.mode |= fs.ModeDir
	case unix.S_IFLNK:
		f.mode |= fs.ModeSymlink
	default:
		f.mode |= fs.ModeIrregular
	}
	return f, nil
}

// room returns the room of the file system on which f is: what is free for
// users other than root.
func room(f *os.File) (plugins.Space, error) {
	var s unix.Statfs_t
	for {
		err := unix.Fstatfs(int(f.Fd()), &s)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return plugins.Space{}, &os.PathError{Op: "fstatfs", Path: f.Name(), Err: err}
		}
		break
	}
	size := int64(s.Bsize)
	return plugins.Space{
		Used: (int64(s.Blocks) - int64(s.Bfree)) * size,
		// The reserve of root can be in use already, which some systems report
		// as less than nothing.
		Free: max(0, int64(s.Bavail)) * size,
	}, nil
}

// writable reports whether files can be made in dir: by its rights, and
// whether its file system is mounted for writing.
func writable(dir *os.File) plugins.Verdict {
	for {
		switch err := unix.Faccessat(int(dir.Fd()), ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS); err {
		case unix.EINTR:
		case nil:
			return plugins.Yes
		case unix.EACCES, unix.EPERM, unix.EROFS:
			return plugins.No
		default:
			return plugins.Undecided
		}
	}
}
