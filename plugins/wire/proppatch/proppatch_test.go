package proppatch

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"canopy/plugins"
)

func wrap(s string) string {
	return `<D:propertyupdate xmlns:D="DAV:" xmlns:u="urn:u">` + s + `</D:propertyupdate>`
}

func set(local, value string) Change {
	return Change{Property: plugins.Property{Name: xml.Name{Space: "urn:u", Local: local}, Value: value}}
}

func remove(local string) Change { return Change{set(local, "").Property, true} }

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       Update
	}{
		{"set", wrap("<D:set><D:prop><u:a>1</u:a><u:b/></D:prop></D:set>"), Update{set("a", "1"), set("b", "")}},
		{"remove", wrap("<D:remove><D:prop><u:a>1</u:a></D:prop></D:remove>"), Update{remove("a")}},
		{"in order", wrap("<D:remove><D:prop><u:a/></D:prop></D:remove><D:set><D:prop><u:a>1</u:a></D:prop></D:set><D:remove><D:prop><u:b/></D:prop></D:remove>"),
			Update{remove("a"), set("a", "1"), remove("b")}},
		{"extensions", wrap("<x/>text<D:set><x/><D:prop><u:a>1</u:a></D:prop></D:set><D:other><D:prop><u:b/></D:prop></D:other>"), Update{set("a", "1")}},
		{"namespace of a value", wrap(`<D:set><D:prop><u:a><foo xmlns="urn:v"><u:x/></foo></u:a></D:prop></D:set>`),
			Update{set("a", `<foo xmlns="urn:v"><x xmlns="urn:u"></x></foo>`)}},
		{"no namespace", wrap(`<D:set><D:prop><a xmlns="">1</a></D:prop></D:set>`), Update{{Property: plugins.Property{Name: xml.Name{Local: "a"}, Value: "1"}}}},
		{"language", wrap(`<D:set xml:lang="en"><D:prop><u:a>1</u:a></D:prop></D:set>`),
			Update{{Property: plugins.Property{Name: xml.Name{Space: "urn:u", Local: "a"}, Value: "1", Lang: "en"}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse(strings.NewReader(c.body))
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	var many strings.Builder
	for i := range MaxChanges + 1 {
		fmt.Fprintf(&many, "<u:p%d/>", i)
	}
	for name, body := range map[string]string{
		"nothing":    "",
		"no XML":     "x",
		"cut":        "<D:propertyupdate xmlns:D='DAV:'><D:set>",
		"other root": `<D:propfind xmlns:D="DAV:"/>`,
		"no change":  wrap(""),
		"no prop":    wrap("<D:set><u:a/></D:set>"),
		"undeclared": wrap("<D:set><D:prop><v:a/></D:prop></D:set>"),
		"many":       wrap("<D:set><D:prop>" + many.String() + "</D:prop></D:set>"),
		"DTD":        `<!DOCTYPE a>` + wrap("<D:remove><D:prop><u:a/></D:prop></D:remove>"),
		"huge":       wrap("<D:set><D:prop><u:a>" + strings.Repeat("x", 2*plugins.MaxPropertyBytes+1) + "</u:a></D:prop></D:set>"),
		"more":       wrap("<D:remove><D:prop><u:a/></D:prop></D:remove>") + "x",
	} {
		t.Run(name, func(t *testing.T) {
			if u, err := Parse(strings.NewReader(body)); plugins.KindOf(err) != plugins.Invalid || errors.Is(err, ErrTooLarge) {
				t.Error(u, err)
			}
		})
	}
	if _, err := Parse(strings.NewReader(strings.Repeat(" ", MaxBody+1))); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	cause := errors.New("broken")
	if _, err := Parse(iotest.ErrReader(cause)); err != cause {
		t.Error(err)
	}
}

func TestEffect(t *testing.T) {
	u := Update{set("a", "1"), remove("b"), set("c", "1"), remove("a"), set("b", "2"), set("c", "2")}
	values, gone := u.Effect()
	if diff := cmp.Diff([]plugins.Property{set("b", "2").Property, set("c", "2").Property}, values); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]xml.Name{{Space: "urn:u", Local: "a"}}, gone); diff != "" {
		t.Error(diff)
	}
}

// What is asked of a storage is what was understood of the client.
func TestAppendUpdate(t *testing.T) {
	u := Update{set("a", `<b xmlns="">&lt;</b>`), set("c", ""), remove("d")}
	values, gone := u.Effect()
	again, err := Parse(strings.NewReader(string(AppendUpdate(nil, values, gone))))
	if diff := cmp.Diff(u, again); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestAppendAnswer(t *testing.T) {
	a, b := xml.Name{Space: "urn:u", Local: "a"}, xml.Name{Local: "b"}
	got := string(AppendAnswer(nil, "/x%20y", Outcome{Names: []xml.Name{a}, Status: 403, Error: "<D:cannot-modify-protected-property/>"},
		Outcome{Status: 200}, Outcome{Names: []xml.Name{b}, Status: 424}))
	const want = `<?xml version="1.0" encoding="utf-8"?>
<D:multistatus xmlns:D="DAV:"><D:response><D:href>/x%20y</D:href>` +
		`<D:propstat><D:prop><x:a xmlns:x="urn:u"/></D:prop><D:status>HTTP/1.1 403 Forbidden</D:status><D:error><D:cannot-modify-protected-property/></D:error></D:propstat>` +
		`<D:propstat><D:prop><b xmlns=""/></D:prop><D:status>HTTP/1.1 424 Failed Dependency</D:status></D:propstat></D:response></D:multistatus>
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseProppatch(f *testing.F) {
	for _, s := range []string{
		"", wrap("<D:set><D:prop><xml:a>1</xml:a></D:prop></D:set>"), wrap("<D:set><D:prop><u:a>1</u:a></D:prop></D:set>"), wrap(`<D:remove><D:prop><a xmlns=""/></D:prop></D:remove>`),
		wrap(`<D:set xml:lang="en"><D:prop><u:a><b xmlns="c" d="e">&amp;</b></u:a></D:prop></D:set><D:remove><D:prop><u:a/></D:prop></D:remove>`),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		u, err := Parse(strings.NewReader(body))
		if err != nil {
			if plugins.KindOf(err) != plugins.Invalid {
				t.Error(err)
			}
			return
		}
		values, gone := u.Effect()
		request := AppendUpdate(nil, values, gone)
		if len(request) > MaxBody {
			return
		}
		again, err := Parse(strings.NewReader(string(request)))
		if err != nil {
			t.Fatalf("%s: %v", request, err)
		}
		values2, gone2 := again.Effect()
		if diff := cmp.Diff(values, values2) + cmp.Diff(gone, gone2); diff != "" {
			t.Error(diff)
		}
	})
}
