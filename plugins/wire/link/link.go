// Package link reads and writes the Link header (RFC 8288), as far as storage
// uses it: further copies of a file and the metalink that lists them
// (RFC 6249).
//
//	Link: <https://a.example/f?metalink>; rel=describedby; type="application/metalink4+xml"
//	Link: <https://b.example/f>; rel=duplicate; pri=1; geo=ch
//
// Reading is lenient, because one mistake should not cost the other links:
// what cannot be understood is skipped up to the next comma. Writing is
// strict: whatever a Link holds, String is one well-formed link on one line.
//
// Targets are neither resolved nor judged here; they come from outside and may
// be of any scheme.
package link

import (
	"strconv"
	"strings"
)

// Link is one link.
type Link struct {
	// URL is the target as it was between the angle brackets, absolute or
	// relative.
	URL string
	// Rel is the relation type, or several with spaces between them.
	Rel string
	// Type is the media type that the target is said to have; "" is unknown.
	Type string
	// Anchor, when set, is what the link speaks of instead of the resource
	// that was asked for. A reader should then take no notice of the link.
	Anchor string
	// Priority orders duplicates, 1 being first and 999999 last; 0 is
	// unknown.
	Priority int
	// Geo is where a duplicate is, an ISO 3166-1 alpha-2 code; "" is unknown.
	// It is as the other side wrote it, so it may be anything.
	Geo string
	// Depth is the number of path components, from the end, in which a whole
	// tree is mirrored in the same way; 0 is unknown.
	Depth int
	// Preferred says that a duplicate has all the features of the original,
	// such as entity tags.
	Preferred bool
}

// The relation types that concern copies.
const (
	Duplicate   = "duplicate"
	DescribedBy = "describedby"
)

// maxPriority is the largest priority of RFC 6249.
const maxPriority = 999999

// Is reports whether the link is of the relation type rel, in any case.
func (l Link) Is(rel string) bool {
	for r := range strings.FieldsSeq(l.Rel) {
		if strings.EqualFold(r, rel) {
			return true
		}
	}
	return false
}

// String returns the link as a member of a Link header. Bytes of the URL that
// must not stand there are percent-encoded, control characters and non-ASCII
// bytes of the other fields are left out.
func (l Link) String() string { return string(l.Append(nil)) }

// Append appends to b what String returns.
func (l Link) Append(b []byte) []byte {
	b = append(b, '<')
	b = appendURL(b, l.URL)
	b = append(b, '>')
	b = appendParam(b, "rel", l.Rel)
	if 0 < l.Priority && l.Priority <= maxPriority {
		b = strconv.AppendInt(append(b, "; pri="...), int64(l.Priority), 10)
	}
	b = appendParam(b, "geo", l.Geo)
	if l.Depth > 0 {
		b = strconv.AppendInt(append(b, "; depth="...), int64(l.Depth), 10)
	}
	if l.Preferred {
		b = append(b, "; pref"...)
	}
	b = appendParam(b, "type", l.Type)
	return appendParam(b, "anchor", l.Anchor)
}

// escaped are the bytes that no URL may hold (RFC 3986 section 2).
var escaped = func() (set [256]bool) {
	for c := range set {
		set[c] = c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", byte(c)) >= 0
	}
	return set
}()

func appendURL(b []byte, s string) []byte {
	const upperHex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if escaped[c] {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
			continue
		}
		b = append(b, c)
	}
	return b
}

// appendParam appends a parameter, quoted unless it is a token. An empty one is
// left out.
func appendParam(b []byte, name, value string) []byte {
	token := true
	value = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return -1
		}
		token = token && isTokenByte(byte(r))
		return r
	}, value)
	if value == "" {
		return b
	}
	b = append(append(append(b, "; "...), name...), '=')
	if token {
		return append(b, value...)
	}
	b = append(b, '"')
	for i := range len(value) {
		if value[i] == '"' || value[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, value[i])
	}
	return append(b, '"')
}

// isTokenByte reports whether c can stand in a token (RFC 9110 section 5.6.2).
func isTokenByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
