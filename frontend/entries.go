package frontend

import (
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"canopy/federator"
	"canopy/federator/record"
	"canopy/plugins"
	"canopy/plugins/wire/multistatus"
)

// flushAt is how many bytes of a streamed answer are gathered before they are
// sent.
const flushAt = 32 << 10

// listEntries sends a listing as JSON, in one document or one object a line:
//
//	{"path":"/d/","href":"/d/","entries":[
//	{"name":"f","href":"f","kind":"file","size":5,"mtime":"2024-03-01T00:00:00Z","replicas":["geneva"],"diverged":true}
//	],"incomplete":["oslo"],"stale":true,"age":12}
//
// "href" is relative to the directory, or absolute for the directory itself,
// and is the name without loss. size, mtime and diverged are left out where
// there is nothing to say, and so are the replicas of a directory that is
// there by configuration alone. As lines, the entries come first; the last line is
// the object without them, and says by being there that the listing has
// reached its end.
func (x *exchange) listEntries(d *federator.Directory, media string, s sorted) error {
	x.Header()["Content-Type"] = []string{media}
	lines := media == typeNDJSON
	b := make([]byte, 0, flushAt+4096)
	if !lines {
		b = append(b, '{')
		b = append(x.appendDirectory(b), `,"entries":[`...)
	}
	var failed error
	var holders []string
	first := true
	for c := range children(d, s, &failed) {
		holders = x.h.options.Federator.Holders(holders[:0], &c.Facts)
		if !lines && !first {
			b = append(b, ',')
		}
		if !lines {
			b = append(b, '\n')
		}
		first = false
		b = appendEntry(b, c, holders)
		if lines {
			b = append(b, '\n')
		}
		if len(b) >= flushAt {
			if _, err := x.Write(b); err != nil {
				return errBroken
			}
			b = b[:0]
		}
	}
	if failed != nil {
		return x.broken(failed)
	}
	if lines {
		b = append(b, '{')
		b = x.appendDirectory(b)
	} else {
		b = append(b, "\n]"...)
	}
	b = append(b, `,"incomplete":`...)
	b = appendStrings(b, d.Missing())
	if d.Stale {
		b = append(b, `,"stale":true,"age":`...)
		b = append(b, seconds(d.Age)...)
	}
	b = append(b, "}\n"...)
	if _, err := x.Write(b); err != nil {
		return errBroken
	}
	return nil
}

// appendDirectory appends the members that name the directory.
func (x *exchange) appendDirectory(b []byte) []byte {
	path := x.path
	if path != "/" {
		path += "/"
	}
	b = append(b, `"path":`...)
	b = appendString(b, path)
	b = append(b, `,"href":"`...)
	b = append(b, x.h.href(x.path, true)...)
	return append(b, '"')
}

// appendEntry appends one child as an object.
func appendEntry(b []byte, c *record.Child, holders []string) []byte {
	directory := kindOf(c) == plugins.Directory
	b = append(b, `{"name":`...)
	b = appendString(b, c.Name)
	b = append(b, `,"href":"`...)
	b = appendRelative(b, c.Name)
	if directory {
		b = append(b, `/","kind":"directory"`...)
	} else {
		b = append(b, `","kind":"file"`...)
		if size := c.Size(); size >= 0 {
			b = append(b, `,"size":`...)
			b = strconv.AppendInt(b, size, 10)
		}
	}
	if t := c.ModTime(); !t.IsZero() && t.Year() > 0 && t.Year() < 10000 {
		b = append(b, `,"mtime":"`...)
		b = t.UTC().AppendFormat(b, time.RFC3339)
		b = append(b, '"')
	}
	if len(holders) > 0 || !directory {
		b = append(b, `,"replicas":`...)
		b = appendStrings(b, holders)
	}
	if len(c.Diverged()) > 0 {
		b = append(b, `,"diverged":true`...)
	}
	return append(b, '}')
}

// appendRelative appends a name as a relative reference, in which no colon may
// look like the end of a scheme (RFC 3986 section 4.2).
func appendRelative(b []byte, name string) []byte {
	from := len(b)
	b = multistatus.AppendPath(b, name)
	for _, c := range b[from:] {
		if c == ':' {
			return multistatus.AppendPath(append(b[:from], "./"...), name)
		}
	}
	return b
}

// appendStrings appends an array of strings.
func appendStrings(b []byte, all []string) []byte {
	b = append(b, '[')
	for i, s := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

// appendString appends s as a JSON string. Each byte that is not part of valid
// UTF-8 becomes U+FFFD. What HTML or a script could misread is escaped.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' && c != 0x7F {
				i++
				continue
			}
			b = append(b, s[from:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, `\n`...)
			case '\t':
				b = append(b, `\t`...)
			default:
				b = append(b, `\u00`...)
				b = append(b, hex[c>>4], hex[c&15])
			}
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			b = append(b, s[from:i]...)
			b = append(b, `\ufffd`...)
			from = i + 1
		} else if r == '\u2028' || r == '\u2029' {
			b = append(b, s[from:i]...)
			b = append(b, `\u202`...)
			b = append(b, hex[r&15])
			from = i + n
		}
		i += n
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}

// send sends a document that was made at once.
func (x *exchange) send(media string, b []byte) error {
	h := x.Header()
	h["Content-Type"] = []string{media}
	h["Content-Length"] = []string{strconv.Itoa(len(b))}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	if len(h["Cache-Control"]) == 0 {
		h["Cache-Control"] = uncached
	}
	x.expose()
	x.WriteHeader(http.StatusOK)
	if x.Request.Method == http.MethodHead {
		return nil
	}
	if _, err := x.Write(b); err != nil {
		return errBroken
	}
	return nil
}
