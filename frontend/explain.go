package frontend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"canopy/federator"
	"canopy/federator/health"
	"canopy/frontend/accept"
	"canopy/plugins"
	"canopy/plugins/wire/digest"
	"canopy/web"
)

// explanation is why the replicas of a path stand as they do, as JSON.
type explanation struct {
	located
	Client  asker    `json:"client"`
	Copies  *wished  `json:"copies,omitempty"`
	Reasons []reason `json:"reasons"`
}

// wished is how many copies of a file there are, and are to be, where that is
// more than one.
type wished struct {
	Have   int `json:"have"`
	Wanted int `json:"wanted"`
	// Making is whether some are going to be made.
	Making bool `json:"making"`
}

func (w *wished) String() string {
	s := fmt.Sprintf("%d of %d", w.Have, w.Wanted)
	switch {
	case w.Making && w.Have < w.Wanted:
		s += "; another is being made"
	case w.Have < w.Wanted:
		s += "; none is being made now"
	}
	return s
}

// wished returns how many copies of a file are wished for; nil is one.
func (x *exchange) wished(d *federator.Decision) *wished {
	if x.h.options.Copies == nil || d.Kind() != plugins.File {
		return nil
	}
	w := new(wished)
	if w.Wanted, w.Making = x.h.options.Copies.Wish(d.Path); w.Wanted < 2 {
		return nil
	}
	all := x.h.options.Federator.Endpoints()
	for _, r := range d.Replicas {
		at := slices.IndexFunc(all, func(e federator.Status) bool { return e.Name == r.Endpoint })
		if at >= 0 && !all[at].Draining {
			w.Have++
		}
	}
	return w
}

// asker is the client as Canopy sees it.
type asker struct {
	Address string `json:"address,omitempty"`
	Secure  bool   `json:"https"`
	Site    string `json:"site,omitempty"`
	Country string `json:"country,omitempty"`
	// Location is latitude and longitude in degrees.
	Location *[2]float64 `json:"location,omitempty"`
	// Source is what the place rests on: "site", "database", "stated" or
	// "unknown".
	Source string   `json:"source"`
	Prefer []string `json:"prefer,omitempty"`
	Avoid  []string `json:"avoid,omitempty"`
}

// reason is what is to be said of one replica, or of an endpoint without one.
type reason struct {
	Endpoint string `json:"endpoint,omitempty"`
	Site     string `json:"site,omitempty"`
	URL      string `json:"url,omitempty"`
	// Place counts from 1; it is left out for what is not offered.
	Place   int     `json:"place,omitempty"`
	Equal   bool    `json:"equal,omitempty"`
	Refused string  `json:"refused,omitempty"`
	Size    *int64  `json:"size,omitempty"`
	Scores  []score `json:"scores,omitempty"`
}

type score struct {
	Policy string `json:"policy"`
	Says   string `json:"says"`
}

func (x *exchange) asker() asker {
	c := &x.client
	a := asker{Secure: c.Secure, Site: c.Place.Site, Country: c.Place.Country, Source: c.Place.Source, Prefer: c.Prefer, Avoid: c.Avoid}
	if c.Addr.IsValid() {
		a.Address = c.Addr.String()
	}
	if c.Place.Placed {
		a.Location = &[2]float64{c.Place.Point.Lat, c.Place.Point.Lon}
	}
	return a
}

// wantsPage reports whether the client wants a page rather than JSON: a browser
// does, whoever says so gets what it says, and for the others it is otherwise.
func (x *exchange) wantsPage(q url.Values, otherwise bool) bool {
	switch q.Get("format") {
	case "html":
		return true
	case "json":
		return false
	}
	media := accept.Named(x.Request.Header["Accept"], typeHTML, typeJSON)
	return media == typeHTML || media == "" && otherwise
}

// explain answers ?explain.
func (x *exchange) explain(d *federator.Decision, q url.Values) error {
	var reasons []federator.Reason
	if d.Kind() == plugins.File {
		reasons = x.h.options.Federator.Explain(d, &x.client)
	}
	h := x.Header()
	h["Vary"] = []string{"Accept"}
	h["Cache-Control"] = uncached
	x.aged(d.Stale, d.Age)
	x.incomplete(d.Missing)
	if x.wantsPage(q, false) {
		q.Set("format", "json")
		asJSON := "?" + q.Encode()
		if d.Kind() == plugins.Directory {
			return x.holdersPage(d, asJSON)
		}
		return x.explainPage(d, reasons, asJSON)
	}
	e := explanation{located: x.describeReplicas(d, 0), Client: x.asker(), Copies: x.wished(d), Reasons: []reason{}}
	for _, r := range reasons {
		out := reason{Endpoint: r.Endpoint, Site: r.Site, URL: r.URL, Place: r.Place, Equal: r.Equal, Refused: r.Refused}
		if r.Size >= 0 {
			out.Size = &r.Size
		}
		for _, s := range r.Scores {
			out.Scores = append(out.Scores, score(s))
		}
		e.Reasons = append(e.Reasons, out)
	}
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return x.send(typeJSON, append(b, '\n'))
}

// explainPage shows the reasons as a table; asJSON is where they are in JSON.
func (x *exchange) explainPage(d *federator.Decision, reasons []federator.Reason, asJSON string) error {
	var policies []string
	for _, r := range reasons {
		for _, s := range r.Scores {
			if r.Endpoint != "" && !slices.Contains(policies, s.Policy) {
				policies = append(policies, s.Policy)
			}
		}
	}
	p := web.ExplainPage{
		Page: x.page(), Facts: x.facts(d), Download: x.h.href(d.Path, false),
		Columns: append([]string{"Endpoint", "Site", "Size", "Standing"}, policies...), Silent: x.h.silent(d.Missing),
	}
	if w := x.wished(d); w != nil {
		p.Facts = append(p.Facts, web.Fact{Name: "Copies", Value: w.String()})
	}
	p.Alternates = []web.Link{{Text: "JSON", Href: asJSON, Type: typeJSON}, {Text: "Metalink", Href: "?metalink"}}
	for _, r := range reasons {
		row := web.Replica{Href: r.URL, Offered: r.Place > 0, Cells: []string{r.Endpoint, r.Site, "", standing(&r)}}
		if r.Endpoint == "" {
			row.Cells[0] = r.URL
		}
		if r.Size >= 0 {
			row.Cells[2] = strconv.FormatInt(r.Size, 10)
		}
		for _, policy := range policies {
			says := ""
			for _, s := range r.Scores {
				if s.Policy == policy {
					says = s.Says
				}
			}
			row.Cells = append(row.Cells, says)
		}
		p.Replicas = append(p.Replicas, row)
	}
	a := x.asker()
	note := "You come from " + a.Address
	switch {
	case a.Site != "":
		note += ", at " + a.Site
	case a.Location != nil:
		note += fmt.Sprintf(", near %.1f°, %.1f°", a.Location[0], a.Location[1])
	default:
		note += ", a place that is not known"
	}
	p.Notes = append(p.Notes, note+".")
	return x.sendPage(func(b *bytes.Buffer) error { return x.h.options.Pages.Explain(b, p) })
}

// holdersPage shows which endpoints a directory is on; asJSON is where that is
// in JSON.
func (x *exchange) holdersPage(d *federator.Decision, asJSON string) error {
	p := web.ExplainPage{
		Page: x.page(), Directory: true, Facts: x.facts(d), Download: x.h.href(d.Path, true),
		Columns: []string{"Endpoint", "Site", "State"}, Silent: x.h.silent(d.Missing),
	}
	if !strings.HasSuffix(p.Path, "/") {
		p.Path += "/"
	}
	p.Alternates = []web.Link{{Text: "JSON", Href: asJSON, Type: typeJSON}}
	all := x.h.options.Federator.Endpoints()
	for _, name := range x.h.options.Federator.Holders(nil, &d.Facts) {
		for _, e := range all {
			if e.Name == name {
				p.Replicas = append(p.Replicas, web.Replica{Cells: []string{e.Name, e.Site, state(&e)}, Offered: e.Condition != health.Down})
			}
		}
	}
	return x.sendPage(func(b *bytes.Buffer) error { return x.h.options.Pages.Explain(b, p) })
}

// state says in a few words how an endpoint is doing.
func state(e *federator.Status) string {
	s := e.Condition.String()
	if e.Draining {
		s += ", draining"
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// sendPage sends the page that render writes.
func (x *exchange) sendPage(render func(*bytes.Buffer) error) error {
	var b bytes.Buffer
	if err := render(&b); err != nil {
		return err
	}
	h := x.Header()
	for name, value := range web.Headers() {
		h[http.CanonicalHeaderKey(name)] = []string{value}
	}
	return x.send(h["Content-Type"][0], b.Bytes())
}

// standing says how a replica stands to the others.
func standing(r *federator.Reason) string {
	switch {
	case r.Refused != "":
		return r.Refused
	case r.Endpoint == "" && len(r.Scores) > 0:
		return r.Scores[0].Says
	case r.Equal:
		return "equal to the one above"
	}
	return ""
}

// facts returns what is known of a file, for people.
func (x *exchange) facts(d *federator.Decision) []web.Fact {
	var facts []web.Fact
	if size := d.Size(); size >= 0 {
		facts = append(facts, web.Fact{Name: "Size", Value: strconv.FormatInt(size, 10) + " bytes"})
	}
	if t := stamp(d.ModTime()); t != "" {
		facts = append(facts, web.Fact{Name: "Modified", Value: t})
	}
	for _, sum := range d.Digests() {
		facts = append(facts, web.Fact{Name: sum.Algorithm, Value: digest.Hex(sum)})
	}
	return facts
}
