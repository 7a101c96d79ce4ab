// Package local is the endpoint type for a directory of this machine.
//
//	endpoints:
//	  - name: attic
//	    type: local
//	    root: /srv/data
//
// Canopy serves the bytes itself: nothing here has a URL of its own, so files
// of such an endpoint are always proxied. Listings come in order. ETags are made
// of modification time, size and inode.
//
// # What is an entry
//
// Files and directories are. Devices, FIFOs and sockets are not: they are
// neither listed nor found, and never opened. Symbolic links are followed while
// they stay below the root. One that leads out of it, also by an absolute
// target that leads in again, or nowhere, is not found and not listed: the tree
// is what lies below the root, and what lies elsewhere is not even denied. The
// operating system enforces that for every step of a path (os.Root), so that a
// link changed at the wrong moment opens no way out.
//
// # When the directory is not there
//
// A root that is missing when the endpoint is opened, or that vanishes or is
// replaced by another directory later (a disk unmounted, mounted), is a state
// and no error: questions are answered Unavailable until it is back. A missing
// root is never taken for "not found".
//
// An empty mount point, though, looks like an empty storage. Give a directory
// on the disk as root, not the mount point itself, so that the two differ.
//
// # What is written
//
// A file is seen when it is complete and on the disk, and not before: see
// package stage for where it is until then. One that takes another's place
// keeps its permissions. One that is stored where a symbolic link is takes the
// place of the link. What is neither a file nor a directory is neither replaced
// nor removed. Nothing is made, and nothing is seen, under the name
// plugins.Staging, in letters of any case.
//
// To replace files, the process must be able to make the directory
// .canopy-uploads at the root, or find it there and be able to write to it.
//
// # Checksums
//
// Those by which files are compared are computed as a file is stored, or the
// first time that one is asked for, and kept in an extended attribute of the
// file: see package sums. Where there are no such attributes, or no right to
// set them, each question for a checksum reads the file.
//
// # Properties
//
// Those that clients invent are kept in an extended attribute too: see package
// notes. Where there are no such attributes there are no such properties.
//
// # File systems that hang
//
// A file system that hangs in the kernel, as a hard-mounted NFS does when its
// server is gone, hangs the question with it; mount it soft.
package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"canopy/plugins"
)

// Config is the section of a local endpoint.
type Config struct {
	// Root is the directory. The endpoint reaches nothing outside it.
	Root string `yaml:"root" config:"directory"`
}

// Type describes the endpoint type for a registry.
func Type() plugins.Type {
	return plugins.Type{
		Name:    "local",
		Summary: "a directory of this machine",
		New:     func() plugins.Config { return new(Config) },
	}
}

// Validate implements plugins.Config.
func (c *Config) Validate() error {
	switch {
	case c.Root == "":
		return &plugins.FieldError{Key: "root", Problem: "is required: the directory to serve, such as /srv/data"}
	case strings.ContainsRune(c.Root, 0):
		return &plugins.FieldError{Key: "root", Problem: "holds a NUL byte, which no path can"}
	case !filepath.IsAbs(c.Root):
		return &plugins.FieldError{Key: "root", Problem: strconv.Quote(c.Root) + " is relative; write the whole path from /"}
	}
	return nil
}

// Open implements plugins.Config. The root need not exist.
func (c *Config) Open(context.Context, plugins.Env) (plugins.Endpoint, error) {
	return &endpoint{root: filepath.Clean(c.Root)}, nil
}

// endpoint is an open local endpoint.
type endpoint struct {
	root string

	mu   sync.Mutex
	held *held // nil until the root has been seen

	// change is held while a name comes, changes or goes, from the look whether
	// it may to the step itself, so that what Canopy does keeps an order.
	change sync.Mutex
}

// held is the directory behind the root's path at some time.
type held struct {
	dir  *os.Root
	info fs.FileInfo
}

// enter returns the directory that the root's path names now. It is looked up
// for every question, or the answers would go on coming from below a mount that
// has since been made, or from a directory that has since been deleted.
func (e *endpoint) enter(ctx context.Context, op, p string) (*os.Root, error) {
	if err := ctx.Err(); err != nil {
		return nil, plugins.Fail(op, p, err)
	}
	switch {
	case strings.ContainsRune(p, 0):
		return nil, &plugins.Error{Kind: plugins.Invalid, Op: op, Path: p, Err: errors.New("a path with a NUL byte")}
	case reserved(p):
		return nil, &plugins.Error{Kind: plugins.NotFound, Op: op, Path: p, Err: errReserved}
	}
	info, err := os.Stat(e.root)
	if err != nil {
		return nil, e.unavailable(op, p, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.held != nil && os.SameFile(e.held.info, info) {
		return e.held.dir, nil
	}
	dir, err := os.OpenRoot(e.root)
	if err != nil {
		return nil, e.unavailable(op, p, err)
	}
	// What was opened counts, not what was there a moment before.
	if info, err = dir.Stat("."); err != nil {
		dir.Close()
		return nil, e.unavailable(op, p, err)
	}
	if e.held != nil {
		// Questions under way fail with os.ErrClosed: their answer would be
		// about a directory that is no longer the root.
		e.held.dir.Close()
	}
	e.held = &held{dir, info}
	return dir, nil
}

func (e *endpoint) unavailable(op, p string, err error) error {
	return &plugins.Error{Kind: plugins.Unavailable, Op: op, Path: p, Err: err}
}

// fail turns an error of the file system about p into one of the contract.
func (e *endpoint) fail(op, p string, err error) error {
	var known *plugins.Error
	if errors.As(err, &known) {
		return plugins.Fail(op, p, err)
	}
	kind := plugins.Unavailable
	var number syscall.Errno
	switch isNumber := errors.As(err, &number); {
	case errors.Is(err, os.ErrClosed):
	case errors.Is(err, fs.ErrNotExist), number == syscall.ENOTDIR, number == syscall.ELOOP,
		// No file of this storage can have so long a name.
		number == syscall.ENAMETOOLONG:
		kind = e.absent()
	case errors.Is(err, fs.ErrPermission):
		kind = plugins.Denied
	case number == syscall.EMFILE, number == syscall.ENFILE:
		kind = plugins.Busy
	case !isNumber:
		// Only os.Root itself fails without a number: the path leads out.
		kind = e.absent()
	}
	return &plugins.Error{Kind: kind, Op: op, Path: p, Err: err}
}

// absent is the kind of a path that is missing below the held root: if the root
// itself has gone meanwhile, nothing has been said about the path.
func (e *endpoint) absent() plugins.Kind {
	info, err := os.Stat(e.root)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil || e.held == nil || !os.SameFile(e.held.info, info) {
		return plugins.Unavailable
	}
	return plugins.NotFound
}

// errReserved is why nothing is found or made at some paths.
var errReserved = errors.New("the name " + plugins.Staging + " is kept for unfinished files")

// reserved reports whether a component of p is the name of a staging directory,
// as file systems see it that take capital and small letters for the same.
func reserved(p string) bool {
	for component := range strings.SplitSeq(p, "/") {
		if strings.EqualFold(component, plugins.Staging) {
			return true
		}
	}
	return false
}

// Stat implements plugins.Endpoint. The digests are those kept with the file.
func (e *endpoint) Stat(ctx context.Context, p string) (plugins.Entry, error) {
	root, found, err := e.look(ctx, "stat", p)
	if err == nil && found.Kind == plugins.File {
		found.Digests = kept(root, p)
	}
	return found, err
}

// look returns the entry at p and the root in which it is.
func (e *endpoint) look(ctx context.Context, op, p string) (*os.Root, plugins.Entry, error) {
	root, err := e.enter(ctx, op, p)
	if err != nil {
		return nil, plugins.Entry{}, err
	}
	f, err := follow(root, p)
	if err != nil {
		return nil, plugins.Entry{}, e.fail(op, p, err)
	}
	found, ok := f.entry(base(p))
	if !ok {
		return nil, plugins.Entry{}, notEntry(op, p)
	}
	return root, found, nil
}

func notEntry(op, p string) error {
	return &plugins.Error{Kind: plugins.NotFound, Op: op, Path: p, Err: errors.New("neither a file nor a directory")}
}

// Close implements plugins.Endpoint.
func (e *endpoint) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.held == nil {
		return nil
	}
	err := e.held.dir.Close()
	e.held = nil
	return err
}
