package web

import (
	"io"
	"iter"
	"time"
)

// Column is what a listing is sorted by; its value is that of the query
// parameter "sort".
type Column string

// The columns by which a listing can be sorted.
const (
	ByName Column = "name"
	BySize Column = "size"
	ByTime Column = "time"
)

// Listing is a directory to show.
type Listing struct {
	Page
	// Entries are the children in the order to show them. They are written as
	// they come and counted on the way.
	Entries iter.Seq[Row]
	// Missing is asked once after the last entry for the endpoints whose part
	// is not there; nil means none.
	Missing func() []Missing
	// Stale is how old the answer is when it is an expired one out of the
	// cache, else 0.
	Stale time.Duration
	// Sort and Descending are the order that the entries are in. An empty Sort
	// is by name.
	Sort       Column
	Descending bool
	// Federated shows which endpoints hold each entry, with a link to its
	// "?explain" page.
	Federated bool
	// Writable offers to upload files into the directory.
	Writable bool
	// Uploads is the URL path at which uploads in pieces are created; "" sends
	// each file at once.
	Uploads string
}

// Missing is an endpoint whose answer is not part of a page.
type Missing struct {
	Name string
	// Why is a few words: "timed out".
	Why string
}

// header is one column's head: the text, and the link that sorts by it.
type header struct {
	Text, Unit string
	Column     Column
	Href       string
	Sorted     string // value of aria-sort; "" when not sorted by this one
}

// columns are the heads of the columns that can be sorted by.
func (l Listing) columns() []header {
	sorted := l.Sort
	if sorted == "" {
		sorted = ByName
	}
	heads := []header{
		{Text: "Name", Column: ByName},
		{Text: "Size", Column: BySize},
		{Text: "Modified", Unit: "UTC", Column: ByTime},
	}
	for i := range heads {
		h := &heads[i]
		// Largest and newest are what people look for, names go upwards.
		descend := h.Column != ByName
		if h.Column == sorted {
			descend = !l.Descending
			h.Sorted = "ascending"
			if l.Descending {
				h.Sorted = "descending"
			}
		}
		order := "asc"
		if descend {
			order = "desc"
		}
		h.Href = "?sort=" + string(h.Column) + "&order=" + order
	}
	return heads
}

// foot is what is known of a listing after its rows.
type foot struct {
	Listing
	Silent                    []Missing
	Empty, AtLeast            bool
	Files, Directories, Bytes string
	OneFile, OneDirectory     bool
	Exact                     string
}

// Listing writes the page of a directory. All that stands before the rows is
// handed to w in one Write before the first entry is asked for, so that a
// caller can flush it; the rows follow in larger pieces. The error is that of
// w, or of a template; no further entry is asked for then.
func (p *Pages) Listing(w io.Writer, l Listing) error {
	if err := p.render(w, "listing-head", l); err != nil {
		return err
	}
	totals, err := p.writeRows(w, l)
	if err != nil {
		return err
	}
	f := foot{
		Listing:      l,
		Empty:        totals.rows == 0,
		AtLeast:      totals.unsized > 0,
		Files:        string(appendGrouped(nil, totals.files)),
		Directories:  string(appendGrouped(nil, totals.directories)),
		OneFile:      totals.files == 1,
		OneDirectory: totals.directories == 1,
	}
	if totals.files > totals.unsized {
		f.Bytes = string(appendSize(nil, totals.bytes))
		f.Exact = string(appendGrouped(nil, totals.bytes))
	}
	if l.Missing != nil {
		f.Silent = l.Missing()
	}
	return p.render(w, "listing-foot", f)
}

func (p *Pages) writeRows(w io.Writer, l Listing) (totals, error) {
	if l.Entries == nil {
		return totals{}, nil
	}
	rw := p.rows.Get().(*rowWriter)
	defer func() {
		rw.reset(false)
		p.rows.Put(rw)
	}()
	rw.reset(l.Federated)
	for r := range l.Entries {
		rw.add(&r)
		if len(rw.buf) >= flushBytes {
			if err := rw.flush(w); err != nil {
				return rw.totals, err
			}
		}
	}
	return rw.totals, rw.flush(w)
}
