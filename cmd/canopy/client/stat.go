package client

import (
	"context"
	"net/http"
	"path"
	"slices"
	"sync"

	"canopy/plugins"
	"canopy/plugins/webclient"
	"canopy/plugins/wire/digest"
)

// Stat returns what is known of a: for a file also the checksums that the
// server tells when it is asked, and the copies it knows (Entry.Copies).
func (c *Client) Stat(ctx context.Context, a Address) (plugins.Entry, error) {
	s, err := c.server(a)
	if err != nil {
		return plugins.Entry{}, a.fail(err)
	}
	if a.Query != "" {
		e, err := c.sample(ctx, a)
		return e, a.fail(err)
	}
	var e plugins.Entry
	var refused error
	var wg sync.WaitGroup
	wg.Go(func() { e, refused = s.dav.Stat(ctx, a.Path) })
	web, err := s.web.Stat(ctx, a.Path)
	wg.Wait()
	switch {
	case refused == nil && e.Kind == plugins.Directory:
		// Some web servers have little to say of directories.
		return e, nil
	case err == nil && web.Kind == plugins.File:
		if len(web.Digests) == 0 {
			// The server may have to read the whole file for these.
			s.sums(ctx, a, &web)
		}
		return web, nil
	case err == nil:
		return web, nil
	case refused == nil:
		return e, nil
	case plugins.KindOf(err) == plugins.Unsupported:
		err = refused
	}
	return plugins.Entry{}, a.fail(err)
}

// algorithms are the checksums that are asked for, the preferred first.
var algorithms = []string{"sha-512", "sha-256", "sha", "md5", "crc32c", "adler32"}

// sums adds the checksums that the server has when it is asked for them.
func (s *server) sums(ctx context.Context, a Address, e *plugins.Entry) {
	header := http.Header{}
	digest.SetWant(header, algorithms...)
	resp, err := s.client.Do(ctx, webclient.Request{Op: "digest", Method: http.MethodHead, Path: a.Path, Header: header})
	if err != nil {
		return
	}
	resp.Body.Close()
	for _, d := range digest.FromHeader(resp.Header) {
		if !slices.ContainsFunc(e.Digests, func(k plugins.Digest) bool { return k.Algorithm == d.Algorithm }) {
			e.Digests = append(e.Digests, d)
		}
	}
}

// sample finds out what is known of a file by reading its first byte. An
// address with a query is good for GET only when it is signed.
func (c *Client) sample(ctx context.Context, a Address) (plugins.Entry, error) {
	body, _, err := c.Open(ctx, a.String(), plugins.Range{Length: 1})
	if plugins.KindOf(err) == plugins.OutOfRange {
		return plugins.Entry{Name: path.Base(a.Path), Kind: plugins.File}, nil
	}
	if err != nil {
		return plugins.Entry{}, err
	}
	return body.Entry, body.Close()
}
