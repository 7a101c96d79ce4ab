// Package ranges reads the Range header (RFC 9110 section 14) and writes
// answers of several parts.
//
// It differs from what net/http does in one point that decides whether davix
// can read the answer: Content-Range is the last field of a part's header.
package ranges

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Range is a part of a file, in bytes. Its length is positive.
type Range struct{ Offset, Length int64 }

// End returns the offset behind the last byte.
func (r Range) End() int64 { return r.Offset + r.Length }

// ContentRange returns the value of the header of that name; a negative size
// is unknown.
func (r Range) ContentRange(size int64) string {
	return string(r.appendContentRange(nil, size))
}

func (r Range) appendContentRange(b []byte, size int64) []byte {
	b = append(b, "bytes "...)
	b = strconv.AppendInt(b, r.Offset, 10)
	b = append(b, '-')
	b = strconv.AppendInt(b, r.End()-1, 10)
	b = append(b, '/')
	if size < 0 {
		return append(b, '*')
	}
	return strconv.AppendInt(b, size, 10)
}

// Verdict is what to do about a Range header.
type Verdict uint8

const (
	// Ignored: the whole is sent, since there is no such header, or one that
	// is not understood, or is not worth to be followed.
	Ignored Verdict = iota
	// Partial: the ranges are sent.
	Partial
	// Unsatisfiable: no range begins within the file.
	Unsatisfiable
)

const (
	// maxRanges is how many ranges one answer may have. A vector read of
	// the grid's clients has some hundred.
	maxRanges = 1024
	// gap is the distance, in bytes, up to which two ranges that overlap
	// others are sent as one: a part's header is not smaller.
	gap = 128
)

// Parse reads the header of a request for a file of size bytes. Ranges come
// in the order in which they were asked for; where any two overlap they come
// in ascending order, joined.
func Parse(header string, size int64) ([]Range, Verdict) {
	unit, set, ok := strings.Cut(header, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(unit), "bytes") || size < 0 {
		return nil, Ignored
	}
	var ranges []Range
	specs := 0
	for spec := range strings.SplitSeq(set, ",") {
		if spec = strings.Trim(spec, " \t"); spec == "" {
			continue // an empty element of a list is nothing
		}
		if specs++; specs > maxRanges {
			return nil, Ignored
		}
		r, ok := parseSpec(spec, size)
		if !ok {
			return nil, Ignored
		}
		if r.Length > 0 {
			ranges = append(ranges, r)
		}
	}
	switch {
	case specs == 0:
		return nil, Ignored
	case len(ranges) == 0:
		return nil, Unsatisfiable
	}
	return join(ranges), Partial
}

// parseSpec reads one range; its length is 0 if it begins beyond the end.
func parseSpec(spec string, size int64) (r Range, ok bool) {
	from, to, ok := strings.Cut(spec, "-")
	if !ok {
		return r, false
	}
	if from == "" {
		n, ok := parseInt(to)
		n = min(n, size)
		return Range{size - n, n}, ok
	}
	first, ok := parseInt(from)
	if !ok {
		return r, false
	}
	last := size - 1
	if to != "" {
		n, ok := parseInt(to)
		if !ok || n < first {
			return r, false
		}
		last = min(n, last)
	}
	if first >= size {
		return r, true
	}
	return Range{first, last - first + 1}, true
}

// parseInt reads digits and nothing else. What is too large is the largest.
func parseInt(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, _ := strconv.ParseInt(s, 10, 64) // of a value out of range it returns the largest
	return n, true
}

// join returns ranges as they are if none overlaps another, else in ascending
// order and joined, so that no byte is sent twice.
func join(ranges []Range) []Range {
	if len(ranges) < 2 {
		return ranges
	}
	sorted := slices.Clone(ranges)
	slices.SortFunc(sorted, func(a, b Range) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Length, b.Length))
	})
	overlap := false
	for i := range sorted[1:] {
		overlap = overlap || sorted[i].End() > sorted[i+1].Offset
	}
	if !overlap {
		return ranges
	}
	joined := sorted[:1]
	for _, r := range sorted[1:] {
		last := &joined[len(joined)-1]
		if r.Offset > last.End()+gap {
			joined = append(joined, r)
			continue
		}
		last.Length = max(last.End(), r.End()) - last.Offset
	}
	return joined
}

// Multipart is the frame of an answer of several parts. Its zero value is of
// no use.
type Multipart struct {
	boundary, contentType string
	size                  int64
}

// NewMultipart returns the frame for parts of a file of this media type and
// size. The boundary is of letters and digits, 60 at most, and does not occur
// in the file: it is drawn at random.
func NewMultipart(boundary, contentType string, size int64) Multipart {
	return Multipart{boundary, contentType, size}
}

// ContentType returns the media type of the answer.
func (m Multipart) ContentType() string { return "multipart/byteranges; boundary=" + m.boundary }

// AppendHeader appends what goes before the bytes of part r, the first part
// or a later one.
func (m Multipart) AppendHeader(b []byte, r Range, first bool) []byte {
	if !first {
		b = append(b, "\r\n"...)
	}
	b = append(b, "--"...)
	b = append(b, m.boundary...)
	b = append(b, "\r\nContent-Type: "...)
	b = append(b, m.contentType...)
	b = append(b, "\r\nContent-Range: "...)
	b = r.appendContentRange(b, m.size)
	return append(b, "\r\n\r\n"...)
}

// AppendEnd appends what goes behind the last part.
func (m Multipart) AppendEnd(b []byte) []byte {
	b = append(b, "\r\n--"...)
	b = append(b, m.boundary...)
	return append(b, "--\r\n"...)
}

// Length returns the length of the whole answer in bytes.
func (m Multipart) Length(ranges []Range) int64 {
	var scratch [512]byte
	n := int64(len(m.AppendEnd(scratch[:0])))
	for i, r := range ranges {
		n += int64(len(m.AppendHeader(scratch[:0], r, i == 0))) + r.Length
	}
	return n
}
