package dav

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"canopy/plugins"
)

// The same file in the words of different storages.
func TestStatDialects(t *testing.T) {
	modified := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	const when = "<D:getlastmodified>Mon, 04 May 2026 03:02:01 GMT</D:getlastmodified>"
	for _, c := range []struct {
		name, responses, tag string
		digests              []string
	}{
		{"Apache", response("/d/a%20file", file+when+`<D:getetag>"5-64"</D:getetag>`), `"5-64"`, nil},
		{"Apache, just written", response("/d/a%20file", file+when+`<D:getetag>W/"5-64"</D:getetag>`), `W/"5-64"`, nil},
		{"nginx", response("/d/a file", `<D:resourcetype></D:resourcetype><D:getcontentlength>5</D:getcontentlength>`+when), "", nil},
		{"rclone", response("/d/a%20file", file+when+`<D:getetag>&#34;18c5&#34;</D:getetag>`), `"18c5"`, nil},
		{"XRootD", `<D:response xmlns:lp1="DAV:"><D:href>/d/a file</D:href><D:propstat><D:prop><lp1:getcontentlength>5</lp1:getcontentlength>
<lp1:getlastmodified>Mon, 04 May 2026 03:02:01 GMT</lp1:getlastmodified><lp1:iscollection>0</lp1:iscollection><lp1:executable>F</lp1:executable>
</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>`, "", nil},
		{"dCache", response("http://door.example.org:2880/d/a%20file", file+when+`<D:getetag>"0000A_-1"</D:getetag>`+
			`<c:Checksums xmlns:c="http://www.dcache.org/2013/webdav">adler32=062c0215,md5=XUFAKrxLKna5cZ2REBfFkg==</c:Checksums>`), `"0000A_-1"`, []string{"adler32", "md5"}},
		{"ownCloud", response("/d/a%20file", file+when+`<D:getetag>"64"</D:getetag>`+
			`<o:checksums xmlns:o="http://owncloud.org/ns"><o:checksum>MD5:5d41402abc4b2a76b9719d911017c592</o:checksum></o:checksums>`), `"64"`, []string{"md5"}},
		{"EOS", response("https://other:443/d/%61%20file", file+when+`<D:getetag>17:abc</D:getetag>`), `"17:abc"`, nil},
		{"DPM", response("/d/a%20file", file+when+`<l:sumtype xmlns:l="LCGDM:">AD</l:sumtype><l:sumvalue xmlns:l="LCGDM:">062c0215</l:sumvalue>`), "", []string{"adler32"}},
		{"unknown properties apart", strings.Replace(response("/d/a%20file", file+when), "</D:response>",
			`<D:propstat><D:prop><D:getetag/></D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response>`, 1), "", nil},
		{"sloppy slashes", response("//d//a%20file", file+when), "", nil},
		{"depth ignored", response("/d/other", dir) + response("/d/a%20file", file+when), "", nil},
		{"type left out", response("/d/a%20file", "<D:getcontentlength>5</D:getcontentlength>"+when), "", nil},
		{"unsound tag", response("/d/a%20file", file+when+`<D:getetag>"a"b"</D:getetag>`), "", nil},
	} {
		e, err := says(t, c.responses).Stat(t.Context(), "/a file")
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if e.Name != "a file" || e.Kind != plugins.File || e.Size != 5 || !e.ModTime.Equal(modified) || e.ETag != c.tag || len(e.Digests) != len(c.digests) {
			t.Errorf("%s: %+v", c.name, e)
			continue
		}
		for i, d := range e.Digests {
			if d.Algorithm != c.digests[i] || d.Sum == "" {
				t.Errorf("%s: digests %+v, want %v", c.name, e.Digests, c.digests)
			}
		}
	}
}

func TestStatDirectory(t *testing.T) {
	for name, responses := range map[string]string{
		"plain":         response("/d/x/", dir),
		"without slash": response("/d/x", dir),
		"with a size":   response("/d/x/", dir+"<D:getcontentlength>4096</D:getcontentlength>"),
		"only a slash":  response("/d/x/", "<D:getcontentlength>4096</D:getcontentlength>"),
	} {
		e, err := says(t, responses).Stat(t.Context(), "/x")
		if err != nil || e.Kind != plugins.Directory || e.Size != -1 || e.Name != "x" {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
	if e, err := says(t, response("/d/", dir)).Stat(t.Context(), "/"); err != nil || e.Name != "" || e.Kind != plugins.Directory {
		t.Errorf("root: %+v, %v", e, err)
	}
}

func TestStatOfHrefsThatAreNotEncoded(t *testing.T) {
	for path, href := range map[string]string{
		"/a#b": "/d/a#b", "/a?b": "/d/a?b", "/100%": "/d/100%", "/%41": "/d/%41", "/%2F": "/d/%2F", "/a?b=%41": "/d/a?b=%41",
	} {
		if e, err := says(t, response(href, file)).Stat(t.Context(), path); err != nil || e.Name != path[1:] {
			t.Errorf("%q: %+v, %v", path, e, err)
		}
	}
}

func TestStatFailures(t *testing.T) {
	for _, c := range []struct {
		name, path, responses string
		want                  plugins.Kind
	}{
		{"404 inside", "/x", failed("/d/x", "404 Not Found"), plugins.NotFound},
		{"403 inside", "/x", failed("/d/x", "403 Forbidden"), plugins.Denied},
		{"507 inside", "/x", failed("/d/x", "507 Insufficient Storage"), plugins.Faulty},
		{"nothing", "/x", "", plugins.Malformed},
		{"about another", "/x", response("/d/y", file), plugins.Malformed},
		{"about a child", "/x", response("/d/x/y", file), plugins.Malformed},
		{"about elsewhere", "/x", response("/d/x/../../x", file), plugins.Malformed},
		{"about the same elsewhere", "/x", response("/e/x", file), plugins.Malformed},
		{"about a name it mangles", "/x ", response("/d/x", file), plugins.Invalid},
		{"says nothing of it", "/x", response("/d/x", ""), plugins.Malformed},
		{"not well formed", "/x", "<D:response>", plugins.Malformed},
	} {
		_, err := says(t, c.responses).Stat(t.Context(), c.path)
		if e, ok := err.(*plugins.Error); !ok || e.Kind != c.want || e.Op != "stat" || e.Path != c.path {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	e := serve(t, func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("<html>")) })
	_, err := e.Stat(t.Context(), "/x")
	wantKind(t, err, plugins.Malformed)
}

func TestStatAsksForWhatItUses(t *testing.T) {
	var got *http.Request
	var body string
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r, string(b)
		w.WriteHeader(http.StatusNotFound)
	})
	for _, sums := range []bool{true, false} {
		e.checksums = sums
		_, err := e.Stat(t.Context(), "/a b")
		wantKind(t, err, plugins.NotFound)
		if got.Method != "PROPFIND" || got.RequestURI != "/d/a%20b" || got.Header.Get("Depth") != "0" || !strings.Contains(body, "getcontentlength") || strings.Contains(body, "hecksums") != sums {
			t.Errorf("asked %s %s depth %s: %s", got.Method, got.RequestURI, got.Header.Get("Depth"), body)
		}
	}
}

// A web server without WebDAV, or a place on one that has none.
func TestStatWithoutPropfind(t *testing.T) {
	for _, status := range []int{http.StatusMethodNotAllowed, http.StatusNotImplemented} {
		e := serve(t, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method != http.MethodHead:
				w.WriteHeader(status)
			case r.URL.Path == "/d/f":
				w.Header().Set("Content-Length", "5")
			case r.URL.Path == "/d/dir":
				http.Redirect(w, r, "/d/dir/", http.StatusMovedPermanently)
			case !strings.HasSuffix(r.URL.Path, "/"):
				w.WriteHeader(http.StatusNotFound)
			}
		})
		if got, err := e.Stat(t.Context(), "/f"); err != nil || got.Kind != plugins.File || got.Size != 5 {
			t.Errorf("%d: file %+v, %v", status, got, err)
		}
		for _, path := range []string{"/dir", "/"} {
			if got, err := e.Stat(t.Context(), path); path == "/dir" && (err != nil || got.Kind != plugins.Directory) {
				t.Errorf("%d: %s: %+v, %v", status, path, got, err)
			}
		}
		_, err := e.Stat(t.Context(), "/gone")
		wantKind(t, err, plugins.NotFound)
		wantKind(t, e.Probe(t.Context(), "/"), 0)
	}
}

// What storages say of a path below a file.
func TestStatBelowAFile(t *testing.T) {
	for _, c := range []struct {
		status int
		want   plugins.Kind
	}{{400, plugins.Invalid}, {409, plugins.Invalid}, {500, plugins.Faulty}} {
		asked := 0
		e := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked++
			switch r.URL.Path {
			case "/d/file":
				w.WriteHeader(http.StatusMultiStatus)
				io.WriteString(w, `<D:multistatus xmlns:D="DAV:">`+response("/d/file", file)+`</D:multistatus>`)
			case "/d/dir":
				w.WriteHeader(http.StatusMultiStatus)
				io.WriteString(w, `<D:multistatus xmlns:D="DAV:">`+response("/d/dir/", dir)+`</D:multistatus>`)
			case "/d/gone":
				w.WriteHeader(http.StatusNotFound)
			default:
				w.WriteHeader(c.status)
			}
		})
		for path, want := range map[string]plugins.Kind{
			"/file/x": plugins.NotFound, "/file/x/y": plugins.NotFound, "/gone/x": plugins.NotFound,
			"/dir/x": c.want, "/x": c.want, "/1/2/3/4/5/6/7": c.want,
		} {
			asked = 0
			_, err := e.Stat(t.Context(), path)
			if got := plugins.KindOf(err); got != want || asked > 1+levels {
				t.Errorf("%d for %s: %v after %d questions, want %v", c.status, path, err, asked, want)
			}
		}
	}
}

func TestProbe(t *testing.T) {
	for status, want := range map[int]plugins.Kind{
		401: 0, 403: 0, 404: 0, 405: 0, 400: 0, 429: 0, 500: plugins.Faulty, 503: plugins.Faulty, 504: plugins.Timeout,
	} {
		e := serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) })
		if got := plugins.KindOf(e.Probe(t.Context(), "/")); got != want {
			t.Errorf("%d: %v, want %v", status, got, want)
		}
	}
	wantKind(t, says(t, response("/d/", dir)).Probe(t.Context(), "/"), 0)
}

func TestSpace(t *testing.T) {
	const quota = dir + "<D:quota-used-bytes>10</D:quota-used-bytes><D:quota-available-bytes>90</D:quota-available-bytes>"
	e := serve(t, func(w http.ResponseWriter, r *http.Request) {
		found := map[string]string{"/d": dir, "/d/q": quota, "/d/q/file": file}[strings.TrimSuffix(r.URL.Path, "/")]
		if found == "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusMultiStatus)
		io.WriteString(w, `<D:multistatus xmlns:D="DAV:">`+response(r.URL.Path, found)+`</D:multistatus>`)
	})
	for path, want := range map[string]plugins.Kind{"/q": 0, "/q/file": 0, "/q/new": 0, "/q/new/er": 0, "/": plugins.Unsupported, "/new": plugins.Unsupported} {
		got, err := e.Space(t.Context(), path)
		if plugins.KindOf(err) != want || want == 0 && (got != plugins.Space{Used: 10, Free: 90}) {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
	}
	e = serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusForbidden) })
	_, err := e.Space(t.Context(), "/q")
	wantKind(t, err, plugins.Denied)
}

func FuzzPlace(f *testing.F) {
	for _, href := range []string{"/d/x", "/d/%41/y", "//d//x/", "http://h/d/x?y#z", "/d/x/../y", "/d/%2e%2e", "/d/%00", "/d/100%", "d/x"} {
		f.Add(href, "x")
		f.Add(href, "%41")
	}
	f.Fuzz(func(t *testing.T, href, name string) {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
			return
		}
		below, _ := place(href, []string{"d", name})
		for _, c := range below {
			if c == "" || c == "." || c == ".." || strings.ContainsAny(c, "/\x00") {
				t.Fatalf("%q lies at %q below %q", href, below, name)
			}
		}
	})
}
