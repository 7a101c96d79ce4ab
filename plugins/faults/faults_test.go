package faults_test

import (
	"context"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/local"
	"canopy/plugins/plugintest"
	"canopy/plugins/plugintest/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	dir := t.TempDir()
	plugintest.Run(t, plugintest.Subject{
		Writable: true,
		Open: func(t testing.TB, env plugins.Env) plugins.Endpoint {
			t.Helper()
			e, err := (&local.Config{Root: dir}).Open(t.Context(), env)
			if err != nil {
				t.Fatal(err)
			}
			return faults.New(e)
		},
		Seed: plugintest.SeedDir(dir),
		Gaps: []plugintest.Gap{
			{Lack: plugintest.NoLocate, Because: "the local endpoint inside has no URLs"},
		},
	})
}

// prober gives an endpoint a sign of life, and lets it be looked over and swept.
type prober struct{ *mem.Endpoint }

func (prober) Probe(context.Context, string) error { return nil }

func (prober) Inspect(context.Context, string) (plugins.Inspection, error) {
	return plugins.Inspection{Writable: plugins.No}, nil
}

func (prober) Sweep(context.Context, time.Duration) (int, error) { return 3, nil }

func tree() *faults.Endpoint {
	return faults.New(prober{mem.New("http://h.example", map[string]string{
		"/a/1": "one", "/a/2": "two", "/a/3": "three", "/b": "0123456789",
	})})
}

// questions asks each question that changes nothing, once, about /b or the root.
func questions(ctx context.Context, e *faults.Endpoint) map[string]error {
	_, stat := e.Stat(ctx, "/b")
	_, list := list(ctx, e, "/a")
	_, open := e.Open(ctx, "/b", plugins.Whole)
	_, locate := e.Locate("/b", "GET")
	_, digest := e.Digest(ctx, "/b", "md5")
	_, space := e.Space(ctx, "/b")
	_, inspect := e.Inspect(ctx, "/b")
	_, sweep := e.Sweep(ctx, time.Hour)
	return map[string]error{
		"stat": stat, "list": list, "open": open, "locate": locate, "digest": digest, "space": space,
		"inspect": inspect, "sweep": sweep, "probe": e.Probe(ctx, "/b"),
	}
}

func list(ctx context.Context, e *faults.Endpoint, path string) (names []string, last error) {
	for entry, err := range e.List(ctx, path) {
		if err != nil {
			return names, err
		}
		names = append(names, entry.Name)
	}
	return names, nil
}

func TestOp(t *testing.T) {
	for _, op := range []string{"stat", "list", "open", "locate", "digest", "space", "inspect", "sweep", "probe", ""} {
		e := tree()
		e.Inject(faults.Rule{Op: op, Fail: plugins.Busy})
		for asked, err := range questions(t.Context(), e) {
			want := plugins.Kind(0)
			if op == "" || op == asked {
				want = plugins.Busy
			}
			if k := plugins.KindOf(err); k != want {
				t.Errorf("rule for %q: %s: %v, want %v", op, asked, k, want)
			}
		}
		e.Heal()
		for asked, err := range questions(t.Context(), e) {
			if err != nil {
				t.Errorf("healed: %s: %v", asked, err)
			}
		}
	}
}

func TestPathAndOrder(t *testing.T) {
	e := tree()
	e.Inject(faults.Rule{Path: faults.Below("/a"), Fail: plugins.Denied})
	e.Inject(faults.Rule{Path: faults.Exactly("/a/2"), Fail: plugins.Unavailable, RetryAfter: time.Minute})
	for path, want := range map[string]plugins.Kind{
		"/a": plugins.Denied, "/a/1": plugins.Denied, "/a/2": plugins.Unavailable, "/b": 0, "/": 0, "/ab": plugins.NotFound,
	} {
		_, err := e.Stat(t.Context(), path)
		if k := plugins.KindOf(err); k != want {
			t.Errorf("%s: %v, want %v", path, k, want)
		}
	}
	_, err := e.Stat(t.Context(), "/a/2")
	if e, ok := err.(*plugins.Error); !ok || e.RetryAfter != time.Minute {
		t.Errorf("got %v", err)
	}
	if p := faults.Below("/"); !p("/x") || !p("/") {
		t.Error("below the root is not everything")
	}
}

func TestTimes(t *testing.T) {
	e := tree()
	e.Inject(faults.Rule{Op: "stat", Fail: plugins.Timeout, Times: 2})
	var got []plugins.Kind
	for range 4 {
		_, err := e.Stat(t.Context(), "/b")
		got = append(got, plugins.KindOf(err))
	}
	if want := []plugins.Kind{plugins.Timeout, plugins.Timeout, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestDelayAndHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := tree()
		e.Inject(faults.Rule{Delay: time.Hour})
		begin := time.Now()
		if _, err := e.Stat(t.Context(), "/b"); err != nil || time.Since(begin) != time.Hour {
			t.Errorf("took %v: %v", time.Since(begin), err)
		}
		e.Heal()
		for _, r := range []faults.Rule{{Delay: time.Hour}, {Hang: true}, {Delay: time.Second, Hang: true}} {
			e.Inject(r)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			begin := time.Now()
			_, err := e.Stat(ctx, "/b")
			if plugins.KindOf(err) != plugins.Timeout || time.Since(begin) != time.Minute {
				t.Errorf("%+v: %v after %v", r, err, time.Since(begin))
			}
			cancel()
			if _, err := list(ctx, e, "/a"); plugins.KindOf(err) != plugins.Timeout {
				t.Errorf("%+v: list: %v", r, err)
			}
		}
	})
}

func TestListingFailsMidway(t *testing.T) {
	e := tree()
	e.Inject(faults.Rule{Op: "list", After: 2, Fail: plugins.Unavailable})
	names, err := list(t.Context(), e, "/a")
	if !slices.Equal(names, []string{"1", "2"}) || plugins.KindOf(err) != plugins.Unavailable {
		t.Errorf("got %q, %v", names, err)
	}
	for range e.List(t.Context(), "/a") {
		break // before the rule strikes: nothing must follow
	}
	e.Inject(faults.Rule{Op: "list", After: 9, Fail: plugins.Unavailable})
	if names, err := list(t.Context(), e, "/a"); len(names) != 3 || err != nil {
		t.Errorf("a listing that ended earlier: %q, %v", names, err)
	}
}

func TestBodyFailsMidway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := tree()
		e.Inject(faults.Rule{Op: "open", After: 4, Fail: plugins.Unavailable})
		body, err := e.Open(t.Context(), "/b", plugins.Whole)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(body); string(got) != "0123" || plugins.KindOf(err) != plugins.Unavailable {
			t.Errorf("got %q, %v", got, err)
		}
		e.Inject(faults.Rule{Op: "open", After: 4, Hang: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		body, err = e.Open(ctx, "/b", plugins.Whole)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(body); string(got) != "0123" || plugins.KindOf(err) != plugins.Timeout {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestCounts(t *testing.T) {
	e := tree()
	e.Stat(t.Context(), "/a")
	e.Stat(t.Context(), "/none")
	list(t.Context(), e, "/a")
	e.Locate("/b", "GET")
	for op, want := range map[string]int{"stat": 2, "list": 1, "locate": 1, "open": 0, "": 3} {
		if got := e.Calls(op); got != want {
			t.Errorf("%q: %d, want %d", op, got, want)
		}
	}
	want := []faults.Call{{"stat", "/a"}, {"stat", "/none"}, {"list", "/a"}, {"locate", "/b"}}
	if got := e.Asked(); !slices.Equal(got, want) {
		t.Errorf("asked %v", got)
	}
	e.Forget()
	if e.Calls("") != 0 {
		t.Error("not forgotten")
	}
}

func TestWithout(t *testing.T) {
	inner := prober{mem.New("", nil)}
	all := plugins.AbilitiesOf(faults.New(inner))
	if !all.Ordered || all.Prober == nil || !slices.Equal(all.Names(), plugins.AbilitiesOf(inner).Names()) {
		t.Errorf("whole: %v", all.Names())
	}
	for _, name := range all.Names()[1:] {
		got := plugins.AbilitiesOf(faults.New(inner, name)).Names()
		want := slices.DeleteFunc(all.Names(), func(n string) bool { return n == name })
		if !slices.Equal(got, want) {
			t.Errorf("without %s: %v", name, got)
		}
	}
	if all.Inspector == nil || all.Sweeper == nil {
		t.Error("whole: it cannot be looked over or swept")
	}
	if a := plugins.AbilitiesOf(faults.New(inner, "order", "probe", "inspect", "sweep")); a.Ordered || a.Lister == nil || a.Prober != nil || a.Inspector != nil || a.Sweeper != nil {
		t.Errorf("without order, probe, inspect and sweep: %+v", a)
	}
	if a := plugins.AbilitiesOf(faults.New(inner, "list")); a.Ordered {
		t.Error("ordered without being able to list")
	}
}
