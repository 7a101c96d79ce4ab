package http

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"canopy/plugins"
)

// serve runs a server and opens an endpoint of it.
func serve(t *testing.T, cfg Config, handler http.HandlerFunc) *endpoint {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	cfg.URL = s.URL + "/pub"
	e, err := cfg.Open(t.Context(), plugins.Env{Name: "web"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e.(*endpoint)
}

func TestType(t *testing.T) {
	typ := Type()
	cfg := typ.New().(*Config)
	if typ.Name != "http" || cfg.Listing != None || cfg.Metalink || !cfg.Checksums {
		t.Errorf("%s: %+v", typ.Name, cfg)
	}
}

func TestValidate(t *testing.T) {
	for key, cfg := range map[string]*Config{
		"":        {Listing: Index},
		"url":     {},
		"listing": {Listing: "all"},
	} {
		if key != "url" {
			cfg.URL = "https://data.example.org/pub"
		}
		err := cfg.Validate()
		var field *plugins.FieldError
		if errors.As(err, &field); (err == nil) != (key == "") || err != nil && (field == nil || field.Key != key) {
			t.Errorf("%q: %v", key, err)
		}
	}
}

func TestAbilities(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want []string
	}{
		{Config{}, []string{"stat", "redirect", "read"}},
		{Config{Listing: None, Checksums: true}, []string{"stat", "redirect", "read", "digest"}},
		{Config{Listing: Index}, []string{"stat", "list", "redirect", "read"}},
	} {
		e := serve(t, c.cfg, http.NotFound)
		a := plugins.AbilitiesOf(e)
		if got := a.Names(); !slices.Equal(got, c.want) || a.Prober == nil || a.Ordered {
			t.Errorf("%+v: %v, want %v", c.cfg, got, c.want)
		}
	}
}

func TestLocate(t *testing.T) {
	e := serve(t, Config{}, http.NotFound)
	l, err := e.Locate("/a b/%", http.MethodGet)
	if want := e.client.URL("/", false) + "/a%20b/%25"; err != nil || l.URL != want || !l.Expires.IsZero() {
		t.Errorf("%+v, %v, want %s", l, err, want)
	}
	if _, err := e.Locate("/a", http.MethodPut); plugins.KindOf(err) != plugins.Unsupported {
		t.Errorf("PUT: %v", err)
	}
}

func TestRootIsNoFile(t *testing.T) {
	e := serve(t, Config{Checksums: true}, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) })
	if _, err := e.Open(t.Context(), "/", plugins.Whole); plugins.KindOf(err) != plugins.IsDirectory {
		t.Errorf("Open: %v", err)
	}
	if _, err := e.Digest(t.Context(), "/", "md5"); plugins.KindOf(err) != plugins.IsDirectory {
		t.Errorf("Digest: %v", err)
	}
}

func TestProbe(t *testing.T) {
	for status, alive := range map[int]bool{
		200: true, 204: true, 400: true, 401: true, 403: true, 404: true, 405: true, 410: true, 418: true,
		500: false, 502: false, 503: false, 504: false,
	} {
		e := serve(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodHead {
				t.Errorf("asked by %s", r.Method)
			}
			w.WriteHeader(status)
		})
		for _, path := range []string{"/", "/x"} {
			if err := e.Probe(t.Context(), path); (err == nil) != alive {
				t.Errorf("%d to %s: %v", status, path, err)
			}
		}
	}
}

// answers is a server in which each path and method has one answer.
type answers map[string]http.HandlerFunc

func (a answers) serve(w http.ResponseWriter, r *http.Request) {
	if h := a[r.Method+" "+r.URL.RequestURI()]; h != nil {
		h(w, r)
		return
	}
	http.NotFound(w, r)
}

// say answers with status and headers, given as names and values in turn.
func say(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for h := range slices.Chunk(header, 2) {
			w.Header().Add(h[0], h[1])
		}
		w.WriteHeader(status)
	}
}

// file answers GET and HEAD with content.
func file(content string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write([]byte(content))
	}
}

func TestStat(t *testing.T) {
	server := answers{
		"HEAD /pub/file":     file("12345"),
		"HEAD /pub/dir":      say(301, "Location", "/pub/dir/"),
		"HEAD /pub/dir/":     say(200, "Content-Type", "text/html"),
		"HEAD /pub/denied":   say(403),
		"HEAD /pub/slash/":   say(200, "Content-Type", "text/html"),
		"HEAD /pub/blob/":    say(200, "Content-Type", "image/png"),
		"HEAD /pub/badly/":   say(200, "Content-Type", "text/html"),
		"HEAD /pub/badly":    say(301, "Location", "/pub/%zz/"),
		"HEAD /pub/noHEAD":   say(405),
		"GET /pub/noHEAD":    file("123"),
		"HEAD /pub/noHEAD2":  say(501),
		"GET /pub/noHEAD2":   say(416, "Content-Range", "bytes */0"),
		"HEAD /pub/noHEAD3":  say(405),
		"GET /pub/noHEAD3":   say(301, "Location", "noHEAD3/"),
		"GET /pub/noHEAD3/":  file("index"),
		"HEAD /pub/noHEAD4":  say(405),
		"HEAD /pub/unsized":  say(200, "Transfer-Encoding", "identity"),
		"GET /pub/unsized":   file("1234567"),
		"HEAD /pub/broken":   say(500),
		"HEAD /pub/elswhere": say(302, "Location", "http://127.0.0.1:1/x"),
	}
	file := func(name string, size int64) plugins.Entry {
		return plugins.Entry{Name: name, Kind: plugins.File, Size: size}
	}
	for _, index := range []bool{false, true} {
		cfg := Config{Listing: None}
		found := plugins.NotFound
		if index {
			cfg.Listing, found = Index, 0
		}
		e := serve(t, cfg, server.serve)
		for _, c := range []struct {
			path string
			want plugins.Entry
			kind plugins.Kind
		}{
			{"/file", file("file", 5), 0},
			{"/dir", directory("dir"), 0},
			{"/absent", plugins.Entry{}, plugins.NotFound},
			{"/denied", plugins.Entry{}, plugins.Denied},
			{"/slash", directory("slash"), found},
			{"/blob", plugins.Entry{}, plugins.NotFound},
			{"/noHEAD", file("noHEAD", 3), 0},
			{"/noHEAD2", file("noHEAD2", 0), 0},
			{"/noHEAD3", directory("noHEAD3"), 0},
			{"/noHEAD4", plugins.Entry{}, plugins.NotFound},
			{"/unsized", file("unsized", 7), 0},
			{"/broken", plugins.Entry{}, plugins.Faulty},
			{"/elswhere", plugins.Entry{}, plugins.Unavailable},
		} {
			got, err := e.Stat(t.Context(), c.path)
			if plugins.KindOf(err) != c.kind {
				t.Errorf("index %v, %s: %v, want kind %v", index, c.path, err, c.kind)
				continue
			}
			if c.kind != 0 {
				c.want = plugins.Entry{}
			}
			var fault *plugins.Error
			if errors.As(err, &fault) && fault.Op != "stat" {
				t.Errorf("index %v, %s: operation %q", index, c.path, fault.Op)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("index %v, %s: -want +got\n%s", index, c.path, diff)
			}
		}
	}
	e := serve(t, Config{Listing: Index}, server.serve)
	if got, err := e.Stat(t.Context(), "/badly"); err != nil || got.Kind != plugins.Directory {
		t.Errorf("behind a broken redirect: %+v, %v", got, err)
	}
}

// TestStatDoubt has a server that answers 404, and no longer answers when asked
// with a slash: that is no denial.
func TestStatDoubt(t *testing.T) {
	for status, want := range map[int]plugins.Kind{
		404: plugins.NotFound, 403: plugins.NotFound, 200: plugins.NotFound,
		500: plugins.Faulty, 429: plugins.Busy,
	} {
		e := serve(t, Config{Listing: Index}, answers{"HEAD /pub/x/": say(status)}.serve)
		if got, err := e.Stat(t.Context(), "/x"); plugins.KindOf(err) != want || got.Kind != 0 {
			t.Errorf("%d: %+v, %v, want %v", status, got, err, want)
		}
	}
}

func TestStatRoot(t *testing.T) {
	for status, kinds := range map[int][2]plugins.Kind{
		200: {0, 0}, 405: {0, 0}, 404: {0, plugins.NotFound}, 403: {0, plugins.Denied},
		500: {plugins.Faulty, plugins.Faulty},
	} {
		for i, listing := range []Listing{None, Index} {
			e := serve(t, Config{Listing: listing}, say(status))
			got, err := e.Stat(t.Context(), "/")
			if plugins.KindOf(err) != kinds[i] || err == nil && got.Kind != plugins.Directory {
				t.Errorf("%d, listing %s: %+v, %v", status, listing, got, err)
			}
		}
	}
}
