package multistatus

import (
	"encoding/xml"
	"io"
	"strings"
	"time"

	"canopy/plugins"
	"canopy/plugins/wire/propfind"
)

// Options says what a Writer writes.
type Options struct {
	// Prefix comes before every path to make an absolute URL of it, such as
	// "https://host:8443"; "" leaves hrefs paths. davix and gfal2 decode
	// percent-encoding in absolute URLs only.
	Prefix string
	// Path is what the request is for: absolute, clean, decoded, without a
	// slash at its end but for the root.
	Path string
	// Request is what the client asks of each resource.
	Request propfind.Request
	// Brief leaves out the propstats of properties that a resource does not
	// have (RFC 8144, "Prefer: return=minimal").
	Brief bool
	// SupportedLock is the element supportedlock of all resources; nil is an
	// empty one, and that there are no locks at all.
	SupportedLock []byte
	// ContentType returns the media type of the file called name, "" if it has
	// none. Nil is that for all files.
	ContentType func(name string) string
}

// Entry is a resource to be written. Zero values, and negative sizes, are
// properties that it does not have.
type Entry struct {
	plugins.Entry
	// Created is the time of creation.
	Created time.Time
	// Space is the room of a collection; it is never written for a file, whose
	// size davix would take it for.
	Space *plugins.Space
	// Locks is the element lockdiscovery; nil is an empty one.
	Locks []byte
	// Properties are those that clients have given to it.
	Properties []plugins.Property
}

// Writer writes a multistatus document as it comes. Every response has exactly
// one propstat of status 200, the first, which davix makes one directory entry
// of, and at most one of status 404.
//
// The caller begins with Target, so that the collection comes first, and ends
// with Close. A document that is not closed lacks its end, and no client takes
// it for complete: that is how a listing that broke is left, together with the
// connection. A listing that is to pass although incomplete is closed.
//
// The first error of the underlying writer ends all writing and is returned by
// every later call. A Writer must not be used by two goroutines at once.
type Writer struct {
	out io.Writer
	err error
	buf []byte

	options Options
	wanted  propfind.Set
	// missed are the known properties whose absence must be told, unknown the
	// elements of the other ones.
	missed  propfind.Set
	unknown []byte
	// base is the encoded href of Options.Path without a slash at its end.
	base              []byte
	modified, created calendar
}

// flushAt is how many bytes are gathered before they are written.
const flushAt = 32 << 10

// NewWriter returns a Writer to out. Nothing reaches out before 32 KiB have
// come together, Flush or Close.
func NewWriter(out io.Writer, options Options) *Writer {
	w := &Writer{out: out, options: options, wanted: options.Request.Wanted()}
	w.base = appendEscaped(w.base, options.Prefix)
	if options.Path != "/" {
		w.base = AppendPath(w.base, options.Path)
	}
	if !options.Brief && !options.Request.PropName {
		w.missed = options.Request.Known
		for _, name := range options.Request.Unknown() {
			w.unknown = appendEmpty(w.unknown, name)
		}
	}
	w.buf = append(w.buf, xmlHeader+`<D:multistatus xmlns:D="DAV:"`...)
	if w.wanted.Has(propfind.DCacheChecksums) {
		w.buf = append(w.buf, ` xmlns:dcache="`+propfind.DCache+`"`...)
	}
	if w.wanted.Has(propfind.OwncloudChecksums) {
		w.buf = append(w.buf, ` xmlns:oc="`+propfind.Owncloud+`"`...)
	}
	w.buf = append(w.buf, '>')
	return w
}

const xmlHeader = `<?xml version="1.0" encoding="utf-8"?>` + "\n"

// Target writes the resource that the request is for; its Name is ignored.
func (w *Writer) Target(e *Entry) error {
	w.buf = append(w.buf, "\n<D:response><D:href>"...)
	w.buf = append(w.buf, w.base...)
	if e.Kind == plugins.Directory || w.options.Path == "/" {
		w.buf = append(w.buf, '/')
	}
	return w.properties(e, lastComponent(w.options.Path))
}

// Child writes a resource below the target. Its Name is one component, or the
// path from the target on where the answer goes deeper.
func (w *Writer) Child(e *Entry) error {
	w.buf = append(w.buf, "\n<D:response><D:href>"...)
	w.buf = append(w.buf, w.base...)
	w.buf = append(w.buf, '/')
	w.buf = AppendPath(w.buf, e.Name)
	if e.Kind == plugins.Directory {
		w.buf = append(w.buf, '/')
	}
	return w.properties(e, lastComponent(e.Name))
}

// Flush writes what has been gathered.
func (w *Writer) Flush() error {
	if w.err == nil && len(w.buf) > 0 {
		var n int
		if n, w.err = w.out.Write(w.buf); w.err == nil && n < len(w.buf) {
			w.err = io.ErrShortWrite
		}
	}
	w.buf = w.buf[:0]
	return w.err
}

// Close completes the document and flushes it. It does not close the
// underlying writer.
func (w *Writer) Close() error {
	w.buf = append(w.buf, "\n</D:multistatus>\n"...)
	return w.Flush()
}

// written ends a response.
func (w *Writer) written() error {
	w.buf = append(w.buf, "</D:response>"...)
	if len(w.buf) >= flushAt || w.err != nil {
		return w.Flush()
	}
	return nil
}

// lastComponent returns what follows the last slash of path.
func lastComponent(path string) string {
	return path[strings.LastIndexByte(path, '/')+1:]
}

// appendEmpty appends an empty element called name.
func appendEmpty(b []byte, name xml.Name) []byte {
	if name.Space == "" {
		b = append(b, '<')
		b = append(b, name.Local...)
		return append(b, "/>"...)
	}
	b = append(b, "<x:"...)
	b = append(b, name.Local...)
	b = append(b, ` xmlns:x="`...)
	for i, part := range strings.Split(name.Space, `"`) {
		if i > 0 {
			b = append(b, "&#34;"...)
		}
		b = appendEscaped(b, part)
	}
	return append(b, `"/>`...)
}
