package dav

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"slices"

	"canopy/plugins"
)

// Locate returns the address of path, which is the same for all methods.
func (e *endpoint) Locate(path, method string) (plugins.Location, error) {
	if method != http.MethodGet && method != http.MethodPut && (method != "COPY" || len(e.copies) == 0) {
		return plugins.Location{}, e.fault(plugins.Unsupported, "locate", path, errors.New("clients are not sent here for "+method))
	}
	return plugins.Location{URL: e.client.URL(path, false)}, nil
}

// Copies reports what the configuration says.
func (e *endpoint) Copies(mode plugins.CopyMode) bool { return slices.Contains(e.copies, mode) }

// Open reads by GET. Storages answer that of a directory with a page, or
// refuse it in some way; then Stat tells.
func (e *endpoint) Open(ctx context.Context, path string, r plugins.Range) (*plugins.Body, error) {
	if path == "/" {
		return nil, e.fault(plugins.IsDirectory, "open", path, nil)
	}
	body, err := e.client.Open(ctx, path, r, func(resp *http.Response) error {
		if !mayBePage(resp) {
			return nil
		}
		entry, err := e.Stat(ctx, path)
		if err == nil && entry.Kind == plugins.Directory {
			err = e.fault(plugins.IsDirectory, "open", path, errors.New("the storage sent a page about it"))
		}
		return err
	})
	if odd(err) {
		return nil, e.explain(ctx, "open", path, err)
	}
	return body, err
}

// mayBePage reports whether an answer to GET may be a page about a directory:
// it is HTML, or nothing in its header is of a file (XRootD).
func mayBePage(resp *http.Response) bool {
	if resp.StatusCode == http.StatusPartialContent {
		return false
	}
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && media == "text/html" ||
		resp.Header.Get("ETag") == "" && resp.Header.Get("Last-Modified") == ""
}

// explain returns a better reason than err for what went wrong with the file
// path, if Stat knows one.
func (e *endpoint) explain(ctx context.Context, op, path string, err error) error {
	switch entry, again := e.Stat(ctx, path); {
	case again == nil && entry.Kind == plugins.Directory:
		return e.fault(plugins.IsDirectory, op, path, err)
	case plugins.KindOf(again) == plugins.NotFound:
		return e.fault(plugins.NotFound, op, path, err)
	}
	return err
}

// Digest asks by HEAD, and by PROPFIND where that gives nothing.
func (e *endpoint) Digest(ctx context.Context, path, algorithm string) (plugins.Digest, error) {
	d, err := e.client.Digest(ctx, path, algorithm)
	if !odd(err) || plugins.KindOf(err) == plugins.Denied {
		return d, err
	}
	entry, again := e.Stat(ctx, path)
	switch {
	case plugins.KindOf(again) == plugins.NotFound:
		return plugins.Digest{}, e.fault(plugins.NotFound, "digest", path, err)
	case again != nil:
		return plugins.Digest{}, err
	case entry.Kind == plugins.Directory:
		return plugins.Digest{}, e.fault(plugins.IsDirectory, "digest", path, err)
	}
	for _, d := range entry.Digests {
		if d.Algorithm == algorithm {
			return d, nil
		}
	}
	// The file is there, its checksum is not to be had.
	return plugins.Digest{}, e.fault(plugins.Unsupported, "digest", path, err)
}

// Inspect asks by OPTIONS.
func (e *endpoint) Inspect(ctx context.Context, path string) (plugins.Inspection, error) {
	ctx, cancel := e.question(ctx)
	defer cancel()
	return e.client.Inspect(ctx, path)
}
