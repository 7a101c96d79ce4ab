package frontend

import (
	"net/url"
	"path"
	"strings"
	"testing"

	"canopy/federator"
)

func TestCleanPath(t *testing.T) {
	for in, want := range map[string]string{
		"": "/ true", "/": "/ true", "//": "/ true", "/.": "/ true", "/..": "/ true", "/a": "/a false", "/a/": "/a true", "/a//": "/a true",
		"//a///b": "/a/b false", "/a/./b": "/a/b false", "/a/../b": "/b false", "/../../a": "/a false", "/a/..": "/ true", "/a/b/.": "/a/b true",
		"/a/b/..": "/a true", "/...": "/... false", "/a\xff/b": "/a\xff/b false", "/ ": "/  false",
	} {
		clean, slash, ok := cleanPath(in)
		if got := clean + map[bool]string{true: " true", false: " false"}[slash]; !ok || got != want {
			t.Errorf("%q: got %q %v, want %q", in, got, ok, want)
		}
	}
	for _, in := range []string{"a", "*", "/a\x00", "/" + strings.Repeat("x", maxComponent+1), "/" + strings.Repeat("x/", maxPath/2)} {
		if clean, _, ok := cleanPath(in); ok {
			t.Errorf("%.20q: got %.20q", in, clean)
		}
	}
	if n := testing.AllocsPerRun(100, func() { cleanPath("/atlas/rucio/data15_13TeV/aa/bb/AOD.root") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestDepth(t *testing.T) {
	for _, c := range []struct {
		path, url string
		want      int
	}{
		{"/a/b/c", "http://h/x/b/c", 2},
		{"/a/b/c", "http://h/a/b/c?sig=1", 3},
		{"/a/b c", "http://h/y/b%20c", 1},
		{"/a/b", "http://h/c", 0},
		{"/a", "http://h", 0},
		{"/a", "::", 0},
	} {
		if got := depth(c.path, c.url); got != c.want {
			t.Errorf("%s %s: got %d", c.path, c.url, got)
		}
	}
}

// Whatever an endpoint says, a header is one line.
func TestURLOf(t *testing.T) {
	for in, want := range map[string]string{
		"http://h/a%20b?c=d":       "http://h/a%20b?c=d",
		"http://h/\r\nSet-Cookie:": "http://h/%0D%0ASet-Cookie:",
		"http://h/<\">\xff ":       "http://h/%3C%22%3E%FF%20",
	} {
		if got := urlOf(&federator.Placed{URL: in}); got != want {
			t.Errorf("%q: got %q", in, got)
		}
	}
}

func FuzzPath(f *testing.F) {
	for _, name := range hostile {
		f.Add("/d/" + name)
	}
	f.Add("//a/.././b/..")
	h := &Handler{prefix: "/data"}
	f.Fuzz(func(t *testing.T, in string) {
		clean, slash, ok := cleanPath(in)
		if !ok {
			return
		}
		if clean != path.Clean("/"+in) {
			t.Errorf("%q became %q", in, clean)
		}
		if again, _, ok := cleanPath(clean); !ok || again != clean {
			t.Errorf("%q is not clean: %q", clean, again)
		}
		if clean == "/" && !slash {
			t.Errorf("%q: the root is a directory", in)
		}
		// What is sent comes back as the same path.
		u, err := url.ParseRequestURI(h.href(clean, slash))
		if err != nil {
			t.Fatal(err)
		}
		back, backSlash, ok := cleanPath(u.Path)
		if !ok && len(in) < maxPath/2 {
			t.Fatalf("%q is refused", u.Path)
		}
		if within, inside := h.within(back); ok && (!inside || within != clean || backSlash != slash) {
			t.Errorf("%q came back as %q %v", clean, within, backSlash)
		}
	})
}
