package dav

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"canopy/plugins"
	"canopy/plugins/webclient"
)

// gather returns what a listing yields, as "name" or "name/", and its error.
func gather(t *testing.T, e *endpoint, path string) (names []string, last error) {
	t.Helper()
	for entry, err := range e.List(t.Context(), path) {
		if last != nil {
			t.Error("the listing goes on after its error")
		}
		if last = err; err != nil {
			continue
		}
		name := entry.Name
		if entry.Kind == plugins.Directory {
			name += "/"
		}
		names = append(names, name)
	}
	return names, last
}

func TestList(t *testing.T) {
	self := response("/d/x/", dir)
	for _, c := range []struct {
		name, responses string
		want            []string
		kind            plugins.Kind
	}{
		{"empty", self, nil, 0},
		{"plain", self + response("/d/x/a", file) + response("/d/x/b/", dir), []string{"a", "b/"}, 0},
		{"directory last", response("/d/x/a", file) + self, []string{"a"}, 0},
		{"directory left out", response("/d/x/a", file), []string{"a"}, 0},
		{"directory without slash", response("/d/x", dir) + response("/d/x/a", file), []string{"a"}, 0},
		{"absolute hrefs of another name", response("http://inside:8080/d/x/", dir) + response("http://inside:8080/d/x/a", file), []string{"a"}, 0},
		{"any encoding", self + response("/d/x/%61%2b+%c3%BC &amp; co", file), []string{"a++ü & co"}, 0},
		{"deeper and elsewhere", self + response("/d/x/b/", dir) + response("/d/x/b/c", file) + response("/d/y", file) + response("/d/x/../y", file) + response("/", dir), []string{"b/"}, 0},
		{"no names", self + response("/d/x/%2F", file) + response("/d/x/%00", file) + response("/d/x/%2e%2e", file) + response("/d/x/..", dir) + response("/d/x/.", dir), nil, 0},
		{"twice", self + response("/d/x/a", file) + self + response("/d/x/%61", file), []string{"a"}, 0},
		{"one went away", self + failed("/d/x/a", "404 Not Found") + response("/d/x/b", file), []string{"b"}, 0},
		{"not encoded", self + response("/d/x/a#b", file) + response("/d/x/a?b", file) + response("/d/x/100%", file), []string{"a#b", "a?b", "100%"}, 0},

		{"one is secret", self + failed("/d/x/a", "403 Forbidden") + response("/d/x/b", file), []string{"b"}, plugins.Denied},
		{"one is nothing", self + response("/d/x/a", "") + response("/d/x/b", file), []string{"b"}, plugins.Malformed},
		{"file", response("/d/x", file), nil, plugins.NotDirectory},
		{"absent", failed("/d/x/", "404 Not Found"), nil, plugins.NotFound},
		{"secret", failed("/d/x/", "401 Unauthorized"), nil, plugins.Denied},
		{"nothing", "", nil, plugins.Malformed},
		{"elsewhere", response("/d/y/", dir) + response("/d/y/a", file), nil, plugins.Malformed},
		{"cut", self + response("/d/x/a", file) + "<D:response>", []string{"a"}, plugins.Malformed},
	} {
		names, err := gather(t, says(t, c.responses), "/x")
		if !slices.Equal(names, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, names, c.want)
		}
		if got := plugins.KindOf(err); got != c.kind {
			t.Errorf("%s: %v, want %v", c.name, err, c.kind)
		}
	}
}

func TestListEntries(t *testing.T) {
	e := says(t, response("/d/", dir)+response("/d/a", file+`<D:getetag>"1"</D:getetag><c:Checksums xmlns:c="http://www.dcache.org/2013/webdav">adler32=062c0215</c:Checksums>`)+
		response("/d/b", `<D:resourcetype/>`)+response("/d/c", dir+`<D:getcontentlength>4096</D:getcontentlength>`))
	var got []plugins.Entry
	for entry, err := range e.List(t.Context(), "/") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, entry)
	}
	if len(got) != 3 || got[0].Size != 5 || got[0].ETag != `"1"` || len(got[0].Digests) != 1 || got[0].Digests[0].Sum != "\x06\x2c\x02\x15" ||
		got[1].Size != -1 || len(got[1].Digests) != 0 || got[2].Size != -1 {
		t.Errorf("got %+v", got)
	}
}

// A redirect that adds a slash, or leads to another door, is followed as
// PROPFIND, and the hrefs are those of where it led.
func TestListAfterARedirect(t *testing.T) {
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "PROPFIND" || r.Header.Get("Depth") != "1" {
			t.Errorf("asked %s with depth %s", r.Method, r.Header.Get("Depth"))
		}
		if !strings.HasPrefix(r.URL.Path, "/new") {
			http.Redirect(w, r, "/new"+r.URL.Path, http.StatusMovedPermanently)
			return
		}
		w.WriteHeader(http.StatusMultiStatus)
		io.WriteString(w, `<D:multistatus xmlns:D="DAV:">`+response("/new/d/x/", dir)+response("/new/d/x/a", file)+response("/d/x/b", file)+`</D:multistatus>`)
	})
	if names, err := gather(t, e, "/x"); err != nil || !slices.Equal(names, []string{"a"}) {
		t.Errorf("got %q, %v", names, err)
	}
}

// With a slash at its end, storages refuse a file in many ways.
func TestListOfAFile(t *testing.T) {
	for _, status := range []int{400, 403, 404, 405, 409, 500} {
		e := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/d/file" {
				w.WriteHeader(status)
				return
			}
			w.WriteHeader(http.StatusMultiStatus)
			io.WriteString(w, `<D:multistatus xmlns:D="DAV:">`+response("/d/file", file)+`</D:multistatus>`)
		})
		_, err := gather(t, e, "/file")
		wantKind(t, err, plugins.NotDirectory)
		if _, err := gather(t, e, "/file/below"); status != 403 && status != 405 {
			wantKind(t, err, plugins.NotFound)
		}
	}
}

// Listings ask for checksums while there are any.
func TestListAsksForChecksums(t *testing.T) {
	const sum = `<c:Checksums xmlns:c="http://www.dcache.org/2013/webdav">adler32=062c0215</c:Checksums>`
	properties, asked := file, false
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		asked = strings.Contains(string(b), "Checksums")
		w.WriteHeader(http.StatusMultiStatus)
		io.WriteString(w, `<D:multistatus xmlns:D="DAV:">`+response("/d/x/", dir)+response("/d/x/a", properties)+`</D:multistatus>`)
	})
	for i, want := range []bool{true, false, false} {
		if _, err := gather(t, e, "/x"); err != nil || asked != want {
			t.Errorf("listing %d asked %v, %v", i, asked, err)
		}
	}
	properties += sum
	if entry, err := e.Stat(t.Context(), "/x/a"); err != nil || len(entry.Digests) != 1 {
		t.Errorf("stat: %+v, %v", entry, err)
	}
	for i := range 2 {
		if _, err := gather(t, e, "/x"); err != nil || !asked {
			t.Errorf("afterwards: listing %d asked %v, %v", i, asked, err)
		}
	}
}

func TestListStops(t *testing.T) {
	e := says(t, response("/d/", dir)+strings.Repeat(response("/d/a", file), 10)+response("/d/b", file))
	n := 0
	for range e.List(t.Context(), "/") {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d entries", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range e.List(ctx, "/") {
		cancel()
		last = err
	}
	wantKind(t, last, plugins.Canceled)
}

// A storage that sends without end and never says anything is not listened to
// for longer than one that is silent; a slow consumer is not its fault.
func TestListProgress(t *testing.T) {
	const head = "HTTP/1.1 207 Multi-Status\r\nConnection: close\r\n\r\n<D:multistatus xmlns:D=\"DAV:\">"
	for _, c := range []struct {
		name    string
		then    func(conn net.Conn, pause func(time.Duration))
		consume time.Duration
		kind    plugins.Kind
		took    time.Duration
	}{
		{"babbles", func(conn net.Conn, pause func(time.Duration)) {
			for {
				if _, err := io.WriteString(conn, "\n"); err != nil {
					return
				}
				pause(time.Second)
			}
		}, 0, plugins.Timeout, 5 * time.Second},
		{"is slow", func(conn net.Conn, pause func(time.Duration)) {
			for i := range 10 {
				pause(4 * time.Second)
				fmt.Fprint(conn, response(fmt.Sprintf("/d/%d", i), file))
			}
			io.WriteString(conn, "</D:multistatus>")
		}, 0, 0, 40 * time.Second},
		{"waits for the consumer", func(conn net.Conn, pause func(time.Duration)) {
			for i := range 3 {
				fmt.Fprint(conn, response(fmt.Sprintf("/d/%d", i), file))
			}
			io.WriteString(conn, "</D:multistatus>")
		}, time.Minute, 0, 3 * time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			dial := func(context.Context, string, string) (net.Conn, error) {
				near, far := net.Pipe()
				go func() {
					defer far.Close()
					buf := make([]byte, 16<<10)
					far.Read(buf)
					gone := make(chan struct{})
					go func() {
						io.Copy(io.Discard, far)
						close(gone)
					}()
					io.WriteString(far, head)
					c.then(far, func(d time.Duration) {
						select {
						case <-time.After(d):
						case <-gone:
						}
					})
				}()
				return near, nil
			}
			e := open(t, &Config{Config: webclient.Config{URL: "http://h/d"}}, plugins.Env{Dial: dial, Timeout: 5 * time.Second})
			start := time.Now()
			var last error
			for _, err := range e.List(t.Context(), "/") {
				last = err
				<-time.After(c.consume)
			}
			wantKind(t, last, c.kind)
			if took := time.Since(start); took != c.took {
				t.Errorf("%s: took %v, want %v", c.name, took, c.took)
			}
		})
	}
}
