package link

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		lines []string
		want  []Link
	}{
		"nothing":    {nil, nil},
		"empty line": {[]string{"", " , ,"}, nil},
		"RFC 6249": {
			[]string{
				`<http://www2.example.com/example.ext>; rel=duplicate; pri=1; pref`,
				`<ftp://ftp.example.com/example.ext>; rel=duplicate; pri=2; geo=gb; depth=1, ` +
					`<http://example.com/example.ext.meta4>; rel=describedby; type="application/metalink4+xml"`,
			},
			[]Link{
				{URL: "http://www2.example.com/example.ext", Rel: Duplicate, Priority: 1, Preferred: true},
				{URL: "ftp://ftp.example.com/example.ext", Rel: Duplicate, Priority: 2, Geo: "gb", Depth: 1},
				{URL: "http://example.com/example.ext.meta4", Rel: DescribedBy, Type: "application/metalink4+xml"},
			},
		},
		"commas and semicolons in a URL": {
			[]string{`<http://h/a,b;c?d=e,f>; rel=duplicate,<http://h/g>;rel=x`},
			[]Link{{URL: "http://h/a,b;c?d=e,f", Rel: Duplicate}, {URL: "http://h/g", Rel: "x"}},
		},
		"quoted strings": {
			[]string{`<u>; title="a, <b>; rel=\"wrong\"" ; rel="next  duplicate"; anchor="#x", <v>; rel="x`},
			[]Link{{URL: "u", Rel: "next  duplicate", Anchor: "#x"}, {URL: "v", Rel: "x"}},
		},
		"space in odd places": {
			[]string{"\t< u >\t;\tREL\t=\tduplicate ; PRI = 7\t,\t<v>"},
			[]Link{{URL: "u", Rel: Duplicate, Priority: 7}, {URL: "v"}},
		},
		"the first of several counts": {
			[]string{`<u>; rel=a; rel=b; pri=1; pri=2`},
			[]Link{{URL: "u", Rel: "a", Priority: 1}},
		},
		"numbers out of range": {
			[]string{`<u>; pri=0; depth=-1, <u>; pri=1000000; depth=99999999999, <u>; pri=+1; depth=1.0, <u>; pri; depth=""`},
			[]Link{{URL: "u"}, {URL: "u"}, {URL: "u"}, {URL: "u"}},
		},
		"mistakes cost no other link": {
			[]string{`http://h/x; rel=duplicate, <a b>; rel=x, junk "," <c,d>, <u>; rel=ok; ;; =; x junk, <v>`},
			[]Link{{URL: "u", Rel: "ok"}, {URL: "v"}},
		},
		"not closed": {[]string{`<u>; rel=a, <v; rel=b`}, []Link{{URL: "u", Rel: "a"}}},
		"empty URL":  {[]string{`<>; rel=self`}, []Link{{Rel: "self"}}},
		"too long":   {[]string{`<` + strings.Repeat("x,", maxURL) + `>; rel=a, <v>`}, []Link{{URL: "v"}}},
	} {
		if diff := cmp.Diff(c.want, Parse(c.lines...)); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

func TestParseIsBounded(t *testing.T) {
	line := strings.Repeat("<u>,", maxLinks)
	if n := len(Parse(line, line)); n != maxLinks {
		t.Errorf("%d links, want %d", n, maxLinks)
	}
}

func TestIs(t *testing.T) {
	l := Link{Rel: "alternate Duplicate"}
	if !l.Is("duplicate") || !l.Is("ALTERNATE") || l.Is("dup") || (Link{}).Is("") {
		t.Errorf("%q is taken for the wrong relations", l.Rel)
	}
}

func TestString(t *testing.T) {
	for want, l := range map[string]Link{
		`<https://h/f?metalink>; rel=describedby; type="application/metalink4+xml"`: {
			URL: "https://h/f?metalink", Rel: DescribedBy, Type: "application/metalink4+xml"},
		`<https://h/f>; rel=duplicate; pri=1; geo=ch; depth=3; pref`: {
			URL: "https://h/f", Rel: Duplicate, Priority: 1, Geo: "ch", Depth: 3, Preferred: true},
		`<http://h/%3E%22%0D%0A%20%C3%A9%25,;>; rel="a \"b\\"`: {
			URL: "http://h/>\"\r\n é%25,;", Rel: "a \"b\\\r\né"},
		`<>`:  {Priority: -1, Depth: -1, Geo: "\x00"},
		`<u>`: {URL: "u", Priority: maxPriority + 1},
	} {
		if got := l.String(); got != want {
			t.Errorf("%+v is written %s, want %s", l, got, want)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	printable := rapid.StringMatching(`[ -~]*`)
	rapid.Check(t, func(t *rapid.T) {
		var want []Link
		var members []string
		for range rapid.IntRange(0, 5).Draw(t, "links") {
			l := Link{
				URL:       rapid.StringMatching(`https?://[!#$%&'()*+,./:;=?@A-Z\[\]_a-z~0-9-]*`).Draw(t, "url"),
				Rel:       printable.Draw(t, "rel"),
				Type:      printable.Draw(t, "type"),
				Anchor:    printable.Draw(t, "anchor"),
				Geo:       printable.Draw(t, "geo"),
				Priority:  rapid.IntRange(0, maxPriority).Draw(t, "pri"),
				Depth:     rapid.IntRange(0, maxURL).Draw(t, "depth"),
				Preferred: rapid.Bool().Draw(t, "pref"),
			}
			want = append(want, l)
			members = append(members, l.String())
		}
		for _, lines := range [][]string{members, {strings.Join(members, ", ")}} {
			if diff := cmp.Diff(want, Parse(lines...)); diff != "" {
				t.Errorf("%q: -want +got\n%s", lines, diff)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(`<http://h/a,b>; rel="duplicate x"; pri=1; geo=gb; depth=2; pref; type="a/b", <v>`)
	f.Add(`,;<"\">=`)
	f.Fuzz(func(t *testing.T, line string) {
		for _, l := range Parse(line) {
			s := l.String()
			if strings.ContainsAny(s, "\r\n\x00") {
				t.Fatalf("%q holds a control character", s)
			}
			if len(s) > maxURL {
				continue // escaped, it may be longer than what is read
			}
			again := Parse(s)
			if len(again) != 1 {
				t.Fatalf("%q reads as %d links", s, len(again))
			}
			if s2 := again[0].String(); s2 != s {
				t.Fatalf("%q is written anew as %q", s, s2)
			}
		}
	})
}
