package frontend

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"canopy/federator"
	"canopy/federator/record"
	"canopy/frontend/accept"
	"canopy/frontend/conditional"
	"canopy/frontend/resume"
	"canopy/plugins"
	"canopy/plugins/wire/metalink"
	"canopy/web"
)

// The media types in which a directory can be had, besides metalinks.
const (
	typeHTML   = "text/html"
	typeJSON   = "application/json"
	typeNDJSON = "application/x-ndjson"
)

// directory answers GET and HEAD of a directory.
func (x *exchange) directory(q url.Values, f form) error {
	if err := x.allow(List, x.path); err != nil {
		return err
	}
	if err := x.place(q, f != usual); err != nil {
		return err
	}
	media, err := x.listingType(q)
	if err != nil {
		return err
	}
	if x.Request.Method == http.MethodHead && f == usual {
		return x.headDirectory(media)
	}
	d, err := x.h.options.Federator.List(x.Request.Context(), x.path)
	if plugins.KindOf(err) == plugins.NotDirectory {
		return x.moved(false)
	}
	if err != nil {
		return err
	}
	defer d.Close()
	h := x.Header()
	h["Vary"] = []string{"Accept"}
	h["Cache-Control"] = []string{"private, no-cache"}
	x.expose()
	x.aged(d.Stale, d.Age)
	switch f {
	case metalink4:
		return x.metalinks(d, metalink.V4)
	case metalink3:
		return x.metalinks(d, metalink.V3)
	}
	order := sorting(q)
	if d.Settled() && !d.Stale && len(d.Missing()) == 0 {
		v := conditional.Validators{ETag: x.listingTag(d, media, order)}
		if v.Set(h); v.NotModified(x.Request.Header) {
			x.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	end := x.announce(d)
	if media == typeHTML {
		err = x.listPage(d, order)
	} else {
		err = x.listEntries(d, media, order)
	}
	end()
	return err
}

// headDirectory answers HEAD of a directory without listing it.
func (x *exchange) headDirectory(media string) error {
	found, err := x.h.options.Federator.Lookup(x.Request.Context(), x.path, federator.First, &x.client)
	if err != nil {
		return err
	}
	if found.Kind() != plugins.Directory {
		return x.moved(false)
	}
	h := x.Header()
	h["Content-Type"] = []string{media}
	if media == typeHTML {
		h["Content-Type"] = []string{media + "; charset=utf-8"}
	}
	h["Vary"] = []string{"Accept"}
	h["Cache-Control"] = []string{"private, no-cache"}
	x.expose()
	x.aged(found.Stale, found.Age)
	x.incomplete(found.Missing)
	if t := found.ModTime(); !t.IsZero() {
		h["Last-Modified"] = []string{t.UTC().Format(http.TimeFormat)}
	}
	x.WriteHeader(http.StatusOK)
	return nil
}

// listingType returns the form in which the client wants a listing: people
// get a page, and so does whoever does not say.
func (x *exchange) listingType(q url.Values) (string, error) {
	switch format := q.Get("format"); format {
	case "":
		media := accept.Named(x.Request.Header["Accept"], typeHTML, typeJSON, typeNDJSON)
		return cmp.Or(media, typeHTML), nil
	case "html":
		return typeHTML, nil
	case "json":
		return typeJSON, nil
	case "ndjson":
		return typeNDJSON, nil
	}
	return "", invalid("The format of a listing is \"html\", \"json\" or \"ndjson\".")
}

// announce tells who is missing in the listing: at once if that is known, else
// by a trailer, which the function returned sets.
func (x *exchange) announce(d *federator.Directory) (end func()) {
	if d.Settled() {
		x.incomplete(d.Missing())
		return func() {}
	}
	x.Header()["Trailer"] = []string{"Canopy-Incomplete"}
	return func() { x.incomplete(d.Missing()) }
}

// sorted is the order in which a listing was asked for.
type sorted struct {
	by         web.Column // "" is the usual one
	descending bool
}

func sorting(q url.Values) sorted {
	s := sorted{descending: q.Get("order") == "desc"}
	switch by := web.Column(q.Get("sort")); by {
	case web.ByName, web.BySize, web.ByTime:
		s.by = by
	}
	return s
}

// The number of children up to which directories are shown before files, and
// up to which an order that was asked for is made; a longer listing comes as
// it is merged, by name.
const (
	maxGrouped = 10_000
	maxSorted  = 1_000_000
)

// children yields the children of d in the order asked for. What went wrong is
// left in failed.
func children(d *federator.Directory, s sorted, failed *error) iter.Seq[*record.Child] {
	return func(yield func(*record.Child) bool) {
		most := maxSorted
		if s.by == "" {
			most = maxGrouped
			if d.Len() > most {
				most = 0
			}
		}
		var gathered []*record.Child
		flush := func() bool {
			for _, c := range gathered {
				if !yield(c) {
					return false
				}
			}
			gathered = gathered[:0]
			return true
		}
		n := 0
		for c, err := range d.Children() {
			if err != nil {
				*failed = err
				return
			}
			if n++; n <= most {
				gathered = append(gathered, c)
				continue
			}
			if !flush() || !yield(c) {
				return
			}
		}
		if n <= most {
			s.sort(gathered)
		}
		flush()
	}
}

// sort puts children, which are in ascending order of name, in order.
func (s sorted) sort(all []*record.Child) {
	switch s.by {
	case web.BySize:
		slices.SortStableFunc(all, func(a, b *record.Child) int { return cmp.Compare(a.Size(), b.Size()) })
	case web.ByTime:
		slices.SortStableFunc(all, func(a, b *record.Child) int { return a.ModTime().Compare(b.ModTime()) })
	case "":
		slices.SortStableFunc(all, func(a, b *record.Child) int { return cmp.Compare(kindOf(b), kindOf(a)) })
	}
	if s.descending {
		slices.Reverse(all)
	}
}

// kindOf returns what a child is: one that exists by configuration alone is a
// directory.
func kindOf(c *record.Child) plugins.EntryKind {
	if k := c.Kind(); k != 0 {
		return k
	}
	return plugins.Directory
}

// listPage sends the page of a directory.
func (x *exchange) listPage(d *federator.Directory, s sorted) error {
	for name, value := range web.Headers() {
		x.Header()[http.CanonicalHeaderKey(name)] = []string{value}
	}
	var failed error
	l := web.Listing{Page: x.page(), Sort: s.by, Descending: s.descending, Federated: true}
	l.Alternates = []web.Link{{Text: "JSON", Href: "?format=json", Type: typeJSON}, {Text: "Metalink", Href: "?metalink", Type: metalink.MediaType4}}
	if d.Stale {
		l.Stale = d.Age
	}
	if l.Writable = x.writable(); l.Writable && x.h.options.Uploads != nil {
		l.Uploads = resume.Address
	}
	l.Missing = func() []web.Missing { return x.h.silent(d.Missing()) }
	l.Entries = func(yield func(web.Row) bool) {
		var holders []string
		for c := range children(d, s, &failed) {
			holders = x.h.options.Federator.Holders(holders[:0], &c.Facts)
			row := web.Row{Name: c.Name, Directory: kindOf(c) == plugins.Directory, Size: c.Size(), ModTime: c.ModTime(), Copies: holders, Diverged: len(c.Diverged()) > 0}
			if !yield(row) {
				return
			}
		}
	}
	return x.broken(x.h.options.Pages.Listing(x, l), failed)
}

// writable reports whether the user may put files into the directory.
func (x *exchange) writable() bool {
	return x.h.options.Writer != nil && x.allow(Write, x.path) == nil
}

// broken returns errBroken if any error stands in the way of an answer that
// has begun, after telling the log.
func (x *exchange) broken(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			x.h.log.Info("a listing broke off", "request", x.ID, "path", x.path, "err", err)
			return errBroken
		}
	}
	return nil
}

// silent tells why endpoints are missing, as far as that can be told.
func (h *Handler) silent(names []string) []web.Missing {
	if len(names) == 0 {
		return nil
	}
	all := h.options.Federator.Endpoints()
	missing := make([]web.Missing, len(names))
	for i, name := range names {
		missing[i].Name = name
		for _, e := range all {
			if e.Name == name {
				missing[i].Why = e.Reason
			}
		}
	}
	return missing
}

// listingTag returns the entity tag of a listing that is complete: of all that
// it shows, and of how. It is weak, since pages have the id of the request.
func (x *exchange) listingTag(d *federator.Directory, media string, s sorted) string {
	h := fnv.New128a()
	fmt.Fprintf(h, "%x %q %q %q %v %v\n", x.h.look, x.User.Name, media, s.by, s.descending, x.writable())
	var b []byte
	for c, err := range d.Children() {
		if err != nil {
			return ""
		}
		b = append(b[:0], c.Name...)
		b = append(b, 0, byte(kindOf(c)))
		for i := range c.Replicas {
			r := &c.Replicas[i]
			b = binary.LittleEndian.AppendUint64(b, uint64(r.Endpoint))
			b = binary.LittleEndian.AppendUint64(b, uint64(r.Size))
			b = binary.LittleEndian.AppendUint64(b, uint64(r.ModTime))
		}
		b = append(b, byte(c.Agreed))
		h.Write(b)
	}
	var tag strings.Builder
	fmt.Fprintf(&tag, `W/"%x"`, h.Sum(nil))
	return tag.String()
}
