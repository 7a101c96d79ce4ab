package metalink

import (
	"errors"
	"io"
	"strings"
	"testing"

	"canopy/plugins"
)

var sample = []File{
	{
		Name: "a/b & \"c\" <d>.dat",
		Size: 1234,
		Hashes: []plugins.Digest{
			{Algorithm: "adler32", Sum: "\x03\xda\x01\x95"},
			{Algorithm: "sha", Sum: "short"},
			{Algorithm: "md5", Sum: strings.Repeat("\xab", 16)},
			{Algorithm: "sha", Sum: strings.Repeat("\x01", 20)},
			{Algorithm: "sha-256", Sum: strings.Repeat("\x02", 32)},
		},
		URLs: []URL{
			{URL: "http://far/x"},
			{URL: "https://second/x?a=1&b=%22", Priority: 2, Location: "de"},
			{URL: "https://first/x", Priority: 1, Location: "ch"},
			{URL: "http://farther/x", Priority: -3},
		},
	},
	{Name: "empty", Size: -1},
}

const sample4 = `<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink">
 <generator>Canopy</generator>
 <file name="a/b &amp; &#34;c&#34; &lt;d&gt;.dat">
  <size>1234</size>
  <hash type="adler32">03da0195</hash>
  <hash type="md5">abababababababababababababababab</hash>
  <hash type="sha-1">0101010101010101010101010101010101010101</hash>
  <hash type="sha-256">0202020202020202020202020202020202020202020202020202020202020202</hash>
  <url location="ch" priority="1">https://first/x</url>
  <url location="de" priority="2">https://second/x?a=1&amp;b=%22</url>
  <url priority="3">http://far/x</url>
  <url priority="4">http://farther/x</url>
 </file>
 <file name="empty">
 </file>
</metalink>
`

const sample3 = `<?xml version="1.0" encoding="UTF-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" generator="Canopy">
<files>
 <file name="a/b &amp; &#34;c&#34; &lt;d&gt;.dat">
  <size>1234</size>
  <verification>
  <hash type="adler32">03da0195</hash>
  <hash type="md5">abababababababababababababababab</hash>
  <hash type="sha1">0101010101010101010101010101010101010101</hash>
  <hash type="sha256">0202020202020202020202020202020202020202020202020202020202020202</hash>
  </verification>
  <resources>
  <url type="https" location="ch" preference="100">https://first/x</url>
  <url type="https" location="de" preference="99">https://second/x?a=1&amp;b=%22</url>
  <url type="http" preference="98">http://far/x</url>
  <url type="http" preference="97">http://farther/x</url>
  </resources>
 </file>
 <file name="empty">
  <resources>
  </resources>
 </file>
</files>
</metalink>
`

// write returns the document that holds files.
func write(t interface{ Fatal(...any) }, v Version, files ...File) string {
	var b strings.Builder
	w := NewWriter(&b, v)
	for _, f := range files {
		if err := w.Write(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestWrite(t *testing.T) {
	for v, want := range map[Version]string{V4: sample4, V3: sample3} {
		if got := write(t, v, sample...); got != want {
			t.Errorf("version %d:\n%s\nwant\n%s", v, got, want)
		}
	}
}

func TestWriteNothing(t *testing.T) {
	for _, v := range []Version{V3, V4} {
		doc, err := Parse(strings.NewReader(write(t, v)))
		if err != nil || len(doc.Files) != 0 {
			t.Errorf("version %d: %v, %v", v, doc, err)
		}
	}
}

func TestWriteEscapesNames(t *testing.T) {
	for name, want := range map[string]string{
		"100% sure":           "100% sure",
		"tab\tline\nreturn\r": "tab\tline\nreturn\r",
		"bell\a":              "bell%07",
		"latin1 \xe9":         "latin1 %E9",
		"half \xed\xa0\x80":   "half %ED%A0%80",
		"\ufffe":              "%EF%BF%BE",
		"\ufffd 🌳 é":          "\ufffd 🌳 é",
		"]]>":                 "]]>",
	} {
		for _, v := range []Version{V3, V4} {
			doc, err := Parse(strings.NewReader(write(t, v, File{Name: name})))
			if err != nil {
				t.Errorf("%q: %v", name, err)
			} else if got := doc.Files[0].Name; got != want {
				t.Errorf("%q came back as %q, want %q", name, got, want)
			}
		}
	}
}

func TestWriteRefusesUnsafeNames(t *testing.T) {
	for _, name := range []string{"", "/", "/etc/passwd", "..", "../x", "a/../b", "a//b", "a/", "./a", "a\x00b"} {
		var b strings.Builder
		w := NewWriter(&b, V4)
		if w.Write(File{Name: name}) == nil || b.Len() > 0 {
			t.Errorf("%q is written: %s", name, b.String())
		}
	}
}

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriteReportsTheWriter(t *testing.T) {
	w := NewWriter(full{}, V4)
	if err := w.Write(File{Name: "a"}); !errors.Is(err, errFull) {
		t.Errorf("Write: %v", err)
	}
	if err := w.Close(); !errors.Is(err, errFull) {
		t.Errorf("Close: %v", err)
	}
}

func TestMediaType(t *testing.T) {
	if V3.MediaType() != MediaType3 || V4.MediaType() != MediaType4 {
		t.Errorf("%s, %s", V3.MediaType(), V4.MediaType())
	}
}

func BenchmarkWrite(b *testing.B) {
	w := NewWriter(io.Discard, V4)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Write(sample[0]); err != nil {
			b.Fatal(err)
		}
	}
}
