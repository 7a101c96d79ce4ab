package multistatus

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"canopy/plugins"
	"canopy/plugins/wire/propfind"
	"canopy/plugins/wire/xmlpull"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func ask(t testing.TB, body string) propfind.Request {
	t.Helper()
	r, err := propfind.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// askFor is a request for the properties named, which may use the prefixes D,
// k and oc.
func askFor(t testing.TB, properties string) propfind.Request {
	return ask(t, `<D:propfind xmlns:D="DAV:" xmlns:k="http://www.dcache.org/2013/webdav" xmlns:oc="http://owncloud.org/ns"><D:prop>`+properties+`</D:prop></D:propfind>`)
}

var (
	directory = Entry{
		Entry: plugins.Entry{Kind: plugins.Directory, Size: -1, ModTime: time.Date(2024, 2, 29, 12, 34, 56, 789, time.UTC)},
		Space: &plugins.Space{Used: 10, Free: -1},
	}
	file = Entry{
		Entry: plugins.Entry{
			Name: `a&b <"ü">.root`, Kind: plugins.File, Size: 5, ETag: `W/"<1>"`,
			ModTime: time.Date(2024, 3, 1, 0, 0, 0, 0, time.FixedZone("", 3600)),
			Digests: []plugins.Digest{
				{Algorithm: "adler32", Sum: "\x03\xda\x01\x95"},
				{Algorithm: "md5", Sum: "]A@*\xbcK*v\xb9q\x9d\x91\x10\x17\xc5\x92"},
				{Algorithm: "unheard-of", Sum: "x"},
			},
		},
		Created: time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC),
		Space:   &plugins.Space{Used: 1, Free: 1}, // to be ignored
	}
	bare = Entry{Entry: plugins.Entry{Name: "x", Kind: plugins.File, Size: -1}}
)

func mediaType(name string) string {
	if strings.HasSuffix(name, ".root") {
		return "application/x-root"
	}
	return ""
}

func TestWriter(t *testing.T) {
	const every = "<D:resourcetype/><D:getcontentlength/><D:getlastmodified/><D:creationdate/><D:getetag/><D:displayname/><D:getcontenttype/>" +
		"<D:quota-used-bytes/><D:quota-available-bytes/><D:supportedlock/><k:Checksums/><oc:checksums/>"
	for _, c := range []struct {
		name    string
		options Options
	}{
		{"allprop", Options{Path: "/a b/c", Request: propfind.Request{AllProp: true}, ContentType: mediaType}},
		{"allprop-include", Options{Path: "/", Request: ask(t, `<propfind xmlns="DAV:"><allprop/><include><quota-used-bytes/><acl/></include></propfind>`)}},
		{"propname", Options{Path: "/p", Request: propfind.Request{PropName: true}}},
		{"every", Options{Path: "/p", Prefix: "https://host:8443", Request: askFor(t, every), ContentType: mediaType}},
		{"brief", Options{Path: "/p", Request: askFor(t, every+"<D:acl/>"), Brief: true}},
		{"davix", Options{Path: "/p", Prefix: "http://host", Request: askFor(t, "<D:getcontentlength/><D:resourcetype/><mode xmlns='LCGDM:'/><x xmlns=''/><y xmlns='&lt;&quot;&amp;'/>")}},
		{"unknown", Options{Path: "/p", Request: askFor(t, "<D:acl/>")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			w := NewWriter(&b, c.options)
			if err := errors.Join(w.Target(&directory), w.Child(&file), w.Child(&bare), w.Close()); err != nil {
				t.Fatal(err)
			}
			if err := wellFormed(b.Bytes()); err != nil {
				t.Error(err)
			}
			golden := "testdata/write/" + c.name + ".xml"
			if *update {
				if err := os.WriteFile(golden, b.Bytes(), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

// wellFormed asks encoding/xml.
func wellFormed(doc []byte) error {
	d := xml.NewDecoder(bytes.NewReader(doc))
	for {
		if _, err := d.Token(); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
}

func TestWriterHrefs(t *testing.T) {
	for _, c := range []struct {
		prefix, path string
		target       plugins.EntryKind
		child        string
		want         string
	}{
		{"", "/", plugins.Directory, "a", "/ /a"},
		{"", "/d", plugins.Directory, "a", "/d/ /d/a"},
		{"", "/d/f", plugins.File, "", "/d/f"},
		{"http://h", "/", plugins.Directory, "a", "http://h/ http://h/a"},
		{"http://h", "/d/e", plugins.Directory, "é ?#%+;&'\"\x00\n\xff", "http://h/d/e/ http://h/d/e/%C3%A9%20%3F%23%25%2B%3B%26%27%22%00%0A%FF"},
		{"", "/d", plugins.Directory, "sub/deep", "/d/ /d/sub/deep"},
		{"", "/d", plugins.Directory, "-._~!$()*,:=@AZaz09", "/d/ /d/-._~!$()*,:=@AZaz09"},
	} {
		var b bytes.Buffer
		w := NewWriter(&b, Options{Prefix: c.prefix, Path: c.path, Request: propfind.Request{AllProp: true}})
		w.Target(&Entry{Entry: plugins.Entry{Kind: c.target}})
		if c.child != "" {
			w.Child(&Entry{Entry: plugins.Entry{Kind: plugins.File, Name: c.child}})
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		var hrefs []string
		for r, err := range Scan(&b, Limits{}) {
			if err != nil {
				t.Fatal(err)
			}
			hrefs = append(hrefs, r.Href)
		}
		if got := strings.Join(hrefs, " "); got != c.want {
			t.Errorf("got %s\nwant %s", got, c.want)
		}
	}
}

func TestDisplayName(t *testing.T) {
	for name, want := range map[string]string{
		"":                             "",
		"a<b>&\"'":                     "a&lt;b&gt;&amp;\"'",
		"\t\r\n\x00\x1f":               "&#9;&#13;&#10;\uFFFD\uFFFD",
		"\xff\xc3é\xed\xa0\x80\uFFFE😀": "\uFFFD\uFFFDé\uFFFD\uFFFD\uFFFD\uFFFD😀",
	} {
		if got := string(appendEscaped(nil, name)); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestStatus(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b, Options{Prefix: "http://h", Path: "/ignored"})
	w.Status("/a b/", 423, LockTokenSubmitted)
	w.Status("/c", 507, 0)
	w.Status("/d", 409, NoConflictingLock)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want := `<?xml version="1.0" encoding="utf-8"?>
<D:multistatus xmlns:D="DAV:">
<D:response><D:href>http://h/a%20b/</D:href><D:status>HTTP/1.1 423 Locked</D:status><D:error><D:lock-token-submitted><D:href>/a%20b/</D:href></D:lock-token-submitted></D:error></D:response>
<D:response><D:href>http://h/c</D:href><D:status>HTTP/1.1 507 Insufficient Storage</D:status></D:response>
<D:response><D:href>http://h/d</D:href><D:status>HTTP/1.1 409 Conflict</D:status><D:error><D:no-conflicting-lock/></D:error></D:response>
</D:multistatus>
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestAppendError(t *testing.T) {
	for c, want := range map[Condition]string{
		FiniteDepth:       `<D:propfind-finite-depth/>`,
		LockTokenMatches:  `<D:lock-token-matches-request-uri/>`,
		ProtectedProperty: `<D:cannot-modify-protected-property/>`,
	} {
		want = xmlHeader + `<D:error xmlns:D="DAV:">` + want + "</D:error>\n"
		if got := string(AppendError(nil, c)); got != want {
			t.Errorf("got %s", got)
		}
	}
	want := xmlHeader + `<D:error xmlns:D="DAV:"><D:no-conflicting-lock><D:href>/a%20b</D:href><D:href>/c/</D:href></D:no-conflicting-lock></D:error>` + "\n"
	if got := string(AppendError(nil, NoConflictingLock, "/a b", "/c/")); got != want {
		t.Errorf("got %s", got)
	}
}

// counter counts what reaches it, and fails after so many writes.
type counter struct{ writes, bytes, good int }

var errBroken = errors.New("broken")

func (c *counter) Write(p []byte) (int, error) {
	if c.good--; c.good < 0 {
		return 0, errBroken
	}
	c.writes++
	c.bytes += len(p)
	return len(p), nil
}

func TestWriterStreams(t *testing.T) {
	c := counter{good: 1000}
	w := NewWriter(&c, Options{Path: "/", Request: propfind.Request{AllProp: true}})
	if w.Target(&directory); c.writes != 0 {
		t.Error("written before there is enough")
	}
	if err := w.Flush(); err != nil || c.writes != 1 || w.Flush() != nil || c.writes != 1 {
		t.Error("Flush:", c, err)
	}
	for c.writes < 4 {
		w.Child(&file)
	}
	if c.bytes > 4*flushAt || c.bytes < 3*flushAt {
		t.Error(c)
	}
}

func TestWriterErrors(t *testing.T) {
	c := counter{good: 1}
	w := NewWriter(&c, Options{Path: "/", Request: propfind.Request{AllProp: true}})
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	var err error
	for n := 0; err == nil && n < 10000; n++ {
		err = w.Child(&file)
	}
	if err != errBroken || w.Child(&file) != errBroken || w.Status("/", 404, 0) != errBroken || w.Close() != errBroken || c.writes != 1 {
		t.Error(err, c)
	}
}

// A document without Close has no end.
func TestWriterAbandoned(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b, Options{Path: "/", Request: propfind.Request{AllProp: true}})
	w.Target(&directory)
	w.Flush()
	lines, err := scan(&b, Limits{})
	if len(lines) != 1 || plugins.KindOf(err) != plugins.Malformed {
		t.Error(lines, err)
	}
}

func TestWriterAllocates(t *testing.T) {
	for _, request := range []propfind.Request{
		{AllProp: true}, {PropName: true},
		askFor(t, "<D:resourcetype/><D:getcontentlength/><D:getlastmodified/><k:Checksums/><oc:checksums/><D:quota-used-bytes/><D:acl/>"),
	} {
		w := NewWriter(io.Discard, Options{Path: "/", Request: request, ContentType: mediaType})
		for range 1000 {
			w.Child(&file)
		}
		if n := testing.AllocsPerRun(1000, func() { w.Child(&file) }); n != 0 {
			t.Errorf("%v allocations an entry for %+v", n, request)
		}
	}
}

func FuzzRoundTrip(f *testing.F) {
	f.Add("/", "a", int64(0), int64(0), "", "", "", true)
	f.Add("/d\xff/e", "é ?#%+\x00\xff<&>\"\r\n", int64(1)<<62, int64(1709210096), `W/"<&]]>"`, "\x01\x02\x03\x04", "http://host", false)
	f.Fuzz(func(t *testing.T, path, name string, size, modified int64, etag, sum, prefix string, dir bool) {
		path = "/" + strings.Trim(path, "/")
		name = strings.ReplaceAll(name, "/", "")
		if name == "" || strings.Trim(etag, " \t\r\n") != etag || len(path)+len(name)+len(prefix) > 4000 || len(etag) > 4000 {
			return
		}
		if strings.ContainsFunc(prefix, func(r rune) bool { return r <= ' ' || r >= 0x7F }) {
			return // no URL
		}
		e := Entry{Entry: plugins.Entry{Name: name, Kind: plugins.File, Size: size, ModTime: time.Unix(modified, 0).UTC(), ETag: etag}}
		want := Response{Kind: plugins.File, Length: max(size, -1), ETag: strings.ToValidUTF8(etag, "\uFFFD"), Space: plugins.Space{Used: -1, Free: -1}}
		if dir {
			e.Kind, e.Space = plugins.Directory, &plugins.Space{Used: size, Free: 7}
			want.Kind, want.Length, want.Space = plugins.Directory, -1, plugins.Space{Used: max(size, -1), Free: 7}
		} else if len(sum) == 4 {
			e.Digests = []plugins.Digest{{Algorithm: "adler32", Sum: sum}}
			want.Digests = e.Digests
		}
		if y := e.ModTime.Year(); 1 <= y && y <= 9999 && !e.ModTime.IsZero() {
			want.Modified, want.Created = e.ModTime, e.ModTime
		}
		e.Created = e.ModTime

		var b bytes.Buffer
		w := NewWriter(&b, Options{Path: path, Prefix: prefix, Request: askFor(t,
			"<D:resourcetype/><D:getcontentlength/><D:getlastmodified/><D:creationdate/><D:getetag/><D:displayname/><D:quota-used-bytes/><D:quota-available-bytes/><k:Checksums/><oc:checksums/><D:acl/>")})
		w.Target(&directory)
		w.Child(&e)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := wellFormed(b.Bytes()); err != nil {
			t.Fatalf("%v in %s", err, b.Bytes())
		}
		n := 0
		for r, err := range Scan(&b, Limits{}) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 1 {
				continue
			}
			decoded, err := url.PathUnescape(strings.TrimPrefix(r.Href, prefix))
			full := strings.TrimSuffix(path, "/") + "/" + name
			if dir {
				full += "/"
			}
			if err != nil || decoded != full {
				t.Errorf("%q became %q (%v)", full, r.Href, err)
			}
			got := *r
			got.Href = ""
			if strings.ContainsFunc(etag, func(r rune) bool { return !xmlpull.ValidChar(r) }) || !utf8.ValidString(etag) {
				got.ETag, want.ETag = "", "" // cannot survive
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		}
		if n != 2 {
			t.Errorf("%d responses", n)
		}
	})
}
