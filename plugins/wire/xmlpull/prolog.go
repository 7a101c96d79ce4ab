package xmlpull

import (
	"bytes"
	"io"
	"strings"
)

// Root moves to the document's element and opens it. It is called once, first,
// and returns false after an error.
func (x *Reader) Root() bool {
	for x.end-x.pos < 3 && x.err == nil {
		if err := x.fill(); err == io.EOF {
			break
		} else if err != nil && x.err == nil {
			x.err = err
			return false
		}
	}
	if bytes.HasPrefix(x.buf[x.pos:x.end], []byte("\uFEFF")) {
		x.pos += 3
	}
	for {
		if err := x.misc(); err != nil {
			if err == io.EOF {
				x.fail("the document ends before its first element")
			}
			return false
		}
		switch {
		case !x.have(2):
			return false
		case x.buf[x.pos+1] != '?':
			x.begun = true
			return x.startTag()
		case !x.instruction():
			return false
		}
	}
}

// Finish reads to the end of the input and reports whether nothing but
// comments, processing instructions and white space follows the root, which
// must be closed.
func (x *Reader) Finish() bool {
	if x.err == nil && len(x.elements) > 0 {
		return x.fail("the root is not closed")
	}
	for {
		if err := x.misc(); err != nil {
			return err == io.EOF
		}
		switch {
		case !x.have(2):
			return false
		case x.buf[x.pos+1] != '?':
			return x.fail("something follows the root")
		case !x.instruction():
			return false
		}
	}
}

// misc passes over white space and comments outside of the root, up to a tag
// or processing instruction. It returns io.EOF at the end of the input, and
// otherwise what it leaves in err.
func (x *Reader) misc() error {
	for x.err == nil {
		if x.pos == x.end {
			if err := x.fill(); err == io.EOF {
				return err
			} else if err != nil && x.err == nil {
				x.err = err
			}
			continue
		}
		switch x.buf[x.pos] {
		case ' ', '\t', '\r', '\n':
			x.pos++
			continue
		case '<':
		default:
			x.fail("text outside of the root")
			continue
		}
		if !x.have(2) || x.buf[x.pos+1] != '!' {
			return x.err
		}
		if !x.have(4) {
			return x.err
		}
		if string(x.buf[x.pos:x.pos+4]) != "<!--" {
			x.fail(noDTD)
			return x.err
		}
		x.bang(nil)
	}
	return x.err
}

const noDTD = "a document type declaration, or a misplaced CDATA section"

// bang passes over the comment at pos, or appends the text of the CDATA
// section there to dst.
func (x *Reader) bang(dst []byte) ([]byte, bool) {
	if !x.have(4) {
		return dst, false
	}
	if string(x.buf[x.pos:x.pos+4]) == "<!--" {
		n := x.until(4, "--")
		if n < 0 {
			return dst, false
		}
		if !x.have(n + 3) {
			return dst, false
		}
		if x.buf[x.pos+n+2] != '>' {
			return dst, x.fail("-- within a comment")
		}
		x.pos += n + 3
		return dst, true
	}
	const cdata = "<![CDATA["
	if x.buf[x.pos+2] != '[' {
		return dst, x.fail(noDTD)
	}
	if !x.have(len(cdata)) {
		return dst, false
	}
	if string(x.buf[x.pos:x.pos+len(cdata)]) != cdata {
		return dst, x.fail("<![ that begins no CDATA section")
	}
	n := x.until(len(cdata), "]]>")
	if n < 0 {
		return dst, false
	}
	dst, problem := appendVerbatim(dst, x.buf[x.pos+len(cdata):x.pos+n], x.content())
	if problem != "" {
		return dst, x.fail(problem)
	}
	x.pos += n + len("]]>")
	return dst, true
}

// until finds mark at or after n bytes from pos, and returns its distance from
// pos; -1 after an error.
func (x *Reader) until(n int, mark string) int {
	for {
		if i := bytes.Index(x.buf[x.pos+n:x.end], []byte(mark)); i >= 0 {
			if !x.fits(n + i + len(mark)) {
				return -1
			}
			return n + i
		}
		n = max(n, x.end-x.pos-len(mark)+1)
		if !x.more() {
			return -1
		}
	}
}

// instruction passes over the processing instruction at pos, and heeds the XML
// declaration.
func (x *Reader) instruction() bool {
	n := x.until(2, "?>")
	if n < 0 {
		return false
	}
	target := x.buf[x.pos+2 : x.pos+n]
	var data []byte
	if i := bytes.IndexAny(target, whitespace); i >= 0 {
		target, data = target[:i], target[i:]
	}
	if _, ok := splitName(target); !ok {
		return x.fail("a processing instruction has no proper target")
	}
	var latin bool
	if string(target) == "xml" {
		if x.begun {
			return x.fail("an XML declaration within or after the root")
		}
		var problem string
		if latin, problem = declaration(data); problem != "" {
			return x.fail(problem)
		}
	}
	x.pos += n + 2
	if latin {
		unread := bytes.NewReader(bytes.Clone(x.buf[x.pos:x.end]))
		x.src = &latin1{src: io.MultiReader(unread, failing{x.srcErr}, x.src)}
		x.end, x.srcErr = x.pos, nil
	}
	return true
}

// declaration reads the inside of an XML declaration, and reports whether the
// document is in ISO 8859-1.
func declaration(b []byte) (latin bool, problem string) {
	for {
		b = bytes.TrimLeft(b, whitespace)
		if len(b) == 0 {
			return latin, ""
		}
		name, rest, ok := bytes.Cut(b, []byte("="))
		name, rest = bytes.TrimRight(name, whitespace), bytes.TrimLeft(rest, whitespace)
		if !ok || len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
			return false, "a malformed XML declaration"
		}
		n := bytes.IndexByte(rest[1:], rest[0])
		if n < 0 {
			return false, "a malformed XML declaration"
		}
		value := strings.ToLower(string(rest[1 : 1+n]))
		b = rest[n+2:]
		switch string(name) {
		case "version":
			if value != "1.0" {
				return false, "a version of XML other than 1.0"
			}
		case "encoding":
			switch value {
			case "utf-8", "us-ascii", "ascii":
				latin = false
			case "iso-8859-1", "latin1":
				latin = true
			default:
				return false, "an encoding other than UTF-8, ASCII and ISO-8859-1"
			}
		case "standalone":
			if value != "yes" && value != "no" {
				return false, "a malformed XML declaration"
			}
		default:
			return false, "a malformed XML declaration"
		}
	}
}

// latin1 turns ISO 8859-1 into UTF-8.
type latin1 struct{ src io.Reader }

// Read reads half of what p can hold, since a byte becomes up to two.
func (l *latin1) Read(p []byte) (int, error) {
	if len(p) < 2 {
		return 0, io.ErrShortBuffer
	}
	half := len(p) / 2
	n, err := l.src.Read(p[len(p)-half:])
	if n < 0 || n > half {
		return n, err
	}
	w := 0
	for _, c := range p[len(p)-half : len(p)-half+n] {
		if c < 0x80 {
			p[w] = c
			w++
			continue
		}
		p[w], p[w+1] = 0xC0|c>>6, 0x80|c&0x3F
		w += 2
	}
	return w, err
}

// failing is a reader that only has an error, if any.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}
