package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/net/webdav"

	"canopy/plugins"
	"canopy/plugins/webclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func parse(t *testing.T, raw string) Address {
	t.Helper()
	a, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// start serves h and returns its URL.
func start(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func open(t *testing.T, config Config) *Client {
	config.Timeout = 10 * time.Second
	c := New(config)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// share serves a folder with the given files by WebDAV.
func share(t *testing.T, files ...string) string {
	dir := t.TempDir()
	for _, name := range files {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte("content"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	h := &webdav.Handler{FileSystem: webdav.Dir(dir), LockSystem: webdav.NewMemLS()}
	return start(t, h.ServeHTTP)
}

// list returns the names in a, directories with a slash.
func list(t *testing.T, c *Client, a Address) ([]string, Listing, error) {
	var names []string
	l, err := c.List(t.Context(), a, func(e plugins.Entry) error {
		if e.Kind == plugins.Directory {
			e.Name += "/"
		}
		names = append(names, e.Name)
		return nil
	})
	slices.Sort(names)
	return names, l, err
}

func TestParse(t *testing.T) {
	for _, test := range []struct {
		raw  string
		want Address
		// fails is what the error must hold.
		fails string
	}{
		{raw: "https://Host:1/a/b%20c", want: Address{Origin: "https://host:1", Path: "/a/b c"}},
		{raw: "davs://host/a/?x=1", want: Address{Origin: "https://host", Path: "/a", Collection: true, Query: "x=1"}},
		{raw: "dav://host", want: Address{Origin: "http://host", Path: "/", Collection: true}},
		{raw: "http://host//a", want: Address{Origin: "http://host", Path: "//a"}},
		{raw: "host/a", fails: "begin with https://"},
		{raw: "ftp://host/a", fails: "begin with https://"},
		{raw: "http:///a", fails: "names no host"},
		{raw: "http://me:secret@host/a", fails: "--user"},
		{raw: "http://host/a/../b", fails: "must not hold .."},
		{raw: "http://host/a%2fb", fails: "encoded slash"},
		{raw: "http://host/%zz", fails: "no URL"},
	} {
		got, err := Parse(test.raw)
		switch {
		case test.fails == "" && (err != nil || got != test.want):
			t.Errorf("%s: %+v, %v", test.raw, got, err)
		case test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails) || strings.Contains(err.Error(), "secret")):
			t.Errorf("%s: error %v", test.raw, err)
		}
	}
}

// FuzzParse shows that what an address is written as means the same address.
func FuzzParse(f *testing.F) {
	for _, raw := range []string{"https://host/a%20b/", "http://h//x?y=1&z", "davs://h:8443/%ff;%00", "http://h/a/../b#c"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		a, err := Parse(raw)
		if err != nil {
			return
		}
		if strings.ContainsAny(a.Name(), "/\x00") || a.Name() == ".." {
			t.Errorf("%q has the name %q", raw, a.Name())
		}
		again, err := Parse(a.String())
		if err != nil || again != a {
			t.Errorf("%q: %+v is written as %q, which is %+v, %v", raw, a, a.String(), again, err)
		}
	})
}

func TestListAndStat(t *testing.T) {
	url := share(t, "a/one", "a/sub/two", "a/we ird%#\n")
	c := open(t, Config{})
	names, l, err := list(t, c, parse(t, url+"/a"))
	if want := []string{"one", "sub/", "we ird%#\n"}; err != nil || !slices.Equal(names, want) || l.File {
		t.Errorf("%q, %+v, %v", names, l, err)
	}
	names, l, err = list(t, c, parse(t, url+"/a/one"))
	if err != nil || !slices.Equal(names, []string{"one"}) || !l.File {
		t.Errorf("%q, %+v, %v", names, l, err)
	}
	if _, _, err = list(t, c, parse(t, url+"/none")); plugins.KindOf(err) != plugins.NotFound {
		t.Errorf("error %v", err)
	}
	stop := errors.New("enough")
	if _, err := c.List(t.Context(), parse(t, url+"/a"), func(plugins.Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
	if e, err := c.Stat(t.Context(), parse(t, url+"/a/sub")); err != nil || e.Kind != plugins.Directory {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err := c.Stat(t.Context(), parse(t, url+"/a/one")); err != nil || e.Kind != plugins.File || e.Size != 7 || e.ETag == "" {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := c.Stat(t.Context(), parse(t, url+"/none")); plugins.KindOf(err) != plugins.NotFound || !strings.Contains(err.Error(), url+"/none: not found") {
		t.Errorf("error %v", err)
	}
}

const envelope = `<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">%s</D:multistatus>`

func response(href, props string) string {
	return `<D:response><D:href>` + href + `</D:href><D:propstat><D:prop>` + props + `</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>`
}

// TestHostileListing shows what of an answer is believed.
func TestHostileListing(t *testing.T) {
	const dir, file = "<D:resourcetype><D:collection/></D:resourcetype>", "<D:resourcetype/><D:getcontentlength>1</D:getcontentlength>"
	for _, test := range []struct {
		name, body string
		want       []string
		kind       plugins.Kind
	}{
		{"usual", response("/d/", dir) + response("/d/x", file), []string{"x"}, 0},
		{"upwards", response("/d/", dir) + response("/d/../../etc/passwd", file) + response("/d/..%2fx", file) + response("/d/%2e%2e", file), nil, 0},
		{"elsewhere", response("/d/", dir) + response("/e/x", file), nil, 0},
		{"deeper", response("/d/", dir) + response("/d/x/y", file), nil, 0},
		{"no such thing", response("/e/", dir), nil, plugins.Malformed},
		{"cut off", response("/d/", dir) + response("/d/x", file) + "<D:response>", []string{"x"}, plugins.Malformed},
		{"refused child", response("/d/", dir) + `<D:response><D:href>/d/x</D:href><D:status>HTTP/1.1 403 Forbidden</D:status></D:response>`, []string{"x"}, 0},
		{"lost child", response("/d/", dir) + `<D:response><D:href>/d/x</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>`, nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			url := start(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusMultiStatus)
				fmt.Fprintf(w, envelope, test.body)
			})
			names, _, err := list(t, open(t, Config{}), parse(t, url+"/d/"))
			if !slices.Equal(names, test.want) || plugins.KindOf(err) != test.kind {
				t.Errorf("%q, %v", names, err)
			}
		})
	}
}

func TestMissingEndpoints(t *testing.T) {
	url := start(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Canopy-Incomplete")
		if r.URL.Path == "/header/" {
			w.Header().Set("Canopy-Incomplete", "osaka")
		}
		w.WriteHeader(http.StatusMultiStatus)
		fmt.Fprintf(w, envelope, response(r.URL.Path, "<D:resourcetype><D:collection/></D:resourcetype>"))
		w.Header().Set("Canopy-Incomplete", "tokyo, osaka")
	})
	c := open(t, Config{})
	if _, l, err := list(t, c, parse(t, url+"/trailer/")); err != nil || !slices.Equal(l.Missing, []string{"tokyo", "osaka"}) {
		t.Errorf("%q, %v", l.Missing, err)
	}
	if _, l, err := list(t, c, parse(t, url+"/header/")); err != nil || !slices.Equal(l.Missing, []string{"osaka", "tokyo"}) {
		t.Errorf("%q, %v", l.Missing, err)
	}
}

// TestIndex lists a server without WebDAV.
func TestIndex(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "one"), nil, 0o600), os.Mkdir(filepath.Join(dir, "sub"), 0o700)); err != nil {
		t.Fatal(err)
	}
	files := http.FileServer(http.Dir(dir))
	url := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "no", http.StatusMethodNotAllowed)
			return
		}
		files.ServeHTTP(w, r)
	})
	c := open(t, Config{})
	if names, _, err := list(t, c, parse(t, url+"/")); err != nil || !slices.Equal(names, []string{"one", "sub/"}) {
		t.Errorf("%q, %v", names, err)
	}
	if names, l, err := list(t, c, parse(t, url+"/one")); err != nil || !slices.Equal(names, []string{"one"}) || !l.File {
		t.Errorf("%q, %v", names, err)
	}
}

// TestCredentials shows who gets to see the password.
func TestCredentials(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]bool{}
	see := func(name string, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[name] = seen[name] || r.Header.Get("Authorization") != ""
	}
	stranger := start(t, func(w http.ResponseWriter, r *http.Request) { see("stranger", r) })
	// The same machine by another name is another site.
	stranger = strings.Replace(stranger, "127.0.0.1", "localhost", 1)
	own := start(t, func(w http.ResponseWriter, r *http.Request) {
		see("own", r)
		http.Redirect(w, r, stranger+"/x", http.StatusFound)
	})
	friend := start(t, func(w http.ResponseWriter, r *http.Request) { see("friend", r) })
	c := open(t, Config{
		Credentials: webclient.Credentials{Basic: &webclient.Basic{User: "me", Password: "secret"}},
		Trusted:     []Address{parse(t, own), parse(t, friend)},
	})
	for _, url := range []string{own, stranger, friend} {
		body, _, err := c.Open(t.Context(), url+"/x", plugins.Whole)
		if err != nil {
			t.Fatal(err)
		}
		body.Close()
	}
	if want := map[string]bool{"own": true, "friend": true, "stranger": false}; !cmp.Equal(seen, want) {
		t.Errorf("seen by %v", seen)
	}
}

func TestOpen(t *testing.T) {
	partial := func(contentRange, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") == "bytes=2-3" && r.URL.RawQuery == "sig=a%2Fb" && r.URL.Path == "/a b" {
				w.Header().Set("Content-Range", contentRange)
				w.Header().Set("ETag", `"1"`)
				w.WriteHeader(http.StatusPartialContent)
			}
			io.WriteString(w, body)
		}
	}
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		offset  int64
		size    int64
		body    string
		kind    plugins.Kind
	}{
		{"part", partial("bytes 2-3/10", "cd"), 2, 10, "cd", 0},
		{"part of unknown size", partial("bytes 2-3/*", "cd"), 2, -1, "cd", 0},
		{"shorter part", partial("bytes 2-2/10", "c"), 2, 10, "c", 0},
		{"another part", partial("bytes 3-4/10", "de"), 0, 0, "", plugins.Malformed},
		{"nonsense", partial("bytes cd", "cd"), 0, 0, "", plugins.Malformed},
		{"whole", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "abcdef") }, 0, 6, "abcdef", 0},
		{"absent", http.NotFound, 0, 0, "", plugins.NotFound},
		{"no content", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }, 0, 0, "", plugins.Malformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			url := start(t, test.handler)
			body, from, err := open(t, Config{}).Open(t.Context(), url+"/a%20b?sig=a%2Fb", plugins.Range{Offset: 2, Length: 2})
			if plugins.KindOf(err) != test.kind {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				return
			}
			defer body.Close()
			got, err := io.ReadAll(body)
			if err != nil || string(got) != test.body || body.Offset != test.offset || body.Entry.Size != test.size || from != url {
				t.Errorf("%q at %d of %d from %s, %v", got, body.Offset, body.Entry.Size, from, err)
			}
		})
	}
}

func TestLocate(t *testing.T) {
	seven, eighteen := int64(7), int64(18)
	answer := map[string]any{"path": "/f", "kind": "file", "size": 7, "reasons": []map[string]any{{"endpoint": "near", "place": 1, "scores": []map[string]any{{"policy": "site", "says": "the same"}}}}, "replicas": []map[string]any{
		{"endpoint": "near", "site": "HERE", "url": "http://near/f", "priority": 1, "distance": 3},
		{"endpoint": "far", "url": "http://far/f", "priority": 2},
	}}
	var asked string
	federation := start(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.RawQuery
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Canopy-Incomplete", "tokyo")
		json.NewEncoder(w).Encode(answer)
	})
	plainJSON := start(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Add("Link", `<http://b/f>; rel=duplicate; pri=2, <http://a/f>; rel=duplicate; pri=1; geo=ch`)
		io.WriteString(w, `{"replicas": null}`)
	})
	c := open(t, Config{})
	got, err := c.Locate(t.Context(), parse(t, federation+"/f"), Hints{From: "192.0.2.1", Prefer: []string{"a", "b&c"}, Avoid: []string{"d"}, Near: "1,2"}, true)
	want := Replicas{Path: "/f", Kind: "file", Size: &seven, Reasons: []Reason{{Endpoint: "near", Place: 1, Scores: []Score{{"site", "the same"}}}}, Missing: []string{"tokyo"}, Replicas: []Replica{
		{Endpoint: "near", Site: "HERE", URL: "http://near/f", Priority: 1}, {Endpoint: "far", URL: "http://far/f", Priority: 2},
	}}
	if !strings.Contains(string(got.Answer), `"distance":3`) {
		t.Errorf("answer %s", got.Answer)
	}
	got.Answer = nil
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v, %s", err, cmp.Diff(want, got))
	}
	if asked != "explain&from=192.0.2.1&prefer=a%2Cb%26c&avoid=d&near=1%2C2" {
		t.Errorf("asked %q", asked)
	}
	got, err = c.Locate(t.Context(), parse(t, plainJSON+"/f"), Hints{}, false)
	want = Replicas{Path: "/f", Kind: "file", Size: &eighteen, Replicas: []Replica{
		{URL: "http://a/f", Priority: 1, Country: "CH"}, {URL: "http://b/f", Priority: 2}, {URL: plainJSON + "/f", Priority: 3},
	}}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v, %s", err, cmp.Diff(want, got))
	}
	if _, err := c.Locate(t.Context(), parse(t, share(t, "d/f")+"/d"), Hints{}, false); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("error %v", err)
	}
}

// TestSigned finds out about a file whose URL is good for GET only.
func TestSigned(t *testing.T) {
	url := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.RawQuery != "sig=1" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		http.ServeContent(w, r, "f", time.Unix(1e9, 0), strings.NewReader("content"[:len(r.URL.Path)]))
	})
	c := open(t, Config{})
	e, err := c.Stat(t.Context(), parse(t, url+"/f?sig=1"))
	if err != nil || e.Size != 2 || e.Kind != plugins.File {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err = c.Stat(t.Context(), parse(t, url+"/f?sig=secret")); plugins.KindOf(err) != plugins.Denied || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = c.Stat(ctx, parse(t, url+"/f?sig=1")); plugins.KindOf(err) != plugins.Canceled {
		t.Errorf("error %v", err)
	}
}
