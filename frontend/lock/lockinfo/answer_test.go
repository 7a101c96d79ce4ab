package lockinfo

import (
	"bytes"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"canopy/frontend/lock"
	"canopy/plugins/wire/xmlpull"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var noon = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

func TestAppendAnswer(t *testing.T) {
	got := AppendAnswer(nil, noon, "/dav é", []lock.Lock{
		{Token: "urn:uuid:1", Root: "/", Deep: true, Scope: lock.Shared, Owner: "<D:href>a</D:href>", Expires: noon.Add(time.Minute + 1)},
		{Token: "urn:<&>", Root: "/a b/<&>\"'?#%\xff", Scope: lock.Exclusive, Expires: noon.Add(-time.Second)},
	})
	got = append(AppendAnswer(got, noon, "", nil), AppendSupported(nil)...)
	file := filepath.Join("testdata", "answer.xml")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// FuzzParse checks that what clients say of an owner stays where it is put: the
// answer is a document that another parser reads, in which the owner has no
// more and no less in it than before, and which says the same when it comes
// back.
func FuzzParse(f *testing.F) {
	for _, owner := range []string{
		``, `<D:owner>a &amp; b</D:owner>`, `<D:owner><![CDATA[</D:owner>]]></D:owner>`, `<D:owner xmlns="u"><a b="1"><c/></a></D:owner>`,
		`<D:owner xmlns:x="u"><x:a x:b="&lt;"/></D:owner>`, `<D:owner><x:a xmlns:x="DAV:"><x:b xml:lang="e"/></x:a></D:owner>`, `<D:owner xmlns:x="u"><x:ː/></D:owner>`,
	} {
		f.Add(body(owner))
	}
	f.Fuzz(func(t *testing.T, text string) {
		info, err := Parse(strings.NewReader(text))
		if err != nil || info.Refresh {
			return
		}
		if !Sound(info.Owner) {
			t.Fatalf("%q is not sound", info.Owner)
		}
		again, err := Parse(strings.NewReader(body("<D:owner>" + info.Owner + "</D:owner>")))
		if err != nil || again.Owner != info.Owner {
			t.Fatalf("%q comes back as %q, %v", info.Owner, again.Owner, err)
		}
		l := lock.Lock{Token: "urn:1", Root: "/a", Scope: info.Scope, Owner: info.Owner, Expires: noon}
		answer := AppendAnswer(nil, noon, "", []lock.Lock{l, l})
		if n := activeLocks(t, answer); n != 2 {
			t.Fatalf("%d locks in %q", n, answer)
		}
		if err := xml.Unmarshal(answer, new(struct{})); err != nil {
			t.Fatalf("%q: %v", answer, err)
		}
	})
}

// activeLocks counts the locks in an answer whose last element is in its place.
func activeLocks(t *testing.T, answer []byte) int {
	t.Helper()
	x := xmlpull.NewReader(bytes.NewReader(answer), []string{dav}, xmlpull.Options{})
	if !x.Root() || !x.Next() { // prop, lockdiscovery
		t.Fatalf("%q: %v", answer, x.Err())
	}
	n := 0
	for x.Next() {
		last := ""
		for x.Next() {
			last = string(x.Local())
			if x.Space() != 0 {
				t.Fatalf("%q: %s", answer, last)
			}
			x.Skip()
		}
		if last == "lockroot" {
			n++
		}
	}
	if x.Next() {
		t.Fatalf("%q: something follows lockdiscovery", answer)
	}
	if x.Finish(); x.Err() != nil {
		t.Fatalf("%q: %v", answer, x.Err())
	}
	return n
}

func FuzzParseTimeout(f *testing.F) {
	for _, header := range []string{"Infinite", "Second-60", "Second-4100000000, Infinite", ",", "Second-", "second-0"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		got, err := ParseTimeout(header)
		if err != nil && got != 0 || err == nil && strings.TrimSpace(header) != "" && (got < time.Second || got > lock.MaxTimeout) {
			t.Fatalf("%q: %v, %v", header, got, err)
		}
	})
}
