package http

import (
	"net/http"
	"strings"
	"testing"

	"canopy/plugins"
)

func TestListRefuses(t *testing.T) {
	tagged := say(200, "Content-Type", "image/png", "ETag", `"x"`)
	e := serve(t, Config{Listing: Index}, answers{
		"HEAD /pub/file":       file("x"),
		"GET /pub/slash/":      say(301, "Location", "/pub/slash"),
		"GET /pub/slash":       file("x"),
		"GET /pub/same/":       tagged,
		"HEAD /pub/same":       tagged,
		"GET /pub/different/":  tagged,
		"HEAD /pub/different":  say(200, "ETag", `"y"`, "Content-Length", "1"),
		"GET /pub/login/":      say(302, "Location", "/pub/sign-in/"),
		"GET /pub/sign-in/":    say(200, "Content-Type", "text/html"),
		"GET /pub/denied/":     say(403),
		"GET /pub/typeless/":   func(w http.ResponseWriter, _ *http.Request) { w.Header()["Content-Type"] = nil; w.Write([]byte("a")) },
		"GET /pub/foreign/":    say(200, "Content-Type", "application/json"),
		"GET /pub/wrong/":      say(500),
		"GET /pub/":            say(200, "Content-Type", "image/png"),
		"GET /pub/impossible/": say(204),
	}.serve)
	for path, want := range map[string]plugins.Kind{
		"/absent": plugins.NotFound, "/file": plugins.NotDirectory, "/slash": plugins.NotDirectory,
		"/same": plugins.NotDirectory, "/different": plugins.Malformed, "/login": plugins.Denied,
		"/denied": plugins.Denied, "/typeless": plugins.Malformed, "/foreign": plugins.Malformed,
		"/wrong": plugins.Faulty, "/": plugins.Malformed, "/impossible": plugins.Malformed,
	} {
		n := 0
		for entry, err := range e.List(t.Context(), path) {
			if n++; plugins.KindOf(err) != want || entry.Name != "" {
				t.Errorf("%s: %+v, %v, want %v", path, entry, err, want)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d results", path, n)
		}
	}
}

func TestListStreams(t *testing.T) {
	more := make(chan struct{})
	e := serve(t, Config{Listing: Index}, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept"); got != acceptIndex {
			t.Errorf("Accept: %s", got)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write([]byte(`<a href="a">a</a><br><a href="b/">` + strings.Repeat(" ", 64<<10)))
		w.(http.Flusher).Flush()
		<-more
		w.Write([]byte(`<a href="c">c</a>`))
	})
	var names []string
	for entry, err := range e.List(t.Context(), "/") {
		if err != nil {
			t.Fatal(err)
		}
		if entry.Name == "a" {
			// The rest comes only now.
			close(more)
		}
		names = append(names, entry.Name)
	}
	if got := strings.Join(names, " "); got != "a b c" {
		t.Errorf("got %s", got)
	}
}
