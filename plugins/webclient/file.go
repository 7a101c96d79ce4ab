package webclient

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"

	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// ambiguous is the algorithm by whose name storages mean different functions:
// that of zlib, or (XRootD) that of cksum. Two copies would seem to differ.
const ambiguous = "crc32"

// maxTag bounds an entity tag.
const maxTag = 256

// Head asks for path by HEAD. The entry is a File unless the storage
// redirected to the same path with a slash at its end, which makes it a
// Directory. Size is -1 if the storage did not say. A redirect to a page of
// another name, such as a login, is Denied.
func (c *Client) Head(ctx context.Context, path string) (plugins.Entry, error) {
	resp, err := c.Do(ctx, Request{Op: "stat", Method: http.MethodHead, Path: path})
	if err != nil {
		return plugins.Entry{}, err
	}
	resp.Body.Close()
	if diverted(path, resp) {
		return plugins.Entry{}, c.fault("stat", path, refuse(plugins.Denied, toPage))
	}
	e := entryOf(path, resp)
	if c.slashed(path, resp) {
		e.Kind, e.Size, e.Digests = plugins.Directory, -1, nil
	}
	return e, nil
}

// Digest asks for a checksum of path by HEAD with Want-Digest (RFC 3230) and
// Want-Repr-Digest (RFC 9530), as plugins.Digester demands. It waits ten times
// as long as for other answers, because the storage may have to read the file.
func (c *Client) Digest(ctx context.Context, path, algorithm string) (plugins.Digest, error) {
	fail := func(kind plugins.Kind, problem string) (plugins.Digest, error) {
		return plugins.Digest{}, c.fault("digest", path, refuse(kind, problem))
	}
	name, ok := digest.Name(algorithm)
	if !ok || name == ambiguous {
		return fail(plugins.Unsupported, fmt.Sprintf("no HTTP header knows the algorithm %q", algorithm))
	}
	header := http.Header{}
	digest.SetWant(header, name)
	resp, err := c.Do(ctx, Request{Op: "digest", Method: http.MethodHead, Path: path, Header: header, Wait: 10 * c.timeout})
	if err != nil {
		return plugins.Digest{}, err
	}
	resp.Body.Close()
	if c.slashed(path, resp) {
		return fail(plugins.IsDirectory, "a directory has no checksum")
	}
	for _, d := range entryOf(path, resp).Digests {
		if d.Algorithm == name {
			return d, nil
		}
	}
	return fail(plugins.Unsupported, "the storage gave no "+name)
}

// slashed reports whether an answer to a question about path came from path
// with a slash at its end, which is how web servers say that it is a
// directory.
func (c *Client) slashed(path string, resp *http.Response) bool {
	at := resp.Request.URL.EscapedPath()
	if path == "/" || !strings.HasSuffix(at, "/") {
		return false
	}
	p, ok := c.Path(at)
	return ok && p == path
}

const toPage = "the storage redirects to a page, such as a login"

// diverted reports whether an answer to a question about path is a page of
// another name, which a redirect led to. A door that sends its clients to a
// pool keeps the name, and a page that asks for a login is not the file.
func diverted(p string, resp *http.Response) bool {
	if media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || media != "text/html" {
		return false
	}
	at, ok := Split(resp.Request.URL.EscapedPath())
	return !ok || p != "/" && (len(at) == 0 || at[len(at)-1] != path.Base(p))
}

// entryOf returns what the header of an answer says of a file.
func entryOf(p string, resp *http.Response) plugins.Entry {
	e := plugins.Entry{Kind: plugins.File, Size: resp.ContentLength, ETag: Tag(resp.Header.Get("ETag"))}
	e.Digests = slices.DeleteFunc(digest.FromHeader(resp.Header), func(d plugins.Digest) bool { return d.Algorithm == ambiguous })
	if p != "/" {
		e.Name = path.Base(p)
	}
	if encoded(p, resp.Header) {
		e.Size = -1
	}
	if t, err := http.ParseTime(resp.Header.Get("Last-Modified")); err == nil {
		e.ModTime = t.UTC()
	}
	return e
}

// Tag returns s if it is a sound entity tag (RFC 9110 section 8.8.3), else "".
func Tag(s string) string {
	opaque := strings.TrimPrefix(s, "W/")
	if len(s) > maxTag || len(opaque) < 2 || opaque[0] != '"' || opaque[len(opaque)-1] != '"' {
		return ""
	}
	for _, b := range []byte(opaque[1 : len(opaque)-1]) {
		if b <= ' ' || b == '"' || b == 0x7f {
			return ""
		}
	}
	return s
}

// encoded reports whether an answer holds something else than the bytes of the
// file p. Web servers label a stored x.tar.gz as "Content-Encoding: gzip" and
// send it as it is, so a coding that the name already tells of is none.
func encoded(p string, h http.Header) bool {
	var suffixes []string
	switch strings.ToLower(strings.TrimSpace(h.Get("Content-Encoding"))) {
	case "", "identity":
		return false
	case "gzip", "x-gzip":
		suffixes = []string{".gz", ".tgz", ".svgz"}
	case "compress", "x-compress":
		suffixes = []string{".z"}
	case "bzip2", "x-bzip2":
		suffixes = []string{".bz2", ".tbz2"}
	case "xz", "x-xz":
		suffixes = []string{".xz", ".txz"}
	case "br":
		suffixes = []string{".br"}
	case "zstd":
		suffixes = []string{".zst"}
	}
	for _, s := range suffixes {
		if strings.HasSuffix(strings.ToLower(p), s) {
			return false
		}
	}
	return true
}
