package access

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"canopy/frontend/identity"
)

var (
	nobody = (*identity.Identity)(nil)
	alice  = &identity.Identity{Name: "alice", Groups: []string{"/atlas", "/atlas/production"}}
	bob    = &identity.Identity{Name: "bob"}
	ops    = &identity.Identity{Name: "ops"}
)

func user(name string) Principal  { return Principal{User, name} }
func group(name string) Principal { return Principal{Group, name} }

func made(t *testing.T, rules ...Rule) *Rules {
	t.Helper()
	r, err := New(rules)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAllows(t *testing.T) {
	everyone, known := []Principal{{Kind: Anyone}}, []Principal{{Kind: Authenticated}}
	rules := []Rule{
		{Path: "/", Delete: []Principal{user("ops")}},
		{Path: "/atlas/users", Write: []Principal{group("/atlas/production"), user("bob")}},
		{Path: "/atlas", Read: known},
		{Path: "/atlas/users/secret", Read: []Principal{}, List: []Principal{user("alice")}},
		{Path: "/open", Write: everyone},
	}
	for _, c := range []struct {
		rules []Rule
		path  string
		right Right
		who   *identity.Identity
		want  bool
	}{
		// The default.
		{nil, "/", Read, nobody, true},
		{nil, "/a/b", List, nobody, true},
		{nil, "/a", Write, ops, false},
		{nil, "/a", Delete, ops, false},
		{nil, "/", Admin, ops, false},
		// What the rule for the root leaves is the default.
		{rules, "/x", Read, nobody, true},
		{rules, "/x", Write, alice, false},
		{rules, "/x/y", Delete, ops, true},
		{rules, "/x/y", Delete, alice, false},
		// Whole components.
		{rules, "/atlas", Read, nobody, false},
		{rules, "/atlas", Read, bob, true},
		{rules, "/atlas/f", Read, &identity.Identity{}, false},
		{rules, "/atlasx", Read, nobody, true},
		{rules, "/atlas", List, nobody, true},
		// Rights left to the next shorter rule, and beyond it.
		{rules, "/atlas/users/f", Read, nobody, false},
		{rules, "/atlas/users/f", Read, alice, true},
		{rules, "/atlas/users/f", Delete, ops, true},
		{rules, "/atlas/users/f", Write, alice, true},
		{rules, "/atlas/users/f", Write, bob, true},
		{rules, "/atlas/users/f", Write, ops, false},
		{rules, "/atlas/f", Write, alice, false},
		// An empty list is nobody.
		{rules, "/atlas/users/secret", Read, alice, false},
		{rules, "/atlas/users/secret/deep/er/still", List, alice, true},
		{rules, "/atlas/users/secret", List, nobody, false},
		{rules, "/atlas/users/secretly", Read, alice, true},
		{rules, "/open/x", Write, nobody, true},
		// Running the federation.
		{rules, "/", Admin, ops, true},
		{rules, "/", Admin, alice, false},
		{[]Rule{{Path: "/", Delete: everyone}}, "/", Admin, nobody, false},
		{[]Rule{{Path: "/", Delete: everyone}}, "/", Admin, bob, true},
		{rules, "/", Admin + 1, ops, false},
	} {
		if got := made(t, c.rules...).Allows(c.path, c.right, c.who); got != c.want {
			t.Errorf("%d rules, %s, %v, %+v: got %v", len(c.rules), c.path, c.right, c.who, got)
		}
	}
}

func TestAllowsTree(t *testing.T) {
	r := made(t,
		Rule{Path: "/", Delete: []Principal{user("ops"), user("bob")}},
		Rule{Path: "/a/b", Delete: []Principal{user("ops")}},
		Rule{Path: "/a/c", Read: []Principal{}},
	)
	for _, c := range []struct {
		path string
		who  *identity.Identity
		want bool
	}{
		{"/", ops, true},
		{"/", bob, false},
		{"/a", bob, false},
		{"/a/c", bob, true},
		{"/a/bc", bob, true},
		{"/a/b", bob, false},
		{"/x", alice, false},
	} {
		if got := r.AllowsTree(c.path, Delete, c.who); got != c.want {
			t.Errorf("%s, %s: got %v", c.path, c.who.Name, got)
		}
	}
	if !r.AllowsTree("/", Admin, ops) {
		t.Error("ops does not run the federation")
	}
}

func TestNewRefuses(t *testing.T) {
	for want, rules := range map[string][]Rule{
		`access rule for "a/": the path is not clean; write "/a"`: {{Path: "a/"}},
		`access rule for "/a": there are two; make one of both`:   {{Path: "/a"}, {Path: "/a"}},
		`access rule for "/a", write: principal of kind 3 named "" is nobody`: {
			{Path: "/a", Write: []Principal{{Kind: User}}},
		},
		`access rule for "/a", read: principal of kind 0 named "x" is nobody`: {
			{Path: "/a", Read: []Principal{{Name: "x"}}},
		},
	} {
		if _, err := New(rules); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestProperty compares the look-up with the sentence that defines it.
func TestProperty(t *testing.T) {
	component := rapid.SampledFrom([]string{"a", "b", "ab", "c"})
	somewhere := rapid.Custom(func(t *rapid.T) string {
		return path.Clean("/" + strings.Join(rapid.SliceOfN(component, 0, 5).Draw(t, "path"), "/"))
	})
	principals := rapid.SampledFrom([][]Principal{nil, {}, {{Kind: Anyone}}, {{Kind: Authenticated}}, {user("bob")}, {group("/atlas")}})
	rapid.Check(t, func(t *rapid.T) {
		said := make(map[string]Rule)
		for range rapid.IntRange(0, 6).Draw(t, "rules") {
			p := somewhere.Draw(t, "at")
			said[p] = Rule{p, principals.Draw(t, "read"), principals.Draw(t, "list"), principals.Draw(t, "write"), principals.Draw(t, "delete")}
		}
		r, err := New(slices.Collect(maps.Values(said)))
		if err != nil {
			t.Fatal(err)
		}
		p, who := somewhere.Draw(t, "p"), rapid.SampledFrom([]*identity.Identity{nobody, alice, bob}).Draw(t, "who")
		for right := range rights {
			if got, want := r.Allows(p, right, who), defined(said, p, right, who); got != want {
				t.Errorf("%v at %s for %+v: got %v; rules %v", right, p, who, got, said)
			}
		}
	})
}

func defined(said map[string]Rule, p string, right Right, who *identity.Identity) bool {
	for {
		if rule, ok := said[p]; ok {
			if list := [][]Principal{rule.Read, rule.List, rule.Write, rule.Delete}[right]; list != nil {
				return slices.ContainsFunc(list, func(p Principal) bool {
					switch p.Kind {
					case Anyone:
						return true
					case Authenticated:
						return !who.Anonymous()
					case User:
						return who != nil && who.Name == p.Name
					}
					return who.In(p.Name)
				})
			}
		}
		if p == "/" {
			return right == Read || right == List
		}
		p = path.Dir(p)
	}
}

func TestNoAllocation(t *testing.T) {
	r := made(t, Rule{Path: "/a/b/c", Write: []Principal{group("/atlas")}})
	deep := "/a/b/c" + strings.Repeat("/x", 1000)
	if n := testing.AllocsPerRun(100, func() { r.Allows(deep, Write, alice) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAllows(b *testing.B) {
	for name, rules := range map[string][]Rule{
		"default": nil,
		"rules":   {{Path: "/atlas/users", Write: []Principal{user("bob")}}, {Path: "/cms"}},
	} {
		b.Run(name, func(b *testing.B) {
			r, err := New(rules)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				r.Allows("/atlas/data/2026/run4711/file.root", Read, nobody)
			}
		})
	}
}
