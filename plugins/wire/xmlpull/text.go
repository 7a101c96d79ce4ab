package xmlpull

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

const whitespace = " \t\r\n"

// textRules says what may stand in text.
type textRules uint8

const (
	inContent   textRules = iota // between tags
	anyContent                   // between tags, with Options.AnyText
	inAttribute                  // in an attribute's value
)

// appendText appends the text src to dst with its references resolved and its
// line ends made "\n". It returns what is wrong with src, or "".
func appendText(dst, src []byte, rules textRules) ([]byte, string) {
	for i := 0; i < len(src); {
		start := i
		for i < len(src) && textClass[src[i]] == plainText {
			i++
		}
		dst = append(dst, src[start:i]...)
		if i == len(src) {
			break
		}
		switch c := src[i]; {
		case c == '&':
			r, n := reference(src[i:])
			if n == 0 {
				return dst, "an unknown entity or malformed reference"
			}
			dst = utf8.AppendRune(dst, r)
			i += n
		case c == ']' && rules != inAttribute && bytes.HasPrefix(src[i:], []byte("]]>")):
			return dst, "]]> outside of CDATA"
		default:
			var n int
			if dst, n = appendChar(dst, src[i:], rules); n == 0 {
				return dst, badChar
			}
			i += n
		}
	}
	return dst, ""
}

// appendVerbatim is appendText for the content of a CDATA section.
func appendVerbatim(dst, src []byte, rules textRules) ([]byte, string) {
	for i := 0; i < len(src); {
		var n int
		if dst, n = appendChar(dst, src[i:], rules); n == 0 {
			return dst, badChar
		}
		i += n
	}
	return dst, ""
}

const badChar = "invalid UTF-8, or a character that XML does not allow"

// appendChar appends the first character of src, a line end as "\n", and
// returns its length in src; 0 if it is not allowed.
func appendChar(dst, src []byte, rules textRules) ([]byte, int) {
	if src[0] == '\r' {
		if len(src) > 1 && src[1] == '\n' {
			return append(dst, '\n'), 2
		}
		return append(dst, '\n'), 1
	}
	r, n := utf8.DecodeRune(src)
	if (r == utf8.RuneError && n == 1 || !ValidChar(r)) && rules != anyContent {
		return dst, 0
	}
	return append(dst, src[:n]...), n
}

// reference resolves the character or entity reference at the beginning of
// src; n is its length, 0 if it is none.
func reference(src []byte) (r rune, n int) {
	const longest = 32 // leaves room for leading zeros
	n = bytes.IndexByte(src[:min(len(src), longest)], ';') + 1
	if n < 3 {
		return 0, 0
	}
	name := src[1 : n-1]
	switch string(name) {
	case "lt":
		return '<', n
	case "gt":
		return '>', n
	case "amp":
		return '&', n
	case "quot":
		return '"', n
	case "apos":
		return '\'', n
	}
	if name[0] != '#' {
		return 0, 0
	}
	digits, base := name[1:], 10
	if len(digits) > 0 && digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	v, err := strconv.ParseUint(string(digits), base, 32)
	if err != nil || v > utf8.MaxRune || !ValidChar(rune(v)) {
		return 0, 0
	}
	return rune(v), n
}

// ValidChar reports whether r may stand in a document at all (XML 1.0,
// production 2).
func ValidChar(r rune) bool {
	return r >= 0x20 && r <= 0xD7FF || r == '\t' || r == '\n' || r == '\r' ||
		r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= utf8.MaxRune
}

const (
	plainText = iota
	lessThan
	otherText
)

// textClass tells the bytes of text that stand for themselves from those that
// need a closer look.
var textClass = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c == '<':
			t[c] = lessThan
		case c == '&', c == ']', c < 0x20 && c != '\t' && c != '\n', c >= utf8.RuneSelf:
			t[c] = otherText
		}
	}
	return t
}()
