// Package fragment reads XML of which parts are kept and shown to others later:
// values of properties, above all.
//
// A Reader goes through a document element by element, in the way of package
// xmlpull, which is for documents of which nothing but numbers and short texts
// is wanted:
//
//	for r.Next() {
//		switch r.Name() {
//		case wanted:
//			value = r.Content()
//		default:
//			r.Skip()
//		}
//	}
//
// Every element that Root or Next opened must be ended: by Next until it returns
// false, or by Text, Content or Skip. The first error ends all reading, and Err
// says what it was.
//
// # What is kept
//
// Content is not the bytes that came. It is what they say, written anew: text,
// elements and attributes with their namespaces, each declared where it is used,
// so that a fragment says the same wherever it stands and cannot end, open or
// redefine anything around it. The same content is always written in the same
// way. Comments, processing instructions and prefixes are not kept: values in
// which a prefix stands in the text (a QName) lose its meaning.
//
// # What is accepted
//
// Well-formed XML 1.0 with namespaces in UTF-8, without a document type
// declaration and thus without entities of its own, with 256 declarations and
// attributes in force at once. How deep elements nest and how long a document is
// are for the caller to bound.
package fragment

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

const maxAttributes = 256

// Limits bound what a document may hold.
type Limits struct {
	// Room is how many bytes all that Content returns may have together: what is
	// written anew can be far longer than what came, where one long namespace is
	// used many times.
	Room int
	// Depth is how deep elements may nest.
	Depth int
}

// What the prefixes xml and xmlns stand for, and no other may.
const (
	XML   = "http://www.w3.org/XML/1998/namespace"
	xmlns = "http://www.w3.org/2000/xmlns/"
)

// Reader reads one document. It must not be used by two goroutines at once.
type Reader struct {
	decoder *xml.Decoder
	err     error
	open    []element
	// declared are the declarations in force, the latest last.
	declared []declaration
	begun    bool
	// left is what of the limits is left.
	left Limits
}

// element is an element that is open.
type element struct {
	raw  xml.Name // as written
	name xml.Name
	lang string
	// attributes are those that declare nothing.
	attributes []xml.Attr
	// declared is how many declarations were in force before it.
	declared int
}

type declaration struct{ prefix, space string }

// NewReader returns a Reader of document.
func NewReader(document []byte, limits Limits) *Reader {
	return &Reader{decoder: xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(document, []byte("\ufeff")))), left: limits}
}

// Err returns what ended the reading; nil if nothing did. It quotes nothing of
// the document but names.
func (r *Reader) Err() error { return r.err }

// Name returns the name of the innermost open element.
func (r *Reader) Name() xml.Name {
	if len(r.open) == 0 {
		return xml.Name{}
	}
	return r.open[len(r.open)-1].name
}

// Lang returns the language that is in force in the innermost open element.
func (r *Reader) Lang() string {
	if len(r.open) == 0 {
		return ""
	}
	return r.open[len(r.open)-1].lang
}

// Root opens the document's element.
func (r *Reader) Root() bool {
	for r.err == nil && len(r.open) == 0 {
		r.step()
	}
	return r.err == nil
}

// Next moves to the next child of the innermost open element and opens it. It
// returns false at the end of that element, which is thereby closed, and after
// an error.
func (r *Reader) Next() bool {
	depth := len(r.open)
	for depth > 0 {
		switch r.step(); {
		case r.err != nil || len(r.open) < depth:
			return false
		case len(r.open) > depth:
			return true
		}
	}
	return false
}

// Skip ends the innermost open element with all that is left in it.
func (r *Reader) Skip() {
	for depth := len(r.open); depth > 0 && r.err == nil && len(r.open) >= depth; {
		r.step()
	}
}

// Text ends the innermost open element and returns its text without white
// space around it, that of elements in it included. More than limit bytes are
// an error.
func (r *Reader) Text(limit int) string {
	var b []byte
	for depth := len(r.open); depth > 0 && r.err == nil && len(r.open) >= depth; {
		b = append(b, r.step()...)
		r.within(len(b), limit)
	}
	if r.err != nil {
		return ""
	}
	return strings.Trim(string(b), " \t\r\n")
}

// Content ends the innermost open element and returns what was in it, written
// anew.
func (r *Reader) Content() string {
	w := writer{limit: r.left.Room}
	for depth := len(r.open); depth > 0 && r.err == nil && len(r.open) >= depth; {
		before := len(r.open)
		text := r.step()
		switch {
		case r.err != nil || len(r.open) < depth:
		case len(r.open) > before:
			w.start(&r.open[before])
		case len(r.open) < before:
			w.end()
		default:
			w.text(text, false)
		}
		r.within(len(w.b), r.left.Room)
	}
	if r.err != nil {
		return ""
	}
	r.left.Room -= len(w.b)
	return string(w.b)
}

// Sound reports whether content could have come from Content, of an element that
// is itself not counted among the depth.
func Sound(content string, depth int) bool {
	r := NewReader([]byte("<a>"+content+"</a>"), Limits{Room: len(content), Depth: 1 + depth})
	r.Root()
	again := r.Content()
	r.Finish()
	return r.err == nil && again == content
}

func (r *Reader) within(n, limit int) {
	if n > limit {
		r.fail("a value is too long")
	}
}

func (r *Reader) fail(problem string) {
	if r.err == nil {
		r.err = errors.New(problem)
	}
}

// step reads the next token: it opens or closes an element, or returns text
// within one, valid until the next step.
func (r *Reader) step() (text []byte) {
	t, err := r.decoder.RawToken()
	if err != nil {
		if err == io.EOF {
			err = errors.New("the document ends too early")
		}
		r.err = err
		return nil
	}
	first := !r.begun
	r.begun = true
	switch t := t.(type) {
	case xml.StartElement:
		r.start(t)
	case xml.EndElement:
		n := len(r.open)
		if n == 0 || r.open[n-1].raw != t.Name {
			r.fail("an end tag does not match its start tag")
			return nil
		}
		r.declared = r.declared[:r.open[n-1].declared]
		r.open = r.open[:n-1]
	case xml.CharData:
		if len(r.open) > 0 {
			return t
		}
		r.blank(t)
	case xml.Directive:
		r.fail("a document type declaration")
	case xml.ProcInst:
		if strings.EqualFold(t.Target, "xml") && !first {
			r.fail("an XML declaration that is not at the beginning")
		}
	}
	return nil
}

func (r *Reader) blank(text []byte) {
	if len(bytes.Trim(text, " \t\r\n")) > 0 {
		r.fail("text outside of the document's element")
	}
}

// Finish checks that nothing follows the document's element, which has ended.
func (r *Reader) Finish() {
	for r.err == nil {
		t, err := r.decoder.RawToken()
		switch t := t.(type) {
		case nil:
			if err != io.EOF {
				r.err = err
			}
			return
		case xml.Comment:
		case xml.ProcInst:
			if strings.EqualFold(t.Target, "xml") {
				r.fail("an XML declaration that is not at the beginning")
			}
		case xml.CharData:
			r.blank(t)
		default:
			r.fail("something follows the document's element")
		}
	}
}
