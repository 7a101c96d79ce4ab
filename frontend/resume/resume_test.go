package resume_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"canopy/plugins"
)

func TestUpload(t *testing.T) {
	w := newWorld(t)
	w.ask("OPTIONS", "/-/uploads/", nil).is(200, "Tus-Version: 1.0.0", "Tus-Extension: creation,creation-with-upload,termination", "Tus-Max-Size: 1048576", "Allow: OPTIONS, POST", "Access-Control-Allow-Headers: ")
	at := w.create(6, "path", "/d/new é\xff", "digest", "md5=6AtQFwmJUPxYqtg8jBSXjg==, adler32=081e0256", "mtime", "1000000000", "note", "kept")
	w.ask("HEAD", at, nil).is(200, "Upload-Offset: 0", "Upload-Length: 6", "Cache-Control: no-store")
	w.patch(at, 0, "ab").is(204, "Upload-Offset: 2", "Location: ")
	w.patch(at, 0, "ab").is(409)
	w.patch(at, 3, "ab").is(409)
	w.ask("HEAD", at, nil).is(200, "Upload-Offset: 2")
	w.has("d/new é\xff", "-", 1)
	w.patch(at, 2, "cdefg").is(413)
	last := w.patch(at, 2, "cdef").is(204, "Upload-Offset: 6", "Location: /d/new%20%C3%A9%FF")
	w.has("d/new é\xff", "abcdef", 0)
	if tag := w.ask("HEAD", last.Header.Get("Location"), nil, "Tus-Resumable: ").Header.Get("ETag"); tag == "" || tag != last.Header.Get("ETag") {
		t.Errorf("the ETag is %q, and was said to be %q", tag, last.Header.Get("ETag"))
	}
	// Who has not heard of it may ask, and has nothing more to send.
	w.ask("HEAD", at, nil).is(200, "Upload-Offset: 6", "Upload-Length: 6")
	w.patch(at, 6, "").is(204, "Upload-Offset: 6")
	w.ask("DELETE", at, nil).is(204)
	w.has("d/new é\xff", "abcdef", 0)
}

func TestOtherWays(t *testing.T) {
	w := newWorld(t)
	// All at once.
	w.ask("POST", "/-/uploads/", strings.NewReader("abc"), "Upload-Length: 3", "Content-Type: application/offset+octet-stream", meta("path", "/one")).is(201, "Upload-Offset: 3")
	w.has("one", "abc", 0)
	// Nothing at all.
	w.create(0, "path", "/empty")
	w.has("empty", "", 0)
	// By a client that can send no PATCH and no DELETE.
	at := w.create(3, "path", "/two")
	w.ask("POST", at, strings.NewReader("abc"), "X-HTTP-Method-Override: PATCH", "Content-Type: application/offset+octet-stream", "Upload-Offset: 0").is(204)
	w.has("two", "abc", 0)
	at = w.create(3, "path", "/three")
	w.ask("POST", at, nil, "X-HTTP-Method-Override: DELETE").is(204)
	w.ask("HEAD", at, nil).is(404)
	w.has("three", "-", 0)
	// In place of another.
	at = w.create(1, "path", "/one")
	w.patch(at, 0, "z").is(204)
	w.has("one", "z", 0)
}

func TestRefused(t *testing.T) {
	w := newWorld(t)
	w.create(0, "path", "/there")
	const length = "Upload-Length: 3"
	for name, c := range map[string]struct {
		status int
		fields []string
	}{
		"no version":    {412, []string{"Tus-Resumable: ", length, meta("path", "/f")}},
		"old version":   {412, []string{"Tus-Resumable: 0.2.2", length, meta("path", "/f")}},
		"no length":     {400, []string{meta("path", "/f")}},
		"unknown size":  {501, []string{"Upload-Defer-Length: 1", meta("path", "/f")}},
		"negative":      {400, []string{"Upload-Length: -1", meta("path", "/f")}},
		"too large":     {413, []string{"Upload-Length: 1048577", meta("path", "/f")}},
		"no metadata":   {400, []string{length}},
		"no path":       {400, []string{length, meta("filename", "f")}},
		"relative":      {400, []string{length, meta("path", "f")}},
		"directory":     {400, []string{length, meta("path", "/f/")}},
		"root":          {400, []string{length, meta("path", "/../..")}},
		"NUL":           {400, []string{length, meta("path", "/a\x00b")}},
		"reserved":      {400, []string{length, meta("path", "/-/uploads/x")}},
		"climbing":      {400, []string{length, meta("path", "/d/../-/x")}},
		"staging":       {403, []string{length, meta("path", "/.canopy-uploads/f")}},
		"bad digest":    {400, []string{length, meta("path", "/f", "digest", "what")}},
		"bad overwrite": {400, []string{length, meta("path", "/f", "overwrite", "maybe")}},
		"there":         {412, []string{length, meta("path", "/there", "overwrite", "F")}},
		"no parent":     {409, []string{length, meta("path", "/none/f")}},
		"is directory":  {405, []string{length, meta("path", "/d")}},
		"anybody":       {401, []string{"User: ", length, meta("path", "/f")}},
		"no right":      {403, []string{"User: d", length, meta("path", "/f")}},
		"not that way":  {403, []string{"User: d", length, meta("path", "/d/../f")}},
	} {
		t.Run(name, func(t *testing.T) {
			if r := w.ask("POST", "/-/uploads/", nil, c.fields...).is(c.status); len(r.Header["Location"]) > 0 {
				t.Error("it has a place")
			}
		})
	}
	w.has("f", "-", 0)
	w.ask("GET", "/-/uploads/", nil).is(405, "Allow: OPTIONS, POST")
	w.ask("POST", "/-/uploads/"+strings.Repeat("a", 26), nil).is(404)
	for _, id := range []string{"x", ".info", "%252e%252e%252fsecret", strings.Repeat("a", 26)} {
		for _, method := range []string{"HEAD", "PATCH", "DELETE", "GET"} {
			w.ask(method, "/-/uploads/"+id, nil).is(404)
		}
	}
	a := w.create(1<<19, "path", "/a")
	w.create(1<<19, "path", "/b")
	w.ask("POST", "/-/uploads/", nil, length, meta("path", "/f")).is(507)
	w.ask("DELETE", a, nil).is(204)
	w.create(3, "path", "/f")
}

// TestRights asks for each request whether its sender may write there.
func TestRights(t *testing.T) {
	w := newWorld(t)
	at := w.create(3, "path", "/f")
	for user, status := range map[string]int{"": 401, "d": 403} {
		w.ask("HEAD", at, nil, "User: "+user).is(status)
		w.patch(at, 0, "abc", "User: "+user).is(status)
		w.ask("DELETE", at, nil, "User: "+user).is(status)
	}
	w.has("f", "-", 1)
	own := w.create(3, "path", "/d/f")
	w.patch(own, 0, "abc", "User: d").is(204)
	w.has("d/f", "abc", 1)
	w.ask("HEAD", own, nil, "User: ").is(401)
}

func TestLocked(t *testing.T) {
	w := newWorld(t)
	at := w.create(3, "path", "/f")
	r := w.ask("LOCK", "/f", strings.NewReader(`<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>`), "Tus-Resumable: ")
	w.ask("POST", "/-/uploads/", nil, "Upload-Length: 3", meta("path", "/f")).is(423)
	w.patch(at, 0, "abc").is(423)
	w.ask("HEAD", at, nil).is(200, "Upload-Offset: 2")
	w.patch(at, 2, "c", "If: ("+r.Header.Get("Lock-Token")+")").is(204)
	w.has("f", "abc", 0)
}

func TestChecksum(t *testing.T) {
	w := newWorld(t)
	if err := os.WriteFile(filepath.Join(w.root, "f"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := w.create(3, "path", "/f", "digest", "adler32=024d0127")
	w.patch(at, 0, "abx").is(400)
	w.ask("HEAD", at, nil).is(404)
	w.has("f", "old", 0)
	w.ask("POST", "/-/uploads/", nil, "Upload-Length: 0", meta("path", "/e", "digest", "adler32=024d0127")).is(400)
	w.has("e", "-", 0)
}

// TestCut breaks a connection in the middle of a piece: what has come counts.
func TestCut(t *testing.T) {
	w := newWorld(t)
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<12)
	at := w.create(len(content), "path", "/f")
	offset := 0
	// Somebody who asks makes the request end, also before it has brought any.
	for offset == 0 {
		conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: x\r\nUser: writer\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: %d\r\n\r\n", at, len(content))
		_, _ = conn.Write(content[:40_000]) // it may have been ended
		for n := 0; n < 20 && offset == 0; n++ {
			r := w.ask("HEAD", at, nil).is(200)
			fmt.Sscan(r.Header.Get("Upload-Offset"), &offset)
		}
		conn.Close()
	}
	if offset > 40_000 {
		t.Errorf("%d bytes have come", offset)
	}
	w.patch(at, offset, string(content[offset:])).is(204)
	w.has("f", string(content), 0)
}

// TestDied starts another process on the spool of one that was killed before it
// had stored what was complete.
func TestDied(t *testing.T) {
	w := newWorld(t)
	whole, part := w.create(3, "path", "/f", "digest", "adler32=024d0127"), w.create(3, "path", "/g")
	w.patch(part, 0, "a").is(204)
	w.stop()
	if err := os.WriteFile(filepath.Join(w.spool, strings.TrimPrefix(whole, "/-/uploads/")), []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.ask("HEAD", whole, nil).is(200, "Upload-Offset: 2")
	w.patch(whole, 2, "c").is(204, "Upload-Offset: 3")
	w.has("f", "abc", 1)
	w.ask("HEAD", part, nil).is(200, "Upload-Offset: 1")
	w.patch(part, 1, "bc").is(204)
	w.has("g", "abc", 0)
}

// TestFails lets the storage fail: the upload is not complete then.
func TestFails(t *testing.T) {
	w := newWorld(t)
	at := w.create(3, "path", "/f")
	fail := func(io.Reader) error { return &plugins.Error{Kind: plugins.Faulty, Err: errors.New("disk")} }
	w.store.Store(&fail)
	w.patch(at, 0, "abc").is(502)
	w.ask("HEAD", at, nil).is(200, "Upload-Offset: 2")
	w.patch(at, 2, "c").is(502)
	w.ask("POST", "/-/uploads/", nil, "Upload-Length: 0", meta("path", "/e")).is(502)
	w.has("f", "-", 1)
	w.store.Store(nil)
	w.patch(at, 2, "c").is(204)
	w.has("f", "abc", 0)
}

// TestImpatient has a client leave while its file is stored, which goes on.
func TestImpatient(t *testing.T) {
	w := newWorld(t)
	at := w.create(3, "path", "/f")
	begun, goOn := make(chan struct{}), make(chan struct{})
	slow := func(io.Reader) error {
		close(begun)
		<-goOn
		return nil
	}
	w.store.Store(&slow)
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: x\r\nUser: writer\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: 3\r\n\r\nabc", at)
	<-begun
	conn.Close()
	// Another that asks meanwhile waits for how it ends.
	asked := make(chan reply)
	go func() {
		r, err := w.send(http.MethodHead, at, nil)
		if err != nil {
			t.Error(err)
		}
		asked <- r
	}()
	close(goOn)
	(<-asked).is(200, "Upload-Offset: 3")
	w.has("f", "abc", 0)
}

// TestTwice stores one file by two uploads at once: one content is left.
func TestTwice(t *testing.T) {
	w := newWorld(t)
	a, b := w.create(3, "path", "/f"), w.create(3, "path", "/f", "overwrite", "F")
	w.patch(a, 0, "abc").is(204)
	w.patch(b, 0, "xyz").is(412)
	w.ask("HEAD", b, nil).is(200, "Upload-Offset: 2")
	w.has("f", "abc", 1)
}
