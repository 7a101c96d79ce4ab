package mediatype

import (
	"net/http"
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	for name, want := range map[string]string{
		"AOD._000001.pool.root.1": Unknown,
		"AOD.pool.root":           "application/x-root",
		"a.tar.gz":                "application/gzip",
		"README":                  Unknown,
		"README.TXT":              text,
		"evil.js":                 text,
		"evil.css":                text,
		"x.HtMl":                  "text/html; charset=utf-8",
		".svg":                    "image/svg+xml",
		"a.":                      Unknown,
		"":                        Unknown,
		"a.verylongextension":     Unknown,
		"a.\xff":                  Unknown,
	} {
		if got := Of(name); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

// Nothing that a browser runs goes out without a sandbox.
func TestSet(t *testing.T) {
	for _, name := range []string{"a.html", "a.htm", "a.xhtml", "a.svg", "a.xml", "a.xsl", "a.meta4"} {
		h := http.Header{}
		Set(h, name)
		if h.Get("Content-Security-Policy") != Sandbox || h.Get("Content-Disposition") != "attachment" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", name, h)
		}
	}
	for _, name := range []string{"a.js", "a.css", "a.png", "a.pdf", "a"} {
		h := http.Header{}
		Set(h, name)
		if len(h) != 2 || h.Get("X-Content-Type-Options") != "nosniff" || strings.Contains(h.Get("Content-Type"), "script") {
			t.Errorf("%s: %v", name, h)
		}
	}
}
