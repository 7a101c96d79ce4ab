package web

import (
	"strings"
	"unicode/utf8"
)

const upperHex = "0123456789ABCDEF"

// hrefSafe are the bytes that stand for themselves in a link: the unreserved
// ones of RFC 3986 and those sub-delims that mean nothing to HTML. The colon
// is not among them, so that no name begins a link with what looks like a
// scheme.
var hrefSafe = byteSet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$()*+,;=@")

// textSafe are the bytes that are copied into text and attributes unchanged:
// printable ASCII without what is special to HTML.
var textSafe = func() (set [256]bool) {
	for c := byte(' '); c < 0x7f; c++ {
		set[c] = true
	}
	for _, c := range []byte(`&<>"'`) {
		set[c] = false
	}
	return set
}()

func byteSet(members string) (set [256]bool) {
	for i := range len(members) {
		set[members[i]] = true
	}
	return set
}

// appendHref appends name as one path segment of a URL, which needs no
// further escaping within an HTML attribute.
func appendHref(b []byte, name string) []byte {
	from := 0
	for i := range len(name) {
		c := name[i]
		if hrefSafe[c] {
			continue
		}
		b = append(b, name[from:i]...)
		b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		from = i + 1
	}
	return append(b, name[from:]...)
}

// linkable reports whether a relative link can lead to name: browsers take
// dots for steps, encoded or not, and a component has no slash.
func linkable(name string) bool {
	return name != "" && name != "." && name != ".." &&
		strings.IndexByte(name, '/') < 0 && strings.IndexByte(name, 0) < 0
}

// appendText appends the visible form of s, escaped for HTML text and quoted
// attributes.
func appendText(b []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if textSafe[c] {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			if !(r == utf8.RuneError && size == 1) && !hidden(r) {
				i += size
				continue
			}
		}
		b = append(b, s[from:i]...)
		switch c {
		case '&':
			b = append(b, "&amp;"...)
		case '<':
			b = append(b, "&lt;"...)
		case '>':
			b = append(b, "&gt;"...)
		case '"':
			b = append(b, "&#34;"...)
		case '\'':
			b = append(b, "&#39;"...)
		default:
			b = appendMark(b, s[i:i+size])
		}
		i += size
		from = i
	}
	return append(b, s[from:]...)
}

// Visible returns s in the form in which pages show it. Printable characters
// stay; one that controls, is invisible or changes the direction of text
// becomes its number (⟨U+000A⟩ for a newline), and a byte that is not part of
// valid UTF-8 its value (⟨0xFF⟩).
func Visible(s string) string {
	for i, r := range s {
		if r < ' ' || r == 0x7f || r == utf8.RuneError || hidden(r) {
			return visible(s, i)
		}
	}
	return s
}

// visible is Visible for an s whose bytes up to from stay.
func visible(s string, from int) string {
	b := append(make([]byte, 0, len(s)+16), s[:from]...)
	for i := from; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r < ' ' || r == 0x7f || r == utf8.RuneError && size == 1 || hidden(r) {
			b = appendMark(b, s[i:i+size])
		} else {
			b = append(b, s[i:i+size]...)
		}
		i += size
	}
	return string(b)
}

// hidden reports whether the non-ASCII r leaves no trace on a page, or
// changes the order of what is around it. The joiners U+200C and U+200D are
// not counted: scripts and emoji need them.
func hidden(r rune) bool {
	switch {
	case r < 0x80:
		return false
	case r < 0xa0, r == 0xad, r == 0x61c, r == 0x180e:
		return true
	case r < 0x200b:
		return r == 0x115f || r == 0x1160
	case r <= 0x206f:
		return r == 0x200b || r == 0x200e || r == 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060
	case r < 0xfff9:
		return r == 0x3164 || r == 0xfeff || r >= 0xe000 && r <= 0xf8ff
	case r <= 0xfffb:
		return true
	}
	return r == 0xfffe || r == 0xffff || r >= 0xe0000
}

// appendMark appends what is shown for seq, one control character, hidden
// character or invalid byte.
func appendMark(b []byte, seq string) []byte {
	r, size := utf8.DecodeRuneInString(seq)
	if r == utf8.RuneError && size == 1 {
		b = append(b, "⟨0x"...)
		b = append(b, upperHex[seq[0]>>4], upperHex[seq[0]&15])
		return append(b, "⟩"...)
	}
	b = append(b, "⟨U+"...)
	digits := 4
	for r>>(4*digits) != 0 {
		digits++
	}
	for d := digits - 1; d >= 0; d-- {
		b = append(b, upperHex[r>>(4*d)&15])
	}
	return append(b, "⟩"...)
}
