// Package xmlpull reads XML from a storage or a client as it arrives, element
// by element, without building a tree and without trusting the sender.
//
// A Reader is driven from outside, one call for one step. Root moves to the
// document's element, Next to the next child of the open element, and Text or
// Skip end an element at once, so that a document is read by functions that
// look like its grammar:
//
//	for x.Next() {
//		switch string(x.Local()) {
//		case "href":
//			href = x.Text(4096)
//		default:
//			x.Skip()
//		}
//	}
//
// Every element that Root or Next opened must be ended: by Next until it
// returns false, by Text, or by Skip. The first error ends all reading: every
// later call returns at once, and Err says what it was.
//
// # What is accepted
//
// Well-formed XML 1.0 with namespaces, in UTF-8, ASCII or ISO 8859-1, as
// encoding/xml takes it in its strict mode, with these differences.
//
// Refused although encoding/xml accepts it: document type declarations and
// with them every entity but the five of XML itself; text, CDATA and a second
// element outside of the root; attributes without white space between them;
// names with a part around a colon that is no name; the binding of a prefix to
// the empty namespace, and any binding of the prefix xmlns; references to
// surrogates, or longer than 32 bytes; an XML declaration below the root or
// with unknown parts; whatever exceeds a limit.
//
// Accepted although encoding/xml refuses it: names with characters that the
// fifth edition of XML 1.0 added to the fourth, and, with Options.AnyText, text
// that is no valid UTF-8 or holds characters that XML does not allow.
//
// Both accept white space before the XML declaration, which sloppy scripts
// send, and the same attribute twice.
package xmlpull

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// Options says what a Reader accepts. A limit that is zero or negative stands
// for its default.
type Options struct {
	// Token is the greatest length of a tag, a comment, a run of text or
	// anything else that must be held in memory as a whole, in bytes; 1 MiB by
	// default.
	Token int
	// Depth is how deep elements may nest; 64 by default.
	Depth int
	// AnyText keeps bytes in text that are no UTF-8, or characters that XML
	// does not allow, as they are. nginx and XRootD put file names into their
	// answers byte by byte; one odd name must not hide a directory.
	AnyText bool
}

// maxBindings is how many namespace declarations may be in force at once; each
// costs time on every lookup.
const maxBindings = 256

// Reader reads one document. It must not be used by two goroutines at once.
type Reader struct {
	src     io.Reader
	options Options
	err     error

	// buf[pos:end] is read and not yet consumed; base is the offset of buf[0]
	// in the document.
	buf      []byte
	pos, end int
	base     int64
	bound    int64
	srcErr   error

	spaces   []string
	elements []element
	bindings []binding
	// names holds the names of the open elements and what they declare.
	names []byte
	// empty is whether the innermost element was written as <a/> and awaits
	// its end.
	empty bool
	// begun is whether the root has been opened.
	begun bool

	text    []byte // what Text returns
	scratch []byte // decoded and not wanted
}

// SyntaxError is a document that is not well formed or exceeds a limit.
type SyntaxError struct {
	// Offset is where the trouble begins, in bytes of the UTF-8 document.
	Offset int64
	// Problem says what is wrong, without any part of the document but names.
	Problem string
}

// Error returns offset and problem.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("xml, byte %d: %s", e.Offset, e.Problem)
}

// NewReader returns a Reader of the document in r. The names of the namespaces
// in spaces are what Space tells apart.
func NewReader(r io.Reader, spaces []string, options Options) *Reader {
	if options.Token <= 0 {
		options.Token = 1 << 20
	}
	if options.Depth <= 0 {
		options.Depth = 64
	}
	return &Reader{src: r, options: options, spaces: spaces, bound: math.MaxInt64}
}

// Err returns what ended the reading: a *SyntaxError, or the error of the
// underlying reader, unchanged; nil if nothing did.
func (x *Reader) Err() error { return x.err }

// Offset returns how many bytes of the document are consumed.
func (x *Reader) Offset() int64 { return x.base + int64(x.pos) }

// Bound makes it an error if an element ends, or more must be read, beyond
// offset.
func (x *Reader) Bound(offset int64) { x.bound = offset }

// Depth returns how many elements are open.
func (x *Reader) Depth() int { return len(x.elements) }

// fail records the first error; it returns false for the callers' convenience.
func (x *Reader) fail(problem string) bool {
	if x.err == nil {
		x.err = &SyntaxError{Offset: x.Offset(), Problem: problem}
	}
	return false
}

// more reads on within the document, so that the end of the input is an error.
func (x *Reader) more() bool {
	switch err := x.fill(); {
	case err == nil:
		return true
	case err == io.EOF:
		return x.fail("the document ends too early")
	case x.err == nil:
		x.err = err
	}
	return false
}

// fits reports whether a token of n bytes is within the limit.
func (x *Reader) fits(n int) bool {
	return n <= x.options.Token || x.fail("a tag, comment or text is too long")
}

// have makes n bytes available from pos on.
func (x *Reader) have(n int) bool {
	for x.end-x.pos < n {
		if !x.more() {
			return false
		}
	}
	return true
}

const firstBuffer = 4 << 10

// fill adds at least one byte to what is unread, which may move to another
// place in memory.
func (x *Reader) fill() error {
	if x.err != nil {
		return x.err
	}
	if x.srcErr != nil {
		return x.srcErr
	}
	if x.Offset() > x.bound {
		x.fail(tooLong)
		return x.err
	}
	unread := x.end - x.pos
	if !x.fits(unread) {
		return x.err
	}
	// A full buffer means that the source delivers more than it takes. At
	// least half is free afterwards, so that reads do not become small.
	if unread > len(x.buf)/2 || x.end == len(x.buf) && len(x.buf) < 8*firstBuffer {
		buf := make([]byte, max(2*len(x.buf), firstBuffer))
		copy(buf, x.buf[x.pos:x.end])
		x.buf = buf
	} else if x.pos > 0 {
		copy(x.buf, x.buf[x.pos:x.end])
	}
	x.base += int64(x.pos)
	x.pos, x.end = 0, unread

	for range 100 {
		n, err := x.src.Read(x.buf[x.end:])
		if n < 0 || n > len(x.buf)-x.end {
			n, err = 0, errors.New("xmlpull: the source returned an impossible count")
		}
		x.end += n
		x.srcErr = err
		switch {
		case n > 0:
			return nil
		case err != nil:
			return err
		}
	}
	x.srcErr = io.ErrNoProgress
	return x.srcErr
}

const tooLong = "an element is too long"
