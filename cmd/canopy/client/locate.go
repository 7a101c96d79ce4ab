package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"canopy/plugins"
	"canopy/plugins/webclient"
)

// maxAnswer bounds what a federation may say of the replicas of one file.
const maxAnswer = 16 << 20

// Hints change the order of replicas.
type Hints struct {
	// From is the address for which to choose, instead of our own.
	From string
	// Prefer and Avoid name endpoints or sites.
	Prefer, Avoid []string
	// Near is a site, or latitude and longitude.
	Near string
}

// Replica is a copy of a file.
type Replica struct {
	// Endpoint and Site are what the federation calls the place.
	Endpoint string `json:"endpoint,omitempty"`
	Site     string `json:"site,omitempty"`
	// URL is where a client gets the copy: that of the federation when it
	// passes on the bytes itself.
	URL string `json:"url,omitempty"`
	// Priority is the place in the order of choice, 1 being first.
	Priority int `json:"priority,omitempty"`
	// Country is the ISO 3166-1 code of where the copy is.
	Country string `json:"country,omitempty"`
}

// Replicas are the copies of one file in the order of choice.
type Replicas struct {
	Path string `json:"path"`
	// Kind is "file" or "directory".
	Kind string `json:"kind"`
	// Size is in bytes; nil when unknown.
	Size     *int64    `json:"size,omitempty"`
	Replicas []Replica `json:"replicas"`
	// Missing are the endpoints that could not be asked.
	Missing []string `json:"incomplete,omitempty"`
	// Client is whom the order is for, and Reasons why it is what it is, where
	// that was asked for.
	Client  *Asker   `json:"client,omitempty"`
	Reasons []Reason `json:"reasons,omitempty"`
	// Answer is what the federation wrote, nil from a server that is none.
	Answer json.RawMessage `json:"-"`
}

// Asker is a client as the federation sees it.
type Asker struct {
	Address string `json:"address,omitempty"`
	Site    string `json:"site,omitempty"`
	Country string `json:"country,omitempty"`
	// Location is latitude and longitude in degrees.
	Location *[2]float64 `json:"location,omitempty"`
}

// Reason is what is to be said of one replica, or of an endpoint without one.
type Reason struct {
	Endpoint string `json:"endpoint,omitempty"`
	Site     string `json:"site,omitempty"`
	URL      string `json:"url,omitempty"`
	// Place counts from 1; it is 0 for what is not offered.
	Place int `json:"place,omitempty"`
	// Equal is whether it is as good as the one before.
	Equal bool `json:"equal,omitempty"`
	// Refused is why it is not offered.
	Refused string `json:"refused,omitempty"`
	// Scores are how it was judged, in the order of the policies.
	Scores []Score `json:"scores,omitempty"`
}

// Score is what one policy says of a replica.
type Score struct {
	Policy string `json:"policy"`
	Says   string `json:"says"`
}

// Locate returns the replicas of the file a in the order in which the server
// would choose them. From a server that is no federation they are the copies
// that it announces, and a itself. With explain, Answer holds the reasons.
func (c *Client) Locate(ctx context.Context, a Address, hints Hints, explain bool) (Replicas, error) {
	s, err := c.server(a)
	if err != nil {
		return Replicas{}, a.fail(err)
	}
	directory := a.fail(errors.New("it is a directory; name a file"))
	r, err := s.replicas(ctx, a, hints, explain)
	switch {
	case err == nil && r.Kind == plugins.Directory.String():
		return r, directory
	case plugins.KindOf(err) != plugins.Unsupported:
		return r, a.fail(err)
	}
	e, err := c.Stat(ctx, a)
	if err != nil {
		return Replicas{}, err
	}
	if e.Kind == plugins.Directory {
		return Replicas{}, directory
	}
	return announced(a, e), nil
}

// announced are the copies that a web server knows of a.
func announced(a Address, e plugins.Entry) Replicas {
	r := Replicas{Path: a.Path, Kind: e.Kind.String()}
	if e.Size >= 0 {
		r.Size = &e.Size
	}
	copies := slices.Clone(e.Copies)
	slices.SortStableFunc(copies, func(x, y plugins.Copy) int { return cmp.Compare(rank(x.Priority), rank(y.Priority)) })
	for i, p := range copies {
		r.Replicas = append(r.Replicas, Replica{URL: p.URL, Priority: i + 1, Country: p.Country})
	}
	if own := a.String(); !slices.ContainsFunc(r.Replicas, func(x Replica) bool { return x.URL == own }) {
		r.Replicas = append(r.Replicas, Replica{URL: own, Priority: len(r.Replicas) + 1})
	}
	return r
}

// rank puts an unknown priority last.
func rank(priority int) int {
	if priority <= 0 {
		return 1 << 20
	}
	return priority
}

// replicas asks a federation. The error is of kind Unsupported if the server
// is none.
func (s *server) replicas(ctx context.Context, a Address, hints Hints, explain bool) (Replicas, error) {
	resp, err := s.client.Do(ctx, webclient.Request{
		Op: "locate", Method: http.MethodGet, Path: a.Path, Query: hints.query(explain),
		Header: http.Header{"Accept": {"application/json"}},
	})
	if err != nil {
		return Replicas{}, err
	}
	defer resp.Body.Close()
	none := &plugins.Error{Kind: plugins.Unsupported, Op: "locate", Path: a.Path, Err: errors.New("the server is no federation")}
	if media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return Replicas{}, none
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return Replicas{}, err
	}
	// A stored file may be JSON too; it hardly holds replicas of itself.
	var r Replicas
	if json.Unmarshal(data, &r) != nil || r.Replicas == nil || r.Path == "" {
		return Replicas{}, none
	}
	r.Answer = data
	for _, name := range incomplete(resp) {
		if !slices.Contains(r.Missing, name) {
			r.Missing = append(r.Missing, name)
		}
	}
	return r, nil
}

// query writes the question for replicas with hints.
func (h Hints) query(explain bool) string {
	q := "replicas"
	if explain {
		q = "explain"
	}
	for _, p := range []struct{ name, value string }{
		{"from", h.From}, {"prefer", strings.Join(h.Prefer, ",")}, {"avoid", strings.Join(h.Avoid, ",")}, {"near", h.Near},
	} {
		if p.value != "" {
			q += "&" + p.name + "=" + url.QueryEscape(p.value)
		}
	}
	return q
}
