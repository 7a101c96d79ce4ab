package lockinfo

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"canopy/frontend/lock"
	"canopy/plugins"
)

// body is a lockinfo with an owner.
func body(owner string) string {
	return `<?xml version="1.0" encoding="utf-8"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype>` +
		owner + `</D:lockinfo>`
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want Info
	}{
		"none":     {"", Info{Refresh: true}},
		"blank":    {"\r\n ", Info{Refresh: true}},
		"no owner": {body(""), Info{Scope: lock.Exclusive}},
		"neon": {"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<lockinfo xmlns='DAV:'>\n <lockscope><shared/></lockscope>\n<locktype><write/></locktype><owner>litmus test suite</owner>\n</lockinfo>\n",
			Info{Scope: lock.Shared, Owner: "litmus test suite"}},
		"macOS": {`<?xml version="1.0" encoding="utf-8"?>` + "\n" + `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner>` + "\n" +
			`<D:href>http://www.apple.com/webdav_fs/</D:href>` + "\n" + `</D:owner></D:lockinfo>`,
			Info{Scope: lock.Exclusive, Owner: "\n<href xmlns=\"DAV:\">http://www.apple.com/webdav_fs/</href>\n"}},
		"byte order mark": {"\ufeff" + body("<D:owner>\u00e9</D:owner>"), Info{Scope: lock.Exclusive, Owner: "\u00e9"}},
		"extensions": {`<!-- a --><x:lockinfo xmlns:x="DAV:" xmlns:y="y" y:z="1"><y:lockscope><x:shared/></y:lockscope><x:lockscope>text<y:no/><x:exclusive a="b"><y:z/></x:exclusive></x:lockscope><x:new><x:owner/></x:new><x:locktype><?pi x?><x:write/></x:locktype></x:lockinfo>` + "\n<?a b?><!-- b -->\n",
			Info{Scope: lock.Exclusive}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(strings.NewReader(c.body))
			if got != c.want || err != nil {
				t.Errorf("%+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
}

func TestOwner(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`<D:owner/>`, ""},
		{`<D:owner>a &amp; b &lt;c&gt; &#x26; "d" ]]&gt;</D:owner>`, `a &amp; b &lt;c&gt; &amp; "d" ]]&gt;`},
		{`<D:owner><![CDATA[</D:owner><script>]]></D:owner>`, `&lt;/D:owner&gt;&lt;script&gt;`},
		{"<D:owner>a\r\nb&#13;</D:owner>", "a\nb&#13;"},
		{`<D:owner a="b"><!-- c --><?d e?><D:href>mailto:x</D:href></D:owner>`, `<href xmlns="DAV:">mailto:x</href>`},
		{`<D:owner><a/></D:owner>`, `<a xmlns=""></a>`},
		{`<D:owner xmlns="u"><a b="&quot;&lt;&#10;&#9;'"><c/><d xmlns=""/></a></D:owner>`, `<a xmlns="u" b="&quot;&lt;&#10;&#9;'"><c></c><d xmlns=""></d></a>`},
		{`<D:owner xmlns:x="u&amp;v" xmlns:D2="DAV:"><x:a x:b="1" b="2" xml:lang="en" D2:c="3"><D2:d><x:e/></D2:d></x:a><x:f/></D:owner>`,
			`<a xmlns="u&amp;v" xmlns:a0="u&amp;v" a0:b="1" b="2" xml:lang="en" xmlns:a3="DAV:" a3:c="3"><d xmlns="DAV:"><e xmlns="u&amp;v"></e></d></a><f xmlns="u&amp;v"></f>`},
		{`<D:owner><x:a xmlns:x="1"><x:a xmlns:x="2"/><x:b/></x:a></D:owner>`, `<a xmlns="1"><a xmlns="2"></a><b></b></a>`},
		{`<D:owner><D:a><b xmlns=" "/></D:a></D:owner>`, `<a xmlns="DAV:"><b xmlns=" "></b></a>`},
	} {
		got, err := Parse(strings.NewReader(body(c.in)))
		if got.Owner != c.want || err != nil {
			t.Errorf("%s\n%s, %v\nwant %s", c.in, got.Owner, err, c.want)
		}
		if !Sound(got.Owner) {
			t.Errorf("%s: not sound", got.Owner)
		}
	}
	for _, owner := range []string{
		"</D:owner>", "<a>", "<a></a>", "a > b", "a & b", "<D:a/>", "<!-- -->", "<?a?>", "&lt;&gt;<", "]]>", "</D:owner><D:owner>", "\x01", "\xff",
		strings.Repeat("a", lock.MaxOwner+1), "&lt;" + strings.Repeat("a", lock.MaxOwner),
	} {
		if Sound(owner) {
			t.Errorf("%.40q is sound", owner)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"text":                             "lock",
		"other root":                       `<D:propfind xmlns:D="DAV:"/>`,
		"no namespace":                     `<lockinfo><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>`,
		"nothing":                          `<lockinfo xmlns="DAV:"/>`,
		"no scope":                         `<lockinfo xmlns="DAV:"><locktype><write/></locktype></lockinfo>`,
		"no type":                          `<lockinfo xmlns="DAV:"><lockscope><shared/></lockscope></lockinfo>`,
		"other scope":                      `<lockinfo xmlns="DAV:"><lockscope><x/></lockscope><locktype><write/></locktype></lockinfo>`,
		"other type":                       `<lockinfo xmlns="DAV:"><lockscope><shared/></lockscope><locktype><read/></locktype></lockinfo>`,
		"two scopes":                       body(`<D:lockscope><D:shared/></D:lockscope>`),
		"two scopes in one":                `<lockinfo xmlns="DAV:"><lockscope><shared/><exclusive/></lockscope><locktype><write/></locktype></lockinfo>`,
		"two owners":                       body(`<D:owner/><D:owner/>`),
		"cut":                              `<lockinfo xmlns="DAV:"><lockscope>`,
		"cut in the owner":                 strings.TrimSuffix(body(`<D:owner>a`), "</D:lockinfo>"),
		"wrong end":                        body(`<D:owner></D:ownr>`),
		"two roots":                        body("") + body(""),
		"something after":                  body("") + "x",
		"end after":                        body("") + "</a>",
		"DTD":                              `<!DOCTYPE lockinfo [<!ENTITY a "a">]>` + body("<D:owner>&a;</D:owner>"),
		"DTD after":                        body("") + `<!DOCTYPE a>`,
		"entity":                           body("<D:owner>&a;</D:owner>"),
		"undeclared":                       body("<D:owner><x:a/></D:owner>"),
		"undeclared attribute":             body(`<D:owner><a x:a="1"/></D:owner>`),
		"out of scope":                     body(`<D:owner><x:a xmlns:x="1"/><x:a/></D:owner>`),
		"xmlns bound":                      body(`<D:owner xmlns:xmlns="a"/>`),
		"xml bound":                        body(`<D:owner xmlns:xml="a"/>`),
		"bound to nothing":                 body(`<D:owner xmlns:x=""/>`),
		"colons":                           body(`<D:owner xmlns:x="u"><x:a:b/></D:owner>`),
		"leading colon":                    body(`<D:owner><:a/></D:owner>`),
		"no local name":                    body(`<D:owner xmlns:x="u"><x:/></D:owner>`),
		"digit":                            body(`<D:owner xmlns:x="u"><x:1/></D:owner>`),
		"digit in attribute":               body(`<D:owner xmlns:x="u"><a x:1="b"/></D:owner>`),
		"attribute twice":                  body(`<D:owner><a b="1" b="2"/></D:owner>`),
		"attribute twice, by two prefixes": body(`<D:owner xmlns:x="u" xmlns:y="u"><a x:b="1" y:b="2"/></D:owner>`),
		"declaration in it":                body(`<D:owner><?xml version="1.0"?></D:owner>`),
		"Latin-1":                          `<?xml version="1.0" encoding="iso-8859-1"?>` + body(""),
		"UTF-16":                           "\xff\xfe<\x00",
		"bad UTF-8":                        body("<D:owner>\xff</D:owner>"),
		"control character":                body("<D:owner>&#1;</D:owner>"),
		"large owner":                      body("<D:owner>" + strings.Repeat("a", lock.MaxOwner+1) + "</D:owner>"),
		"owner that grows":                 body("<D:owner>" + strings.Repeat("<a/>", lock.MaxOwner/8) + "</D:owner>"),
		"deep":                             body("<D:owner>" + strings.Repeat("<a>", 40) + strings.Repeat("</a>", 40) + "</D:owner>"),
		"many attributes":                  body("<D:owner><a" + strings.Repeat(` xmlns:a="b"`, 300) + "/></D:owner>"),
		"long":                             body("") + strings.Repeat(" ", MaxBody),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(strings.NewReader(text))
			var e *plugins.Error
			if !errors.As(err, &e) || e.Kind != plugins.Invalid || errors.Is(err, ErrTooLarge) != (name == "long") {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestParsePassesReadErrors(t *testing.T) {
	cause := errors.New("broken")
	if _, err := Parse(iotest.ErrReader(cause)); err != cause {
		t.Error(err)
	}
}

func TestParseTimeout(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"": 0, " ": 0,
		"Second-60": time.Minute, "second-1": time.Second, "Second-0": time.Second,
		"Infinite": lock.MaxTimeout, "infinite, Second-5": lock.MaxTimeout, "Infinite, Second-4100000000": lock.MaxTimeout,
		"Second-4294967296": lock.MaxTimeout, "Second-99999999999999999999999": lock.MaxTimeout,
		"Extend, Second-30 ,Infinite": 30 * time.Second, "Second-, Second-x, Second--1, Second-+5, Second-7": 7 * time.Second,
		"Second": -1, "Second-": -1, "Second--1": -1, "60": -1, "Second-1.5": -1, "Second- 5": -1, ",": -1,
	} {
		got, err := ParseTimeout(header)
		if want < 0 {
			if plugins.KindOf(err) != plugins.Invalid {
				t.Errorf("%q: %v, %v", header, got, err)
			}
		} else if got != want || err != nil {
			t.Errorf("%q: %v, %v", header, got, err)
		}
	}
}

func TestParseDepth(t *testing.T) {
	for header, want := range map[string]bool{"": true, "infinity": true, "Infinity": true, "0": false, " 0 ": false} {
		if got, err := ParseDepth(header); got != want || err != nil {
			t.Errorf("%q: %v, %v", header, got, err)
		}
	}
	for _, header := range []string{"1", "2", "00", "infinite", "0, 1"} {
		if _, err := ParseDepth(header); plugins.KindOf(err) != plugins.Invalid {
			t.Errorf("%q: %v", header, err)
		}
	}
}
