// Package plugins is the contract between Canopy and a storage.
//
// An endpoint is one configured storage of some type. It must be able to say
// what it knows of a path (Endpoint.Stat); everything else it can do is an
// optional interface of one verb, found once by AbilitiesOf when the endpoint
// is opened. The federator, the dashboard and the generated capability table
// all read that record; nobody asserts types later.
//
// # Paths
//
// Every path given to an endpoint is absolute, clean and slash-separated: "/"
// is the endpoint's root, no path ends in a slash otherwise, no component is
// "", "." or "..". Within a component any byte but '/' and NUL may occur,
// whether or not it is valid UTF-8; the endpoint encodes it for its own wire.
//
// # Truth
//
// An endpoint says "not found" (Kind NotFound) only when the storage has said
// so for this very path. A storage that could not be asked, was too slow or
// answered nonsense is Unavailable, Timeout or Malformed; an error of any of
// these kinds leaves open whether the path exists. Callers rely on that to
// keep absent and unknown apart, so an implementation in doubt must not answer
// NotFound.
//
// # Concurrency and cancellation
//
// All methods but Close may be called by any number of goroutines at once.
// Every method returns promptly with an error of Kind Canceled or Timeout once
// its context ends, and leaves no goroutine behind. Close is called once,
// after the last call has returned or its context has ended, and must work on
// an endpoint of which only half could be opened.
package plugins

import (
	"context"
	"io"
	"iter"
	"time"
)

// Endpoint is the part of the contract that every storage fulfils.
type Endpoint interface {
	// Stat reports what the storage knows of path. A symbolic link is
	// followed. It returns an *Error: NotFound when the storage denies the
	// path (a component that is a file counts as that), Denied when it
	// refuses to tell, and the kinds of an unanswered question otherwise.
	Stat(ctx context.Context, path string) (Entry, error)

	// Close frees what the endpoint holds. No other call follows.
	Close() error
}

// Lister is an endpoint that can enumerate a directory.
type Lister interface {
	// List yields the children of the directory path, each once, without the
	// directory itself, its Name being a single component. It streams: what
	// has arrived is yielded before the rest has. An error is yielded last,
	// with a zero Entry, and means that the listing is incomplete, whatever
	// came before it; a path that is a file yields NotDirectory. The caller
	// may stop early. Names come in the order the storage sends them, unless
	// the endpoint is Ordered.
	List(ctx context.Context, path string) iter.Seq2[Entry, error]
}

// Ordered is a Lister whose names come in ascending byte order, so that a
// merge can begin before the listing has ended.
type Ordered interface {
	Lister
	// Ordered reports whether that holds for this endpoint as configured.
	Ordered() bool
}

// Locator is an endpoint whose copies clients can fetch themselves.
type Locator interface {
	// Locate returns the URL at which a client may use method (GET, PUT, or
	// COPY where the endpoint is a Copier) on path. It is pure computation, without a question to the storage, and
	// says nothing about whether the path exists. The URL is absolute, fully
	// percent-encoded, and holds no credential of the endpoint but, at most,
	// a signature for this one path and method, which then has an expiry.
	Locate(path, method string) (Location, error)
}

// Location is where a client finds a copy.
type Location struct {
	URL string
	// Expires is when the URL ends to work; zero if it does not.
	Expires time.Time
}

// Reader is an endpoint from which Canopy itself can read, to proxy the bytes.
type Reader interface {
	// Open begins to read the file path. The body delivers exactly the range
	// asked for or an error: a storage that ends early or ignores the range
	// is Malformed, never a short success. A range that begins at or beyond
	// the end of the file is OutOfRange. The caller closes the body.
	Open(ctx context.Context, path string, r Range) (*Body, error)
}

// Range is a part of a file, in bytes.
type Range struct {
	Offset int64
	// Length is the number of bytes wanted; negative means up to the end.
	Length int64
	// IfMatch, when set, is the ETag that the file must still have; Changed
	// is the error if it does not, so that no two contents are ever mixed.
	IfMatch string
}

// Whole is the range of all bytes.
var Whole = Range{Length: -1}

// Body is a part of a file being read.
type Body struct {
	io.ReadCloser
	// Entry is what the storage said of the whole file along with the bytes.
	Entry Entry
	// Offset and Length are the part that ReadCloser delivers, Length being
	// negative when the storage did not say.
	Offset, Length int64
}

// Digester is an endpoint that can be asked for a file's checksum.
type Digester interface {
	// Digest returns the checksum of path by algorithm, lower-case as in the
	// IANA registry ("adler32", "md5", "sha-256", "crc32c"). Unsupported is
	// the error if the storage has none by that algorithm. It may take as
	// long as reading the file.
	Digest(ctx context.Context, path, algorithm string) (Digest, error)
}

// Spacer is an endpoint that can report its room.
type Spacer interface {
	// Space reports the room for path, in bytes.
	Space(ctx context.Context, path string) (Space, error)
}

// Space is the room of a storage in bytes; negative values are unknown.
type Space struct{ Used, Free int64 }

// Prober is an endpoint with a cheaper or better sign of life than Stat of
// its probe path.
type Prober interface {
	// Probe asks for a sign of life. Any answer of the storage, a refusal of
	// credentials included, is life: only the kinds that are Silent mean that
	// it cannot serve.
	Probe(ctx context.Context, path string) error
}

// Inspector is an endpoint that can be looked over by an administrator, beyond
// what the federation needs of it.
type Inspector interface {
	// Inspect finds out whether the storage would take a file at path, which
	// need not exist, and how its clock goes. It changes nothing there. What
	// the storage does not tell is left open and no error: that is only for a
	// storage that could not be asked.
	Inspect(ctx context.Context, path string) (Inspection, error)
}

// Inspection is what a storage tells of itself.
type Inspection struct {
	// Writable is whether a file would be taken, as far as the storage says so
	// beforehand: it may still refuse one.
	Writable Verdict
	// Timed is whether the storage told its time, and Skew how far its clock
	// is ahead of ours. HTTP tells the time to the second.
	Timed bool
	Skew  time.Duration
}

// Verdict is a yes or no, or neither.
type Verdict uint8

// The verdicts.
const (
	Undecided Verdict = iota
	Yes
	No
)

// String returns "unknown", "yes" or "no".
func (v Verdict) String() string {
	switch v {
	case Yes:
		return "yes"
	case No:
		return "no"
	}
	return "unknown"
}
