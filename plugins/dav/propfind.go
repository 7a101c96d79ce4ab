package dav

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"path"
	"slices"
	"strings"

	"canopy/plugins"
	"canopy/plugins/webclient"
	"canopy/plugins/wire/answer"
	"canopy/plugins/wire/multistatus"
)

// The bodies of PROPFIND. A storage computes what is named and no more.
const (
	xmlHead = `<?xml version="1.0" encoding="utf-8"?>` + "\n"

	basic = `<D:resourcetype/><D:getcontentlength/><D:getlastmodified/><D:getetag/>`

	askLife  = xmlHead + `<D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/></D:prop></D:propfind>`
	askBasic = xmlHead + `<D:propfind xmlns:D="DAV:"><D:prop>` + basic + `</D:prop></D:propfind>`
	askSums  = xmlHead + `<D:propfind xmlns:D="DAV:" xmlns:c="http://www.dcache.org/2013/webdav" xmlns:o="http://owncloud.org/ns" xmlns:l="LCGDM:"><D:prop>` +
		basic + `<c:Checksums/><o:checksums/><l:sumtype/><l:sumvalue/></D:prop></D:propfind>`
	askQuota = xmlHead + `<D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/><D:quota-available-bytes/><D:quota-used-bytes/></D:prop></D:propfind>`
)

// properties is the body that asks for what an entry holds.
func properties(checksums bool) string {
	if checksums {
		return askSums
	}
	return askBasic
}

// question is one PROPFIND.
type question struct {
	op, path, depth, body string
}

// responses yields the answer to q, each response with where its href lies: the
// components below what was asked about, nil when it is that itself. Hrefs of
// other places are passed over. An error comes last.
func (e *endpoint) responses(ctx context.Context, q question) iter.Seq2[located, error] {
	return func(yield func(located, error) bool) {
		resp, err := e.client.Do(ctx, webclient.Request{
			Op: q.op, Method: "PROPFIND", Path: q.path, Collection: q.depth == "1",
			Header: http.Header{"Depth": {q.depth}, "Content-Type": {"application/xml; charset=utf-8"}, "Accept": {"application/xml, text/xml"}},
			Body:   []byte(q.body),
		})
		if err != nil {
			yield(located{}, err)
			return
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusMultiStatus {
			yield(located{}, e.fault(plugins.Malformed, q.op, q.path, fmt.Errorf("the storage answered %d to PROPFIND", resp.StatusCode)))
			return
		}
		// After a redirect the storage speaks of where it led.
		self, _ := webclient.Split(resp.Request.URL.EscapedPath())
		for r, err := range multistatus.Scan(resp.Body, multistatus.Limits{}) {
			if err != nil {
				yield(located{}, plugins.Fail(q.op, q.path, err))
				return
			}
			below, ok := place(r.Href, self)
			if ok && !yield(located{Response: r, below: below}, nil) {
				return
			}
		}
	}
}

// place returns the components of href below self, and whether that is where
// it lies. A storage that does not encode its hrefs (XRootD 5.5) is understood
// as far as that is possible: query and fragment have no place in them
// (RFC 4918 section 8.3), and a percent sign in self is looked for as it stands
// as well.
func place(href string, self []string) (below []string, ok bool) {
	below, ok = under(literal.Replace(href), self)
	if !ok && slices.ContainsFunc(self, func(s string) bool { return strings.Contains(s, "%") }) {
		below, ok = under(literal.Replace(strings.ReplaceAll(href, "%", "%25")), self)
	}
	return below, ok
}

// under is place for an href that is encoded.
func under(href string, self []string) ([]string, bool) {
	components, ok := webclient.Split(href)
	if !ok || len(components) < len(self) || !slices.Equal(components[:len(self)], self) {
		return nil, false
	}
	return components[len(self):], true
}

var literal = strings.NewReplacer("?", "%3F", "#", "%23")

// located is a response and where its href lies below what was asked about.
type located struct {
	*multistatus.Response
	below []string
}

// fault returns what a response says instead of properties, nil if nothing.
func (l located) fault() *plugins.Error {
	if l.Status/100 <= 2 {
		return nil
	}
	return &plugins.Error{
		Kind: answer.Kind(l.Status),
		Err:  fmt.Errorf("the storage answered %d within its answer to PROPFIND", l.Status),
	}
}

// kind returns what the response is about, 0 when it does not say.
func (l located) kind() plugins.EntryKind {
	switch {
	case l.Kind != 0:
		return l.Kind
	case strings.HasSuffix(l.Href, "/"):
		return plugins.Directory
	case l.Length >= 0:
		return plugins.File
	}
	return 0
}

// entry returns what the response says, of the given kind.
func (l located) entry(name string, kind plugins.EntryKind) plugins.Entry {
	e := plugins.Entry{Name: name, Kind: kind, Size: -1, ModTime: l.Modified, ETag: tag(l.ETag)}
	if kind == plugins.File {
		e.Size = l.Length
		e.Digests = slices.Clone(l.Digests)
	}
	return e
}

// tag returns a sound entity tag: some storages forget its quotes here, though
// not in the ETag header.
func tag(s string) string {
	if s != "" && !strings.Contains(s, `"`) {
		s = `"` + s + `"`
	}
	return webclient.Tag(s)
}

// self asks about one path and returns the response about it.
func (e *endpoint) self(ctx context.Context, op, path, body string) (located, error) {
	var found located
	for l, err := range e.responses(ctx, question{op: op, path: path, depth: "0", body: body}) {
		if err != nil {
			return located{}, err
		}
		if len(l.below) == 0 && found.Response == nil {
			// The scanner uses its Response again.
			r := *l.Response
			r.Digests = slices.Clone(r.Digests)
			found.Response = &r
		}
	}
	if found.Response == nil {
		return located{}, e.astray(op, path)
	}
	if fault := found.fault(); fault != nil {
		return located{}, plugins.Fail(op, path, fault)
	}
	return found, nil
}

// Stat asks by PROPFIND, or by HEAD where the storage has no PROPFIND.
func (e *endpoint) Stat(ctx context.Context, path string) (plugins.Entry, error) {
	ctx, cancel := e.question(ctx)
	defer cancel()
	l, err := e.self(ctx, "stat", path, properties(e.checksums))
	switch status(err) {
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return e.head(ctx, path)
	case http.StatusBadRequest, http.StatusConflict, http.StatusInternalServerError:
		if e.belowFile(ctx, path) {
			return plugins.Entry{}, e.fault(plugins.NotFound, "stat", path, err)
		}
	}
	if err != nil {
		return plugins.Entry{}, err
	}
	kind := l.kind()
	if kind == 0 {
		return plugins.Entry{}, e.fault(plugins.Malformed, "stat", path, errors.New("the storage says neither that it is a file nor that it is a directory"))
	}
	if len(l.Digests) > 0 {
		e.barren.Store(false)
	}
	return l.entry(base(path), kind), nil
}

// astray makes the error of an answer that is not about path. Names with
// unusual characters lead some storages astray, which is a shortcoming and no
// reason to doubt them.
func (e *endpoint) astray(op, path string) error {
	kind := plugins.Malformed
	if strings.Contains(strings.TrimPrefix(e.client.URL(path, false), e.client.URL("/", false)), "%") {
		kind = plugins.Invalid
	}
	return e.fault(kind, op, path, errors.New("the storage did not answer about what it was asked about"))
}

// status returns the HTTP status that made err, 0 if none did.
func status(err error) int {
	var s *webclient.StatusError
	if errors.As(err, &s) {
		return s.Status
	}
	return 0
}

// levels is how many directories above a path are asked about at most.
const levels = 3

// belowFile reports whether a directory of path is a file or absent, which
// means that there can be no path. Storages that are asked for one say
// "bad request" (Apache) or fail (XRootD), as if something were wrong with
// them.
func (e *endpoint) belowFile(ctx context.Context, at string) bool {
	for range levels {
		at = path.Dir(at)
		if at == "/" {
			return false
		}
		l, err := e.self(ctx, "stat", at, askLife)
		switch {
		case err == nil:
			return l.kind() == plugins.File
		case plugins.KindOf(err) == plugins.NotFound:
			return true
		case status(err) == 0:
			return false
		}
	}
	return false
}

// odd reports whether err may be how the storage says that a path is of another
// kind than the question supposed.
func odd(err error) bool {
	switch plugins.KindOf(err) {
	case plugins.Denied, plugins.Unsupported, plugins.Invalid:
		return true
	}
	return status(err) == http.StatusInternalServerError
}

// head is Stat without PROPFIND.
func (e *endpoint) head(ctx context.Context, path string) (plugins.Entry, error) {
	entry, err := e.client.Head(ctx, path)
	if err == nil && path == "/" {
		entry.Kind, entry.Size, entry.Digests = plugins.Directory, -1, nil
	}
	return entry, err
}

// base returns the name of path, "" for the root.
func base(p string) string {
	if p == "/" {
		return ""
	}
	return path.Base(p)
}

// Probe asks whether path is there; that it is not, or not for us, is a sign of
// life as well.
func (e *endpoint) Probe(ctx context.Context, path string) error {
	ctx, cancel := e.question(ctx)
	defer cancel()
	_, err := e.self(ctx, "probe", path, askLife)
	if kind := plugins.KindOf(err); kind.Silent() || kind == plugins.Canceled {
		return err
	}
	e.learn(ctx, path)
	return nil
}

// Space asks for the quota of the nearest directory that is there: a file has
// none, and an upload's directories may not exist yet.
func (e *endpoint) Space(ctx context.Context, at string) (plugins.Space, error) {
	ctx, cancel := e.question(ctx)
	defer cancel()
	for p := at; ; p = path.Dir(p) {
		l, err := e.self(ctx, "space", p, askQuota)
		switch {
		case err != nil && (p == "/" || plugins.KindOf(err) != plugins.NotFound):
			return plugins.Space{Used: -1, Free: -1}, err
		case err != nil:
			continue
		case l.Space.Used >= 0 || l.Space.Free >= 0:
			return l.Space, nil
		case p == "/" || l.kind() == plugins.Directory:
			return l.Space, e.fault(plugins.Unsupported, "space", at, errors.New("the storage tells no quota; set quota: false"))
		}
	}
}
