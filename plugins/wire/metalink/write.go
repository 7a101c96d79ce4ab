package metalink

import (
	"cmp"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// Version is a version of the format.
type Version int

// The versions.
const (
	V3 Version = 3
	V4 Version = 4
)

// MediaType returns the version's media type.
func (v Version) MediaType() string {
	if v == V3 {
		return MediaType3
	}
	return MediaType4
}

// Writer writes one document. It is not safe for concurrent use.
type Writer struct {
	w       io.Writer
	version Version
	b       []byte
	begun   bool
}

// NewWriter returns a writer of a document in version v, V3 or V4. Nothing is
// written before the first file.
func NewWriter(w io.Writer, v Version) *Writer { return &Writer{w: w, version: v} }

// Write writes one file, its URLs sorted by priority. It fails if the file's
// name is not a safe relative path, in which case nothing is written and the
// document can go on, or if the underlying writer fails. Hashes that are not
// valid are left out.
func (w *Writer) Write(f File) error {
	if !safeName(f.Name) {
		return fmt.Errorf("metalink: %q is not a relative path", f.Name)
	}
	w.begin()
	w.add(` <file name="`)
	w.text(f.Name)
	w.add("\">\n")
	if f.Size >= 0 {
		w.add("  <size>")
		w.b = strconv.AppendInt(w.b, f.Size, 10)
		w.add("</size>\n")
	}
	if w.version == V3 {
		w.file3(f)
	} else {
		w.hashes(f.Hashes)
		for u := range ordered(f.URLs) {
			w.place(u, "priority", u.Priority)
		}
	}
	w.add(" </file>\n")
	return w.flush()
}

// file3 writes what version 3 wraps in elements of its own.
func (w *Writer) file3(f File) {
	if slices.ContainsFunc(f.Hashes, digest.Valid) {
		w.add("  <verification>\n")
		w.hashes(f.Hashes)
		w.add("  </verification>\n")
	}
	w.add("  <resources>\n")
	for u := range ordered(f.URLs) {
		w.place(u, "preference", preference3(u.Priority))
	}
	w.add("  </resources>\n")
}

// Close ends the document. It does not close the underlying writer.
func (w *Writer) Close() error {
	w.begin()
	if w.version == V3 {
		w.add("</files>\n")
	}
	w.add("</metalink>\n")
	return w.flush()
}

// begin writes what stands before the first file.
func (w *Writer) begin() {
	if w.begun {
		return
	}
	w.begun = true
	w.add(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	if w.version == V3 {
		w.add(`<metalink version="3.0" xmlns="` + namespace3 + `" generator="Canopy">` + "\n<files>\n")
		return
	}
	w.add(`<metalink xmlns="` + namespace4 + `">` + "\n <generator>Canopy</generator>\n")
}

// hashName returns how a version calls an algorithm: version 4 as the IANA
// registry of hash function names, version 3 without the dash.
func (v Version) hashName(algorithm string) string {
	switch {
	case algorithm == "sha" && v == V3:
		return "sha1"
	case algorithm == "sha":
		return "sha-1"
	case v == V3:
		return strings.ReplaceAll(algorithm, "-", "")
	}
	return algorithm
}

func (w *Writer) hashes(hashes []plugins.Digest) {
	for _, d := range hashes {
		if digest.Valid(d) {
			w.add(`  <hash type="`)
			w.add(w.version.hashName(d.Algorithm))
			w.add(`">`)
			w.add(digest.Hex(d))
			w.add("</hash>\n")
		}
	}
}

// place writes one URL with its rank in an attribute of that name.
func (w *Writer) place(u URL, attribute string, rank int) {
	w.add("  <url")
	if w.version == V3 {
		scheme, _, _ := strings.Cut(u.URL, ":")
		w.add(` type="`)
		w.text(scheme)
		w.add(`"`)
	}
	if u.Location != "" {
		w.add(` location="`)
		w.text(u.Location)
		w.add(`"`)
	}
	w.add(" " + attribute + `="`)
	w.b = strconv.AppendInt(w.b, int64(rank), 10)
	w.add(`">`)
	w.text(u.URL)
	w.add("</url>\n")
}

// ordered returns the URLs by priority, equal ones as they were and those
// without one last, numbered after the one before.
func ordered(urls []URL) iter.Seq[URL] {
	return func(yield func(URL) bool) {
		rank := func(u URL) int {
			if u.Priority < 1 || u.Priority > maxPriority {
				return maxPriority + 1
			}
			return u.Priority
		}
		sorted := slices.SortedStableFunc(slices.Values(urls), func(a, b URL) int {
			return cmp.Compare(rank(a), rank(b))
		})
		last := 0
		for _, u := range sorted {
			if u.Priority = rank(u); u.Priority > maxPriority {
				u.Priority = min(last+1, maxPriority)
			}
			last = u.Priority
			if !yield(u) {
				return
			}
		}
	}
}

func (w *Writer) add(s string) { w.b = append(w.b, s...) }

const upperHex = "0123456789ABCDEF"

// text writes s as character data or the value of an attribute.
func (w *Writer) text(s string) {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1 || !isXMLChar(r):
			for _, c := range []byte(s[i : i+n]) {
				w.b = append(w.b, '%', upperHex[c>>4], upperHex[c&15])
			}
		case r == '&':
			w.add("&amp;")
		case r == '<':
			w.add("&lt;")
		case r == '>':
			w.add("&gt;")
		case r == '"':
			w.add("&#34;")
		case r < ' ':
			w.add("&#")
			w.b = strconv.AppendInt(w.b, int64(r), 10)
			w.add(";")
		default:
			w.add(s[i : i+n])
		}
		i += n
	}
}

// isXMLChar reports whether r can stand in XML 1.0, as itself or a reference.
func isXMLChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' ||
		' ' <= r && r <= 0xd7ff || 0xe000 <= r && r <= 0xfffd || 0x10000 <= r && r <= 0x10ffff
}

func (w *Writer) flush() error {
	_, err := w.w.Write(w.b)
	w.b = w.b[:0]
	return err
}
