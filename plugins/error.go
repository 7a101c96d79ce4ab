package plugins

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Kind classifies an error; behaviour hangs on it and never on text.
type Kind uint8

// The kinds of errors. The first group are answers, the second are questions
// that were not answered (Kind.Unknown).
const (
	// NotFound: the storage says that the path does not exist.
	NotFound Kind = iota + 1
	// NotDirectory: the path was to be listed and is not a directory.
	NotDirectory
	// IsDirectory: the path was to be read and is a directory.
	IsDirectory
	// Denied: the storage refuses, for lack of a right or of a valid
	// credential. Whether the path exists stays open.
	Denied
	// Changed: the file is no longer the one that was meant (Range.IfMatch).
	Changed
	// OutOfRange: the range begins beyond the end of the file.
	OutOfRange
	// Unsupported: the storage cannot do this at all.
	Unsupported
	// Invalid: the request makes no sense to this storage, such as a name it
	// cannot hold.
	Invalid
	// Exists: what was to be new is there already.
	Exists
	// NoParent: the directory in which something was to be made does not exist.
	NoParent
	// NotEmpty: the directory that was to be removed has something in it.
	NotEmpty
	// Full: the storage has no room, or the user's quota is used up.
	Full
	// Locked: somebody else holds a lock.
	Locked

	// Unavailable: the storage refused the connection or cut it.
	Unavailable
	// Faulty: the storage answered with an error of its own (5xx), which may
	// concern this path alone.
	Faulty
	// Timeout: no answer, or no progress, within the time allowed.
	Timeout
	// Busy: the storage, or the limit in front of it, has too much to do.
	Busy
	// Malformed: the storage answered something that cannot be right.
	Malformed
	// Canceled: the caller's context ended first; it says nothing about the
	// storage.
	Canceled
)

var kindNames = [...]string{
	NotFound: "not found", NotDirectory: "not a directory", IsDirectory: "is a directory",
	Denied: "denied", Changed: "changed", OutOfRange: "out of range",
	Unsupported: "unsupported", Invalid: "invalid",
	Exists: "exists already", NoParent: "no directory for it", NotEmpty: "not empty", Full: "no room", Locked: "locked",
	Unavailable: "unavailable", Faulty: "failed at the storage", Timeout: "timed out", Busy: "busy",
	Malformed: "malformed answer", Canceled: "canceled",
}

// String returns the kind in a word or two, for people.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "failed"
}

// Unknown reports whether an error of this kind leaves open whether the path
// exists. Only NotFound denies it; the other answers concern a path that is
// there, or that the storage will not speak of.
func (k Kind) Unknown() bool {
	switch k {
	case NotFound, NotDirectory, IsDirectory, Changed, OutOfRange:
		return false
	}
	return true
}

// Silent reports whether the kind means that the storage did not do its part,
// so that its health is in question.
func (k Kind) Silent() bool {
	switch k {
	case Unavailable, Faulty, Timeout, Malformed:
		return true
	}
	return false
}

// Error is what every method of the contract returns.
type Error struct {
	Kind Kind
	// Op is the verb that failed: "stat", "list", "open", …
	Op string
	// Endpoint is the configured name; the federator fills it in if empty.
	Endpoint string
	Path     string
	// RetryAfter is how long the storage asked to be left alone; 0 if it did
	// not say.
	RetryAfter time.Duration
	// Err is the cause, for the log; it may name hosts and addresses, never a
	// credential.
	Err error
}

// Error returns operation, endpoint, path, kind and cause on one line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op)
		b.WriteByte(' ')
	}
	if e.Endpoint != "" {
		b.WriteString(e.Endpoint)
		b.WriteByte(':')
	}
	if e.Path != "" {
		fmt.Fprintf(&b, "%q", e.Path)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(e.Kind.String())
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err: that of the first *Error in its chain, else
// what the context and net packages' errors amount to, else Unavailable. It
// returns 0 for nil.
func KindOf(err error) Kind {
	var e *Error
	var n net.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.Kind
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	case errors.As(err, &n) && n.Timeout():
		return Timeout
	}
	return Unavailable
}

// Fail returns err as an *Error about op on path, keeping the kind and the
// retry time that err already carries. A nil err stays nil.
func Fail(op, path string, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		c := *e
		if c.Op == "" {
			c.Op = op
		}
		if c.Path == "" {
			c.Path = path
		}
		return &c
	}
	return &Error{Kind: KindOf(err), Op: op, Path: path, Err: err}
}
