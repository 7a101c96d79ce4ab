package http

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"canopy/plugins"
	"canopy/plugins/wire/digest"
	"canopy/plugins/wire/metalink"
)

// document answers with the metalink of one file or several.
func document(v metalink.Version, files ...metalink.File) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", v.MediaType()+"; charset=utf-8")
		mw := metalink.NewWriter(w, v)
		for _, f := range files {
			mw.Write(f)
		}
		mw.Close()
	}
}

var (
	md5sum, _   = digest.Decode("md5", "5d41402abc4b2a76b9719d911017c592")
	othersum, _ = digest.Decode("md5", "00000000000000000000000000000000")
	hello       = metalink.File{
		Name: "hello", Size: 5, Hashes: []plugins.Digest{md5sum},
		URLs: []metalink.URL{{URL: "https://a.example/hello", Priority: 1, Location: "ch"}, {URL: "ftp://b.example/hello", Priority: 2}},
	}
	first  = plugins.Copy{URL: "https://a.example/hello", Priority: 1, Country: "CH"}
	second = plugins.Copy{URL: "https://c.example/hello", Priority: 7, Country: "DE"}
)

const (
	describedBy = `</pub/hello?metalink>; rel=describedby; type="application/metalink4+xml"`
	duplicate   = `<https://c.example/hello>; rel=duplicate; pri=7; geo=de, <https://a.example/hello>; rel=duplicate`
)

func TestCopies(t *testing.T) {
	other, wrong, two := hello, hello, hello
	other.Size, wrong.Hashes, two.Size = 6, []plugins.Digest{othersum}, -1
	two.Hashes = nil
	for name, c := range map[string]struct {
		head    http.HandlerFunc
		doc     http.HandlerFunc
		want    []plugins.Copy
		digests []plugins.Digest
	}{
		"nothing":    {head: say(200, "Content-Length", "5")},
		"duplicates": {head: say(200, "Content-Length", "5", "Link", duplicate), want: []plugins.Copy{second, {URL: first.URL}}},
		"metalink": {
			head: say(200, "Content-Length", "5", "Link", describedBy), doc: document(metalink.V4, hello),
			want: []plugins.Copy{first}, digests: []plugins.Digest{md5sum},
		},
		"both": {
			head: say(200, "Content-Length", "5", "Link", duplicate, "Link", describedBy), doc: document(metalink.V3, hello),
			want: []plugins.Copy{first, second}, digests: []plugins.Digest{md5sum},
		},
		"a metalink of another size": {
			head: say(200, "Content-Length", "5", "Link", duplicate, "Link", describedBy), doc: document(metalink.V4, other),
			want: []plugins.Copy{second, {URL: first.URL}},
		},
		"a metalink of another checksum": {
			head: say(200, "Content-Length", "5", "Link", describedBy, "Digest", "md5=XUFAKrxLKna5cZ2REBfFkg=="), doc: document(metalink.V4, wrong),
			digests: []plugins.Digest{md5sum},
		},
		"a metalink without facts": {
			head: say(200, "Content-Length", "5", "Link", describedBy), doc: document(metalink.V4, two), want: []plugins.Copy{first},
		},
		"a metalink of two files":  {head: say(200, "Content-Length", "5", "Link", describedBy), doc: document(metalink.V4, hello, hello)},
		"a metalink that is HTML":  {head: say(200, "Content-Length", "5", "Link", describedBy), doc: say(200, "Content-Type", "text/html")},
		"a metalink that is wrong": {head: say(200, "Content-Length", "5", "Link", describedBy), doc: say(200, "Content-Type", metalink.MediaType4)},
		"a metalink that is gone":  {head: say(200, "Content-Length", "5", "Link", describedBy), doc: say(500)},
		"a metalink elsewhere": {
			head: say(200, "Content-Length", "5", "Link", strings.ReplaceAll(describedBy, "</pub", "<http://127.0.0.1:1")),
		},
		"a description of another kind": {
			head: say(200, "Content-Length", "5", "Link", `</pub/hello?metalink>; rel=describedby; type="text/html"`), doc: document(metalink.V4, hello),
		},
	} {
		server := answers{"HEAD /pub/hello": c.head}
		if c.doc != nil {
			server["GET /pub/hello?metalink"] = c.doc
		}
		e := serve(t, Config{Metalink: true}, server.serve)
		got, err := e.Stat(t.Context(), "/hello")
		want := plugins.Entry{Name: "hello", Kind: plugins.File, Size: 5, Copies: c.want, Digests: c.digests}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v, -want +got\n%s", name, err, diff)
		}
	}
}

// TestCopiesByAccept has a server that sends the metalink instead of the file
// to those who can read it.
func TestCopiesByAccept(t *testing.T) {
	e := serve(t, Config{Metalink: true}, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Accept"), metalink.MediaType4) {
			document(metalink.V4, hello)(w, r)
			return
		}
		file("hello")(w, r)
	})
	got, err := e.Stat(t.Context(), "/hello")
	if err != nil || got.Size != 5 || len(got.Copies) != 1 || got.Copies[0] != first {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCopiesLeaveOutTheEndpoint(t *testing.T) {
	var e *endpoint
	e = serve(t, Config{Metalink: true}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "<"+e.client.URL("/hello", false)+">; rel=duplicate, "+duplicate)
		file("hello")(w, r)
	})
	got, err := e.Stat(t.Context(), "/hello")
	if err != nil || len(got.Copies) != 2 || got.Copies[0] != second {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestCopiesAreBounded(t *testing.T) {
	many := hello
	for i := range 2 * maxCopies {
		many.URLs = append(many.URLs, metalink.URL{URL: "https://a.example/" + strings.Repeat("x", i)})
	}
	e := serve(t, Config{Metalink: true}, answers{
		"HEAD /pub/hello":         say(200, "Content-Length", "5", "Link", describedBy, "Link", duplicate),
		"GET /pub/hello?metalink": document(metalink.V4, many),
	}.serve)
	got, err := e.Stat(t.Context(), "/hello")
	if err != nil || len(got.Copies) != maxCopies {
		t.Errorf("%d copies, %v", len(got.Copies), err)
	}
}

// TestCopiesOfNoFile finds none for a directory and for nothing that is absent.
func TestCopiesOfNoFile(t *testing.T) {
	e := serve(t, Config{Metalink: true}, answers{
		"HEAD /pub/dir":  say(301, "Location", "/pub/dir/"),
		"HEAD /pub/dir/": say(200, "Link", duplicate),
	}.serve)
	if got, err := e.Stat(t.Context(), "/dir"); err != nil || got.Kind != plugins.Directory || got.Copies != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := e.Stat(t.Context(), "/absent"); plugins.KindOf(err) != plugins.NotFound {
		t.Errorf("absent: %v", err)
	}
}
