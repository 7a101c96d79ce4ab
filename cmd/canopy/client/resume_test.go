package client

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"canopy/plugins"
)

// TestPieces reads the answers of servers that do what they like.
func TestPieces(t *testing.T) {
	var answer func(w http.ResponseWriter, r *http.Request)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		answer(w, r)
	}))
	defer s.Close()
	c := open(t, Config{})
	to := parse(t, s.URL+"/d/%ff")
	says := func(status int, fields ...string) {
		answer = func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodOptions && r.Header.Get("Tus-Resumable") != "1.0.0" {
				t.Errorf("%s: no version", r.Method)
			}
			for i := 0; i < len(fields); i += 2 {
				w.Header().Set(fields[i], fields[i+1])
			}
			w.WriteHeader(status)
		}
	}
	for _, test := range []struct {
		version, extensions, most string
		want                      int64
	}{
		{"1.0.0", "creation", "77", 77},
		{"0.2.2, 1.0.0", "termination, creation", "", 1 << 62},
		{"1.0.0", "termination", "77", 0},
		{"2.0.0", "creation", "77", 0},
		{"", "", "", 0},
	} {
		says(200, "Tus-Version", test.version, "Tus-Extension", test.extensions, "Tus-Max-Size", test.most)
		if most, err := c.Resumes(t.Context(), to); most != test.want || err != nil {
			t.Errorf("%+v: %d, %v", test, most, err)
		}
	}
	says(404)
	if most, err := c.Resumes(t.Context(), to); most != 0 || err == nil {
		t.Errorf("%d, %v", most, err)
	}

	for location, want := range map[string]string{
		"/-/uploads/x": "/-/uploads/x", s.URL + "/a%20b": "/a b", "x": "/-/uploads/x",
		"": "", "/": "", "/x/": "", "http://elsewhere.example/x": "", "//elsewhere.example/x": "", "/x?y": "", "/a%2fb": "", "/%2e%2e/x": "", ":": "",
	} {
		says(201, "Location", location)
		if at, err := c.Begin(t.Context(), to, 3, true); at != want || (want == "") != (plugins.KindOf(err) == plugins.Malformed) {
			t.Errorf("at %q: %q, %v", location, at, err)
		}
	}
	answer = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upload-Metadata") != "path L2Qv/w==,overwrite Rg==" || r.Header.Get("Upload-Length") != "3" || r.URL.Path != "/-/uploads/" {
			t.Errorf("%s: %v", r.URL, r.Header)
		}
		w.Header().Set("Location", "x")
		w.WriteHeader(http.StatusCreated)
	}
	if _, err := c.Begin(t.Context(), to, 3, true); err != nil {
		t.Error(err)
	}
	for status, kind := range map[int]plugins.Kind{412: plugins.Exists, 409: plugins.NoParent, 413: plugins.Full, 507: plugins.Full, 403: plugins.Denied} {
		says(status)
		if _, err := c.Begin(t.Context(), to, 3, true); plugins.KindOf(err) != kind {
			t.Errorf("%d: %v", status, err)
		}
	}

	for _, test := range []struct {
		offset, length string
		kind           plugins.Kind
	}{{"2", "3", 0}, {"4", "3", plugins.Malformed}, {"-1", "3", plugins.Malformed}, {"", "3", plugins.Malformed}, {"2", "x", plugins.Malformed}} {
		says(200, "Upload-Offset", test.offset, "Upload-Length", test.length)
		offset, size, err := c.Offset(t.Context(), to, "/-/uploads/x")
		if plugins.KindOf(err) != test.kind || err == nil && (offset != 2 || size != 3) {
			t.Errorf("%+v: %d of %d, %v", test, offset, size, err)
		}
	}
	says(410)
	if _, _, err := c.Offset(t.Context(), to, "/-/uploads/x"); plugins.KindOf(err) != plugins.NotFound {
		t.Error(err)
	}

	piece := func() (int64, error) {
		return c.Append(t.Context(), to, "/-/uploads/x", 4, strings.NewReader("abc"), 3)
	}
	for offset, kind := range map[string]plugins.Kind{"7": 0, "5": 0, "4": plugins.Malformed, "8": plugins.Malformed, "": plugins.Malformed} {
		says(204, "Upload-Offset", offset)
		if _, err := piece(); plugins.KindOf(err) != kind {
			t.Errorf("now at %q: %v", offset, err)
		}
	}
	for status, kind := range map[int]plugins.Kind{409: plugins.Changed, 412: plugins.Exists, 404: plugins.NotFound, 400: plugins.Invalid, 507: plugins.Full, 500: plugins.Faulty} {
		says(status)
		if _, err := piece(); plugins.KindOf(err) != kind {
			t.Errorf("%d: %v", status, err)
		}
	}
	says(204)
	if err := c.Abandon(t.Context(), to, "/-/uploads/x"); err != nil {
		t.Error(err)
	}
	says(404)
	if err := c.Abandon(t.Context(), to, "/-/uploads/x"); plugins.KindOf(err) != plugins.NotFound || errors.Is(err, io.EOF) {
		t.Error(err)
	}
}
