package nametrans

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Few and similar components, so that prefixes meet.
var (
	component = rapid.SampledFrom([]string{"a", "b", "ab", "data", "database", "user", "user.x", "user..y", "...", "\xff", "c2", "a b"})
	paths     = rapid.Custom(func(t *rapid.T) string {
		return "/" + strings.Join(rapid.SliceOfN(component, 0, 4).Draw(t, "components"), "/")
	})
	expressions = rapid.SampledFrom([]string{"^/a/(.*)$", "/(.*)/(.*)", "/data([^/]*)(/.*)?", "(.*)", "(/a)?(.*)"})
	templates   = rapid.SampledFrom([]string{"$1", "/x/$1", "/$1$1", "/x$1/y", "$0", "$1/../$1"})
	ruleSets    = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Rule {
		some := rapid.SliceOfNDistinct(paths, 1, 3, rapid.ID[string])
		switch rapid.IntRange(0, 4).Draw(t, "kind") {
		case 0:
			return Rule{Regexp: expressions.Draw(t, "regexp"), With: templates.Draw(t, "with")}
		case 1:
			return Rule{Rucio: some.Draw(t, "rucio"), With: paths.Draw(t, "with")}
		case 2:
			return Rule{Multiply: some.Draw(t, "multiply")}
		}
		return Rule{Replace: some.Draw(t, "replace"), With: paths.Draw(t, "with")}
	}), 0, 3)
)

// translations yields rule sets that compile.
var translations = rapid.Custom(func(t *rapid.T) *Translation {
	mount := rapid.OneOf(rapid.Just(""), paths).Draw(t, "mount")
	tr, err := Compile(mount, ruleSets.Draw(t, "rules"))
	if err != nil {
		return nil
	}
	return tr
}).Filter(func(tr *Translation) bool { return tr != nil })

// soundness checks what holds for any path at all.
func soundness(t interface {
	Helper()
	Fatalf(string, ...any)
}, tr *Translation, path string) {
	t.Helper()
	endpoint := tr.Endpoint(path)
	if tr.Covers(path) != (len(endpoint) > 0) {
		t.Fatalf("Covers(%q) is %v, Endpoint %q", path, tr.Covers(path), endpoint)
	}
	for _, e := range endpoint {
		if !isClean(e) {
			t.Fatalf("Endpoint(%q) is %q", path, e)
		}
		if back, ok := tr.Federation(e); ok && back != path {
			t.Fatalf("Endpoint(%q) is %q, Federation of that %q", path, e, back)
		}
	}
	if back, ok := tr.Federation(path); ok && (!isClean(back) || !slices.Contains(tr.Endpoint(back), path)) {
		t.Fatalf("Federation(%q) is %q, Endpoint of that %q", path, back, tr.Endpoint(back))
	}
	for _, l := range tr.Listable(path) {
		if !slices.Contains(endpoint, l) {
			t.Fatalf("Listable(%q) is %q, not among Endpoint %q", path, l, endpoint)
		}
	}
	if !isClean(path) && len(endpoint) > 0 {
		t.Fatalf("unclean path %q has Endpoint %q", path, endpoint)
	}
}

// isClean says the same as clean in another way.
func isClean(path string) bool {
	if path == "/" {
		return true
	}
	parts := strings.Split(path, "/")
	return len(parts) > 1 && parts[0] == "" && !strings.Contains(path, "\x00") &&
		!slices.ContainsFunc(parts[1:], func(p string) bool { return p == "" || p == "." || p == ".." })
}

func TestSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		soundness(t, translations.Draw(t, "translation"), paths.Draw(t, "path"))
	})
}

// TestBack: without a second way to a place, there is a way back from it.
func TestBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, with, path := paths.Draw(t, "from"), paths.Draw(t, "with"), paths.Draw(t, "path")
		tr, err := Compile("", []Rule{{Replace: StringOrList{from}, With: with}})
		if err != nil {
			t.Fatal(err)
		}
		path = join(from, path)
		to := tr.Endpoint(path)
		if len(to) != 1 {
			t.Fatalf("Endpoint(%q) is %q", path, to)
		}
		if back, ok := tr.Federation(to[0]); !ok || back != path {
			t.Fatalf("Federation(%q) is %q, %v; want %q", to[0], back, ok, path)
		}
	})
}

// TestComponentBoundary: letters behind a prefix make another name (W13).
func TestComponentBoundary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix := join(paths.Draw(t, "parent"), "/data")
		path := prefix + component.Draw(t, "letters") + paths.Draw(t, "below")
		for _, r := range []Rule{
			{Replace: StringOrList{prefix}, With: "/x"},
			{Rucio: StringOrList{prefix}, With: "/x"},
		} {
			tr, err := Compile("", []Rule{r})
			if err != nil {
				t.Fatal(err)
			}
			if tr.Covers(path) {
				t.Fatalf("%q covers %q", prefix, path)
			}
		}
		tr, err := Compile(prefix, nil)
		if err != nil || tr.Covers(path) {
			t.Fatalf("mount %q covers %q (%v)", prefix, path, err)
		}
	})
}

// TestListedChildren: what a listing shows is found under its name, unless a
// virtual child stands there.
func TestListedChildren(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rules []Rule
		for _, r := range ruleSets.Draw(t, "rules") {
			if r.Regexp == "" {
				rules = append(rules, r)
			}
		}
		tr, err := Compile(paths.Draw(t, "mount"), rules)
		if err != nil {
			return
		}
		dir, name := paths.Draw(t, "dir"), component.Draw(t, "name")
		listed := tr.Listable(dir)
		if virtual, _ := tr.Virtual(dir); listed == nil || slices.Contains(virtual, name) {
			return
		}
		for i, l := range listed {
			if got := tr.Endpoint(join(dir, "/"+name)); got[i] != join(l, "/"+name) {
				t.Fatalf("%q is listed at %q, its child %q is at %q", dir, l, name, got[i])
			}
		}
	})
}

// TestVirtual: every proper ancestor of a prefix leads one step towards it.
func TestVirtual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mount := paths.Draw(t, "mount")
		tr, err := Compile(mount, nil)
		if err != nil {
			t.Fatal(err)
		}
		at, steps := "/", 0
		for at != mount {
			names, ok := tr.Virtual(at)
			if !ok || len(names) != 1 {
				t.Fatalf("Virtual(%q) is %q, %v on the way to %q", at, names, ok, mount)
			}
			at = join(at, "/"+names[0])
			steps++
		}
		if _, ok := tr.Virtual(mount); ok || len(tr.virtual) != steps {
			t.Fatalf("mount %q: %v", mount, tr.virtual)
		}
	})
}
