package accept

import (
	"strings"
	"testing"
)

const (
	html = "text/html"
	json = "application/json"
	ml4  = "application/metalink4+xml"
	ml3  = "application/metalink+xml"
)

func TestQuality(t *testing.T) {
	for _, c := range []struct {
		line, name string
		want       int
	}{
		{"", html, 0},
		{"text/html", html, 1000},
		{"TEXT/HTML ; q=0.5", html, 500},
		{"text/html;level=1;Q=0.25", html, 250},
		{"text/html;q=0.123", html, 123},
		{"text/html;q=0", html, 0},
		{"text/html;q=1.000", html, 1000},
		{"text/html;q=1.001", html, 0},
		{"text/html;q=2", html, 0},
		{"text/html;q=0.1234", html, 0},
		{"text/html;q=-1", html, 0},
		{"text/html;q=x", html, 0},
		{"text/html;q=", html, 0},
		{"*/*", html, 0},
		{"*/*;q=0.8", "*/*", 800},
		{"text/html;q=0.2, text/html", html, 1000},
		{" , ,text/html", html, 1000},
		{strings.Repeat("a/b,", maxMembers) + "text/html", html, 0},
	} {
		if got := Quality([]string{c.line}, c.name); got != c.want {
			t.Errorf("%q: got %d, want %d", c.line, got, c.want)
		}
	}
}

func TestPrefers(t *testing.T) {
	for line, want := range map[string]string{
		"": "",
		"*/*,application/metalink4+xml,application/metalink+xml":               "",  // aria2
		"application/metalink4+xml":                                            ml4, // davix
		"application/metalink4+xml, */*;q=0.1":                                 ml4,
		"application/metalink+xml":                                             ml3,
		"application/metalink+xml;q=0.9, application/metalink4+xml":            ml4,
		"application/metalink+xml, application/metalink4+xml;q=0.9":            ml3,
		"application/*, application/metalink4+xml":                             "",
		"application/metalink4+xml;q=0":                                        "",
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8":      "",
		"application/metalink4+xml;q=0.7, application/metalink+xml, */*;q=0.8": ml3,
	} {
		if got, ok := Prefers([]string{line}, ml4, ml3); got != want || ok != (want != "") {
			t.Errorf("%q: got %q %v", line, got, ok)
		}
	}
}

func TestNamed(t *testing.T) {
	for line, want := range map[string]string{
		"":                                  "",
		"*/*":                               "",
		"application/json, text/plain, */*": json,
		"text/html, application/json":       html,
		"text/html;q=0.9, application/json": json,
		"text/html,application/xml;q=0.9":   html,
		"application/json;q=0":              "",
	} {
		if got := Named([]string{line}, html, json); got != want {
			t.Errorf("%q: got %q", line, got)
		}
	}
}

func FuzzAccept(f *testing.F) {
	f.Add("text/html;q=0.5, */*")
	f.Add(";;;q=,,,=;q=1")
	f.Fuzz(func(t *testing.T, line string) {
		lines := []string{line}
		for _, name := range []string{html, json, "*/*"} {
			if q := Quality(lines, name); q < 0 || q > 1000 {
				t.Errorf("quality %d", q)
			}
		}
		if name, ok := Prefers(lines, ml4, ml3); ok && Quality(lines, name) <= Quality(lines, "*/*") {
			t.Errorf("%q is not preferred", name)
		}
		if name := Named(lines, html, json); name != "" && Quality(lines, name) == 0 {
			t.Errorf("%q is not named", name)
		}
	})
}
