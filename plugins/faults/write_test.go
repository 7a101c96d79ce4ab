package faults_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"canopy/plugins"
	"canopy/plugins/faults"
)

// changes are what can be done to the tree, and the paths at which something
// is, or nothing, once it has been.
func changes(ctx context.Context, e *faults.Endpoint) map[string]struct {
	do          func() error
	there, gone string
} {
	type change = struct {
		do          func() error
		there, gone string
	}
	return map[string]change{
		"store": {func() error {
			_, err := e.Store(ctx, "/new", strings.NewReader("0123456789"), plugins.Upload{Size: 10})
			return err
		}, "/new", ""},
		"remove": {func() error { return e.Remove(ctx, "/b") }, "", "/b"},
		"mkdir":  {func() error { return e.MakeDirectory(ctx, "/made") }, "/made", ""},
		"move":   {func() error { return e.Move(ctx, "/b", "/moved", false) }, "/moved", "/b"},
	}
}

// done reports whether a change to e shows.
func done(t *testing.T, e *faults.Endpoint, there, gone string) bool {
	t.Helper()
	e.Heal()
	for path, want := range map[string]plugins.Kind{there: 0, gone: plugins.NotFound} {
		if path == "" {
			continue
		}
		if _, err := e.Stat(t.Context(), path); plugins.KindOf(err) != want {
			return false
		}
	}
	return true
}

func TestChanges(t *testing.T) {
	for _, op := range []string{"store", "remove", "mkdir", "move"} {
		for _, c := range []struct {
			what string
			rule faults.Rule
			kind plugins.Kind
			done bool
		}{
			{"no rule", faults.Rule{Op: "stat", Fail: plugins.Busy}, 0, true},
			{"fails before", faults.Rule{Op: op, Fail: plugins.Unavailable}, plugins.Unavailable, false},
			{"answer lost", faults.Rule{Op: op, Fail: plugins.Unavailable, Done: true}, plugins.Unavailable, true},
			{"delayed", faults.Rule{Op: op, Delay: time.Second}, 0, true},
			{"hangs before", faults.Rule{Op: op, Hang: true}, plugins.Timeout, false},
			{"hangs after", faults.Rule{Op: op, Hang: true, Done: true}, plugins.Timeout, true},
			{"too late", faults.Rule{Op: op, Delay: 2 * time.Hour}, plugins.Timeout, false},
		} {
			synctest.Test(t, func(t *testing.T) {
				e := tree()
				e.Inject(c.rule)
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				change := changes(ctx, e)[op]
				if err := change.do(); plugins.KindOf(err) != c.kind {
					t.Errorf("%s, %s: %v, want %v", op, c.what, err, c.kind)
				}
				if n := e.Calls(op); n != 1 {
					t.Errorf("%s, %s: %d calls", op, c.what, n)
				}
				if got := done(t, e, change.there, change.gone); got != c.done {
					t.Errorf("%s, %s: done is %t, want %t", op, c.what, got, c.done)
				}
			})
		}
	}
}

// TestStoreFailsMidway takes a part of the content; the endpoint inside, which
// is atomic, shows nothing of it.
func TestStoreFailsMidway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			rule faults.Rule
			kind plugins.Kind
			left string
		}{
			{faults.Rule{Op: "store", After: 4, Fail: plugins.Unavailable}, plugins.Unavailable, "456789"},
			{faults.Rule{Op: "store", After: 4, Hang: true}, plugins.Timeout, "456789"},
			{faults.Rule{Op: "store", After: 99, Fail: plugins.Unavailable}, 0, ""},
			{faults.Rule{Op: "store", After: 4}, 0, ""},
			{faults.Rule{Op: "store", After: 4, Fail: plugins.Unavailable, Done: true}, plugins.Unavailable, ""},
		} {
			e := tree()
			e.Inject(c.rule)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			content := strings.NewReader("0123456789")
			_, err := e.Store(ctx, "/new", content, plugins.Upload{Size: 10})
			left, _ := io.ReadAll(content)
			if plugins.KindOf(err) != c.kind || string(left) != c.left {
				t.Errorf("%+v: %v with %q left", c.rule, err, left)
			}
			if got := done(t, e, "/new", ""); got != (c.left == "") {
				t.Errorf("%+v: done is %t", c.rule, got)
			}
		}
	})
}

// TestContentFails keeps apart a fault that was asked for and one of the
// content.
func TestContentFails(t *testing.T) {
	e := tree()
	e.Inject(faults.Rule{Op: "store", After: 4, Fail: plugins.Unavailable})
	broken := errors.New("broken")
	_, err := e.Store(t.Context(), "/new", io.MultiReader(strings.NewReader("01"), failing{broken}), plugins.Upload{Size: 10})
	if plugins.KindOf(err) != plugins.Canceled || !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
