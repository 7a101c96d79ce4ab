package plugins

import (
	"context"
	"io"
	"time"
)

// Writer is an endpoint that takes files.
type Writer interface {
	// Store makes path a file of what content delivers, in place of a file
	// that is there. It reads content to its end; an error of content other
	// than io.EOF, or more or fewer bytes than Upload.Size says, is the end of
	// it: Store returns an error then, and the storage is left as it was, as
	// far as the endpoint is Atomic.
	//
	// The error is NoParent where the directory above does not exist,
	// IsDirectory where path is one, Exists or Changed where a condition does
	// not hold, Full where there is no room. An error whose Kind is Silent
	// leaves open whether the file was stored.
	//
	// The entry is what the storage has now, as far as it said so; its Size is
	// that of what was sent.
	Store(ctx context.Context, path string, content io.Reader, u Upload) (Entry, error)
	// Atomic reports whether nobody can see a file that Store has not
	// completed, neither while it is sent nor after it failed.
	Atomic() bool
}

// Upload is what is known of a file before it is stored.
type Upload struct {
	// Size is in bytes, negative when unknown.
	Size int64
	// ModTime is for storages that let it be chosen; zero is the time of the
	// upload.
	ModTime time.Time
	// New is that path must not exist (Exists); the check and the store are
	// one step where the storage can do that.
	New bool
	// IfMatch, when set, is the ETag that the file at path must have.
	IfMatch string
}

// Staging is the name of the directory, at the root of an endpoint, in which
// files are until they are whole, where the storage would show them before.
// What is in it is no file yet: no path of the namespace has a component of that
// name, so that clients neither see it nor can write to it.
const Staging = ".canopy-uploads"

// Sweeper is an endpoint that puts unfinished files into the staging directory
// by itself, and is the only one to see them there.
type Sweeper interface {
	// Sweep removes those that have stood still for longer than age, because
	// whoever sent them has died, and returns how many there were.
	Sweep(ctx context.Context, age time.Duration) (removed int, err error)
}

// Remover is an endpoint that takes paths away.
type Remover interface {
	// Remove removes the file or the directory path. NotFound is the error if
	// it is not there. A directory that is not empty is NotEmpty at storages
	// that tell; others remove it with all that is in it, so a caller who
	// means an empty one removes what it knows of first. No error means that
	// the path is gone, and Silent kinds leave that open.
	Remove(ctx context.Context, path string) error
}

// Maker is an endpoint that makes directories.
type Maker interface {
	// MakeDirectory makes the directory path. Exists is the error if anything
	// is there, NoParent if the one above it is not.
	MakeDirectory(ctx context.Context, path string) error
}

// Mover is an endpoint that can give another name to what it has.
type Mover interface {
	// Move makes what is at from be at to, in one step: at no time is it at
	// neither, or half at both. A file at to is replaced if replace says so,
	// and is Exists otherwise, as a directory always is. NotFound is the error
	// if there is nothing at from, NoParent if there is no directory for to.
	Move(ctx context.Context, from, to string, replace bool) error
}
