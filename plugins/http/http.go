// Package http is the endpoint type "http": a plain web server, to be read
// only.
//
//	type: http
//	url: https://data.example.org/pub
//	listing: index
//
// What the server answers to HEAD is what is known of a path. A redirect to
// the same path with a slash at its end makes it a directory, which is how web
// servers say so; an answer 200 makes it a file. A server that answers 200 to
// whatever it is asked cannot be seen through, and some do so below a file
// (lighttpd, for "/file/x").
//
// # Listing
//
// HTTP has no listings; most web servers write index pages for people. With
// "listing: index" these are read: the pages of Apache, nginx, lighttpd, Caddy
// and Python, the JSON of nginx and Caddy, and any other page, whose links are
// then taken for what they say.
//
//   - Children are the links that lead to exactly one level below the
//     directory; the links to sort a table, to the parent or elsewhere are
//     not. Names come from the links, never from their text, which servers cut
//     short. A link with a slash at its end is a directory.
//   - Sizes are taken where they are exact to the byte. Apache, nginx (with
//     autoindex_exact_size off) and lighttpd round the larger ones ("1.2K"), and
//     a rounded size would be a wrong one: it is unknown, and found out by Stat
//     when it is asked for. Times are taken only from JSON, as pages give them
//     without seconds or in a time zone of their own.
//   - Only pages whose title begins with "Index of" (Apache, nginx, lighttpd)
//     are believed as to sizes and must be complete, which shows in their last
//     tag. A directory with an index.html of its own lists what that links to.
//   - What the server does not show does not appear: Apache, nginx and lighttpd
//     hide names that begin with a dot, Apache also backups and README files,
//     unless they are configured otherwise. Such a file can still be read.
//
// Without it, which is the default, the endpoint cannot list.
//
// # Metalink
//
// With "metalink: true" the server is asked for further copies of each file:
// those in the metalink that it announces by a Link header, or sends instead of
// the file when asked by Accept, and those in Link headers (RFC 6249). That
// takes two more questions for each file.
package http

import (
	"context"
	"log/slog"
	"net/http"

	"canopy/plugins"
	"canopy/plugins/webclient"
)

// Type returns the endpoint type.
func Type() plugins.Type {
	return plugins.Type{
		Name:    "http",
		Summary: "a plain web server, read only, listed by its index pages",
		New:     func() plugins.Config { return &Config{Listing: None, Checksums: true} },
	}
}

// Listing is how directories are listed.
type Listing string

// The ways to list directories.
const (
	// None is not at all.
	None Listing = "none"
	// Index is by the index pages that the server writes.
	Index Listing = "index"
)

// Config is the configuration of an endpoint.
type Config struct {
	webclient.Config `yaml:",inline"`
	// Listing is how directories are listed: none (the default), or index, by
	// the index pages that the server writes for people.
	Listing Listing `yaml:"listing,omitempty"`
	// Metalink is whether the server is asked for the other copies that it
	// knows of each file, by metalink and Link headers; default is false.
	Metalink bool `yaml:"metalink,omitempty"`
	// Checksums is whether the server is asked for checksums, by HEAD with
	// Want-Digest; true unless set. For a server that has none, false saves
	// the questions.
	Checksums bool `yaml:"checksums"`
}

// Validate implements plugins.Config.
func (c *Config) Validate() error {
	if err := c.Config.Validate(); err != nil {
		return err
	}
	switch c.Listing {
	case "", None, Index:
		return nil
	}
	return &plugins.FieldError{Key: "listing", Problem: "must be none or index"}
}

// Open implements plugins.Config.
func (c *Config) Open(_ context.Context, env plugins.Env) (plugins.Endpoint, error) {
	client, err := webclient.New(c.Config, env)
	if err != nil {
		return nil, err
	}
	log := env.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &endpoint{
		client: client, log: log,
		index: c.Listing == Index, metalink: c.Metalink, checksums: c.Checksums,
	}, nil
}

// endpoint is one web server.
type endpoint struct {
	client *webclient.Client
	log    *slog.Logger
	// index is whether index pages are read.
	index bool
	// metalink is whether the server is asked for further copies.
	metalink bool
	// checksums is whether the server is asked for checksums.
	checksums bool
}

// Abilities implements plugins.Able: what the endpoint can do is a matter of
// configuration.
func (e *endpoint) Abilities() plugins.Abilities {
	a := plugins.Abilities{Locator: e, Reader: e, Prober: e, Inspector: e}
	if e.checksums {
		a.Digester = e
	}
	if e.index {
		a.Lister = e
	}
	return a
}

// Close implements plugins.Endpoint.
func (e *endpoint) Close() error { return e.client.Close() }

// Locate implements plugins.Locator; only GET is possible.
func (e *endpoint) Locate(path, method string) (plugins.Location, error) {
	if method != http.MethodGet {
		return plugins.Location{}, &plugins.Error{Kind: plugins.Unsupported, Op: "locate", Path: path}
	}
	return plugins.Location{URL: e.client.URL(path, false)}, nil
}

// Open implements plugins.Reader.
func (e *endpoint) Open(ctx context.Context, path string, r plugins.Range) (*plugins.Body, error) {
	if path == "/" {
		return nil, &plugins.Error{Kind: plugins.IsDirectory, Op: "open", Path: path}
	}
	return e.client.Open(ctx, path, r, nil)
}

// Digest implements plugins.Digester.
func (e *endpoint) Digest(ctx context.Context, path, algorithm string) (plugins.Digest, error) {
	if path == "/" {
		return plugins.Digest{}, &plugins.Error{Kind: plugins.IsDirectory, Op: "digest", Path: path}
	}
	return e.client.Digest(ctx, path, algorithm)
}

// Inspect implements plugins.Inspector.
func (e *endpoint) Inspect(ctx context.Context, path string) (plugins.Inspection, error) {
	return e.client.Inspect(ctx, path)
}

// Probe implements plugins.Prober. Whatever the server answers is a sign of
// life, unless it is a fault of its own (5xx).
func (e *endpoint) Probe(ctx context.Context, path string) error {
	resp, err := e.client.Do(ctx, webclient.Request{
		Op: "probe", Method: http.MethodHead, Path: path, Collection: path == "/",
	})
	if err == nil {
		return resp.Body.Close()
	}
	switch kind := plugins.KindOf(err); {
	case kind.Silent(), kind == plugins.Busy, kind == plugins.Canceled:
		return err
	}
	return nil
}
