package property

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"canopy/plugins"
	"canopy/plugins/wire/fragment"
	"canopy/plugins/wire/propfind"
)

var some = []plugins.Property{
	{Name: xml.Name{Space: "urn:x", Local: "a"}, Value: "text &lt;"},
	{Name: xml.Name{Space: `"<&>`, Local: "b"}, Value: `<c xmlns="v" d="e"></c>`, Lang: "de-AT"},
	{Name: xml.Name{Local: "none"}, Value: "\U00010000"},
	{Name: xml.Name{Local: "empty"}},
}

func TestFormat(t *testing.T) {
	text := Format(some)
	const want = `<x:a xmlns:x="urn:x">text &lt;</x:a>` +
		`<x:b xmlns:x="&quot;&lt;&amp;&gt;" xml:lang="de-AT"><c xmlns="v" d="e"></c></x:b>` +
		"<none xmlns=\"\">\U00010000</none>" + `<empty xmlns=""/>`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Error(diff)
	}
	again, err := Parse(text)
	if diff := cmp.Diff(some, again); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if got := string(AppendName(nil, some[1].Name)); got != `<x:b xmlns:x="&quot;&lt;&amp;&gt;"/>` {
		t.Error(got)
	}
}

func TestParseRefuses(t *testing.T) {
	var many strings.Builder
	for i := range plugins.MaxProperties + 1 {
		fmt.Fprintf(&many, "<p%d/>", i)
	}
	half := strings.Repeat("x", plugins.MaxPropertyBytes/2)
	for name, text := range map[string]string{
		"no XML":       "<a>",
		"an end":       "</prop><prop>",
		"twice":        "<a/><a/>",
		"of DAV":       `<a xmlns="DAV:"/>`,
		"many":         many.String(),
		"long":         "<a>" + half + "</a><b>" + half + "</b>",
		"long by name": `<a xmlns="` + half + `">` + half + "</a>",
	} {
		if all, err := Parse(text); err == nil {
			t.Errorf("%s: %v", name, all)
		}
	}
}

func TestReadAnswer(t *testing.T) {
	const document = `<?xml version="1.0"?>
<D:multistatus xmlns:D="DAV:" xmlns:ns0="urn:x"><D:response xmlns:lp1="DAV:">
<D:href>/a%20b</D:href><unknown/>
<D:propstat><D:prop><ns0:a>v</ns0:a><lp1:getetag>"1"</lp1:getetag></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>
<D:propstat><D:prop><ns0:b/></D:prop><D:status>HTTP/1.1 404 Not Found</D:status><D:responsedescription/></D:propstat>
</D:response><D:response><D:href>/other</D:href></D:response></D:multistatus>`
	got, err := ReadAnswer([]byte(document))
	x := func(space, local, value string, status int) Stated {
		return Stated{plugins.Property{Name: xml.Name{Space: space, Local: local}, Value: value}, status}
	}
	want := Answer{Href: "/a%20b", Stated: []Stated{x("urn:x", "a", "v", 200), x("DAV:", "getetag", `"1"`, 200), x("urn:x", "b", "", 404)}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	got, err = ReadAnswer([]byte(`<multistatus xmlns="DAV:"><response><href>/a</href><status>HTTP/1.1 423 Locked</status></response></multistatus>`))
	if diff := cmp.Diff(Answer{Href: "/a", Status: 423}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	for _, bad := range []string{"", "<a/>", `<multistatus xmlns="DAV:"/>`, `<multistatus xmlns="DAV:"><response>`, `<!DOCTYPE x><multistatus xmlns="DAV:"><response/></multistatus>`} {
		if a, err := ReadAnswer([]byte(bad)); err == nil {
			t.Errorf("%q: %v", bad, a)
		}
	}
}

func TestStatus(t *testing.T) {
	for line, want := range map[string]int{"HTTP/1.1 200 OK": 200, "HTTP/1.1  507": 507, "": 0, "200": 0, "HTTP/1.1 2000 OK": 0, "HTTP/1.1 -20 x": 0, "HTTP/1.1 abc": 0} {
		if got := status(line); got != want {
			t.Errorf("%q: %d", line, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Format(some))
	f.Add("<a/><b xmlns='u'>c<d/></b>")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := Parse(text)
		if err != nil {
			return
		}
		for _, p := range all {
			if !fragment.Sound(p.Value, MaxDepth) || !propfind.Dead(p.Name) {
				t.Errorf("%+v", p)
			}
		}
		again, err := Parse(Format(all))
		if diff := cmp.Diff(all, again); diff != "" || err != nil {
			t.Error(err, diff)
		}
	})
}

func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte(`<D:multistatus xmlns:D="DAV:"><D:response><D:href>/a</D:href><D:propstat><D:prop><x xmlns="u">v</x></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>`))
	f.Fuzz(func(t *testing.T, document []byte) {
		a, err := ReadAnswer(document)
		if err != nil {
			return
		}
		for _, s := range a.Stated {
			if !fragment.Sound(s.Value, MaxDepth) {
				t.Errorf("%+v", s)
			}
		}
	})
}
