package nametrans

import (
	"errors"
	"strings"
	"testing"
)

// FuzzCompile: any rule is refused with a place and a reason, or is sound.
func FuzzCompile(f *testing.F) {
	f.Add("/atlas", "/atlas/data", "", "", "/d", "", "/atlas/data/f1")
	f.Add("", "", `^/srm\?SFN=(/.*)$`, "", "$1", "", "/srm?SFN=/x/../y")
	f.Add("/", "", "", "/rucio", "/", "/a /b", "/rucio/user.x/f")
	f.Add("/a", "/b /b/c", "", "", "/..", "", "/b/c/d")
	f.Add("/", "", "/(.*)", "", "/${1}$$", "/m", "/x")
	f.Fuzz(func(t *testing.T, mount, replace, expression, rucio, with, multiply, path string) {
		rules := []Rule{{Replace: list(replace), Regexp: expression, Rucio: list(rucio), With: with}}
		if multiply != "" {
			rules = append(rules, Rule{Multiply: list(multiply)})
		}
		tr, err := Compile(mount, rules)
		if err != nil {
			var e *RuleError
			if !errors.As(err, &e) || e.Problem == "" || e.Index >= len(rules) {
				t.Fatalf("error %#v", err)
			}
			return
		}
		soundness(t, tr, path)
	})
}

// list splits at blanks; nothing is no list.
func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, " ")
}

// FuzzTranslate: no path leads out of a set of rules of every kind.
func FuzzTranslate(f *testing.F) {
	tr, err := Compile("/m", []Rule{
		{Replace: StringOrList{"/data", "/data/deep"}, With: "/d"},
		{Rucio: StringOrList{"/m/rucio"}, With: "/rucio"},
		{Regexp: `/free(.*)`, With: "$1"},
		{Regexp: `/in(.*)/(.*)`, With: "/a/$2/$1"},
		{Multiply: []string{"/one", "/two/three"}},
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		"/", "/m", "/m/../x", "/data/deep/x", "/database", "/m/rucio/user.x/f", "/m/rucio/user../f",
		"/free/../x", "/free", "/free//x", "/in../x", "/in/../..", "/one/d/x", "/two/three/rucio/a/00/11/f", "/m/\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		soundness(t, tr, path)
		for _, e := range tr.Endpoint(path) {
			if !strings.HasPrefix(e, "/one") && !strings.HasPrefix(e, "/two/three") {
				t.Fatalf("Endpoint(%q) is %q, outside", path, e)
			}
		}
	})
}
