package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"canopy/plugins"
	"canopy/plugins/webclient"
	"canopy/plugins/wire/multistatus"
)

// properties is what PROPFIND asks for.
const properties = `<?xml version="1.0" encoding="utf-8"?>
<D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/><D:getcontentlength/><D:getlastmodified/><D:getetag/></D:prop></D:propfind>`

// maxRest bounds what is read after a document, to come to the trailer.
const maxRest = 64 << 10

// Listing is what is known of a directory beside its entries.
type Listing struct {
	// File is whether the path is a file, which was the only entry.
	File bool
	// Missing are the endpoints whose answer lacks, as the federation said.
	Missing []string
}

// List passes the children of the directory a to yield as they arrive, or a
// itself if it is a file. It ends with the error of yield, or when the listing
// breaks; that endpoints were missing is no error. A server without WebDAV is
// asked for its index page.
func (c *Client) List(ctx context.Context, a Address, yield func(plugins.Entry) error) (Listing, error) {
	s, err := c.server(a)
	if err != nil {
		return Listing{}, a.fail(err)
	}
	l, err := s.propfind(ctx, a, yield)
	if plugins.KindOf(err) == plugins.Unsupported {
		l, err = s.index(ctx, a, yield)
	}
	return l, a.fail(err)
}

// propfind lists by WebDAV.
func (s *server) propfind(ctx context.Context, a Address, yield func(plugins.Entry) error) (l Listing, err error) {
	resp, err := s.client.Do(ctx, webclient.Request{
		Op: "list", Method: "PROPFIND", Path: a.Path, Collection: a.Collection, Query: a.Query,
		Header: http.Header{"Depth": {"1"}, "Content-Type": {"application/xml; charset=utf-8"}},
		Body:   []byte(properties),
	})
	if err != nil {
		return l, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusMultiStatus {
		return l, &plugins.Error{Kind: plugins.Unsupported, Op: "list", Path: a.Path, Err: fmt.Errorf("the server answered %d to PROPFIND", resp.StatusCode)}
	}
	self, _ := webclient.Split(resp.Request.URL.EscapedPath())
	heard := false
	for r, err := range multistatus.Scan(resp.Body, multistatus.Limits{}) {
		if err != nil {
			return l, plugins.Fail("list", a.Path, err)
		}
		below, ok := place(r.Href, self)
		if !ok {
			continue
		}
		e := entry(r)
		switch {
		case len(below) == 0:
			heard = true
			if e.Kind != plugins.File {
				continue
			}
			l.File, e.Name = true, a.Name()
		case len(below) > 1 || r.Status == http.StatusNotFound:
			continue
		default:
			heard = true
			e.Name = below[0]
		}
		if err := yield(e); err != nil {
			return l, err
		}
	}
	if !heard {
		return l, &plugins.Error{Kind: plugins.Malformed, Op: "list", Path: a.Path, Err: errors.New("the server did not answer about what it was asked about")}
	}
	// The trailer comes after the last byte.
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxRest)); err != nil {
		return l, err
	}
	l.Missing = incomplete(resp)
	return l, nil
}

// literal encodes what has no place in an href (RFC 4918 section 8.3) and so
// belongs to a name that the server did not encode.
var literal = strings.NewReplacer("?", "%3F", "#", "%23")

// place returns the components of href below self. XRootD 5 encodes nothing,
// so an href that leads elsewhere is tried once more as it stands.
func place(href string, self []string) (below []string, ok bool) {
	href = literal.Replace(href)
	for _, h := range []string{href, strings.ReplaceAll(href, "%", "%25")} {
		c, ok := webclient.Split(h)
		if !ok {
			return nil, false
		}
		if len(c) >= len(self) && slices.Equal(c[:len(self)], self) {
			return c[len(self):], true
		}
	}
	return nil, false
}

// entry is what a response says of its resource. The kind is 0 when it does
// not say.
func entry(r *multistatus.Response) plugins.Entry {
	e := plugins.Entry{Kind: r.Kind, Size: -1, ModTime: r.Modified, ETag: r.ETag, Digests: slices.Clone(r.Digests)}
	switch {
	case r.Status/100 > 2:
		e.Kind = 0
	case e.Kind != 0:
	case strings.HasSuffix(r.Href, "/"):
		e.Kind = plugins.Directory
	case r.Length >= 0:
		e.Kind = plugins.File
	}
	if e.Kind == plugins.File {
		e.Size = r.Length
	}
	return e
}

// incomplete returns the endpoints that a federation says are missing in an
// answer.
func incomplete(resp *http.Response) []string {
	var names []string
	for _, h := range []http.Header{resp.Header, resp.Trailer} {
		for _, line := range h.Values("Canopy-Incomplete") {
			for name := range strings.SplitSeq(line, ",") {
				if name = strings.TrimSpace(name); name != "" && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

// index lists by the page that a web server writes.
func (s *server) index(ctx context.Context, a Address, yield func(plugins.Entry) error) (Listing, error) {
	known, err := s.web.Stat(ctx, a.Path)
	if err != nil {
		return Listing{}, err
	}
	if known.Kind == plugins.File && !a.Collection {
		return Listing{File: true}, yield(known)
	}
	lister := plugins.AbilitiesOf(s.web).Lister
	if lister == nil {
		return Listing{}, &plugins.Error{Kind: plugins.Unsupported, Op: "list", Path: a.Path}
	}
	for e, err := range lister.List(ctx, a.Path) {
		if err != nil {
			return Listing{}, err
		}
		if err := yield(e); err != nil {
			return Listing{}, err
		}
	}
	return Listing{}, nil
}
