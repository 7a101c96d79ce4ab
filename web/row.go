package web

import (
	"io"
	"math"
	"slices"
	"strconv"
	"time"
)

// Row is one child of a directory.
type Row struct {
	// Name is the path component, decoded; any bytes.
	Name      string
	Directory bool
	// Size is in bytes; negative when unknown. Directories have none.
	Size int64
	// ModTime is zero when unknown.
	ModTime time.Time
	// Copies are the names of the endpoints that hold it, nearest first. The
	// slice is not kept.
	Copies []string
	// Diverged is set when the copies differ in size or checksum, so that only
	// some of them are offered.
	Diverged bool
}

const (
	// chunkRows is how many rows share a tbody, the unit in which browsers
	// skip what is out of sight. The style sheet's estimate of a chunk's
	// height goes with it.
	chunkRows = 100
	// chipsShown is how many endpoint names a row shows before it counts.
	chipsShown = 4
	// hues is how many colours the style sheet has for endpoints.
	hues = 12
	// flushBytes is the size at which rows are handed on.
	flushBytes = 32 << 10
)

// rowWriter appends rows and remembers what the foot of the page needs.
type rowWriter struct {
	buf       []byte
	federated bool
	totals    totals
	// chips is the markup of last, since neighbours mostly share their copies.
	chips []byte
	last  []string
}

// totals are the sums over the rows written.
type totals struct {
	rows, files, directories, bytes int64
	// unsized counts the files of unknown size.
	unsized int64
}

// reset prepares the writer for another page and lets go of the caller's
// strings.
func (rw *rowWriter) reset(federated bool) {
	clear(rw.last)
	*rw = rowWriter{buf: rw.buf[:0], chips: rw.chips[:0], last: rw.last[:0], federated: federated}
}

// flush hands the rows appended so far to w.
func (rw *rowWriter) flush(w io.Writer) error {
	_, err := w.Write(rw.buf)
	rw.buf = rw.buf[:0]
	return err
}

// add appends one row.
func (rw *rowWriter) add(r *Row) {
	rw.count(r)
	b := rw.buf
	if n := rw.totals.rows; n%chunkRows == 1 && n > 1 {
		b = append(b, "</tbody><tbody>\n"...)
	}
	linked := linkable(r.Name)
	if r.Directory {
		b = append(b, `<tr class="d"><th scope="row">`...)
	} else {
		b = append(b, `<tr><th scope="row">`...)
	}
	if linked {
		b = append(b, `<a href="`...)
		b = appendHref(b, r.Name)
		if r.Directory {
			b = append(b, '/')
		}
		b = append(b, `"><bdi>`...)
	} else {
		b = append(b, `<span><bdi>`...)
	}
	b = appendText(b, r.Name)
	b = append(b, "</bdi>"...)
	if r.Directory {
		b = append(b, `<i>/</i>`...)
	}
	if linked {
		b = append(b, "</a>"...)
	} else {
		b = append(b, "</span>"...)
	}
	if r.Diverged {
		b = append(b, ` <em title="The copies differ in size or checksum; only those that agree are offered.">copies differ</em>`...)
	}
	if r.Directory || r.Size < 0 {
		b = append(b, "</th><td></td><td>"...)
	} else {
		b = append(b, `</th><td title="`...)
		b = appendGrouped(b, r.Size)
		if r.Size == 1 {
			b = append(b, ` byte">`...)
		} else {
			b = append(b, ` bytes">`...)
		}
		b = appendSize(b, r.Size)
		b = append(b, "</td><td>"...)
	}
	b = appendTime(b, r.ModTime)
	if rw.federated {
		b = append(b, "</td><td>"...)
		b = rw.appendCopies(b, r, linked)
	}
	rw.buf = append(b, "</td></tr>\n"...)
}

func (rw *rowWriter) count(r *Row) {
	rw.totals.rows++
	switch {
	case r.Directory:
		rw.totals.directories++
	case r.Size < 0:
		rw.totals.files++
		rw.totals.unsized++
	default:
		rw.totals.files++
		// Sizes are claims of the storage: the sum stays at the end of its range.
		rw.totals.bytes += min(r.Size, math.MaxInt64-rw.totals.bytes)
	}
}

// appendCopies appends the names of the endpoints, which lead to the page that
// explains them.
func (rw *rowWriter) appendCopies(b []byte, r *Row, linked bool) []byte {
	if len(r.Copies) == 0 {
		return b
	}
	if !slices.Equal(rw.last, r.Copies) {
		rw.last = append(rw.last[:0], r.Copies...)
		rw.chips = appendChips(rw.chips[:0], r.Copies)
	}
	if !linked {
		return append(b, rw.chips...)
	}
	b = append(b, `<a href="`...)
	b = appendHref(b, r.Name)
	if r.Directory {
		b = append(b, '/')
	}
	b = append(b, `?explain">`...)
	b = append(b, rw.chips...)
	return append(b, "</a>"...)
}

// appendChips appends how many copies there are and the first names.
func appendChips(b []byte, copies []string) []byte {
	b = append(b, "<b>"...)
	b = strconv.AppendInt(b, int64(len(copies)), 10)
	b = append(b, "</b>"...)
	shown := len(copies)
	if shown > chipsShown {
		// One place is taken by the mark for the others.
		shown = chipsShown - 1
	}
	for _, name := range copies[:shown] {
		b = append(b, ` <span class="h`...)
		b = strconv.AppendUint(b, uint64(hue(name)), 10)
		b = append(b, `"><bdi>`...)
		b = appendText(b, name)
		b = append(b, "</bdi></span>"...)
	}
	if rest := copies[shown:]; len(rest) > 0 {
		b = append(b, ` <span title="`...)
		for i, name := range rest {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendText(b, name)
		}
		b = append(b, `">+`...)
		b = strconv.AppendInt(b, int64(len(rest)), 10)
		b = append(b, "</span>"...)
	}
	return b
}

// hue gives an endpoint the same colour on every page (FNV-1a).
func hue(name string) uint32 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return h % hues
}
