package frontend

import (
	"bytes"
	"cmp"
	"net/http"
	"path"
	"slices"
	"strconv"

	"canopy/federator"
	"canopy/plugins"
	"canopy/plugins/wire/metalink"
)

// metalink sends the metalink of a file: every replica, in the order of
// choice, for davix goes by the order and aria2 by the priorities.
func (x *exchange) metalink(d *federator.Decision, v metalink.Version) error {
	var b bytes.Buffer
	w := metalink.NewWriter(&b, v)
	if err := w.Write(x.metalinkFile(d, path.Base(d.Path))); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	h := x.Header()
	h["Vary"] = []string{"Accept"}
	h["Cache-Control"] = x.h.answerOf(d, 0, &x.Origin).cache
	x.aged(d.Stale, d.Age)
	x.incomplete(d.Missing)
	return x.send(v.MediaType(), b.Bytes())
}

// metalinkFile returns the element of a file. Where no replica has an address
// for clients, that of Canopy itself is the one.
func (x *exchange) metalinkFile(d *federator.Decision, name string) metalink.File {
	f := metalink.File{Name: name, Size: d.Size(), Hashes: d.Digests()}
	for _, at := range order(d, d.Deal()) {
		p := &d.Replicas[at]
		if p.URL != "" {
			f.URLs = append(f.URLs, metalink.URL{URL: urlOf(p), Priority: len(f.URLs) + 1, Location: p.Country})
		}
	}
	if len(f.URLs) == 0 {
		f.URLs = []metalink.URL{{URL: x.Origin.base() + x.h.href(d.Path, false), Priority: 1}}
	}
	return f
}

// maxMetalink is how many files the metalink of a directory may have.
const maxMetalink = 100_000

// metalinks sends the metalink of all files in a directory.
func (x *exchange) metalinks(d *federator.Directory, v metalink.Version) error {
	if d.Len() > maxMetalink {
		return &problem{status: http.StatusForbidden, sentence: "The directory has more than " + strconv.Itoa(maxMetalink) + " entries, too many for one metalink."}
	}
	h := x.Header()
	h["Content-Type"] = []string{v.MediaType()}
	h["Trailer"] = []string{"Canopy-Incomplete"}
	var missing []string
	var failed error
	files := func(yield func(string) bool) {
		n := 0
		for c, err := range d.Children() {
			if n++; err != nil || n > maxMetalink {
				failed = err
				if err == nil {
					failed = &problem{status: http.StatusForbidden, sentence: "too many entries for one metalink"}
				}
				return
			}
			if kindOf(c) == plugins.File && !yield(c.Name) {
				return
			}
		}
	}
	w := metalink.NewWriter(x, v)
	dir := x.path
	if dir != "/" {
		dir += "/"
	}
	ctx := x.Request.Context()
	find := func(name string) place { return x.locate(dir+name, federator.Best) }
	for found := range ordered(ctx, files, x.h.lookups, find, func() {}) {
		if found.err != nil {
			// It was listed a moment ago, and has no live replica now, or is
			// not for this client.
			x.h.log.Debug("left out of a metalink", "request", x.ID, "path", found.path, "err", found.err)
			missing = append(missing, problemOf(found.err).missing...)
			continue
		}
		if found.d.Kind() != plugins.File {
			continue
		}
		if err := w.Write(x.metalinkFile(found.d, path.Base(found.path))); err != nil {
			return x.broken(err)
		}
	}
	if err := cmp.Or(failed, ctx.Err()); err != nil {
		return x.broken(err)
	}
	if err := w.Close(); err != nil {
		return errBroken
	}
	missing = append(missing, d.Missing()...)
	slices.Sort(missing)
	x.incomplete(slices.Compact(missing))
	return nil
}
