package frontend

import (
	"testing"
	"time"

	"canopy/federator/record"
	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/plugintest/mem"
)

func TestHead(t *testing.T) {
	w := two(t, Options{})
	r := w.ask("HEAD", "/d/f").status(t, 200).has(t,
		"Content-Length: 10", "Last-Modified: Fri, 01 Mar 2024 12:00:00 GMT", "Accept-Ranges: bytes", "Location:",
		"Content-Type: application/octet-stream", "Digest: adler32=03da0195")
	get := w.ask("GET", "/d/f")
	if got, want := r.Header.Values("Link"), get.Header.Values("Link"); len(got) != 3 || got[0] != want[0] {
		t.Errorf("%q\n%q", got, want)
	}
	// davix looks for the metalink by HEAD: it finds its address, and not a
	// Content-Type that makes it ask this address once more.
	w.ask("HEAD", "/d/f", "Accept: application/metalink4+xml").status(t, 200).has(t, "Content-Type: application/octet-stream")
	w.ask("HEAD", "/d/f?metalink").status(t, 200).has(t, "Content-Type: application/metalink4+xml")
	w.ask("HEAD", "/d/").status(t, 200).has(t, "Content-Type: text/html; charset=utf-8", "Content-Length:")
	w.ask("HEAD", "/").status(t, 200)
	w.ask("HEAD", "/none").status(t, 404)
	w.ask("HEAD", "/none/").status(t, 404)
}

func TestHeadConditional(t *testing.T) {
	w := two(t, Options{})
	tag := w.ask("HEAD", "/d/f").Header.Get("Etag")
	w.ask("HEAD", "/d/f", "If-None-Match: "+tag).status(t, 304)
	w.ask("HEAD", "/d/f", "If-Match: "+tag).status(t, 200)
	w.ask("HEAD", "/d/f", "If-Match: \"x\"").status(t, 412)
	w.ask("HEAD", "/d/f", "If-Unmodified-Since: Thu, 29 Feb 2024 12:00:00 GMT").status(t, 412)
}

func TestWantDigest(t *testing.T) {
	s := newSite(t, "geneva", nil).put("/f", "abc", mem.File{Digests: []plugins.Digest{{Algorithm: "adler32", Sum: adler}}})
	w := build(t, Options{}, s)
	w.ask("HEAD", "/f", "Want-Digest: ADLER32").status(t, 200).has(t, "Digest: adler32=03da0195", "Repr-Digest:")
	if n := s.Calls("digest"); n != 0 {
		t.Errorf("%d questions for what is known", n)
	}
	// Not known: the endpoint is asked, and the answer kept.
	for range 2 {
		w.ask("HEAD", "/f", "Want-Digest: MD5").status(t, 200).has(t, "Digest: md5=kAFQmDzST7DWlj99KOF/cg==", "Repr-Digest:")
	}
	w.ask("HEAD", "/f", "Want-Repr-Digest: md5=5").status(t, 200).has(t, "Repr-Digest: md5=:kAFQmDzST7DWlj99KOF/cg==:", "Digest:")
	if n := s.Calls("digest"); n != 1 {
		t.Errorf("%d questions, want 1", n)
	}
	w.ask("HEAD", "/f", "Want-Digest: unheard-of").status(t, 200).has(t, "Digest:")
	s.Inject(faults.Rule{Op: "digest", Fail: plugins.Faulty})
	w.ask("HEAD", "/f", "Want-Digest: sha-512").status(t, 200).has(t, "Digest:")
}

// A size that nobody told is not made up.
func TestUnknownSize(t *testing.T) {
	s := newSite(t, "geneva", nil)
	w := build(t, Options{}, s)
	s.tree.Put("/f", mem.File{Size: -1, ModTime: day})
	r := w.ask("HEAD", "/f").status(t, 200)
	if got := etag(&record.Facts{Replicas: []record.Replica{{Size: -1, Kind: plugins.File}}, Agreed: 1}); got != "" {
		t.Error(got)
	}
	r.has(t, "Content-Length: 0") // mem makes a size of the content
}

func TestETag(t *testing.T) {
	file := func(size int64, at int64, sum string) *record.Facts {
		r := record.Replica{Kind: plugins.File, Size: size, ModTime: at}
		if sum != "" {
			r.Extra = &record.Extra{Digests: []plugins.Digest{{Algorithm: "md5", Sum: sum}}}
		}
		return &record.Facts{Replicas: []record.Replica{r}, Agreed: 1}
	}
	for _, c := range []struct {
		f    *record.Facts
		want string
	}{
		{file(16, day.UnixNano(), ""), `"10-17b8a23358908000"`},
		{file(16, day.UnixNano(), "ab"), `"10-17b8a23358908000"`},
		{file(16, 0, "ab"), `"10-md5-6162"`},
		{file(16, 0, ""), ""},
		{file(-1, day.UnixNano(), ""), ""},
	} {
		if got := etag(c.f); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
	if a, b := etag(file(1, day.UnixNano(), "")), etag(file(1, day.Add(time.Nanosecond).UnixNano(), "")); a == b {
		t.Error("two times have one tag")
	}
}

// The tag is the same in every answer of Canopy's own.
func TestETagEverywhere(t *testing.T) {
	s := newSite(t, "geneva", nil).put("/d/f", "0123456789", mem.File{}).carried()
	w := build(t, Options{}, s)
	tag := w.ask("GET", "/d/f").status(t, 200).Header.Get("Etag")
	w.ask("HEAD", "/d/f").has(t, "Etag: "+tag)
	w.ask("HEAD", "/d/f", "Want-Digest: md5").has(t, "Etag: "+tag)
	w.ask("HEAD", "/d/f").has(t, "Etag: "+tag)
	for _, depth := range []string{"0", "1"} {
		target := "/d/f"
		if depth == "1" {
			target = "/d"
		}
		contains(t, w.ask("PROPFIND", target, "Depth: "+depth).status(t, 207).body, "<D:getetag>"+tag+"</D:getetag>")
	}
}
