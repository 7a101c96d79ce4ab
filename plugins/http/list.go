package http

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"canopy/plugins"
	"canopy/plugins/webclient"
)

const (
	// maxIndex bounds an index in bytes, maxEntries in entries.
	maxIndex   = 256 << 20
	maxEntries = 1_000_000
	// maxRow bounds the memory for one tag or one row of an index.
	maxRow = 1 << 20
)

// acceptIndex asks for a page, which every server has; Caddy understands that
// JSON would be welcome.
const acceptIndex = "text/html, application/json;q=0.9, */*;q=0.1"

// List implements plugins.Lister by the server's index of path.
func (e *endpoint) List(ctx context.Context, path string) iter.Seq2[plugins.Entry, error] {
	return func(yield func(plugins.Entry, error) bool) {
		resp, err := e.client.Do(ctx, webclient.Request{
			Op: "list", Method: http.MethodGet, Path: path, Collection: true,
			Header: http.Header{"Accept": {acceptIndex}},
		})
		if err != nil {
			if plugins.KindOf(err) == plugins.NotFound && e.isFile(ctx, path) {
				err = &plugins.Error{Kind: plugins.NotDirectory, Op: "list", Path: path}
			}
			yield(plugins.Entry{}, err)
			return
		}
		defer resp.Body.Close()
		if err := e.refuse(ctx, path, resp); err != nil {
			yield(plugins.Entry{}, err)
			return
		}
		read := readPage
		if formatOf(resp) == jsonIndex {
			read = readJSON
		}
		for entry, err := range read(newListing(resp.Request.URL), resp.Body) {
			if err != nil {
				yield(plugins.Entry{}, plugins.Fail("list", path, err))
				return
			}
			if !yield(entry, nil) {
				return
			}
		}
	}
}

// refuse returns why an answer is no index of path, nil if it may be one.
func (e *endpoint) refuse(ctx context.Context, path string, resp *http.Response) error {
	fault := &plugins.Error{Op: "list", Path: path}
	at, ours := e.client.Path(resp.Request.URL.String())
	switch {
	case !ours || at != path:
		fault.Kind = plugins.Denied
		fault.Err = errors.New("the server redirects the directory to a page elsewhere, such as a login")
	case !strings.HasSuffix(resp.Request.URL.EscapedPath(), "/"):
		// The server took the slash away.
		fault.Kind = plugins.NotDirectory
	case formatOf(resp) != noIndex:
		return nil
	case e.isFileItself(ctx, path, resp):
		fault.Kind = plugins.NotDirectory
	default:
		// Whether the answer comes to an end tells nonsense from a hang.
		if _, err := io.CopyN(io.Discard, resp.Body, 4096); err != nil && err != io.EOF {
			return plugins.Fail("list", path, err)
		}
		fault.Kind = plugins.Malformed
		fault.Err = errors.New("the server shows no index page of the directory")
	}
	return fault
}

// isFile reports whether the server says that path is a file.
func (e *endpoint) isFile(ctx context.Context, path string) bool {
	if path == "/" {
		return false
	}
	entry, err := e.stat(ctx, path)
	return err == nil && entry.Kind == plugins.File
}

// isFileItself reports whether an answer to the question about path with a
// slash is the file path, which some servers serve there too.
func (e *endpoint) isFileItself(ctx context.Context, path string, resp *http.Response) bool {
	tag := webclient.Tag(resp.Header.Get("ETag"))
	if path == "/" || tag == "" {
		return false
	}
	entry, err := e.stat(ctx, path)
	return err == nil && entry.Kind == plugins.File && entry.ETag == tag
}

// malformed is the error for an index that cannot be right.
func malformed(problem string) error {
	return &plugins.Error{Kind: plugins.Malformed, Err: errors.New(problem)}
}

var errTooLarge = malformed("the index is too large")

// listing tells the children of one directory from other links.
type listing struct {
	at         *url.URL
	components []string
	seen       map[string]struct{}
}

func newListing(at *url.URL) *listing {
	components, _ := webclient.Split(at.EscapedPath())
	return &listing{at: at, components: components, seen: make(map[string]struct{})}
}

// child returns the entry that an href of the index leads to, with nothing but
// its name and kind, and whether it is a child of the directory at all.
func (l *listing) child(href string) (plugins.Entry, bool) {
	u, err := l.at.Parse(strings.TrimSpace(href))
	if err != nil || u.Scheme != l.at.Scheme || !strings.EqualFold(u.Host, l.at.Host) || u.User != nil ||
		u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(href, "#") {
		return plugins.Entry{}, false
	}
	path := u.EscapedPath()
	components, ok := webclient.Split(path)
	n := len(l.components)
	if !ok || len(components) != n+1 {
		return plugins.Entry{}, false
	}
	for i, c := range l.components {
		if components[i] != c {
			return plugins.Entry{}, false
		}
	}
	e := plugins.Entry{Name: components[n], Kind: plugins.File, Size: -1}
	if strings.HasSuffix(path, "/") {
		e.Kind = plugins.Directory
	}
	return e, true
}

// first reports whether name is met for the first time.
func (l *listing) first(name string) bool {
	if _, dup := l.seen[name]; dup {
		return false
	}
	l.seen[name] = struct{}{}
	return true
}

// full reports whether there are more entries than any directory has.
func (l *listing) full() bool { return len(l.seen) > maxEntries }

// allowance is a reader that fails beyond a limit for the whole, and one for
// what is read between two calls of next; 0 is no such limit.
type allowance struct {
	r             io.Reader
	total, window int64
	limit         int64
}

func (a *allowance) next() { a.window = a.limit }

func (a *allowance) Read(p []byte) (int, error) {
	left := a.total
	if a.limit > 0 {
		left = min(left, a.window)
	}
	if left <= 0 {
		return 0, errTooLarge
	}
	n, err := a.r.Read(p[:min(int64(len(p)), left)])
	a.total -= int64(n)
	a.window -= int64(n)
	return n, err
}

// validName reports whether name can be a component of a path.
func validName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}
