package lock_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"canopy/frontend/lock"
	"canopy/frontend/lock/condition"
	"canopy/plugins"
)

// give creates a lock as "xi /path holder", where x or s is the scope and 0 or
// i the depth.
func give(t *testing.T, table *lock.Table, now time.Time, what string) lock.Lock {
	t.Helper()
	f := strings.Fields(what)
	l := lock.Lock{Root: f[1], Deep: f[0][1] == 'i', Scope: lock.Exclusive, Holder: f[2]}
	if f[0][0] == 's' {
		l.Scope = lock.Shared
	}
	l, err := table.Create(t.Context(), now, l, 0)
	if err != nil {
		t.Fatal(what, err)
	}
	return l
}

func TestCheck(t *testing.T) {
	now := start().now
	for _, c := range []struct {
		name    string
		locks   []string // T0, T1, … in the header stand for their tokens
		header  string
		touches []lock.Touch
		want    string // "" or the roots that block; 412
	}{
		{"nothing is locked", nil, "", []lock.Touch{{Path: "/a", Tree: true, Member: true}}, ""},
		{"no token", []string{"x0 /a ada"}, "", []lock.Touch{{Path: "/a"}}, "/a"},
		{"token", []string{"x0 /a ada"}, "(<T0>)", []lock.Touch{{Path: "/a"}}, ""},
		{"token of somebody else", []string{"x0 /a bob"}, "(<T0>)", []lock.Touch{{Path: "/a"}}, "/a"},
		{"token under another tag", []string{"x0 /a ada"}, "</b> (Not <T0>)", []lock.Touch{{Path: "/a"}}, ""},
		{"token in a list that does not hold", []string{"x0 /a ada"}, "(Not <T0>) (Not <DAV:no-lock>)", []lock.Touch{{Path: "/a"}}, ""},
		{"condition comes first", []string{"x0 /a ada"}, "(<DAV:no-lock>)", []lock.Touch{{Path: "/a"}}, "412"},
		{"condition without touching", nil, "(<DAV:no-lock>)", nil, "412"},
		{"corrupt token", []string{"x0 /a ada"}, "(<T0x>) (Not <DAV:no-lock>)", []lock.Touch{{Path: "/a"}}, "/a"},
		{"entity tag", []string{"x0 /a ada"}, `(<T0> ["1"])`, []lock.Touch{{Path: "/a"}}, ""},
		{"other entity tag", []string{"x0 /a ada"}, `(<T0> ["2"])`, []lock.Touch{{Path: "/a"}}, "412"},
		{"inherited", []string{"xi /a ada"}, "", []lock.Touch{{Path: "/a/b/c"}}, "/a"},
		{"inherited, with its token", []string{"xi /a ada"}, "(<T0>)", []lock.Touch{{Path: "/a/b/c", Tree: true, Member: true}}, ""},
		{"depth 0 above", []string{"x0 /a ada"}, "", []lock.Touch{{Path: "/a/b", Tree: true}}, ""},
		{"membership", []string{"x0 /a ada"}, "", []lock.Touch{{Path: "/a/b", Member: true}}, "/a"},
		{"membership, with its token", []string{"x0 /a ada"}, "</a> (<T0>)", []lock.Touch{{Path: "/a/b", Member: true}}, ""},
		{"membership of the root", []string{"x0 / ada"}, "", []lock.Touch{{Path: "/a", Member: true}}, "/"},
		{"membership two above", []string{"x0 /a ada"}, "", []lock.Touch{{Path: "/a/b/c", Member: true}}, ""},
		{"the root itself", nil, "", []lock.Touch{{Path: "/", Tree: true, Member: true}}, ""},
		{"tree", []string{"x0 /a/b ada", "xi /a/c/d bob", "x0 /ab bob"}, "", []lock.Touch{{Path: "/a", Tree: true}}, "/a/b /a/c/d"},
		{"tree, with one of two", []string{"x0 /a/b ada", "xi /a/c/d bob"}, "</a/b> (<T0>)", []lock.Touch{{Path: "/a", Tree: true, Member: true}}, "/a/c/d"},
		{"tree, with both", []string{"x0 /a/b ada", "xi /a/c/d ada"}, "</a/b> (<T0>) </a> (<T1>)", []lock.Touch{{Path: "/a", Tree: true, Member: true}}, ""},
		{"not the tree", []string{"x0 /a/b ada"}, "", []lock.Touch{{Path: "/a", Member: true}}, ""},
		{"shared, one's own", []string{"s0 /a ada", "si /a bob"}, "(<T0>)", []lock.Touch{{Path: "/a"}}, ""},
		{"shared, the other's", []string{"s0 /a ada", "si /a bob"}, "(<T1>)", []lock.Touch{{Path: "/a"}}, "/a"},
		{"shared, from above", []string{"si /a bob", "si / ada"}, "(<T1>)", []lock.Touch{{Path: "/a/b", Tree: true, Member: true}}, ""},
		{"shared, inside", []string{"si /a bob", "s0 / ada"}, "</> (<T1>)", []lock.Touch{{Path: "/", Tree: true}}, "/a"},
		{"two places", []string{"x0 /a ada", "x0 /b ada"}, "(<T0>)", []lock.Touch{{Path: "/a", Tree: true, Member: true}, {Path: "/b", Tree: true, Member: true}}, "/b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := lock.New(lock.Options{})
			header := c.header
			for i, what := range c.locks {
				header = strings.ReplaceAll(header, fmt.Sprint("T", i), give(t, table, now, what).Token)
			}
			check := lock.Check{Who: "ada", Touches: c.touches, ETag: func(string) (string, error) { return `"1"`, nil }}
			if header != "" {
				var err error
				if check.If, err = condition.Parse(header, "/a", here); err != nil {
					t.Fatal(err)
				}
			}
			err := table.Check(t.Context(), now, check)
			got := ""
			var locked *lock.LockedError
			switch {
			case err == lock.ErrCondition:
				got = "412"
			case errors.As(err, &locked):
				got = strings.Join(locked.Roots, " ")
				if plugins.KindOf(err) != plugins.Locked {
					t.Errorf("kind %v", plugins.KindOf(err))
				}
			case err != nil:
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// here takes every tag for one of ours.
func here(tag *url.URL) (string, bool) { return tag.Path, true }

// TestCheckETagError checks that what cannot be found out is neither answer.
func TestCheckETagError(t *testing.T) {
	broken := errors.New("broken")
	f, err := condition.Parse(`(["1"])`, "/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	check := lock.Check{If: f, ETag: func(string) (string, error) { return "", broken }}
	if err := lock.New(lock.Options{}).Check(t.Context(), start().now, check); err != broken {
		t.Error(err)
	}
}

func TestCreateRefuses(t *testing.T) {
	table := lock.New(lock.Options{})
	for name, l := range map[string]lock.Lock{
		"no scope":      {Root: "/a"},
		"relative":      {Root: "a", Scope: lock.Shared},
		"no path":       {Scope: lock.Shared},
		"slash":         {Root: "/a/", Scope: lock.Shared},
		"NUL":           {Root: "/a\x00", Scope: lock.Shared},
		"long path":     {Root: "/" + strings.Repeat("a", lock.MaxPath), Scope: lock.Shared},
		"deep path":     {Root: strings.Repeat("/a", 129), Scope: lock.Shared},
		"NUL in holder": {Root: "/a", Holder: "\x00", Scope: lock.Shared},
		"long holder":   {Root: "/a", Holder: strings.Repeat("a", lock.MaxHolder+1), Scope: lock.Shared},
		"long owner":    {Root: "/a", Owner: strings.Repeat("a", lock.MaxOwner+1), Scope: lock.Shared},
	} {
		if _, err := table.Create(t.Context(), start().now, l, 0); plugins.KindOf(err) != plugins.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("broken")
	table = lock.New(lock.Options{Rand: iotest.ErrReader(broken)})
	if _, err := table.Create(t.Context(), start().now, lock.Lock{Root: "/a", Scope: lock.Shared}, 0); !errors.Is(err, broken) {
		t.Errorf("without random numbers: %v", err)
	}
}

// TestDeepest locks the deepest path that can be, and asks for what is below.
func TestDeepest(t *testing.T) {
	table, now := lock.New(lock.Options{}), start().now
	deepest := strings.Repeat("/a", 128)
	give(t, table, now, "xi "+deepest+" ada")
	for _, path := range []string{deepest, deepest + "/a", deepest + strings.Repeat("/a", 5000)} {
		if set, err := table.Find(t.Context(), now, path); err != nil || len(set.On(path)) != 1 {
			t.Errorf("a path of %d bytes: %v, %v", len(path), set, err)
		}
	}
	if set, err := table.Tree(t.Context(), now, "/a"); err != nil || len(set.On(deepest)) != 1 || len(set.On("/a")) != 0 {
		t.Errorf("%v, %v", set, err)
	}
}

func TestTimeouts(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{
		0: lock.DefaultTimeout, -time.Hour: time.Second, 1: time.Second, time.Minute: time.Minute, 48 * time.Hour: lock.MaxTimeout,
	} {
		if got := lock.Granted(asked); got != want {
			t.Errorf("%v: %v, want %v", asked, got, want)
		}
	}
}

func TestToken(t *testing.T) {
	table := lock.New(lock.Options{Rand: io.MultiReader(bytes.NewReader(bytes.Repeat([]byte{0xff}, 16)), bytes.NewReader(make([]byte, 16)))})
	for i, want := range []string{"urn:uuid:ffffffff-ffff-4fff-bfff-ffffffffffff", "urn:uuid:00000000-0000-4000-8000-000000000000"} {
		if got := give(t, table, start().now, fmt.Sprintf("x0 /%d ada", i)).Token; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	valid := regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	table = lock.New(lock.Options{})
	a, b := give(t, table, start().now, "s0 /a ada").Token, give(t, table, start().now, "s0 /a ada").Token
	if a == b || !valid.MatchString(a) {
		t.Errorf("%s, %s", a, b)
	}
}

// TestMany checks what a tree with more locks than one looks at comes to.
func TestMany(t *testing.T) {
	table, now := lock.New(lock.Options{Limits: lock.Limits{PerHolder: 10_000}}), start().now
	for i := range lock.MaxFound + 1 {
		give(t, table, now, fmt.Sprintf("x0 /a/%d ada", i))
	}
	if err := table.Check(t.Context(), now, lock.Check{Touches: []lock.Touch{{Path: "/a", Tree: true}}}); plugins.KindOf(err) != plugins.Locked {
		t.Error(err)
	}
	var conflict *lock.ConflictError
	_, err := table.Create(t.Context(), now, lock.Lock{Root: "/", Deep: true, Scope: lock.Shared}, 0)
	if !errors.As(err, &conflict) || len(conflict.Roots) != lock.MaxConflicts || !slices.IsSorted(conflict.Roots) {
		t.Error(err)
	}
	if len(err.Error()) > 500 {
		t.Errorf("a long message: %v", err)
	}
}

// TestOrder checks that those above come first.
func TestOrder(t *testing.T) {
	table, now := lock.New(lock.Options{}), start().now
	for _, what := range []string{"s0 /a/b/c ada", "si / bob", "si /a/b carl", "s0 /a dora"} {
		give(t, table, now, what)
	}
	set, err := table.Find(t.Context(), now, "/a/b/c")
	if err != nil {
		t.Fatal(err)
	}
	var holders []string
	for _, l := range set.On("/a/b/c") {
		holders = append(holders, l.Holder)
	}
	if got := strings.Join(holders, " "); got != "bob carl ada" {
		t.Error(got)
	}
}

// TestRace lets a hundred clients want the same.
func TestRace(t *testing.T) {
	table, now := lock.New(lock.Options{}), start().now
	var granted atomic.Int32
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			var conflict *lock.ConflictError
			l := lock.Lock{Root: "/a" + strings.Repeat("/b", i%3), Deep: true, Scope: lock.Exclusive}
			if _, err := table.Create(t.Context(), now, l, 0); err == nil {
				granted.Add(1)
			} else if !errors.As(err, &conflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := granted.Load(); n != 1 {
		t.Errorf("%d were granted", n)
	}
}

// BenchmarkCheck is what locks add to the deletion of a tree: when there are
// none, and when there are many elsewhere.
func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{0, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			table, now := lock.New(lock.Options{Limits: lock.Limits{PerHolder: n + 1}}), start().now
			for i := range n {
				l := lock.Lock{Root: fmt.Sprintf("/elsewhere/%d/file", i), Scope: lock.Exclusive}
				if _, err := table.Create(b.Context(), now, l, 0); err != nil {
					b.Fatal(err)
				}
			}
			check := lock.Check{Touches: []lock.Touch{{Path: "/data/run1/file", Tree: true, Member: true}}}
			for b.Loop() {
				if err := table.Check(b.Context(), now, check); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
