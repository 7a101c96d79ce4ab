package metalink

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// dialects are documents as other programs write them.
var dialects = map[string]struct {
	text string
	want []File
}{
	"RFC 5854": {`<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink">
  <published>2009-05-15T12:23:23Z</published>
  <file name="example.ext">
    <size>14471447</size>
    <identity>Example</identity>
    <hash type="sha-256">f0ad929cd259957e160ea442eb80986b5f01f0ad929cd259957e160ea442eb80</hash>
    <pieces length="262144" type="sha-1"><hash>0101010101010101010101010101010101010101</hash></pieces>
    <url location="de" priority="1">ftp://ftp.example.com/example.ext</url>
    <url location="fr" priority="1">
      http://example.com/example.ext
    </url>
    <metaurl mediatype="torrent" priority="2">http://example.com/example.ext.torrent</metaurl>
  </file>
</metalink>`, []File{{
		Name: "example.ext", Size: 14471447,
		Hashes: []plugins.Digest{hash("sha-256", "f0ad929cd259957e160ea442eb80986b5f01f0ad929cd259957e160ea442eb80")},
		URLs: []URL{
			{"ftp://ftp.example.com/example.ext", 1, "de"},
			{"http://example.com/example.ext", 1, "fr"},
		},
	}}},
	"Rucio": {`<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink">
 <file name="AOD.root">
  <identity>data18:AOD.root</identity>
  <hash type="adler32">3da0195</hash>
  <size>10</size>
  <glfn name="/atlas/rucio/data18:AOD.root"></glfn>
  <url location="CERN-PROD_DATADISK" domain="wan" priority="1" client_extract="false">davs://eos.example.org:443/a%3Ab?x=1&amp;y=2</url>
 </file>
</metalink>`, []File{{
		Name: "AOD.root", Size: 10, Hashes: []plugins.Digest{hash("adler32", "03da0195")},
		URLs: []URL{{"davs://eos.example.org:443/a%3Ab?x=1&y=2", 1, "CERN-PROD_DATADISK"}},
	}}},
	"version 3": {`<metalink version="3.0" xmlns="http://www.metalinker.org/"><files>
<file name="f"><size>5</size><verification><hash type="sha1">0101010101010101010101010101010101010101</hash>
<pieces length="1" type="sha1"><hash piece="0">0202020202020202020202020202020202020202</hash></pieces></verification>
<resources maxconnections="3"><url type="http" location="ch" preference="100">http://a/f</url>
<url type="bittorrent" preference="100">http://a/f.torrent</url><url type="http" preference="0">http://b/f</url></resources>
</file></files></metalink>`, []File{{
		Name: "f", Size: 5, Hashes: []plugins.Digest{hash("sha", strings.Repeat("01", 20))},
		URLs: []URL{{"http://a/f", 1, "ch"}, {"http://b/f", 100, ""}},
	}}},
	"senseless values": {`<metalink><file name="../../etc/passwd"><size>-1</size><hash type="md5">zz</hash><hash>00</hash>
<hash type="md5">00000000000000000000000000000001</hash><hash type="MD5">00000000000000000000000000000002</hash>
<url priority="x">u</url><url priority="0"/><url priority="1000000" preference="101"><i>v</i>w</url></file>
<file><size>9223372036854775808</size></file><url>lost</url></metalink> and more`, []File{
		{Size: -1, Hashes: []plugins.Digest{hash("md5", "00000000000000000000000000000001")}, URLs: []URL{{URL: "u"}}},
		{Size: -1},
	}},
}

// hash returns a digest whose value is given in hexadecimal.
func hash(algorithm, text string) plugins.Digest {
	d, _ := digest.Decode(algorithm, text)
	return d
}

func TestParse(t *testing.T) {
	for name, c := range dialects {
		doc, err := Parse(strings.NewReader(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, doc.Files); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":       "",
		"text":          "hello",
		"HTML":          "<html></html>",
		"ends early":    sample4[:len(sample4)-20],
		"not XML":       "<metalink><file></metalink>",
		"document type": `<!DOCTYPE metalink [<!ENTITY a "b">]><metalink/>`,
		"entity":        `<metalink><file name="&a;"/></metalink>`,
		"deep":          "<metalink>" + strings.Repeat("<a>", maxDepth) + strings.Repeat("</a>", maxDepth) + "</metalink>",
		"charset":       `<?xml version="1.0" encoding="latin1"?><metalink/>`,
	} {
		if doc, err := Parse(strings.NewReader(text)); err == nil || len(doc.Files) > 0 {
			t.Errorf("%s: %d files, error %v", name, len(doc.Files), err)
		}
	}
}

func TestParseIsBounded(t *testing.T) {
	text := write(t, V4, sample...)
	for _, c := range []struct {
		limits limits
		ok     bool
	}{
		{limits{bytes: len(text), files: 2}, true},
		{limits{bytes: len(text) - 20, files: 2}, false},
		{limits{bytes: len(text), files: 1}, false},
	} {
		if _, err := c.limits.parse(strings.NewReader(text)); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.limits, err)
		}
	}
}

func TestParseDropsWhatIsTooLong(t *testing.T) {
	long := strings.Repeat("x", maxText+1)
	doc, err := Parse(strings.NewReader(`<metalink><file name="` + long + `"><url>` + long + `</url>` +
		strings.Repeat("<url>u</url>", maxURLs+1) + `</file></metalink>`))
	if err != nil {
		t.Fatal(err)
	}
	if f := doc.Files[0]; f.Name != "" || len(f.URLs) != maxURLs || f.URLs[0].URL != "u" {
		t.Errorf("name of %d bytes, %d URLs", len(f.Name), len(f.URLs))
	}
}

// anyFile draws a file as Parse returns them from a document in version v.
func anyFile(t *rapid.T, v Version) File {
	part := rapid.StringMatching(`[^\x00-\x08\x0b\x0c\x0e-\x1f/\x{fffe}\x{ffff}]+`).
		Filter(func(s string) bool { return s != "." && s != ".." })
	f := File{
		Name: strings.Join(rapid.SliceOfN(part, 1, 3).Draw(t, "name"), "/"),
		Size: rapid.Int64Min(-1).Draw(t, "size"),
	}
	for _, a := range []string{"adler32", "md5", "sha", "sha-256", "sha-512", "crc32c"} {
		if rapid.Bool().Draw(t, a) {
			n := digest.Size(a)
			f.Hashes = append(f.Hashes, plugins.Digest{Algorithm: a, Sum: string(rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "sum"))})
		}
	}
	last := maxPriority
	if v == V3 {
		last = 100
	}
	for _, p := range rapid.SliceOfN(rapid.IntRange(1, last), 0, 4).Draw(t, "priorities") {
		f.URLs = append(f.URLs, URL{
			URL:      rapid.StringMatching(`https?://[!-~]*`).Draw(t, "url"),
			Priority: p,
			Location: rapid.StringMatching(`([a-z]{2})?`).Draw(t, "location"),
		})
	}
	slices.SortStableFunc(f.URLs, func(a, b URL) int { return a.Priority - b.Priority })
	return f
}

func TestRoundTrip(t *testing.T) {
	for _, v := range []Version{V3, V4} {
		rapid.Check(t, func(t *rapid.T) {
			var files []File
			for range rapid.IntRange(0, 3).Draw(t, "files") {
				files = append(files, anyFile(t, v))
			}
			doc, err := Parse(strings.NewReader(write(t, v, files...)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(files, doc.Files); diff != "" {
				t.Errorf("version %d: -want +got\n%s", v, diff)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample3)
	f.Add(sample4)
	for _, d := range dialects {
		f.Add(d.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, file := range doc.Files {
			for _, c := range file.Copies(10) {
				if !strings.HasPrefix(c.URL, "http") {
					t.Errorf("copy at %q", c.URL)
				}
			}
			if file.Name == "" {
				continue
			}
			again, err := Parse(strings.NewReader(write(t, V4, file)))
			if err != nil {
				t.Fatal(err)
			}
			back := again.Files[0]
			if back.Name != file.Name || back.Size != file.Size || !slices.Equal(back.Hashes, file.Hashes) || len(back.URLs) != len(file.URLs) {
				t.Errorf("%+v came back as %+v", file, back)
			}
		}
	})
}

func FuzzWrite(f *testing.F) {
	f.Add("a/b", int64(1), "https://h/p?a&b", "ch", 1, "\x00\x01\x02\x03")
	f.Add("\xff\ufffe]]>", int64(-9), "\x00<\"", "&", -1, "")
	f.Fuzz(func(t *testing.T, name string, size int64, url, location string, priority int, sum string) {
		if !safeName(name) {
			return
		}
		file := File{Name: name, Size: size, URLs: []URL{{url, priority, location}}, Hashes: []plugins.Digest{{Algorithm: "adler32", Sum: sum}}}
		for _, v := range []Version{V3, V4} {
			doc, err := Parse(strings.NewReader(write(t, v, file)))
			if err != nil {
				t.Fatalf("version %d: %v", v, err)
			}
			if len(doc.Files) != 1 || len(doc.Files[0].URLs) > 1 || doc.Files[0].Size != max(size, -1) {
				t.Errorf("version %d: %+v came back as %+v", v, file, doc.Files)
			}
		}
	})
}
