package frontend

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/plugintest/mem"
)

// These tests need what net/http does around a handler.

// listen serves the front end over loopback.
func (w *world) listen() *httptest.Server {
	server := httptest.NewServer(w.h)
	w.t.Cleanup(server.Close)
	return server
}

// raw sends text as it stands and returns the answer.
func raw(t testing.TB, server *httptest.Server, text string) *http.Response {
	t.Helper()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRawTargets(t *testing.T) {
	w, _, _ := tree(t)
	server := w.listen()
	for _, target := range []string{"/d", "//d/", "http://host/d", "dav://host/d", "DAVS://host:1094//d/"} {
		r := raw(t, server, "PROPFIND "+target+" HTTP/1.1\r\nHost: host\r\nDepth: 1\r\nConnection: close\r\n\r\n")
		body, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != 207 {
			t.Errorf("%s: %d %v", target, r.StatusCode, err)
		}
		contains(t, string(body), "<D:href>/d/both</D:href>", "</D:multistatus>")
	}
	if r := raw(t, server, "OPTIONS * HTTP/1.1\r\nHost: host\r\n\r\n"); r.StatusCode != 200 {
		t.Error(r.Status)
	}
	if r := raw(t, server, "GET /d/both HTTP/1.1\r\nHost: h\"><x\r\n\r\n"); r.StatusCode < 300 || strings.Contains(strings.Join(r.Header["Link"], ""), `"><x`) {
		t.Error(r.Status, r.Header)
	}
}

// A client that waits for "100 Continue" gets its answer without a body being
// read: neither waits for the other.
func TestExpect(t *testing.T) {
	w, _, _ := tree(t)
	r := raw(t, w.listen(), "PUT /d/new HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\nExpect: 100-continue\r\n\r\n")
	if r.StatusCode != 405 || r.Header.Get("Allow") == "" {
		t.Error(r.Status, r.Header)
	}
}

// What goes wrong after the answer has begun comes as a trailer, or cuts the
// connection.
func TestTrailer(t *testing.T) {
	a := newSite(t, "geneva", nil)
	for i := range 3000 {
		a.put("/d/"+benchName(i), "x", mem.File{})
	}
	a.Inject(faults.Rule{Op: "list", After: 2500, Fail: plugins.Unavailable})
	server := build(t, Options{}, a).listen()
	r := raw(t, server, "PROPFIND /d/ HTTP/1.1\r\nHost: h\r\nDepth: 1\r\n\r\n")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	contains(t, string(body), "</D:multistatus>")
	if got := r.Header.Get("Canopy-Incomplete") + r.Trailer.Get("Canopy-Incomplete"); got != "geneva" {
		t.Errorf("%q", got)
	}
}

func TestCut(t *testing.T) {
	a := newSite(t, "geneva", nil).put("/f", strings.Repeat("x", 3*bufferSize), mem.File{}).carried()
	a.Inject(faults.Rule{Op: "open", After: 2 * bufferSize, Fail: plugins.Malformed})
	r := raw(t, build(t, Options{}, a).listen(), "GET /f HTTP/1.1\r\nHost: h\r\n\r\n")
	n, err := io.Copy(io.Discard, r.Body)
	if r.StatusCode != 200 || !errors.Is(err, io.ErrUnexpectedEOF) || n >= 3*bufferSize {
		t.Error(r.Status, n, err)
	}
}
