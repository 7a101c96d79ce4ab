package webclient

import (
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"canopy/plugins"
)

const content = "0123456789"

func TestOpenFromAWebServer(t *testing.T) {
	modified := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	_, c := serve(t, "/d", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/d/dir", "/d/dir/":
			if !strings.HasSuffix(r.URL.Path, "/") {
				http.Redirect(w, r, "/d/dir/", http.StatusMovedPermanently)
			}
			return
		case "/d/gone":
			http.NotFound(w, r)
			return
		}
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Digest", "adler32=0aff020e")
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", modified, strings.NewReader(content))
	})
	for _, x := range []struct {
		name, path string
		r          plugins.Range
		want       string
		kind       plugins.Kind
	}{
		{"whole", "/f", plugins.Whole, content, 0},
		{"begin", "/f", plugins.Range{Length: 4}, "0123", 0},
		{"middle", "/f", plugins.Range{Offset: 3, Length: 4}, "3456", 0},
		{"to the end", "/f", plugins.Range{Offset: 8, Length: -1}, "89", 0},
		{"beyond the end", "/f", plugins.Range{Offset: 8, Length: 100}, "89", 0},
		{"far beyond", "/f", plugins.Range{Offset: 8, Length: math.MaxInt64}, "89", 0},
		{"nothing", "/f", plugins.Range{Offset: 3, Length: 0}, "", 0},
		{"same", "/f", plugins.Range{Offset: 1, Length: 1, IfMatch: `"v1"`}, "1", 0},
		{"same, weakly", "/f", plugins.Range{Offset: 1, Length: 1, IfMatch: `W/"v1"`}, "1", 0},
		{"changed", "/f", plugins.Range{Offset: 1, Length: 1, IfMatch: `"v0"`}, "", plugins.Changed},
		{"changed, weakly", "/f", plugins.Range{Offset: 1, Length: 1, IfMatch: `W/"v0"`}, "", plugins.Changed},
		{"behind the end", "/f", plugins.Range{Offset: 10, Length: 1}, "", plugins.OutOfRange},
		{"nothing behind the end", "/f", plugins.Range{Offset: 10, Length: 0}, "", plugins.OutOfRange},
		{"before the begin", "/f", plugins.Range{Offset: -1, Length: 1}, "", plugins.Invalid},
		{"directory", "/dir", plugins.Whole, "", plugins.IsDirectory},
		{"absent", "/gone", plugins.Whole, "", plugins.NotFound},
	} {
		t.Run(x.name, func(t *testing.T) {
			b, err := c.Open(t.Context(), x.path, x.r, nil)
			wantKind(t, err, x.kind)
			if err != nil {
				return
			}
			defer b.Close()
			got, err := io.ReadAll(b)
			if err != nil || string(got) != x.want || b.Offset != x.r.Offset || b.Length != int64(len(x.want)) {
				t.Errorf("%q, %v at %d, %d bytes, want %q", got, err, b.Offset, b.Length, x.want)
			}
			e := b.Entry
			if e.Name != "f" || e.Kind != plugins.File || e.Size != 10 || !e.ModTime.Equal(modified) || e.ETag != `"v1"` ||
				len(e.Digests) != 1 || e.Digests[0].Sum != "\x0a\xff\x02\x0e" {
				t.Errorf("entry %+v", e)
			}
		})
	}
}

// reply is one that a storage gives whatever it is asked.
type reply struct {
	status int
	header string // "Name: value" lines
	body   string
}

func (a reply) serve(w http.ResponseWriter, _ *http.Request) {
	w.Header()["Date"] = nil
	for line := range strings.Lines(a.header) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.status)
	if w.Header().Get("Content-Length") == "" {
		w.(http.Flusher).Flush() // chunked
	}
	io.WriteString(w, a.body)
}

func TestOpenJudgesTheAnswer(t *testing.T) {
	length := "Content-Length: " + strconv.Itoa(len(content)) + "\n"
	for _, c := range []struct {
		name   string
		r      plugins.Range
		answer reply
		want   string
		size   int64
		kind   plugins.Kind
	}{
		{"whole without a length", plugins.Whole, reply{200, "", content}, content, -1, 0},
		{"range ignored, from 0", plugins.Range{Length: 3}, reply{200, length, content}, "012", 10, 0},
		{"range ignored, from 0, longer", plugins.Range{Length: 30}, reply{200, length, content}, content, 10, 0},
		{"range ignored, from 0, no length", plugins.Range{Length: 3}, reply{200, "", content}, "012", -1, 0},
		{"range ignored, from 0, no length, longer", plugins.Range{Length: 30}, reply{200, "", content}, content, -1, 0},
		{"range ignored, nothing wanted", plugins.Range{}, reply{200, length, content}, "", 10, 0},
		{"range ignored", plugins.Range{Offset: 1, Length: 3}, reply{200, length, content}, "", 0, plugins.Malformed},
		{"range ignored behind the end", plugins.Range{Offset: 10, Length: 3}, reply{200, length, content}, "", 0, plugins.OutOfRange},
		{"empty file", plugins.Whole, reply{200, "Content-Length: 0", ""}, "", 0, 0},
		{"range of an empty file", plugins.Range{Length: 3}, reply{200, "Content-Length: 0", ""}, "", 0, plugins.OutOfRange},

		{"right range", plugins.Range{Offset: 1, Length: 3}, reply{206, "Content-Range: bytes 1-3/10", "123"}, "123", 10, 0},
		{"size not known", plugins.Range{Offset: 1, Length: 3}, reply{206, "Content-Range: bytes 1-3/*", "123"}, "123", -1, 0},
		{"size not known, to the end", plugins.Range{Offset: 7, Length: -1}, reply{206, "Content-Range: bytes 7-9/*", "789"}, "789", -1, 0},
		{"another begin", plugins.Range{Offset: 1, Length: 3}, reply{206, "Content-Range: bytes 2-4/10", "234"}, "", 0, plugins.Malformed},
		{"another end", plugins.Range{Offset: 1, Length: 3}, reply{206, "Content-Range: bytes 1-2/10", "12"}, "", 0, plugins.Malformed},
		{"longer", plugins.Range{Offset: 1, Length: 3}, reply{206, "Content-Range: bytes 1-4/*", "1234"}, "", 0, plugins.Malformed},
		{"no range", plugins.Range{Offset: 1, Length: 3}, reply{206, "", "123"}, "", 0, plugins.Malformed},
		{"parts", plugins.Range{Offset: 1, Length: 3}, reply{206, "Content-Type: multipart/byteranges; boundary=b", "--b"}, "", 0, plugins.Malformed},
		{"other unit", plugins.Range{Offset: 1, Length: 3}, reply{206, "Content-Range: lines 1-3/10", "123"}, "", 0, plugins.Malformed},
		{"beyond itself", plugins.Range{Offset: 1, Length: 3}, reply{206, "Content-Range: bytes 1-3/3", "123"}, "", 0, plugins.Malformed},
		{"no number", plugins.Range{Offset: 1, Length: 3}, reply{206, "Content-Range: bytes 1--3/10", "123"}, "", 0, plugins.Malformed},
		{"wrong length", plugins.Range{Offset: 1, Length: 3}, reply{206, "Content-Range: bytes 1-3/10\nContent-Length: 2", "12"}, "", 0, plugins.Malformed},
		{"part nobody wanted", plugins.Whole, reply{206, "Content-Range: bytes 0-9/10", content}, "", 0, plugins.Malformed},
		{"no content", plugins.Whole, reply{204, "", ""}, "", 0, plugins.Malformed},
		{"no tag", plugins.Range{Offset: 1, Length: 3, IfMatch: `"a"`}, reply{206, "Content-Range: bytes 1-3/10", "123"}, "", 0, plugins.Unsupported},

		{"compressed", plugins.Whole, reply{200, length + "Content-Encoding: gzip", content}, "", 0, plugins.Malformed},
		{"not compressed", plugins.Whole, reply{200, length + "Content-Encoding: identity", content}, content, 10, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, client := serve(t, "", c.answer.serve)
			b, err := client.Open(t.Context(), "/f", c.r, nil)
			wantKind(t, err, c.kind)
			if err != nil {
				return
			}
			defer b.Close()
			got, err := io.ReadAll(b)
			if err != nil || string(got) != c.want || b.Entry.Size != c.size {
				t.Errorf("%q, %v of %d bytes, want %q of %d", got, err, b.Entry.Size, c.want, c.size)
			}
			if b.Length >= 0 && b.Length != int64(len(c.want)) {
				t.Errorf("announced %d bytes, delivered %d", b.Length, len(c.want))
			}
		})
	}
}

func TestOpenPartsOfWrongLength(t *testing.T) {
	for name, body := range map[string]string{"short": "12", "long": "1234"} {
		_, client := serve(t, "", reply{206, "Content-Range: bytes 1-3/10", body}.serve)
		b, err := client.Open(t.Context(), "/f", plugins.Range{Offset: 1, Length: 3}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(b)
		wantKind(t, err, plugins.Malformed)
		if len(got) > 3 {
			t.Errorf("%s: delivered %q", name, got)
		}
		b.Close()
	}
}

// XRootD 5.5 knows the length of a file and still gets ranges wrong that do not
// end within it.
func TestOpenAsksForAnEndWithinTheFile(t *testing.T) {
	var asked []string
	_, client := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Range"))
		switch r.Header.Get("Range") {
		case "bytes=7-":
			w.Header().Set("Content-Range", "bytes 7--1/10")
			w.Header().Set("Content-Length", "0")
			w.WriteHeader(206)
		case "bytes=7-106":
			w.Header().Set("Content-Range", "bytes 7-106/10")
			w.Header().Set("Content-Length", "100")
			w.WriteHeader(206)
			io.WriteString(w, content[7:])
		case "bytes=7-9":
			w.Header().Set("Content-Range", "bytes 7-9/10")
			w.WriteHeader(206)
			io.WriteString(w, content[7:])
		default:
			w.Header().Set("Content-Range", "bytes 10--1/10")
			w.WriteHeader(206)
		}
	})
	for _, length := range []int64{-1, 100} {
		b, err := client.Open(t.Context(), "/f", plugins.Range{Offset: 7, Length: length}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(b)
		if err != nil || string(got) != "789" || b.Length != 3 || b.Entry.Size != 10 {
			t.Errorf("%q, %v of %d", got, err, b.Length)
		}
		b.Close()
	}
	if want := []string{"bytes=7-", "bytes=7-9", "bytes=7-106", "bytes=7-9"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	_, err := client.Open(t.Context(), "/f", plugins.Range{Offset: 10, Length: -1}, nil)
	wantKind(t, err, plugins.OutOfRange)
}

func TestOpenStoredCompressed(t *testing.T) {
	for coding, path := range map[string]string{"x-gzip": "/a.tar.gz", "gzip": "/A.TGZ", "br": "/a.br", "zstd": "/a.zst", "xz": "/a.xz", "bzip2": "/a.bz2", "compress": "/a.Z"} {
		_, client := serve(t, "", reply{200, "Content-Length: 1\nContent-Encoding: " + coding, "x"}.serve)
		b, err := client.Open(t.Context(), path, plugins.Whole, nil)
		wantKind(t, err, 0)
		if err == nil {
			b.Close()
		}
		if _, err := client.Open(t.Context(), "/a.dat", plugins.Whole, nil); plugins.KindOf(err) != plugins.Malformed {
			t.Errorf("%s on another name: %v", coding, err)
		}
	}
}

func TestOpenAccept(t *testing.T) {
	_, client := serve(t, "", reply{200, "Content-Type: text/html", content}.serve)
	no := errors.New("no")
	_, err := client.Open(t.Context(), "/f", plugins.Whole, func(r *http.Response) error {
		if r.Header.Get("Content-Type") == "text/html" {
			return no
		}
		return nil
	})
	if err != no {
		t.Errorf("error %v, want that of accept", err)
	}
}

func TestHead(t *testing.T) {
	modified := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	for _, c := range []struct {
		name   string
		answer reply
		want   plugins.Entry
	}{
		{"full", reply{200, "Content-Length: 10\nETag: W/\"a\"\nLast-Modified: Mon, 04 May 2026 03:02:01 GMT", ""},
			plugins.Entry{Size: 10, ETag: `W/"a"`, ModTime: modified}},
		{"bare", reply{200, "", ""}, plugins.Entry{Size: -1}},
		{"unsound", reply{200, "ETag: abc\nLast-Modified: yesterday", ""}, plugins.Entry{Size: -1}},
		{"unsound tag", reply{200, "ETag: \"a\"b\"", ""}, plugins.Entry{Size: -1}},
		{"compressed", reply{200, "Content-Length: 3\nContent-Encoding: gzip", ""}, plugins.Entry{Size: -1}},
	} {
		_, client := serve(t, "", c.answer.serve)
		got, err := client.Head(t.Context(), "/d/f")
		if err != nil {
			t.Fatal(err)
		}
		w := c.want
		if got.Name != "f" || got.Kind != plugins.File || got.Size != w.Size || got.ETag != w.ETag || !got.ModTime.Equal(w.ModTime) {
			t.Errorf("%s: %+v, want %+v", c.name, got, w)
		}
	}
}

func TestHeadOfADirectory(t *testing.T) {
	_, c := serve(t, "/b", func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/") {
			http.Redirect(w, r, r.URL.Path+"/", http.StatusMovedPermanently)
		}
	})
	for path, name := range map[string]string{"/a dir": "a dir", "/": ""} {
		e, err := c.Head(t.Context(), path)
		if err != nil || e.Name != name || path != "/" && (e.Kind != plugins.Directory || e.Size != -1) {
			t.Errorf("%q: %+v, %v", path, e, err)
		}
	}
	_, err := c.Digest(t.Context(), "/a dir", "md5")
	wantKind(t, err, plugins.IsDirectory)
}

// A storage that sends to a login page has not said that the file exists.
func TestRedirectToAPage(t *testing.T) {
	for _, c := range []struct {
		to, media string
		kind      plugins.Kind
	}{
		{"/login?next=/f.dat", "text/html; charset=utf-8", plugins.Denied},
		{"/", "text/html", plugins.Denied},
		{"/pool7/f.dat", "text/html", 0},
		{"/objects/4711", "application/octet-stream", 0},
	} {
		_, client := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/f.dat" {
				http.Redirect(w, r, c.to, http.StatusFound)
			}
			w.Header().Set("Content-Type", c.media)
		})
		_, err := client.Head(t.Context(), "/f.dat")
		wantKind(t, err, c.kind)
		b, err := client.Open(t.Context(), "/f.dat", plugins.Whole, nil)
		wantKind(t, err, c.kind)
		if err == nil {
			b.Close()
		}
	}
}

func TestDigest(t *testing.T) {
	_, c := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead {
			t.Errorf("method %s", r.Method)
		}
		switch {
		case r.URL.Path == "/old" && r.Header.Get("Want-Digest") == "adler32":
			w.Header().Set("Digest", "adler32=0aff020e")
		case r.URL.Path == "/new" && r.Header.Get("Want-Repr-Digest") == "md5=10":
			w.Header().Set("Repr-Digest", "md5=:eB5eJF1ptWaXm4bijSPyxw==:")
		case r.URL.Path == "/other":
			w.Header().Set("Digest", "md5=eB5eJF1ptWaXm4bijSPyxw==")
		case r.URL.Path == "/cksum":
			w.Header().Set("Digest", "crc32=ffffffff")
		case r.URL.Path == "/gone":
			w.WriteHeader(http.StatusNotFound)
		}
	})
	for _, x := range []struct {
		path, algorithm, sum string
		kind                 plugins.Kind
	}{
		{"/old", "adler32", "\x0a\xff\x02\x0e", 0},
		{"/old", "ADLER32", "\x0a\xff\x02\x0e", 0},
		{"/new", "md5", "\x78\x1e\x5e\x24\x5d\x69\xb5\x66\x97\x9b\x86\xe2\x8d\x23\xf2\xc7", 0},
		{"/other", "sha-256", "", plugins.Unsupported},
		{"/none", "md5", "", plugins.Unsupported},
		{"/none", "whirlpool", "", plugins.Unsupported},
		{"/cksum", "crc32", "", plugins.Unsupported},
		{"/gone", "md5", "", plugins.NotFound},
	} {
		d, err := c.Digest(t.Context(), x.path, x.algorithm)
		wantKind(t, err, x.kind)
		if d.Sum != x.sum {
			t.Errorf("%s of %s = %x, want %x", x.algorithm, x.path, d.Sum, x.sum)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-9/10", "bytes 0-9/*", "bytes */10", "bytes 9-0/10", "bytes 0-9223372036854775807/*", "bytes 0-", "bytes a-b/c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		resp := &http.Response{StatusCode: 206, ContentLength: -1, Header: http.Header{"Content-Range": {s}}}
		for _, r := range []plugins.Range{{Length: -1}, {Offset: 7, Length: 3}, {Offset: math.MaxInt64, Length: 1}, {Offset: 1, Length: math.MaxInt64}} {
			p, refused := delivered(resp, r)
			if refused == nil && (p.length <= 0 || r.Length >= 0 && p.length > r.Length || p.total >= 0 && r.Offset+p.length > p.total) {
				t.Fatalf("%q for %+v delivers %+v", s, r, p)
			}
		}
	})
}
