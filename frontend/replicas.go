package frontend

import (
	"encoding/json"
	"time"

	"canopy/federator"
	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// located is a path with its replicas in the order of choice, as JSON.
type located struct {
	Path string `json:"path"`
	// Href is the path without loss, percent-encoded.
	Href     string            `json:"href"`
	Kind     string            `json:"kind"`
	Size     *int64            `json:"size,omitempty"`
	Modified string            `json:"mtime,omitempty"`
	ETag     string            `json:"etag,omitempty"`
	Digests  map[string]string `json:"digests,omitempty"` // in hexadecimal
	Replicas []replica         `json:"replicas"`
	// Endpoints are those who hold a directory.
	Endpoints  []string `json:"endpoints,omitempty"`
	Incomplete []string `json:"incomplete"`
	Stale      bool     `json:"stale,omitempty"`
	Age        int64    `json:"age,omitempty"` // seconds, when stale
}

// replica is one place of a file.
type replica struct {
	Endpoint string `json:"endpoint,omitempty"`
	Site     string `json:"site,omitempty"`
	URL      string `json:"url"`
	Priority int    `json:"priority"`
	// Group is the same for replicas that are equally good.
	Group   int    `json:"group"`
	Country string `json:"country,omitempty"`
	// Proxied is whether Canopy carries the bytes.
	Proxied bool `json:"proxied,omitempty"`
}

// describeReplicas returns the decision for programs, with replica first, one
// of the equals, in front.
func (x *exchange) describeReplicas(d *federator.Decision, first int) located {
	l := located{Path: d.Path, Href: x.h.href(d.Path, false), Kind: d.Kind().String(), Replicas: []replica{}, Incomplete: d.Missing}
	if l.Incomplete == nil {
		l.Incomplete = []string{}
	}
	l.Modified = stamp(d.ModTime())
	if d.Stale {
		l.Stale, l.Age = true, int64(d.Age/time.Second)
	}
	if d.Kind() == plugins.Directory {
		l.Href = x.h.href(d.Path, true)
		l.Endpoints = x.h.options.Federator.Holders([]string{}, &d.Facts)
		return l
	}
	if size := d.Size(); size >= 0 {
		l.Size = &size
	}
	l.ETag = etag(&d.Facts)
	for _, sum := range d.Digests() {
		if l.Digests == nil {
			l.Digests = make(map[string]string)
		}
		l.Digests[sum.Algorithm] = digest.Hex(sum)
	}
	for n, at := range order(d, first) {
		p := &d.Replicas[at]
		r := replica{Endpoint: p.Endpoint, Site: p.Site, URL: urlOf(p), Priority: n + 1, Group: p.Group, Country: p.Country}
		if r.URL == "" {
			r.URL, r.Proxied = x.Origin.base()+l.Href, true
		}
		l.Replicas = append(l.Replicas, r)
	}
	return l
}

// stamp returns a time for JSON, "" when it is unknown.
func stamp(t time.Time) string {
	if t.IsZero() || t.Year() < 1 || t.Year() > 9999 {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// replicas answers ?replicas: for people, with the page of ?explain.
func (x *exchange) replicas(d *federator.Decision) error {
	x.Header()["Vary"] = []string{"Accept"}
	if q := x.Request.URL.Query(); x.wantsPage(q, false) {
		return x.explain(d, q)
	}
	first := 0
	if len(d.Replicas) > 0 {
		first = d.Deal()
	}
	b, err := json.Marshal(x.describeReplicas(d, first))
	if err != nil {
		return err
	}
	x.aged(d.Stale, d.Age)
	x.incomplete(d.Missing)
	return x.send(typeJSON, append(b, '\n'))
}
