package multistatus

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"canopy/plugins"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden files anew")

// describe puts all of r on one line.
func describe(r *Response) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q", r.Href)
	if r.Status != 0 {
		fmt.Fprintf(&b, " status=%d", r.Status)
	}
	fmt.Fprintf(&b, " %v length=%d", r.Kind, r.Length)
	if !r.Modified.IsZero() {
		fmt.Fprintf(&b, " modified=%s", r.Modified.Format(time.RFC3339Nano))
	}
	if !r.Created.IsZero() {
		fmt.Fprintf(&b, " created=%s", r.Created.Format(time.RFC3339Nano))
	}
	if r.ETag != "" {
		fmt.Fprintf(&b, " etag=%s", r.ETag)
	}
	if r.ContentType != "" {
		fmt.Fprintf(&b, " type=%q", r.ContentType)
	}
	if r.Space.Used >= 0 || r.Space.Free >= 0 {
		fmt.Fprintf(&b, " used=%d free=%d", r.Space.Used, r.Space.Free)
	}
	for _, d := range r.Digests {
		fmt.Fprintf(&b, " %s=%x", d.Algorithm, d.Sum)
	}
	return b.String()
}

// scan returns the descriptions of all responses, and the error.
func scan(r io.Reader, limits Limits) (lines []string, err error) {
	for r, e := range Scan(r, limits) {
		if e != nil {
			if r != nil || err != nil {
				e = errors.New("an error comes with a response, or after another")
			}
			err = e
			continue
		}
		if err != nil {
			return lines, errors.New("a response comes after an error")
		}
		lines = append(lines, describe(r))
	}
	return lines, err
}

func TestScanDialects(t *testing.T) {
	files, err := filepath.Glob("testdata/*.xml")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			doc, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := scan(bytes.NewReader(doc), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(lines, "\n") + "\n"
			golden := strings.TrimSuffix(file, ".xml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
			// How the bytes arrive makes no difference.
			slow, err := scan(iotest.OneByteReader(bytes.NewReader(doc)), Limits{})
			if diff := cmp.Diff(lines, slow); diff != "" || err != nil {
				t.Errorf("byte by byte: %v\n%s", err, diff)
			}
			half, err := scan(iotest.DataErrReader(iotest.HalfReader(bytes.NewReader(doc))), Limits{})
			if diff := cmp.Diff(lines, half); diff != "" || err != nil {
				t.Errorf("by halves: %v\n%s", err, diff)
			}
			// A document that is cut off is never complete.
			end := bytes.LastIndexByte(doc, '>')
			for n := 0; n < end; n += 1 + end/97 {
				if _, err := scan(bytes.NewReader(doc[:n]), Limits{}); plugins.KindOf(err) != plugins.Malformed {
					t.Fatalf("cut at %d of %d: %v", n, end, err)
				}
			}
		})
	}
}

// wrap returns a document of one response for /f with the given propstat
// content.
func wrap(propstat string) string {
	return `<D:multistatus xmlns:D="DAV:" xmlns:k="http://www.dcache.org/2013/webdav" xmlns:oc="http://owncloud.org/ns" xmlns:L="LCGDM:">` +
		`<D:response><D:href>/f</D:href><D:propstat>` + propstat + `</D:propstat></D:response></D:multistatus>`
}

func prop(properties string) string {
	return wrap("<D:prop>" + properties + "</D:prop><D:status>HTTP/1.1 200 OK</D:status>")
}

func TestScanProperties(t *testing.T) {
	const unknown = `"/f" unknown length=-1`
	for _, c := range []struct{ name, doc, want string }{
		{"nothing", prop(""), unknown},
		{"resourcetype empty", prop("<D:resourcetype/>"), `"/f" file length=-1`},
		{"resourcetype blank", prop("<D:resourcetype> \n </D:resourcetype>"), `"/f" file length=-1`},
		{"collection and more", prop(`<D:resourcetype><x:a xmlns:x="u">t<x:b/></x:a><D:collection>x</D:collection></D:resourcetype>`), `"/f" directory length=-1`},
		{"collection of another namespace", prop(`<D:resourcetype><oc:collection/></D:resourcetype>`), `"/f" file length=-1`},
		{"iscollection 1", prop("<D:iscollection>1</D:iscollection>"), `"/f" directory length=-1`},
		{"iscollection beats an empty type", prop("<D:iscollection>true</D:iscollection><D:resourcetype/>"), `"/f" directory length=-1`},
		{"iscollection 0", prop("<D:iscollection>0</D:iscollection>"), `"/f" file length=-1`},
		{"iscollection nonsense", prop("<D:iscollection>maybe</D:iscollection>"), unknown},
		{"length", prop("<D:getcontentlength>\n 42\t</D:getcontentlength>"), `"/f" unknown length=42`},
		{"length 2^63-1", prop("<D:getcontentlength>9223372036854775807</D:getcontentlength>"), `"/f" unknown length=9223372036854775807`},
		{"length 2^63", prop("<D:getcontentlength>9223372036854775808</D:getcontentlength>"), unknown},
		{"length negative", prop("<D:getcontentlength>-1</D:getcontentlength>"), unknown},
		{"length empty", prop("<D:getcontentlength/>"), unknown},
		{"length split", prop("<D:getcontentlength>4<!-- --><![CDATA[2]]>&#48;</D:getcontentlength>"), `"/f" unknown length=420`},
		{"last one wins", prop("<D:getcontentlength>1</D:getcontentlength><D:getcontentlength>2</D:getcontentlength>"), `"/f" unknown length=2`},
		{"quota unlimited", prop("<D:quota-used-bytes>5</D:quota-used-bytes><D:quota-available-bytes>-3</D:quota-available-bytes>"), unknown + " used=5 free=-1"},
		{"weak etag", prop("<D:getetag>W/&#x22;a&amp;b&#34;</D:getetag>"), unknown + ` etag=W/"a&b"`},
		{"foreign properties", prop(`<oc:getetag>1</oc:getetag><L:getcontentlength>1</L:getcontentlength><k:resourcetype/><u:x>1</u:x>`), unknown},
		{"unprefixed in default", prop(`<getetag xmlns="DAV:">1</getetag><getetag xmlns="other">2</getetag>`), unknown + " etag=1"},
		{"no namespace", prop(`<getetag>1</getetag>`), unknown + " etag=1"},
		{"rebinding", prop(`<D:getetag xmlns:D="other">2<D:x/></D:getetag><y:getetag xmlns:y="DAV:">1</y:getetag>`), unknown + " etag=1"},
		{"namespace with references", prop(`<y:getetag xmlns:y='&#68;AV:'>1</y:getetag>`), unknown + " etag=1"},
		{"undeclared prefix", prop(`<q:getetag>1</q:getetag>`), unknown},

		{"status 404", wrap("<D:prop><D:getetag>1</D:getetag></D:prop><D:status>HTTP/1.1 404 Not Found</D:status>"), unknown},
		{"status first", wrap("<D:status>HTTP/1.1 403 No</D:status><D:prop><D:getetag>1</D:getetag></D:prop>"), unknown},
		{"status 207", wrap("<D:prop><D:getetag>1</D:getetag></D:prop><D:status>HTTP/1.1 207 X</D:status>"), unknown + " etag=1"},
		{"status missing", wrap("<D:prop><D:getetag>1</D:getetag></D:prop>"), unknown + " etag=1"},
		{"status without version", wrap("<D:prop><D:getetag>1</D:getetag></D:prop><D:status>200</D:status>"), unknown + " etag=1"},
		{"propstat with more", wrap("<D:responsedescription>no</D:responsedescription><D:prop><D:getetag>1</D:getetag></D:prop><x/>"), unknown + " etag=1"},
		{"status nonsense", wrap("<D:prop><D:getetag>1</D:getetag></D:prop><D:status>fine</D:status>"), unknown},
		{"empty after the value", prop("<D:getetag>1</D:getetag><D:getetag/><D:getcontentlength>1</D:getcontentlength><D:getcontentlength>x</D:getcontentlength>"), `"/f" unknown length=1 etag=1`},
		{"two propstats", wrap("<D:prop><D:getetag>1</D:getetag></D:prop></D:propstat><D:propstat><D:prop><D:getcontentlength>3</D:getcontentlength><D:getetag/></D:prop>"), `"/f" unknown length=3 etag=1`},

		{"dCache", prop("<k:Checksums>adler32=03da0195,md5=XUFAKrxLKna5cZ2REBfFkg==, crc64=1,broken,sha-256=zz</k:Checksums>"), unknown + " adler32=03da0195 md5=5d41402abc4b2a76b9719d911017c592"},
		{"dCache sha", prop("<k:Checksums>SHA-1=qvTGHdzF6KLavt4PO0gs2a6pQ00=,sha-256=LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=</k:Checksums>"), unknown + " sha=aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d sha-256=2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"},
		{"dCache nothing", prop("<k:Checksums/>"), unknown},
		{"ownCloud", prop("<oc:checksums><oc:checksum>SHA1:a94a8fe5ccb19ba61c4c0873d391e987982fbbd3 MD5:098F6BCD4621d373cade4e832627b4f6  ADLER32:45d01c1</oc:checksum></oc:checksums>"), unknown + " sha=a94a8fe5ccb19ba61c4c0873d391e987982fbbd3 md5=098f6bcd4621d373cade4e832627b4f6 adler32=045d01c1"},
		{"ownCloud twice", prop("<oc:checksums><oc:checksum>ADLER32:00000001</oc:checksum><D:checksum>ADLER32:00000002</D:checksum><oc:checksum>ADLER32:00000003</oc:checksum></oc:checksums>"), unknown + " adler32=00000001"},
		{"LCGDM", prop("<L:sumvalue>3DA0195</L:sumvalue><L:sumtype>AD</L:sumtype>"), unknown + " adler32=03da0195"},
		{"LCGDM half", prop("<L:sumvalue>3DA0195</L:sumvalue>"), unknown},
		{"LCGDM unknown", prop("<L:sumtype>CS</L:sumtype><L:sumvalue>1</L:sumvalue>"), unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines, err := scan(strings.NewReader(c.doc), Limits{})
			if diff := cmp.Diff([]string{c.want}, lines); diff != "" || err != nil {
				t.Errorf("%v\nwant -, got +:\n%s", err, diff)
			}
		})
	}
}

func TestScanMalformed(t *testing.T) {
	big := strings.Repeat("x", 300)
	small := Limits{Response: 200, Value: 100, Depth: 5, Responses: 2, Total: 1000}
	response := "<response><href>/a</href></response>"
	for _, c := range []struct {
		name, doc string
		limits    Limits
		yielded   int
	}{
		{name: "empty", doc: ""},
		{name: "blank", doc: " \n"},
		{name: "text", doc: "Not Found"},
		{name: "HTML", doc: "<html><body>oops<br></body></html>"},
		{name: "other root", doc: `<D:error xmlns:D="DAV:"/>`},
		{name: "root of another namespace", doc: `<multistatus xmlns="other"/>`},
		{name: "undeclared root", doc: `<D:multistatus/>`},
		{name: "DTD", doc: `<!DOCTYPE multistatus [<!ENTITY a "b">]><multistatus/>`},
		{name: "custom entity", doc: "<multistatus><response><href>/&a;</href></response></multistatus>"},
		{name: "UTF-16", doc: "\xff\xfe<\x00m\x00"},
		{name: "windows-1252", doc: `<?xml version="1.0" encoding="windows-1252"?><multistatus/>`},
		{name: "no href", doc: "<multistatus>" + response + "<response/></multistatus>", yielded: 1},
		{name: "blank href", doc: "<multistatus><response><href> </href></response></multistatus>"},
		{name: "mismatched tags", doc: "<multistatus>" + response + "<response></multistatus></response>", yielded: 1},
		{name: "cut after a response", doc: "<multistatus>" + response, yielded: 1},
		{name: "long response", doc: "<multistatus>" + response + "<response><href>/b</href><a/>" + strings.Repeat("<a>x</a>", 30) + "</response></multistatus>", limits: small, yielded: 1},
		{name: "long text", doc: "<multistatus>" + response + big + "</multistatus>", limits: small, yielded: 1},
		{name: "long href", doc: "<multistatus><response><href>" + big[:101] + "</href></response></multistatus>", limits: small},
		{name: "deep", doc: "<multistatus><response><href>/b</href><a><b><c><d/></c></b></a></response></multistatus>", limits: small},
		{name: "many", doc: "<multistatus>" + strings.Repeat(response, 3) + "</multistatus>", limits: small, yielded: 2},
		{name: "many hrefs", doc: "<multistatus><response><href>/a</href><href>/b</href><href>/c</href></response></multistatus>", limits: small},
		{name: "total", doc: "<multistatus>" + response + strings.Repeat("<a>x</a>", 200) + "</multistatus>", limits: small, yielded: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines, err := scan(strings.NewReader(c.doc), c.limits)
			var e *plugins.Error
			if !errors.As(err, &e) || e.Kind != plugins.Malformed || len(lines) != c.yielded {
				t.Errorf("%d responses, %v", len(lines), err)
			}
			slow, again := scan(iotest.OneByteReader(strings.NewReader(c.doc)), c.limits)
			if len(slow) != c.yielded || fmt.Sprint(again) != fmt.Sprint(err) {
				t.Errorf("byte by byte: %d responses, %v, not %v", len(slow), again, err)
			}
		})
	}
}

func TestScanPassesReadErrors(t *testing.T) {
	cause := &plugins.Error{Kind: plugins.Canceled}
	doc := "<multistatus><response><href>/a</href></response><resp"
	lines, err := scan(io.MultiReader(strings.NewReader(doc), iotest.ErrReader(cause)), Limits{})
	if err != error(cause) || len(lines) != 1 {
		t.Error(lines, err)
	}
	_, err = scan(iotest.ErrReader(io.ErrUnexpectedEOF), Limits{})
	if err != io.ErrUnexpectedEOF {
		t.Error(err)
	}
}

// A response is there as soon as its bytes are, and what comes after the
// document does not matter.
func TestScanStreams(t *testing.T) {
	r, w := io.Pipe()
	steps := make(chan string)
	go func() {
		for s := range steps {
			io.WriteString(w, s)
		}
	}()
	feed := func(s string) { steps <- s }
	feed("<multistatus><response><href>/a</href></response>")
	n := 0
	for r, err := range Scan(r, Limits{}) {
		if err != nil {
			t.Fatal(err)
		}
		switch n++; r.Href {
		case "/a":
			feed("<response><href>/b</href></response></multistatus>")
		case "/b":
		default:
			t.Error(r.Href)
		}
	}
	if n != 2 {
		t.Error(n)
	}
	close(steps)
}

func TestScanStopsEarly(t *testing.T) {
	doc := "<multistatus><response><href>/a</href><href>/b</href></response><broken"
	for r, err := range Scan(strings.NewReader(doc), Limits{}) {
		if err != nil || r.Href != "/a" {
			t.Error(r, err)
		}
		break
	}
}

// What a Response does not say must not be left over from the one before.
func TestScanForgets(t *testing.T) {
	full := strings.TrimSuffix(prop("<D:resourcetype><D:collection/></D:resourcetype><D:getcontentlength>1</D:getcontentlength><D:getlastmodified>2024-01-01</D:getlastmodified>"+
		"<D:getetag>e</D:getetag><D:getcontenttype>t</D:getcontenttype><D:quota-used-bytes>1</D:quota-used-bytes><oc:checksums><oc:checksum>ADLER32:1</oc:checksum></oc:checksums>"+
		"<L:sumtype>MD</L:sumtype><L:sumvalue>098f6bcd4621d373cade4e832627b4f6</L:sumvalue>"), "</D:multistatus>")
	lines, err := scan(strings.NewReader(full+"<D:response><D:href>/g</D:href></D:response></D:multistatus>"), Limits{})
	if err != nil || len(lines) != 2 || lines[1] != `"/g" unknown length=-1` {
		t.Error(lines, err)
	}
}
