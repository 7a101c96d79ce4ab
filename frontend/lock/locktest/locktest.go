// Package locktest is what every lock.Store must pass: tables of single
// behaviours, and a model that does the same at random.
package locktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"canopy/frontend/lock"
	"canopy/plugins"
)

// Clock is a time that the test sets. It is also that of a store which does
// not go by the time it is told.
type Clock interface {
	Now() time.Time
	Advance(time.Duration)
}

// Open makes an empty store and its clock.
type Open func(t testing.TB) (lock.Store, Clock)

// limits are small, so that tests reach them.
var limits = lock.Limits{Total: 8, PerHolder: 6, PerPath: 3}

// Run runs all tests.
func Run(t *testing.T, open Open) {
	RunStill(t, open)
	t.Run("limits", func(t *testing.T) { reachLimits(t, open) })
	t.Run("expiry", func(t *testing.T) { expiry(t, open) })
	t.Run("model", func(t *testing.T) { model(t, open) })
}

// RunStill runs the tests that advance no clock, for a store whose time cannot
// be set.
func RunStill(t *testing.T, open Open) {
	t.Run("conflicts", func(t *testing.T) { conflicts(t, open) })
	t.Run("fields", func(t *testing.T) { fields(t, open) })
	t.Run("queries", func(t *testing.T) { queries(t, open) })
	t.Run("drop", func(t *testing.T) { drop(t, open) })
	t.Run("canceled", func(t *testing.T) { canceled(t, open) })
}

// parse makes a lock of "xi /path": scope (x, s), depth (0, i), root.
func parse(token, s string) lock.Lock {
	l := lock.Lock{Token: token, Root: s[3:], Scope: lock.Exclusive, Deep: s[1] == 'i', Holder: "ada", Owner: "Ada"}
	if s[0] == 's' {
		l.Scope = lock.Shared
	}
	return l
}

func conflicts(t *testing.T, open Open) {
	for _, c := range []struct{ first, second, where string }{
		{"x0 /a", "x0 /a", "/a"},
		{"x0 /a", "s0 /a", "/a"},
		{"s0 /a", "x0 /a", "/a"},
		{"s0 /a", "s0 /a", ""},
		{"x0 /a", "x0 /b", ""},
		{"x0 /a", "x0 /a/b", ""},
		{"xi /a", "x0 /a/b", "/a"},
		{"xi /a", "x0 /a/b/c/d", "/a"},
		{"xi /a", "x0 /ab", ""},
		{"xi /a", "x0 /", ""},
		{"x0 /a/b", "xi /a", "/a/b"},
		{"s0 /a/b", "xi /a", "/a/b"},
		{"x0 /a/b", "si /a", "/a/b"},
		{"s0 /a/b", "si /a", ""},
		{"si /a", "s0 /a/b", ""},
		{"si /a", "x0 /a/b", "/a"},
		{"x0 /a.b", "xi /a", ""},
		{"x0 /a0", "xi /a", ""},
		{"x0 /a\x01", "xi /a", ""},
		{"xi /", "x0 /a", "/"},
		{"xi /", "x0 /", "/"},
		{"x0 /", "x0 /a", ""},
		{"x0 /\x01", "xi /", "/\x01"},
		{"x0 /a", "xi /", "/a"},
		{"x0 /\xff\xfe\n", "xi /", "/\xff\xfe\n"},
		{"x0 /\xff/b", "xi /\xff", "/\xff/b"},
	} {
		t.Run(fmt.Sprintf("%q %q", c.first, c.second), func(t *testing.T) {
			s, clock := open(t)
			now := clock.Now()
			if got, err := s.Add(t.Context(), now, parse("urn:1", c.first), time.Minute, limits); len(got) > 0 || err != nil {
				t.Fatal(got, err)
			}
			got, err := s.Add(t.Context(), now, parse("urn:2", c.second), time.Minute, limits)
			where := ""
			for _, l := range got {
				where += l.Root
			}
			if where != c.where || err != nil {
				t.Errorf("in conflict with %q, %v; want %q", where, err, c.where)
			}
			if _, exists, err := s.Get(t.Context(), now, "urn:2"); exists == (c.where != "") || err != nil {
				t.Errorf("it exists: %v, %v", exists, err)
			}
		})
	}
}

func fields(t *testing.T, open Open) {
	s, clock := open(t)
	now := clock.Now()
	want := lock.Lock{
		Token: "urn:1", Root: "/a \xff\"'&<\n", Deep: true, Scope: lock.Shared, Holder: "CN=Ada\n, O=\xe9",
		Owner: "<href xmlns=\"DAV:\">mailto:ada</href> &amp;\n", Expires: now.Add(time.Minute),
	}
	for range 2 { // the second changes nothing
		if got, err := s.Add(t.Context(), now, want, time.Minute, limits); len(got) > 0 || err != nil {
			t.Fatal(got, err)
		}
	}
	got, exists, err := s.Get(t.Context(), now, "urn:1")
	if !same(got, want) || !exists || err != nil {
		t.Errorf("%+v, %v, %v", got, exists, err)
	}
	want.Expires = now.Add(time.Second)
	got, exists, err = s.Extend(t.Context(), now, "urn:1", time.Second)
	if !same(got, want) || !exists || err != nil {
		t.Errorf("%+v, %v, %v", got, exists, err)
	}
	found, err := s.Find(t.Context(), now, lock.Query{On: []string{want.Root, want.Root + "/b"}, Below: []string{"/"}})
	if err != nil || len(found) != 1 || !same(found[0], want) {
		t.Errorf("%+v, %v", found, err)
	}
	for _, want := range []bool{true, false} {
		if existed, err := s.Remove(t.Context(), now, "urn:1"); existed != want || err != nil {
			t.Errorf("removed: %v, %v", existed, err)
		}
	}
	if _, exists, err := s.Extend(t.Context(), now, "urn:1", time.Second); exists || err != nil {
		t.Errorf("after its removal: %v, %v", exists, err)
	}
	if found, err := s.Find(t.Context(), now, lock.Query{On: []string{"/"}, Below: []string{"/"}}); len(found) > 0 || err != nil {
		t.Errorf("after its removal: %v, %v", found, err)
	}
}

// same compares two locks; a store may round the time, and its own may go on.
func same(a, b lock.Lock) bool {
	off := a.Expires.Sub(b.Expires).Abs()
	a.Expires = b.Expires
	return a == b && off <= tolerance
}

const tolerance = 500 * time.Millisecond

func reachLimits(t *testing.T, open Open) {
	s, clock := open(t)
	n := 0
	add := func(holder, root string) error {
		n++
		l := lock.Lock{Token: fmt.Sprint("urn:", n), Root: root, Scope: lock.Shared, Holder: holder}
		found, err := s.Add(t.Context(), clock.Now(), l, time.Minute, limits)
		if len(found) > 0 {
			t.Fatal(found)
		}
		return err
	}
	refused := func(what string, err error) {
		t.Helper()
		if plugins.KindOf(err) != plugins.Full {
			t.Errorf("%s: %v", what, err)
		}
	}
	for range limits.PerPath {
		if err := add("ada", "/a"); err != nil {
			t.Fatal(err)
		}
	}
	refused("a fourth on one path", add("bob", "/a"))
	for i := range limits.PerHolder - limits.PerPath {
		if err := add("ada", fmt.Sprint("/", i)); err != nil {
			t.Fatal(err)
		}
	}
	refused("a seventh of one holder", add("ada", "/b"))
	for i := range limits.Total - limits.PerHolder {
		// The holder's name is the beginning of another's.
		if err := add("ad", fmt.Sprint("/x", i)); err != nil {
			t.Fatal(err)
		}
	}
	refused("a ninth", add("bob", "/b"))
	clock.Advance(time.Minute)
	if err := add("ada", "/a"); err != nil {
		t.Errorf("when all have ended: %v", err)
	}
}

func expiry(t *testing.T, open Open) {
	s, clock := open(t)
	ctx := t.Context()
	add := func(token, what string, ttl time.Duration) int {
		found, err := s.Add(ctx, clock.Now(), parse(token, what), ttl, limits)
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	if add("urn:1", "xi /a", 10*time.Second) > 0 || add("urn:2", "x0 /b", 20*time.Second) > 0 {
		t.Fatal("conflict with nothing")
	}
	clock.Advance(9 * time.Second)
	if add("urn:3", "x0 /a/b", time.Minute) == 0 {
		t.Error("ended a second too early")
	}
	clock.Advance(time.Second)
	if _, exists, err := s.Get(ctx, clock.Now(), "urn:1"); exists || err != nil {
		t.Errorf("Get: %v, %v", exists, err)
	}
	if _, exists, err := s.Extend(ctx, clock.Now(), "urn:1", time.Hour); exists || err != nil {
		t.Errorf("Extend: %v, %v", exists, err)
	}
	if found, err := s.Find(ctx, clock.Now(), lock.Query{On: []string{"/a"}, Below: []string{"/a"}}); len(found) > 0 || err != nil {
		t.Errorf("Find: %v, %v", found, err)
	}
	if existed, err := s.Remove(ctx, clock.Now(), "urn:1"); existed || err != nil {
		t.Errorf("Remove: %v, %v", existed, err)
	}
	if add("urn:3", "x0 /a/b", time.Minute) > 0 {
		t.Error("conflict with one that has ended")
	}
	if _, exists, err := s.Extend(ctx, clock.Now(), "urn:2", time.Hour); !exists || err != nil {
		t.Fatalf("%v, %v", exists, err)
	}
	clock.Advance(time.Hour - time.Second)
	if add("urn:4", "x0 /b", time.Minute) == 0 {
		t.Error("a lock that was extended has ended")
	}
	clock.Advance(time.Second)
	if add("urn:4", "x0 /b", time.Minute) > 0 {
		t.Error("a lock that was extended does not end")
	}
}

func queries(t *testing.T, open Open) {
	s, clock := open(t)
	for i, what := range []string{"si /a", "s0 /a", "s0 /a/b", "si /a/b/c", "x0 /ab", "s0 /"} {
		if found, err := s.Add(t.Context(), clock.Now(), parse(fmt.Sprint("urn:", i), what), time.Minute, limits); len(found) > 0 || err != nil {
			t.Fatal(what, found, err)
		}
	}
	deep := "/a" + strings.Repeat("/b", 40_000)
	for _, c := range []struct {
		on, below, want string
	}{
		{"", "", ""},
		{"/", "", "5"},
		{"/a", "", "0 1"},
		{"/a/b", "", "0 2"},
		{"/a/c", "", "0"},
		{"/a/b/c/d/e", "", "0 3"},
		{"/ab", "", "4"},
		{"/ab/c", "", ""},
		{"/abc", "", ""},
		{"/a /ab", "", "0 1 4"},
		{"/a /a/b", "", "0 1 2"},
		{"", "/a", "0 1 2 3"},
		{"", "/a/b", "2 3"},
		{"", "/", "0 1 2 3 4 5"},
		{"", "/c", ""},
		{"/ab", "/a/b /a", "0 1 2 3 4"},
		{deep, "", "0"},
	} {
		found, err := s.Find(t.Context(), clock.Now(), lock.Query{On: strings.Fields(c.on), Below: strings.Fields(c.below)})
		var tokens []string
		for _, l := range found {
			tokens = append(tokens, strings.TrimPrefix(l.Token, "urn:"))
		}
		slices.Sort(tokens)
		if got := strings.Join(tokens, " "); got != c.want || err != nil {
			t.Errorf("on %.60q, below %q: %q, %v; want %q", c.on, c.below, got, err, c.want)
		}
	}
}

func drop(t *testing.T, open Open) {
	s, clock := open(t)
	for i, what := range []string{"s0 /a", "s0 /a", "si /a/b", "x0 /ab", "s0 /"} {
		if found, err := s.Add(t.Context(), clock.Now(), parse(fmt.Sprint("urn:", i), what), time.Minute, limits); len(found) > 0 || err != nil {
			t.Fatal(what, found, err)
		}
	}
	for _, c := range []struct {
		path string
		left int
	}{{"/a/b/c", 5}, {"/a", 2}, {"/", 0}} {
		if err := s.Drop(t.Context(), clock.Now(), c.path); err != nil {
			t.Fatal(err)
		}
		if found, err := s.Find(t.Context(), clock.Now(), lock.Query{Below: []string{"/"}}); len(found) != c.left || err != nil {
			t.Errorf("%s: left are %v, %v", c.path, found, err)
		}
	}
}

// canceled checks that nothing is said of locks when nobody was asked.
func canceled(t *testing.T, open Open) {
	s, clock := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	now := clock.Now()
	for name, call := range map[string]func() error{
		"Add":    func() error { _, err := s.Add(ctx, now, parse("urn:1", "x0 /a"), time.Minute, limits); return err },
		"Extend": func() error { _, _, err := s.Extend(ctx, now, "urn:1", time.Minute); return err },
		"Get":    func() error { _, _, err := s.Get(ctx, now, "urn:1"); return err },
		"Remove": func() error { _, err := s.Remove(ctx, now, "urn:1"); return err },
		"Drop":   func() error { return s.Drop(ctx, now, "/a") },
		"Find":   func() error { _, err := s.Find(ctx, now, lock.Query{On: []string{"/a"}}); return err },
	} {
		var e *plugins.Error
		if err := call(); !errors.As(err, &e) || e.Kind != plugins.Canceled {
			t.Errorf("%s: %v", name, err)
		}
	}
}
