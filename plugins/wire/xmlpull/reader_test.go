package xmlpull

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

var spaces = []string{"DAV:", "other"}

// outline writes the open element with all that is in it.
func outline(b *strings.Builder, x *Reader) {
	space := x.SpaceName()
	if x.Space() == Undeclared {
		space = "?"
	}
	fmt.Fprintf(b, "{%s}%s(", space, x.Local())
	for x.Next() {
		outline(b, x)
	}
	b.WriteByte(')')
}

// read returns the outline of the document in r.
func read(r io.Reader, o Options) (string, error) {
	x := NewReader(r, spaces, o)
	var b strings.Builder
	if x.Root() {
		outline(&b, x)
		x.Finish()
	}
	if x.Err() == nil && x.Depth() != 0 {
		return "", errors.New("elements are left open")
	}
	return b.String(), x.Err()
}

// readEncodingXML is read by encoding/xml.
func readEncodingXML(doc []byte) (string, error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, io.ErrUnexpectedEOF }
	var b strings.Builder
	for {
		t, err := d.Token()
		if err == io.EOF {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.StartElement:
			fmt.Fprintf(&b, "{%s}%s(", t.Name.Space, t.Name.Local)
		case xml.EndElement:
			b.WriteByte(')')
		}
	}
}

func TestReaderAccepts(t *testing.T) {
	for _, c := range []struct{ name, doc, want string }{
		{"empty element", "<a/>", "{}a()"},
		{"spaces in tags", "<a ><b\n/></a\t>", "{}a({}b())"},
		{"prolog", "\uFEFF<?xml version='1.0' encoding=\"UTF-8\" standalone='yes' ?>\r\n<!-- <x> --><?p?><a/>\n<!----><?q r?> ", "{}a()"},
		{"blank before the declaration", "\n <?xml version='1.0'?><a/>", "{}a()"},
		{"ASCII", "<?xml encoding='us-ascii'?><a/>", "{}a()"},
		{"default namespace", `<a xmlns="DAV:"><b xmlns=""/><c xmlns="u"><d/></c><e/></a>`, "{DAV:}a({}b(){u}c({u}d()){DAV:}e())"},
		{"prefixes", `<p:a xmlns:p="u" xmlns:q='v'><q:b xmlns:p="w"><p:c/></q:b><p:d/></p:a>`, "{u}a({v}b({w}c()){u}d())"},
		{"xml prefix", `<xml:a xml:lang="de"/>`, "{http://www.w3.org/XML/1998/namespace}a()"},
		{"later declaration of two", `<a xmlns="u" xmlns="v"/>`, "{v}a()"},
		{"references in a namespace", `<a xmlns="&lt;&#117;&#x76;&quot;&amp;&apos;&gt;"/>`, `{<uv"&'>}a()`},
		{"attributes", "<a b = \"1>'\"\nx:c='2\"'/>", "{}a()"},
		{"names", "<_é.-1·><日本/></_é.-1·>", "{}_é.-1·({}日本())"},
		{"text", "<a>x &amp; ]] ]> > \u00e9<![CDATA[<b>]] &x;]]>&#x10FFFF;</a>", "{}a()"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := read(strings.NewReader(c.doc), Options{})
			if err != nil || got != c.want {
				t.Errorf("got %s, %v\nwant %s", got, err, c.want)
			}
			slow, err := read(iotest.OneByteReader(strings.NewReader(c.doc)), Options{})
			if err != nil || slow != c.want {
				t.Errorf("byte by byte: %s, %v", slow, err)
			}
		})
	}
}

func TestReaderRefuses(t *testing.T) {
	for name, doc := range map[string]string{
		"nothing": "", "blank": "  ", "BOM alone": "\uFEFF", "half a tag": "<", "text first": "x<a/>",
		"no root":             "<?xml version='1.0'?><!-- -->",
		"end tag first":       "</a>",
		"not closed":          "<a><b></b>",
		"cut in text":         "<a>x",
		"cut in a tag":        "<a b='",
		"cut in an end tag":   "<a></a",
		"cut in a comment":    "<a><!-- ",
		"cut in CDATA":        "<a><![CDATA[ ]]",
		"cut in PI":           "<a><?x ",
		"mismatch":            "<a></b>",
		"prefix of end tag":   "<ab></a>",
		"other prefix":        `<p:a xmlns:p="u" xmlns:q="u"></q:a>`,
		"two roots":           "<a/><b/>",
		"text after":          "<a/>x",
		"CDATA after":         "<a/><![CDATA[]]>",
		"DTD":                 "<!DOCTYPE a><a/>",
		"DTD inside":          "<a><!ENTITY b 'c'></a>",
		"no name":             "<>x</>",
		"blank in front":      "< a/>",
		"digit first":         "<1a/>",
		"odd name":            "<a\u00d7/>",
		"name of bad bytes":   "<a\xff/>",
		"empty prefix":        "<:a/>",
		"empty local":         "<a:/>",
		"two colons":          "<a:b:c/>",
		"local with a digit":  "<a:1 xmlns:a='u'/>",
		"slash inside":        "<a/b>",
		"slash then blank":    "<a/ >",
		"attribute colon":     "<a :b='1'/>",
		"attribute alone":     "<a b/>",
		"attribute unquoted":  "<a b=1/>",
		"attributes joined":   "<a b='1'c='2'/>",
		"attribute < ":        "<a b='<'/>",
		"attribute &":         "<a b='&'/>",
		"attribute bytes":     "<a b='\xff'/>",
		"attribute control":   "<a b='\x01'/>",
		"end tag attribute":   "<a></a b='1'>",
		"unknown entity":      "<a>&nbsp;</a>",
		"entity unended":      "<a>&amp</a>",
		"empty reference":     "<a>&;&#;&#x;</a>",
		"reference to NUL":    "<a>&#0;</a>",
		"surrogate":           "<a>&#xD800;</a>",
		"reference too large": "<a>&#x110000;</a>",
		"reference signed":    "<a>&#+65;</a>",
		"long reference":      "<a>&#" + strings.Repeat("0", 40) + "65;</a>",
		"control":             "<a>\x01</a>",
		"noncharacter":        "<a>\uFFFF</a>",
		"bad UTF-8":           "<a>\xff</a>",
		"bad UTF-8 in CDATA":  "<a><![CDATA[\xc3]]></a>",
		"]]> in text":         "<a>]]></a>",
		"-- in comment":       "<a><!-- -- --></a>",
		"--- in comment":      "<a><!-- ---></a>",
		"half CDATA":          "<a><![CDAT[]]></a>",
		"PI without target":   "<a><? x?></a>",
		"PI with odd target":  "<a><?1?></a>",
		"declaration inside":  "<a><?xml version='1.0'?></a>",
		"declaration after":   "<a/><?xml version='1.0'?>",
		"version 1.1":         "<?xml version='1.1'?><a/>",
		"UTF-16 declared":     "<?xml version='1.0' encoding='UTF-16'?><a/>",
		"odd standalone":      "<?xml standalone='maybe'?><a/>",
		"odd declaration":     "<?xml version='1.0' x='y'?><a/>",
		"declaration no =":    "<?xml version?><a/>",
		"declaration unended": "<?xml version='1.0?><a/>",
		"unbound prefix":      "<a xmlns:b=''/>",
		"xmlns bound":         "<a xmlns:xmlns='u'/>",
		"many declarations":   "<a " + strings.Repeat("xmlns:b='c' ", maxBindings+1) + "/>",
		"deep":                strings.Repeat("<a>", 65) + strings.Repeat("</a>", 65),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(strings.NewReader(doc), Options{})
			var e *SyntaxError
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > int64(len(doc)) {
				t.Errorf("%s, %v", got, err)
			}
			_, slow := read(iotest.OneByteReader(strings.NewReader(doc)), Options{})
			if fmt.Sprint(slow) != fmt.Sprint(err) {
				t.Errorf("byte by byte: %v, not %v", slow, err)
			}
		})
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		name, doc, want string
		any             bool
	}{
		{name: "plain", doc: "<a>x y</a>", want: "x y"},
		{name: "empty", doc: "<a></a>"},
		{name: "empty element", doc: "<a/>"},
		{name: "exactly the limit", doc: "<a>0123456789abcdef</a>", want: "0123456789abcdef"},
		{name: "references", doc: "<a>&lt;&#65;&#x00000042;&gt;</a>", want: "<AB>"},
		{name: "line ends", doc: "<a>1\r\n2\r3\n\r&#13;</a>", want: "1\n2\n3\n\n\r"},
		{name: "CDATA", doc: "<a>1<![CDATA[<&]]>2<![CDATA[]]]]><![CDATA[>\r]]></a>", want: "1<&2]]>\n"},
		{name: "comment and PI", doc: "<a>1<!-- 2 -->3<?p 4?>5</a >", want: "135"},
		{name: "children", doc: "<a>1<b>2<c/>&amp;</b><b/>3</a>", want: "13"},
		{name: "UTF-8", doc: "<a>é€😀</a>", want: "é€😀"},
		{name: "any text", doc: "<a>\xff\x01\uFFFF<![CDATA[\xfe]]></a>", want: "\xff\x01\uFFFF\xfe", any: true},
		{name: "Latin-1", doc: "<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9\xff\x80z</a>", want: "éÿ\u0080z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.doc), iotest.OneByteReader(strings.NewReader(c.doc))} {
				x := NewReader(r, nil, Options{AnyText: c.any})
				x.Root()
				got := string(x.Text(16))
				if !x.Finish() || got != c.want {
					t.Errorf("got %q, %v", got, x.Err())
				}
			}
		})
	}
}

func TestTextLimit(t *testing.T) {
	for _, doc := range []string{"<a>12345</a>", "<a>1234&#53;</a>", "<a>12<b/>345</a>", "<a><![CDATA[12345]]></a>"} {
		x := NewReader(strings.NewReader(doc), nil, Options{})
		if x.Root(); x.Text(4) != nil || x.Err() == nil {
			t.Errorf("%s: accepted", doc)
		}
		if x.Next() || x.Text(4) != nil || x.Finish() {
			t.Errorf("%s: reading goes on after an error", doc)
		}
	}
}

func TestSpace(t *testing.T) {
	x := NewReader(strings.NewReader(`<a><b xmlns="DAV:"/><p:c xmlns:p="other"/><p:d xmlns:p="third"/><p:e/></a>`), spaces, Options{})
	if x.Space() != None || x.Local() != nil {
		t.Error("a name before the root")
	}
	x.Root()
	if x.Space() != None {
		t.Error("root:", x.Space())
	}
	for _, want := range []Space{0, 1, Other, Undeclared} {
		if !x.Next() || x.Space() != want {
			t.Errorf("%s: got %d, want %d", x.Local(), x.Space(), want)
		}
		x.Skip()
	}
}

// Tokens longer than the limit are refused however they arrive, shorter ones
// are not.
func TestTokenLimit(t *testing.T) {
	for _, c := range []struct {
		doc  string
		good bool
	}{
		{"<a>" + strings.Repeat("x", 50) + "</a>", true},
		{"<a>" + strings.Repeat("x", 51) + "</a>", false},
		{"<a>" + strings.Repeat("é", 25) + "</a>", true},
		{"<a>" + strings.Repeat("é", 26) + "</a>", false},
		{"<a><!--" + strings.Repeat("x", 43) + "--></a>", true},
		{"<a><!--" + strings.Repeat("x", 45) + "--></a>", false},
		{"<a b='" + strings.Repeat("x", 42) + "'/>", false},
		{"<a b='" + strings.Repeat("x", 41) + "'/>", true},
	} {
		for _, r := range []io.Reader{strings.NewReader(c.doc), iotest.OneByteReader(strings.NewReader(c.doc))} {
			if _, err := read(r, Options{Token: 50}); (err == nil) != c.good {
				t.Errorf("%s: %v", c.doc, err)
			}
		}
	}
}

func TestBound(t *testing.T) {
	doc := "<a><b>x</b><b>y</b></a>"
	for bound := range int64(len(doc)) {
		x := NewReader(strings.NewReader(doc), nil, Options{})
		x.Bound(bound)
		if x.Root() {
			x.Skip()
		}
		if x.Err() == nil {
			t.Errorf("read %d bytes, bound %d", x.Offset(), bound)
		}
	}
	x := NewReader(strings.NewReader(doc), nil, Options{})
	x.Bound(int64(len(doc)))
	x.Root()
	if x.Skip(); x.Err() != nil || x.Offset() != int64(len(doc)) {
		t.Error(x.Offset(), x.Err())
	}
}

type impossible struct{}

func (impossible) Read(p []byte) (int, error) { return len(p) + 1, nil }

type lazy struct{}

func (lazy) Read([]byte) (int, error) { return 0, nil }

func TestSourceErrors(t *testing.T) {
	broken := errors.New("broken")
	if _, err := read(io.MultiReader(strings.NewReader("<a><b/>"), iotest.ErrReader(broken)), Options{}); err != broken {
		t.Error(err)
	}
	if _, err := read(io.MultiReader(strings.NewReader("<?xml encoding='latin1'?><a>"), iotest.ErrReader(broken)), Options{}); err != broken {
		t.Error(err)
	}
	if _, err := read(iotest.ErrReader(broken), Options{}); err != broken {
		t.Error(err)
	}
	if _, err := read(impossible{}, Options{}); err == nil {
		t.Error("an impossible count is accepted")
	}
	if _, err := read(lazy{}, Options{}); err != io.ErrNoProgress {
		t.Error(err)
	}
}

func FuzzReader(f *testing.F) {
	for _, doc := range []string{
		`<?xml version="1.0"?><a xmlns="DAV:" xmlns:b='u'><!-- c --><b:d e="&lt;">&#65;<![CDATA[x]]></b:d><?f g?></a>`,
		"<a/>", "<a>]]&gt;</a>", "<a\n/>", "<é/>", "<a b='\r\n'/>", "<xml:a/>", "<p:a/>",
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, err := read(bytes.NewReader(doc), Options{Depth: 1000})
		if err != nil {
			return
		}
		if slow, err := read(iotest.OneByteReader(bytes.NewReader(doc)), Options{Depth: 1000}); slow != got || err != nil {
			t.Errorf("byte by byte: %s, %v", slow, err)
		}
		want, err := readEncodingXML(doc)
		switch {
		case err != nil:
			// Names of the fifth edition, and encodings that the reference
			// leaves alone.
			if s := err.Error(); !strings.Contains(s, "invalid XML name") && !strings.Contains(s, "charset") {
				t.Errorf("encoding/xml refuses: %v", err)
			}
		case got != want && !strings.Contains(got, "{?}"):
			// An undeclared prefix passes for a namespace in encoding/xml.
			t.Errorf("got %s, want %s", got, want)
		}
	})
}
