package xmlpull

import (
	"bytes"
	"unicode/utf8"
)

// startTag reads the tag at pos and opens its element.
func (x *Reader) startTag() bool {
	// Most tags are complete in the buffer and have no attributes.
	buf := x.buf[:x.end]
	p := x.pos + 1
	for p < len(buf) && nameClass[buf[p]] != notInName {
		p++
	}
	n := p - x.pos // length up to the end of the name
	switch {
	case p < len(buf) && buf[p] == '>':
		if !x.push(buf[x.pos+1 : p]) {
			return false
		}
		x.pos = p + 1
		return true
	case p+1 < len(buf) && buf[p] == '/' && buf[p+1] == '>':
		if !x.push(buf[x.pos+1 : p]) {
			return false
		}
		x.pos = p + 2
		x.empty = true
		return true
	}

	length := x.tagLength(n)
	if length < 0 {
		return false
	}
	tag := x.buf[x.pos : x.pos+length]
	for n = 1; nameClass[tag[n]] != notInName; n++ {
	}
	if !x.push(tag[1:n]) {
		return false
	}
	attributes := tag[n : len(tag)-1]
	if l := len(attributes); l > 0 && attributes[l-1] == '/' {
		attributes = attributes[:l-1]
		x.empty = true
	}
	if !x.attributes(attributes) {
		return false
	}
	x.pos += length
	return true
}

// tagLength finds the '>' that ends the tag at pos, of which n bytes are known
// not to hold it. It returns -1 after an error. What is searched is not
// searched again when more must be read.
func (x *Reader) tagLength(n int) int {
	var quote byte
	for {
		for ; n < x.end-x.pos; n++ {
			switch c := x.buf[x.pos+n]; {
			case c == '<':
				x.fail("a tag is not ended, or has an unescaped < in an attribute")
				return -1
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '>':
				if !x.fits(n + 1) {
					return -1
				}
				return n + 1
			case c == '"' || c == '\'':
				quote = c
			}
		}
		if !x.more() {
			return -1
		}
	}
}

// push opens an element.
func (x *Reader) push(name []byte) bool {
	colon, ok := splitName(name)
	if !ok {
		return x.fail("a tag has no proper name")
	}
	if len(x.elements) >= x.options.Depth {
		return x.fail("elements nest too deep")
	}
	start := len(x.names)
	x.names = append(x.names, name...)
	x.elements = append(x.elements, element{
		name: start, attrs: len(x.names), colon: colon, bindings: len(x.bindings),
	})
	return true
}

// attributes checks the attributes of the innermost element's tag, and keeps
// the namespaces that they declare.
func (x *Reader) attributes(b []byte) bool {
	for {
		rest := bytes.TrimLeft(b, whitespace)
		if len(rest) == 0 {
			return true
		}
		if len(rest) == len(b) {
			return x.fail("a tag has something other than white space before an attribute")
		}
		n := 0
		for n < len(rest) && nameClass[rest[n]] != notInName {
			n++
		}
		name := rest[:n]
		colon, ok := splitName(name)
		if !ok {
			return x.fail("an attribute has no proper name")
		}
		rest = bytes.TrimLeft(rest[n:], whitespace)
		if len(rest) == 0 || rest[0] != '=' {
			return x.fail("an attribute has no value")
		}
		rest = bytes.TrimLeft(rest[1:], whitespace)
		if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
			return x.fail("an attribute's value is not quoted")
		}
		n = bytes.IndexByte(rest[1:], rest[0])
		if n < 0 {
			return x.fail("an attribute's value is not ended")
		}
		value := rest[1 : 1+n]
		b = rest[n+2:]

		var problem string
		if x.scratch, problem = appendText(x.scratch[:0], value, inAttribute); problem != "" {
			return x.fail(problem)
		}
		switch {
		case string(name) == "xmlns":
			ok = x.bind(nil, x.scratch)
		case string(name[:colon]) == "xmlns:":
			ok = x.bind(name[colon:], x.scratch)
		}
		if !ok {
			return false
		}
	}
}

// closeAt ends the innermost element if exactly its end tag, complete in the
// buffer, stands at p.
func (x *Reader) closeAt(p int) bool {
	e := &x.elements[len(x.elements)-1]
	name := x.names[e.name:e.attrs]
	end := p + 2 + len(name)
	if end >= x.end || x.buf[p+1] != '/' || x.buf[end] != '>' || string(x.buf[p+2:end]) != string(name) {
		return false
	}
	x.pos = end + 1
	return x.pop()
}

// endTag ends the innermost element by the end tag at pos.
func (x *Reader) endTag() bool {
	if x.closeAt(x.pos) {
		return true
	}
	if x.err != nil {
		return false
	}
	n := 2
	for {
		if i := bytes.IndexByte(x.buf[x.pos+n:x.end], '>'); i >= 0 {
			n += i
			break
		}
		n = x.end - x.pos
		if !x.more() {
			return false
		}
	}
	e := &x.elements[len(x.elements)-1]
	if string(bytes.TrimRight(x.buf[x.pos+2:x.pos+n], whitespace)) != string(x.names[e.name:e.attrs]) {
		return x.fail("an end tag does not match its start tag")
	}
	x.pos += n + 1
	return x.pop()
}

// splitName returns the length of the prefix of name with its colon, and
// whether name is a name (XML 1.0 section 2.3, Namespaces in XML section 4).
func splitName(name []byte) (colon int, ok bool) {
	if len(name) == 0 || nameClass[name[0]] != beginsName {
		return 0, false
	}
	var all byte
	for i, c := range name {
		if nameClass[c] == notInName {
			return 0, false
		}
		all |= c
		if c == ':' {
			if colon != 0 || i == 0 || i == len(name)-1 {
				return 0, false
			}
			colon = i + 1
		}
	}
	if nameClass[name[colon]] != beginsName {
		return 0, false
	}
	if all < utf8.RuneSelf {
		return colon, true
	}
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRune(name[i:])
		if r == utf8.RuneError && size == 1 || r >= utf8.RuneSelf && !nameRune(r, i == 0 || i == colon) {
			return 0, false
		}
		i += size
	}
	return colon, true
}

// nameRune reports whether the non-ASCII character r may stand in a name, or
// begin one (XML 1.0, fifth edition, productions 4 and 4a).
func nameRune(r rune, first bool) bool {
	switch {
	case 0xC0 <= r && r <= 0x2FF && r != 0xD7 && r != 0xF7,
		0x370 <= r && r <= 0x1FFF && r != 0x37E,
		0x200C <= r && r <= 0x200D, 0x2070 <= r && r <= 0x218F,
		0x2C00 <= r && r <= 0x2FEF, 0x3001 <= r && r <= 0xD7FF,
		0xF900 <= r && r <= 0xFDCF, 0xFDF0 <= r && r <= 0xFFFD,
		0x10000 <= r && r <= 0xEFFFF:
		return true
	case first:
		return false
	}
	return r == 0xB7 || 0x300 <= r && r <= 0x36F || 0x203F <= r && r <= 0x2040
}

const (
	notInName = iota
	inName
	beginsName
)

// nameClass tells what each byte can be in a name; what is not ASCII is
// decided by nameRune.
var nameClass = func() (t [256]uint8) {
	for c := range t {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_', c == ':', c >= utf8.RuneSelf:
			t[c] = beginsName
		case '0' <= c && c <= '9', c == '-', c == '.':
			t[c] = inName
		}
	}
	return t
}()
