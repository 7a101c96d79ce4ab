package fragment

import (
	"encoding/xml"
	"strings"
	"testing"
)

// depth is the limit in these tests.
const depth = 64

// content returns what Content makes of the content of an element.
func content(t *testing.T, document string) (string, error) {
	t.Helper()
	r := NewReader([]byte(document), Limits{1 << 12, depth})
	r.Root()
	value := r.Content()
	r.Finish()
	return value, r.Err()
}

func TestContent(t *testing.T) {
	for _, c := range []struct{ name, document, want string }{
		{"empty", "<a/>", ""},
		{"text", "<a> x\r\ny </a>", " x\ny "},
		{"escapes", "<a>&lt;&amp;&#13;]]&gt;<![CDATA[<b>&]]></a>", "&lt;&amp;&#13;]]&gt;&lt;b&gt;&amp;"},
		{"beyond the first plane", "<a>&#65536;\U0001F600</a>", "\U00010000\U0001F600"},
		{"no namespace", "<a><b>c</b></a>", `<b xmlns="">c</b>`},
		{"prefix", `<p:a xmlns:p="urn:x"><p:b/></p:a>`, `<b xmlns="urn:x"></b>`},
		{"default", `<a xmlns="urn:x"><b><c xmlns=""/><d xmlns="urn:y">e</d></b></a>`,
			`<b xmlns="urn:x"><c xmlns=""></c><d xmlns="urn:y">e</d></b>`},
		{"the same namespace once", `<a xmlns:p="u" xmlns:q="u"><p:b><q:c/></p:b></a>`, `<b xmlns="u"><c></c></b>`},
		{"attributes", `<a xmlns:p="u"><b c="&quot;&#10;'" p:d="e" xml:lang="fr"/></a>`,
			`<b xmlns="" c="&quot;&#10;'" xmlns:a1="u" a1:d="e" xml:lang="fr"></b>`},
		{"namespace with quotes", `<a xmlns:p='u"&lt;'><p:b/></a>`, `<b xmlns="u&quot;&lt;"></b>`},
		{"comments and instructions", `<?xml version="1.0"?><!-- x --><a>b<!-- c --><?d e?>f</a><!-- -->`, "bf"},
		{"the namespace of xml", `<a><xml:b><c/></xml:b></a>`, `<xml:b xmlns=""><c></c></xml:b>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := content(t, c.document)
			if err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
			if !Sound(got, depth) {
				t.Error("what was written is not taken for sound")
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	for name, document := range map[string]string{
		"nothing":                "",
		"no element":             " ",
		"text":                   "a",
		"cut":                    "<a><b>",
		"wrong end":              "<a></b>",
		"wrong prefix at end":    `<p:a xmlns:p="u" xmlns:q="u"></q:a>`,
		"two elements":           "<a/><b/>",
		"text after":             "<a/>b",
		"DTD":                    `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`,
		"entity":                 "<a>&nbsp;</a>",
		"undeclared":             "<a><p:b/></a>",
		"undeclared attribute":   `<a><b p:c=""/></a>`,
		"prefix undeclared":      `<a xmlns:p=""/>`,
		"xmlns bound":            `<a xmlns:xmlns="u"/>`,
		"xml elsewhere":          `<a xmlns:xml="u"/>`,
		"prefix for xml":         `<a xmlns:p="http://www.w3.org/XML/1998/namespace"/>`,
		"prefix for xmlns":       `<a xmlns:p="http://www.w3.org/2000/xmlns/"/>`,
		"xmlns as default":       `<a xmlns="http://www.w3.org/2000/xmlns/"/>`,
		"same attribute":         `<a xmlns:p="u" xmlns:q="u"><b p:c="" q:c=""/></a>`,
		"no name":                `<a><b:/></a>`,
		"no name after a prefix": `<a xmlns:p="u"><p:1/></a>`,
		"bad character":          "<a>\x01</a>",
		"reference to nothing":   "<a>&#0;</a>",
		"bad UTF-8":              "<a>\xff</a>",
		"late declaration":       `<a><?xml version="1.0"?></a>`,
		"deep":                   strings.Repeat("<a>", 65) + strings.Repeat("</a>", 65),
		"long":                   "<a>" + strings.Repeat("x", 1<<12+1) + "</a>",
		"grows":                  `<a xmlns:p="` + strings.Repeat("u", 1<<11) + `"><p:b/><p:b/></a>`,
		"grows by attributes":    `<a xmlns:p="` + strings.Repeat("u", 1<<11) + `"><b p:a="" p:b="" p:c=""/></a>`,
		"many attributes":        "<a><b" + strings.Repeat(` x=""`, 257) + "/></a>",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := content(t, document); err == nil || got != "" && !strings.Contains(name, "after") && name != "two elements" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

// What was read of several elements counts together.
func TestRoom(t *testing.T) {
	r := NewReader([]byte("<a><b>123</b><b>456</b></a>"), Limits{5, depth})
	r.Root()
	r.Next()
	if got := r.Content(); got != "123" || r.Err() != nil {
		t.Errorf("%q, %v", got, r.Err())
	}
	r.Next()
	if got := r.Content(); got != "" || r.Err() == nil {
		t.Errorf("%q, %v", got, r.Err())
	}
}

func TestReader(t *testing.T) {
	r := NewReader([]byte(`<a xml:lang="en"><b xmlns="u" xml:lang="fr"> text<c>more</c></b><b/><d/></a>`), Limits{100, depth})
	if !r.Root() || r.Name() != (xml.Name{Local: "a"}) || r.Lang() != "en" {
		t.Fatal(r.Name(), r.Lang(), r.Err())
	}
	if !r.Next() || r.Name() != (xml.Name{Space: "u", Local: "b"}) || r.Lang() != "fr" {
		t.Fatal(r.Name(), r.Lang(), r.Err())
	}
	if text := r.Text(20); text != "textmore" {
		t.Errorf("%q", text)
	}
	if !r.Next() || r.Lang() != "en" {
		t.Fatal(r.Lang(), r.Err())
	}
	r.Skip()
	if !r.Next() || r.Name().Local != "d" {
		t.Fatal(r.Name(), r.Err())
	}
	r.Skip()
	if r.Next() || r.Name() != (xml.Name{}) {
		t.Error("a child too many")
	}
	r.Finish()
	if r.Err() != nil {
		t.Error(r.Err())
	}
}

func TestProper(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "_a-1.b": true, "é": true, "": false, "1": false, "a:b": false, "-a": false, "a b": false, "a/": false, `a=""`: false, "a>b": false, "\xff": false,
	} {
		if Proper(name) != want {
			t.Errorf("%q: %t", name, !want)
		}
	}
}

func TestSound(t *testing.T) {
	for _, c := range []string{"</a><a>", "<b/>", "<b></b>", "<!-- -->", "a>b", "&quot;", `<b xmlns="u"><c xmlns="u"></c></b>`} {
		if Sound(c, depth) {
			t.Errorf("%q is taken for sound", c)
		}
	}
}

func FuzzContent(f *testing.F) {
	for _, seed := range []string{
		"<a/>", "<a>b&lt;</a>", `<a xmlns="u"><b c="d" xmlns:p="v" p:e="f"><g xmlns=""/></b></a>`,
		"<a><![CDATA[x]]><!-- y --><?z?></a>", `<p:a xmlns:p="u" xml:lang="en"><p:b xml:lang=""/></p:a>`, "<a><xml:b/></a>",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, document string) {
		r := NewReader([]byte(document), Limits{1 << 12, depth})
		r.Root()
		value := r.Content()
		r.Finish()
		if r.Err() != nil {
			return
		}
		if len(value) > 1<<12 || !Sound(value, depth) {
			t.Fatalf("%q is not sound", value)
		}
		// It says the same inside of whatever, and another parser agrees that
		// it is one element's content.
		around := `<D:x xmlns:D="DAV:" xmlns="elsewhere">` + value + `</D:x>`
		if again, err := content(t, around); err != nil || again != value {
			t.Errorf("%q became %q, %v", value, again, err)
		}
		var any struct{}
		if err := xml.Unmarshal([]byte(around), &any); err != nil {
			t.Errorf("%q: %v", around, err)
		}
	})
}
