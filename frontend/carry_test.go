package frontend

import (
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/plugintest/mem"
)

const digits = "0123456789"

// proxied returns a federation of two sites whose bytes Canopy carries.
func proxied(t testing.TB) (w *world, a, b *site) {
	a = newSite(t, "geneva", nil).put("/f.txt", digits, mem.File{}).carried()
	b = newSite(t, "oslo", nil).put("/f.txt", digits, mem.File{}).carried()
	a.put("/empty", "", mem.File{})
	a.put("/page.html", "<script>alert(1)</script>", mem.File{})
	a.put("/big", "", mem.File{Size: 3*bufferSize + 7})
	w = build(t, Options{}, a, b)
	w.ask("GET", "/f.txt?replicas").status(t, 200)
	return w, a, b
}

func TestCarry(t *testing.T) {
	w, _, _ := proxied(t)
	r := w.ask("GET", "/f.txt").status(t, 200).has(t, "Content-Length: 10", "Accept-Ranges: bytes", "Location:",
		"Content-Type: text/plain; charset=utf-8", "X-Content-Type-Options: nosniff", "Last-Modified: Fri, 01 Mar 2024 12:00:00 GMT",
		`Link: <http://example.com/f.txt?metalink>; rel=describedby; type="application/metalink4+xml"`)
	if r.body != digits {
		t.Errorf("%q", r.body)
	}
	w.ask("GET", "/empty").status(t, 200).has(t, "Content-Length: 0")
	w.ask("GET", "/page.html").status(t, 200).has(t, "Content-Disposition: attachment", "Content-Security-Policy: default-src 'none'; sandbox")
	if r := w.ask("GET", "/big").status(t, 200); len(r.body) != 3*bufferSize+7 {
		t.Error(len(r.body))
	}
	contains(t, w.ask("GET", "/f.txt?replicas").body, `"url":"http://example.com/f.txt"`, `"proxied":true`)
	contains(t, w.ask("GET", "/f.txt?metalink").body, `<url priority="1">http://example.com/f.txt</url>`)
}

func TestCarryRanges(t *testing.T) {
	w, a, _ := proxied(t)
	tag := w.ask("HEAD", "/f.txt").Header.Get("Etag")
	for _, c := range []struct {
		fields []string
		status int
		body   string
		is     string
	}{
		{[]string{"Range: bytes=2-4"}, 206, "234", "bytes 2-4/10"},
		{[]string{"Range: bytes=-3"}, 206, "789", "bytes 7-9/10"},
		{[]string{"Range: bytes=0-"}, 206, digits, "bytes 0-9/10"},
		{[]string{"Range: bytes=10-"}, 416, "", "bytes */10"},
		{[]string{"Range: lines=1-2"}, 200, digits, ""},
		{[]string{"Range: bytes=2-4", "If-Range: " + tag}, 206, "234", "bytes 2-4/10"},
		{[]string{"Range: bytes=2-4", "If-Range: \"other\""}, 200, digits, ""},
		{[]string{"Range: bytes=2-4", "If-Range: Fri, 01 Mar 2024 12:00:00 GMT"}, 206, "234", "bytes 2-4/10"},
		{[]string{"Range: bytes=2-4", "If-Match: \"other\""}, 412, "", ""},
		{[]string{"Range: bytes=2-4", "If-None-Match: " + tag}, 304, "", ""},
	} {
		r := w.ask("GET", "/f.txt", c.fields...).status(t, c.status).has(t, "Content-Range: "+c.is)
		if c.body != "" && r.body != c.body {
			t.Errorf("%v: %q", c.fields, r.body)
		}
		if c.status == 206 && r.ContentLength != int64(len(c.body)) {
			t.Errorf("%v: length %d", c.fields, r.ContentLength)
		}
	}
	// HEAD knows no ranges.
	w.ask("HEAD", "/f.txt", "Range: bytes=2-4").status(t, 200).has(t, "Content-Length: 10")

	a.Forget()
	r := w.ask("GET", "/f.txt", "Range: bytes=8-9,0-1").status(t, 206)
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	if r.ContentLength != int64(len(r.body)) {
		t.Errorf("announced %d, sent %d", r.ContentLength, len(r.body))
	}
	in := multipart.NewReader(strings.NewReader(r.body), params["boundary"])
	for _, want := range []string{"89", "01"} {
		p, err := in.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(p); string(got) != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if n := a.Calls("open"); n != 2 {
		t.Errorf("%d questions", n)
	}
	// One range is left after joining: an answer of one part.
	if r := w.ask("GET", "/f.txt", "Range: bytes=1-3,2-5").status(t, 206).has(t, "Content-Range: bytes 1-5/10"); r.body != "12345" {
		t.Error(r.body)
	}
}

// A client that cannot follow gets the bytes of what others are sent to.
func TestCarryForAgents(t *testing.T) {
	a := newSite(t, "geneva", map[string]string{"/f": digits})
	w := build(t, Options{Proxy: []string{"old browser/*"}}, a)
	w.ask("GET", "/f", "User-Agent: curl/8").status(t, 302)
	for _, agent := range []string{"cadaver/0.24 neon/0.32.5", "davfs2/1.6.1 neon/0.32.2", "litmus/0.13", "Microsoft-WebDAV-MiniRedir/10.0.19043", "Old Browser/1"} {
		if r := w.ask("GET", "/f", "User-Agent: "+agent).status(t, 200); r.body != digits {
			t.Errorf("%s: %q", agent, r.body)
		}
	}
	// Where Canopy cannot read, a redirect is better than nothing.
	b := newSite(t, "oslo", map[string]string{"/f": digits}, "read")
	build(t, Options{}, b).ask("GET", "/f", "User-Agent: cadaver/0.24").status(t, 302)
}

// A token does not go where it would be refused, or be seen.
func TestCarryForTokens(t *testing.T) {
	a := newSite(t, "geneva", map[string]string{"/f": digits})
	w := build(t, Options{}, a)
	const davix, token = "User-Agent: libdavix/0.8.4 neon/0.0.29", "Authorization: Bearer x"
	w.ask("GET", "http://h/f", davix, token).status(t, 302)
	w.ask("GET", "https://h/f", davix).status(t, 302)
	w.ask("GET", "https://h/f", "User-Agent: curl/8", token).status(t, 302)
	w.ask("GET", "https://h/f", davix, token).status(t, 200)
	for to, want := range map[string]bool{
		"https://s3/f?X-Amz-Date=1&X-Amz-Signature=2": true, "https://az/f?sv=1&sig=2": true,
		"https://h/f": false, "https://h/sig=1": false, "https://h/f?x=sig": false,
	} {
		if signed(to) != want {
			t.Error(to)
		}
	}
}

func TestCarryFailures(t *testing.T) {
	w, a, b := proxied(t)
	a.Inject(faults.Rule{Op: "open", Fail: plugins.Faulty})
	if r := w.ask("GET", "/f.txt").status(t, 200); r.body != digits {
		t.Errorf("%q", r.body)
	}
	for kind, want := range map[plugins.Kind]int{plugins.Faulty: 502, plugins.Malformed: 502, plugins.Denied: 502, plugins.Timeout: 504, plugins.Busy: 503} {
		b.Inject(faults.Rule{Op: "open", Fail: kind})
		r := w.ask("GET", "/f.txt").status(t, want)
		if r.broken || strings.Contains(r.body, "geneva.example") {
			t.Errorf("%s: %v %s", kind, r.broken, r.body)
		}
		r.has(t, "Content-Length: "+r.Header.Get("Content-Length"), "Etag:", "Link:", "Content-Range:")
	}
}

// A file that breaks off does so for the client too.
func TestCarryBreaks(t *testing.T) {
	w, a, b := proxied(t)
	for _, s := range []*site{a, b} {
		s.Inject(faults.Rule{Op: "open", After: 4, Fail: plugins.Unavailable})
	}
	for _, fields := range [][]string{nil, {"Range: bytes=1-8"}, {"Range: bytes=0-7,9-9"}} {
		a.Heal()
		b.Heal()
		for _, s := range []*site{a, b} {
			s.Inject(faults.Rule{Op: "open", After: 2, Fail: plugins.Malformed})
		}
		if r := w.ask("GET", "/f.txt", fields...); !r.broken {
			t.Errorf("%v: %d %q", fields, r.StatusCode, r.body)
		}
	}
}

// The reading ends when the client goes away.
func TestCarryClientGone(t *testing.T) {
	w, _, _ := proxied(t)
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/big", http.NoBody)
	gone := &leaver{ResponseRecorder: httptest.NewRecorder()}
	defer func() {
		if fault := recover(); fault != http.ErrAbortHandler || gone.writes != 1 {
			t.Error(fault, gone.writes)
		}
	}()
	w.h.ServeHTTP(gone, r)
}

// leaver is a client that takes nothing.
type leaver struct {
	*httptest.ResponseRecorder
	writes int
}

func (l *leaver) Write([]byte) (int, error) {
	l.writes++
	return 0, io.ErrClosedPipe
}
