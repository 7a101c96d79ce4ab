package multistatus

import (
	"unicode/utf8"

	"canopy/plugins/wire/xmlpull"
)

// AppendPath appends path, percent-encoded, to b. A name may hold any byte and
// comes back as it was: what is not a slash, unreserved (RFC 3986 section 2.3)
// or one of "!$()*,:=@" is encoded, so that no client mistakes a part of a name
// for a query, a parameter or a space, and XML needs no escaping.
func AppendPath(b []byte, path string) []byte {
	const digits = "0123456789ABCDEF"
	for i := 0; i < len(path); {
		start := i
		for i < len(path) && plainInHref[path[i]] {
			i++
		}
		b = append(b, path[start:i]...)
		if i < len(path) {
			c := path[i]
			b = append(b, '%', digits[c>>4], digits[c&15])
			i++
		}
	}
	return b
}

var plainInHref = func() (t [256]bool) {
	for c := range t {
		t[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	}
	for _, c := range "/-._~!$()*,:=@" {
		t[c] = true
	}
	return t
}()

// appendEscaped appends s as text. What cannot stand in XML becomes U+FFFD.
func appendEscaped(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		start := i
		for i < len(s) && plainInXML[s[i]] {
			i++
		}
		b = append(b, s[start:i]...)
		if i == len(s) {
			break
		}
		switch c := s[i]; c {
		case '<':
			b = append(b, "&lt;"...)
		case '>':
			b = append(b, "&gt;"...)
		case '&':
			b = append(b, "&amp;"...)
		case '\t':
			b = append(b, "&#9;"...)
		case '\n':
			b = append(b, "&#10;"...)
		case '\r':
			b = append(b, "&#13;"...)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if !xmlpull.ValidChar(r) {
				r = utf8.RuneError
			}
			b = utf8.AppendRune(b, r)
			i += n
			continue
		}
		i++
	}
	return b
}

var plainInXML = func() (t [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		t[c] = c != '<' && c != '>' && c != '&'
	}
	return t
}()
