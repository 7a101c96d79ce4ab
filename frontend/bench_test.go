package frontend

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"golang.org/x/net/webdav"

	"canopy/plugins/plugintest/mem"
)

// many returns a federation of n sites that all hold the file /d/f.
func many(b testing.TB, n int) *world {
	sites := make([]*site, n)
	for i := range sites {
		sites[i] = newSite(b, fmt.Sprintf("site%02d", i), nil).put("/d/f", "0123456789", mem.File{})
		sites[i].config.Weight = 2
	}
	w := build(b, Options{}, sites...)
	w.ask("GET", "/d/f").status(b, 302)
	return w
}

// bare answers with the headers that an answer to GET /d/f has, and does
// nothing else: the least that a handler can cost.
func bare(w *world) http.Handler {
	header := w.ask("GET", "/d/f").Header
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		for name, values := range header {
			h[name] = values
		}
		w.WriteHeader(http.StatusFound)
	})
}

func BenchmarkWarmRedirect2(b *testing.B)  { w := many(b, 2); compare(b, w.h) }
func BenchmarkWarmRedirect22(b *testing.B) { w := many(b, 22); compare(b, w.h) }
func BenchmarkBareHandler2(b *testing.B)   { compare(b, bare(many(b, 2))) }
func BenchmarkBareHandler22(b *testing.B)  { compare(b, bare(many(b, 22))) }

// compare runs a handler by itself, and behind a server over loopback.
func compare(b *testing.B, h http.Handler) {
	b.Run("process", func(b *testing.B) {
		r := httptest.NewRequest("GET", "http://127.0.0.1:8080/d/f", http.NoBody)
		r.Header.Set("User-Agent", "curl/7.88.1")
		r.Header.Set("Accept", "*/*")
		w := discard{}
		b.ReportAllocs()
		for b.Loop() {
			w.header = make(http.Header)
			h.ServeHTTP(&w, r)
		}
	})
	b.Run("loopback", func(b *testing.B) {
		server := httptest.NewServer(h)
		b.Cleanup(server.Close)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			c, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				b.Error(err)
				return
			}
			defer c.Close()
			request := []byte("GET /d/f HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n")
			in := bufio.NewReader(c)
			for pb.Next() {
				if _, err := c.Write(request); err != nil {
					b.Error(err)
					return
				}
				// The server must be what is measured: no response is parsed.
				for {
					line, err := in.ReadSlice('\n')
					if err != nil {
						b.Error(err)
						return
					}
					if len(line) == 2 {
						break
					}
				}
			}
		})
	})
}

// discard is a response that keeps nothing.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

const benchEntries = 10_000

func benchName(i int) string { return fmt.Sprintf("AOD.%08d._000001.pool.root.1", i) }

func BenchmarkPropfind10k(b *testing.B) {
	s := newSite(b, "geneva", nil)
	for i := range benchEntries {
		s.put("/d/"+benchName(i), "x", mem.File{})
	}
	listWith(b, build(b, Options{}, s).h)
}

func BenchmarkPropfind10kXNet(b *testing.B) {
	fs := webdav.NewMemFS()
	if err := fs.Mkdir(b.Context(), "/d", 0o777); err != nil {
		b.Fatal(err)
	}
	for i := range benchEntries {
		f, err := fs.OpenFile(b.Context(), "/d/"+benchName(i), os.O_CREATE|os.O_RDWR, 0o666)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.WriteString(f, "x"); err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
	listWith(b, &webdav.Handler{FileSystem: fs, LockSystem: webdav.NewMemLS()})
}

func listWith(b *testing.B, h http.Handler) {
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("PROPFIND", "/d/", http.NoBody)
		r.Header.Set("Depth", "1")
		w := discard{header: http.Header{}}
		if h.ServeHTTP(&w, r); w.status != http.StatusMultiStatus {
			b.Fatal(w.status)
		}
	}
	b.ReportMetric(float64(b.N)*benchEntries/b.Elapsed().Seconds(), "entries/s")
}
