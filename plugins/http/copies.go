package http

import (
	"context"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"canopy/plugins"
	"canopy/plugins/webclient"
	"canopy/plugins/wire/link"
	"canopy/plugins/wire/metalink"
)

// maxCopies bounds the copies of one file that are believed.
const maxCopies = 64

// copies is what the server says of the places of a file.
type copies struct {
	// file is that of the metalink; nil if there is none.
	file *metalink.File
	// duplicates are the places in Link headers.
	duplicates []plugins.Copy
}

// copies asks the server for the other places of path, by HEAD so that a server
// which knows nothing of metalinks does not begin to send the file.
func (e *endpoint) copies(ctx context.Context, path string) copies {
	resp, err := e.client.Do(ctx, webclient.Request{
		Op: "stat", Method: http.MethodHead, Path: path, Header: http.Header{"Accept": {metalink.Accept}},
	})
	if err != nil {
		return copies{}
	}
	resp.Body.Close()
	links := link.Parse(resp.Header.Values("Link")...)
	c := copies{duplicates: metalink.Duplicates(links, maxCopies)}
	if isMetalink(resp.Header.Get("Content-Type")) {
		c.file = e.fetch(ctx, path, "")
	} else if at, ok := e.described(resp.Request.URL, links); ok {
		c.file = e.fetch(ctx, at.path, at.query)
	}
	return c
}

// isMetalink reports whether a media type is that of either version.
func isMetalink(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && (t == metalink.MediaType4 || t == metalink.MediaType3)
}

// place is an address below the endpoint's root.
type place struct{ path, query string }

// described returns where the links say that the metalink is: the one of
// version 4 if there are several. Only the endpoint itself is believed, and so
// asked; a link that leads elsewhere is passed over.
func (e *endpoint) described(from *url.URL, links []link.Link) (place, bool) {
	var found place
	ok := false
	for _, l := range links {
		if l.Anchor != "" || !l.Is(link.DescribedBy) || !isMetalink(l.Type) {
			continue
		}
		u, err := from.Parse(l.URL)
		if err != nil {
			continue
		}
		path, ours := e.client.Path(u.String())
		if !ours {
			continue
		}
		if isV4 := strings.HasPrefix(l.Type, metalink.MediaType4); isV4 || !ok {
			found, ok = place{path, u.RawQuery}, true
			if isV4 {
				break
			}
		}
	}
	return found, ok
}

// fetch returns the one file of a metalink, nil if there is none or not one.
func (e *endpoint) fetch(ctx context.Context, path, query string) *metalink.File {
	resp, err := e.client.Do(ctx, webclient.Request{
		Op: "stat", Method: http.MethodGet, Path: path, Query: query, Header: http.Header{"Accept": {metalink.Accept}},
	})
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	if !isMetalink(resp.Header.Get("Content-Type")) {
		return nil
	}
	doc, err := metalink.Parse(resp.Body)
	if err != nil || len(doc.Files) != 1 {
		e.log.DebugContext(ctx, "metalink passed over", "path", path, "files", len(doc.Files), "error", err)
		return nil
	}
	return &doc.Files[0]
}

// add puts the copies, and the checksums of the metalink, into the entry of
// path. A metalink that contradicts the server's own answer is of another file,
// or another state of it, and left out. The endpoint itself is no copy.
func (e *endpoint) add(entry *plugins.Entry, path string, named copies) {
	var all []plugins.Copy
	if f := named.file; f != nil {
		if contradicts(f, entry) {
			e.log.Debug("metalink passed over, it is of another file", "path", path)
		} else {
			all = f.Copies(maxCopies)
			for _, h := range f.Hashes {
				if _, known := sumOf(entry, h.Algorithm); !known {
					entry.Digests = append(entry.Digests, h)
				}
			}
		}
	}
	for _, c := range append(all, named.duplicates...) {
		if len(entry.Copies) == maxCopies {
			return
		}
		known := slices.ContainsFunc(entry.Copies, func(k plugins.Copy) bool { return k.URL == c.URL })
		if p, ours := e.client.Path(c.URL); !known && !(ours && p == path) {
			entry.Copies = append(entry.Copies, c)
		}
	}
}

// contradicts reports whether a metalink's file cannot be the one of entry.
func contradicts(f *metalink.File, entry *plugins.Entry) bool {
	if f.Size >= 0 && entry.Size >= 0 && f.Size != entry.Size {
		return true
	}
	return slices.ContainsFunc(f.Hashes, func(h plugins.Digest) bool {
		sum, known := sumOf(entry, h.Algorithm)
		return known && sum != h.Sum
	})
}

func sumOf(entry *plugins.Entry, algorithm string) (string, bool) {
	for _, d := range entry.Digests {
		if d.Algorithm == algorithm {
			return d.Sum, true
		}
	}
	return "", false
}
