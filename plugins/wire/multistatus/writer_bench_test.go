package multistatus

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"canopy/plugins"
	"canopy/plugins/wire/propfind"

	"golang.org/x/net/webdav"
)

func benchName(i int) string { return fmt.Sprintf("AOD.%08d._000001.pool.root.1", i) }

func BenchmarkWrite(b *testing.B) {
	entries := make([]Entry, benchEntries)
	for i := range entries {
		entries[i] = Entry{Entry: plugins.Entry{
			Name: benchName(i), Kind: plugins.File, Size: int64(1000 * i), ETag: fmt.Sprintf(`"1-660c5%08x"`, i),
			ModTime: time.Unix(1709210096+int64(i), 0),
			Digests: []plugins.Digest{{Algorithm: "adler32", Sum: "\x03\xda\x01\x95"}},
		}}
	}
	for _, c := range []struct {
		name    string
		request propfind.Request
	}{
		{"allprop", propfind.Request{AllProp: true}},
		{"davix", askFor(b, "<D:displayname/><D:getlastmodified/><D:creationdate/><D:getcontentlength/><D:quota-used-bytes/><D:resourcetype><D:collection/></D:resourcetype><mode xmlns='LCGDM:'/>")},
		{"checksums", askFor(b, "<D:resourcetype/><D:getcontentlength/><D:getlastmodified/><k:Checksums/>")},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			out := counter{good: 1 << 62}
			for b.Loop() {
				w := NewWriter(&out, Options{Path: "/atlas/rucio/data15_13TeV", Request: c.request})
				w.Target(&directory)
				for i := range entries {
					w.Child(&entries[i])
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(out.bytes / b.N))
			perEntry(b)
		})
	}
}

// discard is the response that keeps nothing.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }

func BenchmarkWriteXNet(b *testing.B) {
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
	h := webdav.Handler{FileSystem: fs, LockSystem: webdav.NewMemLS()}
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("PROPFIND", "/d/", http.NoBody)
		r.Header.Set("Depth", "1")
		w := discard{header: http.Header{}}
		if h.ServeHTTP(&w, r); w.status != 207 {
			b.Fatal(w.status)
		}
	}
	perEntry(b)
}
