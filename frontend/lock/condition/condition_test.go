package condition

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"canopy/plugins"

	"github.com/google/go-cmp/cmp"
)

// locate knows one server, and the namespace /dav in it.
func locate(u *url.URL) (string, bool) {
	if u.Host != "" && u.Host != "here" {
		return "", false
	}
	path, ok := strings.CutPrefix(u.Path, "/dav")
	return path, ok && strings.HasPrefix(path, "/")
}

func TestParse(t *testing.T) {
	token := func(s string) Condition { return Condition{Token: s} }
	etag := func(s string) Condition { return Condition{ETag: s} }
	not := func(c Condition) Condition { c.Not = true; return c }
	for _, c := range []struct {
		header string
		want   []List
	}{
		{"(<urn:a>)", []List{{"/asked", []Condition{token("urn:a")}}}},
		{"\t( <urn:a>\t[\"e\"] ) ", []List{{"/asked", []Condition{token("urn:a"), etag(`"e"`)}}}},
		{`(<urn:a>["e"])(Not<DAV:no-lock>[W/"e"])`, []List{
			{"/asked", []Condition{token("urn:a"), etag(`"e"`)}}, {"/asked", []Condition{not(token("DAV:no-lock")), etag(`W/"e"`)}},
		}},
		{`(not [ "a]b>c)(<" ] NOT <urn:a>)`, []List{{"/asked", []Condition{not(etag(`"a]b>c)(<"`)), not(token("urn:a"))}}}},
		{`([""])`, []List{{"/asked", []Condition{etag(`""`)}}}},
		{"([\"\xe9\"])", []List{{"/asked", []Condition{etag("\"\xe9\"")}}}},
		{"</dav/a%20b> (<urn:a>) (<urn:b>)<http://here/dav/c>(<urn:c>)", []List{
			{"/a b", []Condition{token("urn:a")}}, {"/a b", []Condition{token("urn:b")}}, {"/c", []Condition{token("urn:c")}},
		}},
		{"<https://elsewhere:80/dav/a?b> (<urn:a>)", []List{{"", []Condition{token("urn:a")}}}},
		{"</other> (<urn:a>)", []List{{"", []Condition{token("urn:a")}}}},
		{"<http://here> (<opaquelocktoken:1?x=[]>)", []List{{"", []Condition{token("opaquelocktoken:1?x=[]")}}}},
	} {
		got, err := Parse(c.header, "/asked", locate)
		if err != nil {
			t.Errorf("%s: %v", c.header, err)
		} else if diff := cmp.Diff(c.want, got.Lists); diff != "" {
			t.Errorf("%s: want -, got +\n%s", c.header, diff)
		}
	}
}

var refused = []string{
	"", " ", "()", "(", ")", "(<urn:a>", "(<urn:a>))", "<urn:a>", "urn:a", "(urn:a)", "(<urn:a)", "(<>)", "(<a>)", "(</a>)", "(<:a>)", "(<urn:>)", "(<1a:b>)",
	"(<urn:a b>)", "(<urn:a\x00>)", "(<urn:\xe9>)", "(<urn:a<>)", "(Not)", "(Not Not <urn:a>)", "(Notx <urn:a>)", "(<urn:a> Not)",
	`("e")`, `(["e")`, `(["e"`, `(["e)`, `([e])`, `([w/"e"])`, `([W/])`, `(["e" "f"])`, `(["e f"])`, "([\"\x7f\"])", `([])`, `([`, `([W/ "e"])`,
	"(<urn:a>) </dav/a> (<urn:a>)", "(<urn:a>),(<urn:b>)", "(<urn:a>) x", "</dav/a>", "</dav/a> x", "</dav/a> </dav/b> (<urn:a>)", "</dav/a> (<urn:a>) </dav/b>",
	"<dav/a> (<urn:a>)", "<> (<urn:a>)", "<//here/dav/a> (<urn:a>)", "</dav/%zz> (<urn:a>)", "</dav/a#b> (<urn:a>)", "<mailto:a> (<urn:a>)", "</dav/a#> (<urn:a>)",
	"</dav/a> (<urn:a>) </dav/b (<urn:a>)", "<?x> (<urn:a>)",
	"(<urn:" + strings.Repeat("a", MaxToken) + ">)",
	strings.Repeat("(<urn:a>)", MaxConditions+1),
	strings.Repeat("</dav/a>(<urn:a>)", MaxResources+1),
	"(<urn:a>)" + strings.Repeat(" ", MaxHeader),
}

func TestParseRefuses(t *testing.T) {
	for _, header := range refused {
		got, err := Parse(header, "/asked", locate)
		var e *plugins.Error
		if !errors.As(err, &e) || e.Kind != plugins.Invalid {
			t.Errorf("%.60q: %v, %v", header, got, err)
		}
	}
}

func TestParseToken(t *testing.T) {
	for header, want := range map[string]string{
		"<urn:a>": "urn:a", " <opaquelocktoken:a-1> ": "opaquelocktoken:a-1",
		"": "", "urn:a": "", "<urn:a": "", "<urn:a>x": "", "<urn:a><urn:b>": "", "(<urn:a>)": "", "<a>": "", "<urn: a>": "",
	} {
		got, err := ParseToken(header)
		if got != want || (err == nil) != (want != "") || err != nil && plugins.KindOf(err) != plugins.Invalid {
			t.Errorf("%q: %q, %v", header, got, err)
		}
	}
}

// state is a world with locks on /asked and /dir, and a file without lock.
func state(asked *[]string) State {
	return State{
		Locked: func(path, token string) bool {
			return path == "/asked" && token == "urn:a" || path == "/dir" && token == "urn:d"
		},
		ETag: func(path string) (string, error) {
			*asked = append(*asked, path)
			switch path {
			case "/asked":
				return `"1"`, nil
			case "/weak":
				return `W/"2"`, nil
			case "/broken":
				return "", errBroken
			}
			return "", nil
		},
	}
}

var errBroken = errors.New("broken")

func TestHolds(t *testing.T) {
	for _, c := range []struct {
		header string
		want   bool
		asked  string // whose entity tag was asked for
	}{
		{`(<urn:a>)`, true, ""},
		{`(<urn:x>)`, false, ""},
		{`(Not <urn:x>)`, true, ""},
		{`(Not <urn:a>)`, false, ""},
		{`(<urn:x>) (Not <DAV:no-lock>)`, true, ""},
		{`(<DAV:no-lock>)`, false, ""},
		{`(<urn:a> ["1"])`, true, "/asked"},
		{`(<urn:a> ["2"])`, false, "/asked"},
		{`(<urn:x> ["1"])`, false, ""},
		{`(<urn:a> ["2"]) (Not <DAV:no-lock> ["2"])`, false, "/asked"},
		{`(["2"]) (["3"]) (Not ["1"]) ([W/"1"])`, true, "/asked"},
		{`</dav/weak> (["2"])`, true, "/weak"},
		{`</dav/dir> (<urn:d>)`, true, ""},
		{`</dav/dir> (<urn:a>) </dav/asked> (<urn:a>)`, true, ""},
		{`</dav/dir> (<urn:a>)`, false, ""},
		{`</dav/none> (["1"])`, false, "/none"},
		{`</dav/none> (Not ["1"])`, true, "/none"},
		{`</dav/none> ([""])`, false, "/none"},
		{`<http://there/dav/asked> (<urn:a>)`, false, ""},
		{`<http://there/dav/asked> (["1"])`, false, ""},
		{`<http://there/dav/asked> (Not <urn:a>)`, true, ""},
	} {
		f, err := Parse(c.header, "/asked", locate)
		if err != nil {
			t.Fatal(c.header, err)
		}
		var asked []string
		if got, err := f.Holds(state(&asked)); got != c.want || err != nil || strings.Join(asked, " ") != c.asked {
			t.Errorf("%s: %v, %v, asked for %q", c.header, got, err, asked)
		}
	}
	f, err := Parse(`</dav/broken> (["1"]) (Not <DAV:no-lock>)`, "/asked", locate)
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	if got, err := f.Holds(state(&asked)); got || err != errBroken {
		t.Errorf("an entity tag that cannot be found out: %v, %v", got, err)
	}
	if got, err := (*If)(nil).Holds(State{}); !got || err != nil {
		t.Errorf("no header: %v, %v", got, err)
	}
}

func TestLists(t *testing.T) {
	f, err := Parse(`</dav/a> (<urn:a> ["1"]) (Not <urn:b>) <http://there/> (<urn:c>) </dav/a> (["2"])`, "/asked", locate)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Paths(); !slices.Equal(got, []string{"/a"}) {
		t.Errorf("paths %q", got)
	}
	if got := f.Submitted(); !slices.Equal(got, []string{"urn:a", "urn:b", "urn:c"}) {
		t.Errorf("tokens %q", got)
	}
	f = nil
	if f.Paths() != nil || f.Submitted() != nil {
		t.Error("something in a header that is not there")
	}
}

func TestSole(t *testing.T) {
	for header, want := range map[string]string{
		"(<urn:a>)": "urn:a", "</dav/x> (<urn:a>)": "urn:a",
		"(Not <urn:a>)": "", `(["1"])`: "", "(<urn:a>) (<urn:a>)": "", "(<urn:a> <urn:a>)": "",
	} {
		f, err := Parse(header, "/asked", locate)
		if err != nil {
			t.Fatal(err)
		}
		if token, ok := f.Sole(); ok != (want != "") || ok && token != want {
			t.Errorf("%s: %q, %v", header, token, ok)
		}
	}
	if _, ok := (*If)(nil).Sole(); ok {
		t.Error("a token in a header that is not there")
	}
}

// text writes lists as a header again.
func text(f *If) string {
	var b strings.Builder
	for _, l := range f.Lists {
		fmt.Fprintf(&b, "<%s>(", (&url.URL{Path: "/dav" + l.Path}).EscapedPath())
		for _, c := range l.Conditions {
			if c.Not {
				b.WriteString("Not ")
			}
			if c.Token != "" {
				fmt.Fprintf(&b, "<%s>", c.Token)
			} else {
				fmt.Fprintf(&b, "[%s]", c.ETag)
			}
		}
		b.WriteByte(')')
	}
	return b.String()
}
