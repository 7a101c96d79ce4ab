package frontend

import (
	"encoding/hex"
	"net/http"
	"path"
	"strconv"

	"canopy/federator"
	"canopy/federator/record"
	"canopy/frontend/conditional"
	"canopy/frontend/mediatype"
	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// etag returns the entity tag of a file, the same in each of Canopy's answers:
// of its size and the newest time of change, since those are what every
// storage and every listing tells. The tags of endpoints differ from each
// other, and checksums are known at some times and not at others, so they
// stand in only where there is no time. There is none for a file of which
// neither is known: size alone proves nothing.
func etag(f *record.Facts) string {
	size := f.Size()
	if size < 0 {
		return ""
	}
	var buf [64]byte
	b := append(buf[:0], '"')
	b = strconv.AppendInt(b, size, 16)
	b = append(b, '-')
	if t := f.ModTime(); !t.IsZero() {
		b = strconv.AppendUint(b, uint64(t.UnixNano()), 16)
		return string(append(b, '"'))
	}
	known := f.Digests()
	if len(known) == 0 {
		return ""
	}
	b = append(b, known[0].Algorithm...)
	b = append(b, '-')
	b = hex.AppendEncode(b, []byte(known[0].Sum))
	return string(append(b, '"'))
}

// validators returns what tells one content of the file from another.
func validators(f *record.Facts) conditional.Validators {
	return conditional.Validators{ETag: etag(f), Modified: f.ModTime()}
}

// head answers HEAD of a file from what is known of it. It is never a
// redirect: davix keeps those of HEAD for GET, where a signed address does not
// work.
func (x *exchange) head(d *federator.Decision) error {
	in := x.Request.Header
	v := validators(&d.Facts)
	switch {
	case v.Failed(in):
		return &problem{status: http.StatusPreconditionFailed}
	case v.NotModified(in):
		return x.notModified(d, v)
	}
	x.describe(d, x.h.answerOf(d, 0, &x.Origin))
	h := x.Header()
	x.digests(d)
	mediatype.Set(h, path.Base(d.Path))
	if size := d.Size(); size >= 0 {
		h["Content-Length"] = []string{strconv.FormatInt(size, 10)}
	}
	x.WriteHeader(http.StatusOK)
	return nil
}

// describe sets the headers that the answer to HEAD has in common with the
// bytes themselves.
func (x *exchange) describe(d *federator.Decision, a answer) {
	h := x.Header()
	validators(&d.Facts).Set(h)
	h["Accept-Ranges"] = []string{"bytes"}
	h["Link"] = a.links
	h["Cache-Control"] = a.cache
	x.aged(d.Stale, d.Age)
	x.incomplete(d.Missing)
	x.expose()
	if a.digest != nil {
		h["Digest"], h["Repr-Digest"] = a.digest, a.repr
	}
}

// maxAsked bounds for how many algorithms the endpoints are asked.
const maxAsked = 3

// digests sets the checksum that the client wants, asking the endpoints where
// it is not known. Where none can be had there is no header, and no error.
func (x *exchange) digests(d *federator.Decision) {
	want := digest.ParseWant(x.Request.Header)
	if want.Header == "" {
		return
	}
	h := x.Header()
	delete(h, "Digest")
	delete(h, "Repr-Digest")
	if known := want.Choose(d.Digests()); len(known) > 0 {
		want.Set(h, known...)
		return
	}
	for _, algorithm := range want.Algorithms[:min(len(want.Algorithms), maxAsked)] {
		sum, err := x.h.options.Federator.Digest(x.Request.Context(), d, algorithm)
		if err == nil {
			want.Set(h, sum)
			return
		}
		x.h.log.Debug("no checksum", "request", x.ID, "path", d.Path, "algorithm", algorithm, "err", err)
		if plugins.KindOf(err) != plugins.Unsupported {
			return // another algorithm would fare no better
		}
	}
}
