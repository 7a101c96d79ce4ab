package xmlpull

import "bytes"

// element is an open element; its name is names[name:attrs], its declarations
// follow there.
type element struct {
	name, attrs int
	// colon is the length of the prefix with its colon, 0 without one.
	colon int
	// bindings is how many there were before this element's own.
	bindings int
}

// Next moves to the next child element of the innermost open element and
// opens it. It returns false at the end of that element, which is thereby
// closed, and after an error. Text between the children is checked and passed
// over.
func (x *Reader) Next() bool {
	if x.err != nil || len(x.elements) == 0 {
		return false
	}
	if x.empty {
		x.pop()
		return false
	}
	for {
		n, plain := x.run()
		if n < 0 {
			return false
		}
		if !plain {
			var problem string
			if x.scratch, problem = appendText(x.scratch[:0], x.buf[x.pos:x.pos+n], x.content()); problem != "" {
				return x.fail(problem)
			}
		}
		x.pos += n
		if !x.have(2) {
			return false
		}
		switch x.buf[x.pos+1] {
		case '/':
			x.endTag()
			return false
		case '!':
			if _, ok := x.bang(x.scratch[:0]); !ok {
				return false
			}
		case '?':
			if !x.instruction() {
				return false
			}
		default:
			return x.startTag()
		}
	}
}

// Skip ends the innermost open element with all that is left in it.
func (x *Reader) Skip() {
	for depth := len(x.elements); x.err == nil && len(x.elements) >= depth && depth > 0; {
		x.Next()
	}
}

// Text ends the innermost open element and returns its text, valid until the
// next call. Elements in it are passed over with their text. More than limit
// bytes are an error; nil is returned after any.
func (x *Reader) Text(limit int) []byte {
	if x.err != nil || len(x.elements) == 0 {
		return nil
	}
	x.text = x.text[:0]
	if x.empty {
		x.pop()
		return x.text
	}
	n, plain := x.run()
	if n < 0 {
		return nil
	}
	if plain && n <= limit {
		text := x.buf[x.pos : x.pos+n]
		if x.closeAt(x.pos + n) {
			return text
		}
		if x.err != nil {
			return nil
		}
	}
	return x.mixed(n, limit)
}

// mixed is Text for what is more than plain text up to an end tag; the first
// run of text has n bytes.
func (x *Reader) mixed(n, limit int) []byte {
	depth := len(x.elements)
	for {
		var problem string
		if x.text, problem = appendText(x.text, x.buf[x.pos:x.pos+n], x.content()); problem != "" {
			x.fail(problem)
			return nil
		}
		if len(x.text) > limit {
			x.fail("a value is too long")
			return nil
		}
		x.pos += n
		if !x.have(2) {
			return nil
		}
		ok := true
		switch x.buf[x.pos+1] {
		case '/':
			if !x.endTag() {
				return nil
			}
			return x.text
		case '!':
			x.text, ok = x.bang(x.text)
		case '?':
			ok = x.instruction()
		default:
			if ok = x.startTag(); ok {
				x.Skip()
			}
		}
		if !ok || x.err != nil || len(x.elements) != depth {
			return nil
		}
		if n, _ = x.run(); n < 0 {
			return nil
		}
	}
}

// run makes the text up to the next '<' available and returns its length, -1
// after an error, and whether it is plain: in need of neither decoding nor
// checking.
func (x *Reader) run() (n int, plain bool) {
	for p := x.pos; p < x.end; p++ {
		if c := textClass[x.buf[p]]; c != plainText {
			if n = p - x.pos; c != lessThan {
				break
			}
			if !x.fits(n) {
				return -1, false
			}
			return n, true
		}
	}
	for {
		if i := bytes.IndexByte(x.buf[x.pos+n:x.end], '<'); i >= 0 {
			if !x.fits(n + i) {
				return -1, false
			}
			return n + i, false
		}
		n = x.end - x.pos
		if !x.more() {
			return -1, false
		}
	}
}

// content says how text between tags is to be taken.
func (x *Reader) content() textRules {
	if x.options.AnyText {
		return anyContent
	}
	return inContent
}

// pop closes the innermost open element.
func (x *Reader) pop() bool {
	e := &x.elements[len(x.elements)-1]
	x.names = x.names[:e.name]
	x.bindings = x.bindings[:e.bindings]
	x.elements = x.elements[:len(x.elements)-1]
	x.empty = false
	if x.Offset() > x.bound {
		return x.fail(tooLong)
	}
	return true
}
