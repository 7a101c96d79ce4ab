package dav

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"canopy/plugins"
)

func TestLocate(t *testing.T) {
	e := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the storage was asked") })
	for _, method := range []string{"GET", "PUT"} {
		l, err := e.Locate("/a b/ü", method)
		if err != nil || !strings.HasSuffix(l.URL, "/d/a%20b/%C3%BC") || !l.Expires.IsZero() {
			t.Errorf("%s: %+v, %v", method, l, err)
		}
	}
	_, err := e.Locate("/a", "DELETE")
	wantKind(t, err, plugins.Unsupported)
}

// storage is one with a file, a directory, a page and a checksum.
func storage(t *testing.T, get http.HandlerFunc) *endpoint {
	t.Helper()
	known := map[string]string{
		"/d/f": file, "/d/page.html": file, "/d/dir": dir, "/d/dir/": dir,
		"/d/sum": file + `<c:Checksums xmlns:c="http://www.dcache.org/2013/webdav">adler32=062c0215</c:Checksums>`,
	}
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "PROPFIND" {
			get(w, r)
			return
		}
		properties, ok := known[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusMultiStatus)
		io.WriteString(w, `<D:multistatus xmlns:D="DAV:">`+response(r.URL.Path, properties)+`</D:multistatus>`)
	})
}

// What storages answer to GET of a directory.
func TestOpenDirectory(t *testing.T) {
	for name, get := range map[string]http.HandlerFunc{
		"page": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("ETag", `"1"`)
			io.WriteString(w, "<html>")
		},
		"page without a type": func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Content-Type"] = nil
			io.WriteString(w, "<html>")
		},
		"slash":   func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/d/dir/", http.StatusFound) },
		"denied":  func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"refused": func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) },
		"failed":  func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
	} {
		e := storage(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/") {
				w.WriteHeader(http.StatusOK)
				return
			}
			get(w, r)
		})
		for _, rng := range []plugins.Range{plugins.Whole, {Offset: 1, Length: 2}} {
			_, err := e.Open(t.Context(), "/dir", rng)
			if plugins.KindOf(err) != plugins.IsDirectory {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err := e.Open(t.Context(), "/", plugins.Whole)
		wantKind(t, err, plugins.IsDirectory)
	}
}

func TestOpenFile(t *testing.T) {
	e := storage(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/d/page.html":
			w.Header().Set("Content-Type", "text/html")
		case "/d/f":
			w.Header().Set("ETag", `"1"`)
		case "/d/secret":
			w.WriteHeader(http.StatusForbidden)
			return
		case "/d/odd":
			w.WriteHeader(http.StatusInternalServerError)
			return
		case "/d/login":
			w.Header().Set("Content-Type", "text/html")
		default:
			w.WriteHeader(http.StatusNotFound)
			return
		}
		io.WriteString(w, "hello")
	})
	for _, path := range []string{"/f", "/page.html"} {
		b, err := e.Open(t.Context(), path, plugins.Whole)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got, err := io.ReadAll(b); err != nil || string(got) != "hello" {
			t.Errorf("%s: %q, %v", path, got, err)
		}
		b.Close()
	}
	for path, want := range map[string]plugins.Kind{
		"/gone": plugins.NotFound, "/secret": plugins.NotFound, "/odd": plugins.NotFound, "/login": plugins.NotFound,
	} {
		_, err := e.Open(t.Context(), path, plugins.Whole)
		if plugins.KindOf(err) != want {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
}

func TestDigest(t *testing.T) {
	e := storage(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/d/f":
			w.Header().Set("Digest", "adler32=062c0215") // whatever was asked for
		case "/d/sum", "/d/dir":
			w.WriteHeader(http.StatusConflict)
		case "/d/busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/d/secret":
			w.WriteHeader(http.StatusForbidden)
		case "/d/page.html":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	for _, c := range []struct {
		path, algorithm string
		want            plugins.Kind
	}{
		{"/f", "adler32", 0}, {"/sum", "adler32", 0},
		{"/f", "md5", plugins.Unsupported}, {"/sum", "md5", plugins.Unsupported}, {"/f", "rot13", plugins.Unsupported},
		{"/page.html", "adler32", plugins.Unsupported},
		{"/dir", "adler32", plugins.IsDirectory},
		{"/gone", "adler32", plugins.NotFound},
		{"/secret", "adler32", plugins.Denied},
		{"/busy", "adler32", plugins.Faulty},
	} {
		d, err := e.Digest(t.Context(), c.path, c.algorithm)
		if plugins.KindOf(err) != c.want || c.want == 0 && d.Sum != "\x06\x2c\x02\x15" {
			t.Errorf("%s of %s: %x, %v", c.algorithm, c.path, d.Sum, err)
		}
	}
}
