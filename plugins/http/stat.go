package http

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"path"
	"strings"

	"canopy/plugins"
	"canopy/plugins/webclient"
)

// Stat implements plugins.Endpoint. Copies are asked for at the same time; that
// they cannot be had is no error.
func (e *endpoint) Stat(ctx context.Context, path string) (plugins.Entry, error) {
	if path == "/" {
		return e.root(ctx)
	}
	if !e.metalink {
		return e.stat(ctx, path)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	named := make(chan copies, 1)
	go func() { named <- e.copies(ctx, path) }()
	entry, err := e.stat(ctx, path)
	if err != nil || entry.Kind != plugins.File {
		cancel()
		<-named
		return entry, err
	}
	e.add(&entry, path, <-named)
	return entry, nil
}

// root returns the entry of the endpoint's root, which is a directory whatever
// else it is. Where index pages are not read, a server that does not show one
// answers 403 or 404.
func (e *endpoint) root(ctx context.Context) (plugins.Entry, error) {
	entry := plugins.Entry{Kind: plugins.Directory, Size: -1}
	resp, err := e.client.Do(ctx, webclient.Request{Op: "stat", Method: http.MethodHead, Path: "/", Collection: true})
	if err == nil {
		return entry, resp.Body.Close()
	}
	switch plugins.KindOf(err) {
	case plugins.Unsupported:
		return entry, nil
	case plugins.NotFound, plugins.Denied:
		if !e.index {
			return entry, nil
		}
	}
	return plugins.Entry{}, err
}

// stat asks for path by HEAD, or by what the server has in its place.
func (e *endpoint) stat(ctx context.Context, path string) (plugins.Entry, error) {
	entry, err := e.client.Head(ctx, path)
	switch plugins.KindOf(err) {
	case 0:
		if entry.Kind == plugins.File && entry.Size < 0 {
			// Apache leaves the length out for an empty file.
			if got, err := e.statByGet(ctx, path); err == nil && got.Kind == plugins.File {
				entry.Size = got.Size
			}
		}
	case plugins.Unsupported:
		return e.statByGet(ctx, path)
	case plugins.NotFound, plugins.Malformed, plugins.Denied:
		// Some servers know a directory only by its slash; others redirect
		// there, and mistake the name for one that is encoded already.
		if e.index {
			return e.statBySlash(ctx, path, err)
		}
	}
	return entry, err
}

// statBySlash asks for path with a slash at its end, where there is an index
// page if it is a directory; if not, refusal is what the server has said of the
// path itself. It is no denial while the other question stays open.
func (e *endpoint) statBySlash(ctx context.Context, path string, refusal error) (plugins.Entry, error) {
	resp, err := e.client.Do(ctx, webclient.Request{Op: "stat", Method: http.MethodHead, Path: path, Collection: true})
	switch kind := plugins.KindOf(err); {
	case kind == 0:
		resp.Body.Close()
		if formatOf(resp) != noIndex && e.isDirectory(path, resp) {
			return directory(path), nil
		}
	case kind.Silent(), kind == plugins.Busy, kind == plugins.Canceled:
		return plugins.Entry{}, err
	}
	return plugins.Entry{}, refusal
}

// statByGet asks for the first byte of path, where HEAD is not allowed.
func (e *endpoint) statByGet(ctx context.Context, name string) (plugins.Entry, error) {
	body, err := e.client.Open(ctx, name, plugins.Range{Length: 1}, nil)
	switch plugins.KindOf(err) {
	case 0:
		return body.Entry, body.Close()
	case plugins.IsDirectory:
		return directory(name), nil
	case plugins.OutOfRange:
		// Only an empty file has no first byte.
		return plugins.Entry{Name: path.Base(name), Kind: plugins.File}, nil
	}
	var fault *plugins.Error
	if errors.As(err, &fault) {
		asked := *fault
		asked.Op = "stat"
		return plugins.Entry{}, &asked
	}
	return plugins.Entry{}, err
}

// isDirectory reports whether an answer came from path with a slash at its end.
func (e *endpoint) isDirectory(path string, resp *http.Response) bool {
	p, ok := e.client.Path(resp.Request.URL.String())
	return ok && p == path && strings.HasSuffix(resp.Request.URL.EscapedPath(), "/")
}

func directory(name string) plugins.Entry {
	return plugins.Entry{Name: path.Base(name), Kind: plugins.Directory, Size: -1}
}

// format is how an index is written.
type format uint8

const (
	noIndex format = iota
	htmlIndex
	jsonIndex
)

// formatOf tells by the media type whether an answer can be an index.
func formatOf(resp *http.Response) format {
	mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return noIndex
	}
	switch mediaType {
	case "text/html", "application/xhtml+xml":
		return htmlIndex
	case "application/json":
		return jsonIndex
	}
	return noIndex
}
