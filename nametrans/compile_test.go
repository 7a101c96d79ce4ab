package nametrans

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func TestCompileRefuses(t *testing.T) {
	replace := func(with string, from ...string) Rule { return Rule{Replace: from, With: with} }
	for _, c := range []struct {
		name    string
		mount   string
		rules   []Rule
		index   int
		key     string
		problem string
	}{
		{"relative mount", "atlas", nil, -1, "mount", `"atlas" is not a clean`},
		{"mount with slash", "/atlas/", nil, -1, "mount", `"/atlas/" is not a clean`},
		{"mount going up", "/a/../b", nil, -1, "mount", "not a clean"},
		{"no kind", "/", []Rule{{With: "/x"}}, 0, "", "has none of replace"},
		{"two kinds", "/", []Rule{{Replace: StringOrList{"/a"}, Regexp: "/b", With: "/c"}}, 0, "regexp", "beside replace"},
		{"rucio and replace", "/", []Rule{{Replace: StringOrList{"/a"}, Rucio: StringOrList{"/b"}, With: "/c"}}, 0, "rucio", "beside replace"},
		{"multiply and rucio", "/", []Rule{{Rucio: StringOrList{"/a"}, Multiply: []string{"/b"}}}, 0, "multiply", "beside rucio"},
		{"no with", "/", []Rule{replace("", "/a")}, 0, "with", "is missing"},
		{"no with for regexp", "/", []Rule{{Regexp: "/a"}}, 0, "with", "is missing"},
		{"relative with", "/", []Rule{replace("x", "/a")}, 0, "with", `"x" is not a clean`},
		{"with going up", "/", []Rule{replace("/x/..", "/a")}, 0, "with", "not a clean"},
		{"with doubled slash", "/", []Rule{{Rucio: StringOrList{"/a"}, With: "//x"}}, 0, "with", "not a clean"},
		{"no prefix", "/", []Rule{replace("/x")}, 0, "", "has none of"},
		{"empty list of prefixes", "/", []Rule{{Replace: StringOrList{}, With: "/x"}}, 0, "replace", "is empty"},
		{"empty prefix", "/", []Rule{replace("/x", "")}, 0, "replace", `"" is not a clean`},
		{"relative prefix", "/", []Rule{replace("/x", "/a"), replace("/x", "/b", "c")}, 1, "replace", `"c" is not a clean`},
		{"NUL in prefix", "/", []Rule{replace("/x", "/a\x00")}, 0, "replace", "not a clean"},
		{"prefix twice in a rule", "/", []Rule{replace("/x", "/a", "/b", "/a")}, 0, "replace", `"/a" is named twice`},
		{"prefix twice", "/", []Rule{replace("/x", "/a"), replace("/y", "/a")}, 1, "replace", `earlier rule takes all of "/a"`},
		{"prefix below an earlier one", "/", []Rule{replace("/x", "/a"), replace("/y", "/b", "/a/c")}, 1, "replace", `"/a/c" is never reached`},
		{"rucio below an earlier one", "/", []Rule{replace("/x", "/a"), {Rucio: StringOrList{"/a/r"}, With: "/y"}}, 1, "rucio", "never reached"},
		{"anything after the root", "/", []Rule{replace("/x", "/"), replace("/y", "/a")}, 1, "replace", "never reached"},
		{"regexp after the root", "/", []Rule{replace("/x", "/"), {Regexp: ".*b", With: "/y"}}, 1, "regexp", "never reached"},
		{"regexp below an earlier prefix", "/", []Rule{replace("/x", "/a"), {Regexp: "^/a/b(.*)", With: "/y"}}, 1, "regexp", "never reached"},
		{"same regexp", "/", []Rule{{Regexp: "/a.*", With: "/x"}, {Regexp: "/a.*", With: "/y"}}, 1, "regexp", "an earlier rule has the same"},
		{"bad regexp", "/", []Rule{{Regexp: "/a(", With: "/x"}}, 0, "regexp", "missing closing )"},
		{"regexp out of balance", "/", []Rule{{Regexp: "/a)(b", With: "/x"}}, 0, "regexp", "unexpected )"},
		{"regexp beyond RE2", "/", []Rule{{Regexp: `/(a)\1`, With: "/x"}}, 0, "regexp", "invalid escape"},
		{"group too high", "/", []Rule{{Regexp: "/(a)", With: "/x/$2"}}, 0, "with", `no group "2" in the regexp, which has 1`},
		{"group far too high", "/", []Rule{{Regexp: "/(a)", With: "/x/$99999999999999999999"}}, 0, "with", "no group"},
		{"negative group", "/", []Rule{{Regexp: "/(a)", With: "/x/${-1}"}}, 0, "with", "no group"},
		{"unknown group", "/", []Rule{{Regexp: "/(?P<n>a)", With: "/x/${m}"}}, 0, "with", `no group "m"`},
		{"lone dollar", "/", []Rule{{Regexp: "/(a)", With: "/x/$"}}, 0, "with", "names no group"},
		{"name without braces", "/", []Rule{{Regexp: "/(?P<n>a)", With: "/x/$n"}}, 0, "with", "names no group"},
		{"open brace", "/", []Rule{{Regexp: "/(a)", With: "/x/${1"}}, 0, "with", "lacks its"},
		{"regexp with relative", "/", []Rule{{Regexp: "/(a)", With: "x/$1"}}, 0, "with", "not a clean"},
		{"regexp with NUL", "/", []Rule{{Regexp: "/(a)", With: "/x\x00/$1"}}, 0, "with", "not a clean"},
		{"empty multiply", "/", []Rule{{Multiply: []string{}}}, 0, "multiply", "is empty"},
		{"relative multiply", "/", []Rule{{Multiply: []string{"/a", "b"}}}, 0, "multiply", `"b" is not a clean`},
		{"multiply twice the same", "/", []Rule{{Multiply: []string{"/a", "/a"}}}, 0, "multiply", "named twice"},
		{"two multiplies", "/", []Rule{{Multiply: []string{"/a"}}, {Multiply: []string{"/b"}}}, 1, "multiply", "earlier rule already"},
		{"multiply with with", "/", []Rule{{Multiply: []string{"/a"}, With: "/b"}}, 0, "with", "no meaning beside multiply"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr, err := Compile(c.mount, c.rules)
			var e *RuleError
			if tr != nil || !errors.As(err, &e) {
				t.Fatalf("got %v, %v; want a *RuleError", tr, err)
			}
			if e.Index != c.index || e.Key != c.key || !strings.Contains(e.Problem, c.problem) {
				t.Errorf("got %d %q %q; want %d %q %q", e.Index, e.Key, e.Problem, c.index, c.key, c.problem)
			}
		})
	}
}

func TestCompileAccepts(t *testing.T) {
	for _, c := range []struct {
		name  string
		mount string
		rules []Rule
	}{
		{"the mount itself", "/a", []Rule{{Replace: StringOrList{"/a"}, With: "/x"}}},
		{"longer prefix first", "/", []Rule{{Replace: StringOrList{"/a/b"}, With: "/x"}, {Replace: StringOrList{"/a"}, With: "/y"}}},
		{"neighbour in letters only", "/", []Rule{{Replace: StringOrList{"/a"}, With: "/x"}, {Replace: StringOrList{"/ab"}, With: "/y"}}},
		{"regexp beside a prefix", "/", []Rule{{Replace: StringOrList{"/a"}, With: "/x"}, {Regexp: "/a[^/]+(/.*)?", With: "/y"}}},
		{"regexp with a case to ignore", "/", []Rule{{Replace: StringOrList{"/A/B"}, With: "/x"}, {Regexp: "(?i)/a/b/c", With: "/y"}}},
		{"one multiply", "/", []Rule{{Multiply: []string{"/a"}}}},
	} {
		if _, err := Compile(c.mount, c.rules); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestRuleErrorText(t *testing.T) {
	for _, c := range []struct {
		err  RuleError
		want string
	}{
		{RuleError{Index: -1, Key: "mount", Problem: "p"}, "mount: p"},
		{RuleError{Index: 2, Key: "with", Problem: "p"}, "translate[2].with: p"},
		{RuleError{Index: 0, Problem: "p"}, "translate[0]: p"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestStringOrList(t *testing.T) {
	for _, c := range []struct {
		text string
		want StringOrList
		bad  bool
	}{
		{"replace: /a", StringOrList{"/a"}, false},
		{"replace: [/a, /b]", StringOrList{"/a", "/b"}, false},
		{"replace: []", StringOrList{}, false},
		{"with: /x", nil, false},
		{"replace: {a: b}", nil, true},
		{"replace: [[/a]]", nil, true},
	} {
		var r Rule
		err := yaml.Unmarshal([]byte(c.text), &r)
		if (err != nil) != c.bad {
			t.Errorf("%s: error %v", c.text, err)
		}
		if diff := cmp.Diff(c.want, r.Replace); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.text, diff)
		}
	}
}
