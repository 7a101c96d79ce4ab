// Package multistatus reads and writes the multistatus document of WebDAV
// (RFC 4918 sections 13 and 14), the form of every directory listing.
//
// Scan reads what a storage answers to PROPFIND, in the dialects that storages
// speak, as it arrives. Writer produces the answer to a client, in the form
// that clients cope with. Both stream and cost, per entry, little more than the
// bytes do; neither holds more than one entry in memory.
package multistatus

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"canopy/plugins"
	"canopy/plugins/wire/xmlpull"
)

// Limits bounds what is accepted of a storage. A field that is zero or
// negative stands for its default.
type Limits struct {
	// Response is the greatest length of one response element, and of
	// anything outside of one that must be held in memory, in bytes; 1 MiB by
	// default.
	Response int
	// Value is the greatest length of a href or a known property's value,
	// decoded, in bytes; 16 KiB by default.
	Value int
	// Depth is how deep elements may nest; 64 by default.
	Depth int
	// Responses is the greatest number of hrefs; 4 Mi by default.
	Responses int
	// Total is the greatest length of the document in bytes; 4 GiB by default.
	Total int64
}

// withDefaults returns l with its defaults filled in.
func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int
		value int
	}{{&l.Response, 1 << 20}, {&l.Value, 16 << 10}, {&l.Depth, 64}, {&l.Responses, 4 << 20}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if l.Total <= 0 {
		l.Total = 4 << 30
	}
	return l
}

// Scan reads a multistatus document from r and yields each href as soon as its
// response element has arrived. A response with several hrefs is yielded once
// for each.
//
// The Response is overwritten when the loop continues; its strings and times
// may be kept, Digests must be copied. The caller may stop early.
//
// An error is yielded last, with a nil Response, and means that the document
// is incomplete, whatever came before it. An error of r is passed on as it is,
// so that a cancellation keeps its kind; a document that is cut off, not well
// formed, not a multistatus, has a document type declaration, an encoding
// other than UTF-8, ASCII or ISO 8859-1, or that exceeds a limit is a
// *plugins.Error of Kind Malformed. Package xmlpull says precisely what is well
// formed; bytes of a name that cannot stand in XML are let through. Nothing is read beyond the end of the
// document's element but what came in with it.
//
// Any number of calls may run at once; the sequence of each can be ranged over
// once.
func Scan(r io.Reader, limits Limits) iter.Seq2[*Response, error] {
	return func(yield func(*Response, error) bool) {
		limits := limits.withDefaults()
		s := scanner{limits: limits}
		s.x = xmlpull.NewReader(r, spaces[:], xmlpull.Options{
			Token: limits.Response, Depth: limits.Depth, AnyText: true,
		})
		if !s.document(yield) {
			return
		}
		if err := s.failure(); err != nil {
			yield(nil, err)
		}
	}
}

// failure returns what ended the scan, nil if it was the end of the document.
func (s *scanner) failure() error {
	err := s.err
	if err == nil {
		err = s.x.Err()
		var syntax *xmlpull.SyntaxError
		if !errors.As(err, &syntax) {
			return err
		}
	}
	return &plugins.Error{Kind: plugins.Malformed, Err: fmt.Errorf("multistatus: %w", err)}
}
