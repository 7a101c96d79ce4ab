package veil_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"canopy/federator"
	"canopy/federator/record"
	"canopy/federator/veil"
	"canopy/plugins"
)

const second = int64(time.Second)

func word(t testing.TB, g veil.Grave) string {
	t.Helper()
	b, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHides(t *testing.T) {
	seen := veil.Grave{Path: "/d/f", Endpoint: 1, Seen: true, Size: 5, ModTime: 7 * second, Since: 100 * second}
	unseen := veil.Grave{Path: "/d/f", Endpoint: 1, Since: 100*second + 1}
	tree := veil.Grave{Path: "/d", Endpoint: 1, Tree: true, Since: 100 * second}
	for _, c := range []struct {
		name  string
		grave veil.Grave
		path  string
		copy  record.Replica
		want  bool
	}{
		{"what was seen", seen, "/d/f", record.Replica{Endpoint: 1, Size: 5, ModTime: 7 * second}, true},
		{"of another size", seen, "/d/f", record.Replica{Endpoint: 1, Size: 6, ModTime: 7 * second}, false},
		{"of another time", seen, "/d/f", record.Replica{Endpoint: 1, Size: 5, ModTime: 8 * second}, false},
		{"elsewhere", seen, "/d/f", record.Replica{Endpoint: 2, Size: 5, ModTime: 7 * second}, false},
		{"another path", seen, "/d/ff", record.Replica{Endpoint: 1, Size: 5, ModTime: 7 * second}, false},
		{"older than the death", unseen, "/d/f", record.Replica{Endpoint: 1, ModTime: 99 * second}, true},
		{"of the second of the death", unseen, "/d/f", record.Replica{Endpoint: 1, ModTime: 100 * second}, false},
		{"below a tree", tree, "/d/e/f", record.Replica{Endpoint: 1, ModTime: 99 * second}, true},
		{"below a tree, newer", tree, "/d/e/f", record.Replica{Endpoint: 1, ModTime: 101 * second}, false},
		{"beside a tree", tree, "/dd/f", record.Replica{Endpoint: 1, ModTime: 99 * second}, false},
		{"below what is no tree", seen, "/d/f/g", record.Replica{Endpoint: 1, Size: 5, ModTime: 7 * second}, false},
	} {
		v := veil.New(nil)
		if v.Hides(c.path, &c.copy) {
			t.Errorf("%s: hidden by nothing", c.name)
		}
		v.Heard("bury " + word(t, c.grave))
		if got := v.Hides(c.path, &c.copy); got != c.want {
			t.Errorf("%s: hidden %v, want %v", c.name, got, c.want)
		}
		v.Heard("unbury " + word(t, c.grave))
		if v.Hides(c.path, &c.copy) {
			t.Errorf("%s: hidden after the grave has gone", c.name)
		}
		v.Heard("bury " + word(t, c.grave))
		if v.Has(c.grave) {
			t.Errorf("%s: an old word has dug the grave again", c.name)
		}
	}
}

func TestBuried(t *testing.T) {
	v := veil.New(nil)
	v.Heard("bury " + word(t, veil.Grave{Path: "/d", Endpoint: 1, Tree: true, Since: 1}))
	v.Heard("bury " + word(t, veil.Grave{Path: "/e", Endpoint: 1, Since: 1}))
	for path, want := range map[string]bool{"/d": true, "/d/x/y": true, "/e": true, "/e/x": false, "/": false, "/dd": false} {
		if got := v.Buried(path, 1); got != want {
			t.Errorf("%s buried: %v, want %v", path, got, want)
		}
		if v.Buried(path, 2) {
			t.Errorf("%s is buried where it never was", path)
		}
	}
}

// shelf is a ledger in memory.
type shelf map[string][]byte

func (s shelf) Put(_ context.Context, key string, value []byte) error {
	s[key] = value
	return nil
}

func (s shelf) Delete(_ context.Context, key string) error {
	delete(s, key)
	return nil
}

func (s shelf) Has(_ context.Context, key string) (bool, error) {
	_, ok := s[key]
	return ok, nil
}

func (s shelf) All(context.Context) (map[string][]byte, error) { return s, nil }

func TestRestore(t *testing.T) {
	g := veil.Grave{Path: "/f\xff", Endpoint: 3, Since: 1}
	kept := shelf{
		g.Key():       []byte(word(t, g)),
		"intent /x":   []byte("{}"),
		"/broken":     []byte("{"),
		"/relative":   []byte(word(t, veil.Grave{Path: "f"})),
		"/\x00nobody": nil,
	}
	v := veil.New(kept)
	others, err := v.Restore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(others) != 1 || string(others["intent /x"]) != "{}" {
		t.Errorf("what is no grave: %q", others)
	}
	if all := v.Graves(""); len(all) != 1 || all[0].Path != g.Path {
		t.Errorf("graves: %v", all)
	}
	// Another front end has filled it, and the word was lost.
	delete(kept, g.Key())
	if _, err := v.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v.Buried(string(g.Path), 3) {
		t.Error("the grave is still there, of which the ledger knows no more")
	}
}

// TestBuriedAgain: what may have come to be in the second that is not over yet is
// buried until its end. That is no reason not to bury it once more.
func TestBuriedAgain(t *testing.T) {
	v := veil.New(nil)
	first := veil.Grave{Path: "/f", Endpoint: 1, Since: 4 * second, Dug: 3*second + 200}
	then := veil.Grave{Path: "/f", Endpoint: 1, Since: 3*second + 700, Dug: 3*second + 700}
	v.Heard("bury " + word(t, first))
	v.Heard("unbury " + word(t, first))
	v.Heard("bury " + word(t, then))
	if !v.Has(then) || !v.Hides("/f", &record.Replica{Endpoint: 1, ModTime: second}) {
		t.Error("it is not buried")
	}
}

// TestRestoreEarly: a grave that was heard of may not be in the ledger yet. It is no
// less a grave for that.
func TestRestoreEarly(t *testing.T) {
	g := veil.Grave{Path: "/f", Endpoint: 3, Since: 1, Dug: 1}
	later := veil.Grave{Path: "/f", Endpoint: 3, Since: 2, Dug: 2}
	kept := shelf{}
	v := veil.New(kept)
	restore := func() {
		t.Helper()
		if _, err := v.Restore(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	v.Heard("bury " + word(t, g))
	restore()
	if !v.Has(g) {
		t.Error("it was taken for filled")
	}
	kept[g.Key()] = []byte(word(t, g))
	restore()
	v.Heard("bury " + word(t, later))
	kept[later.Key()] = []byte(word(t, later))
	v.Heard("unbury " + word(t, g))
	delete(kept, g.Key())
	restore()
	if !v.Has(later) || len(kept) != 1 {
		t.Errorf("the later grave has gone with the older: %v", kept)
	}
	// It was kept after it was filled.
	v.Heard("unbury " + word(t, later))
	restore()
	if v.Buried("/f", 3) || len(kept) != 0 {
		t.Errorf("what was filled is still kept: %v", kept)
	}
}

func TestAwaited(t *testing.T) {
	v := veil.New(nil)
	say := func(word, id string) {
		b, err := json.Marshal(map[string]any{"path": veil.Name("/d/f"), "id": id, "until": time.Now().Add(time.Hour).UnixNano()})
		if err != nil {
			t.Fatal(err)
		}
		v.Heard(word + string(b))
	}
	is := func(what string, want bool) {
		t.Helper()
		if v.Awaited("/d/f") != want || v.AwaitedIn("/d") != want || v.Awaited("/d") || v.AwaitedIn("/") {
			t.Errorf("%s: awaited is not /d/f, or not it alone, or what is done", what)
		}
	}
	is("nothing", false)
	for range 2 { // a word heard twice is one
		say("await ", "one")
	}
	is("one", true)
	say("await ", "two")
	say("done ", "one")
	say("await ", "one") // by one who had not heard that
	is("another one", true)
	say("done ", "one")
	say("done ", "three")
	is("still", true)
	say("done ", "two")
	is("both are done", false)
	v.Expect("/d/f", time.Now().Add(time.Hour).UnixNano(), nil)
	is("expected", true)
	say("done ", "four")
	is("what was expected is", false)
	say("await ", "five")
	v.Expect("/d/f", time.Now().Add(2*time.Hour).UnixNano(), nil)
	say("done ", "five")
	is("nothing was expected", false)
}

func FuzzHeard(f *testing.F) {
	f.Add("await {}")
	f.Add(`done {"path":"L2Y","id":"x"}`)
	f.Add("bury " + word(f, veil.Grave{Path: "/f", Endpoint: 1, Tree: true}))
	f.Add("unbury " + word(f, veil.Grave{Path: "/f", Endpoint: 1}))
	f.Fuzz(func(t *testing.T, said string) {
		v := veil.New(nil)
		v.Heard(said)
		for _, g := range v.Graves("") {
			if !strings.HasPrefix(string(g.Path), "/") {
				t.Errorf("a grave at %q", g.Path)
			}
			v.Heard("unbury " + word(t, g))
		}
		if len(v.Graves("")) > 0 {
			t.Error("a grave cannot be filled")
		}
	})
}

// attached is a veil with a federator that looks through it.
func attached(t *testing.T, ledger veil.Ledger) *veil.Veil {
	v := veil.New(ledger)
	f := federator.New(federator.Bounds{Entries: 1, Bytes: 1}, nil, federator.Outside{Veil: v})
	t.Cleanup(func() { f.Close() })
	v.Attach(f, slog.New(slog.DiscardHandler))
	return v
}

// TestBuriedTwice: whoever takes a grave out of the ledger leaves no older one there,
// which those who come later would take for one that is still to be filled.
func TestBuriedTwice(t *testing.T) {
	kept := shelf{}
	v := attached(t, kept)
	for range 2 {
		v.Bury(t.Context(), []veil.Grave{{Path: "/f", Endpoint: 1, Since: 1}})
	}
	graves := v.Graves("/f")
	if len(graves) != 1 || len(kept) != 1 {
		t.Fatalf("graves %v, kept %v", graves, kept)
	}
	v.Unbury(t.Context(), graves[0])
	if len(kept) != 0 || v.Buried("/f", 1) {
		t.Errorf("it is still kept: %v", kept)
	}
}

// TestTellerDies: who has told of a grave dies before the ledger has it. Those who
// were told keep it, and who comes later is told by them.
func TestTellerDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := veil.Grave{Path: "/f", Endpoint: 1, Since: 1, Dug: time.Now().UnixNano()}
		kept := shelf{}
		v := attached(t, kept)
		v.Heard("bury " + word(t, g))
		restore := func() {
			if _, err := v.Restore(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		restore()
		if len(kept) != 0 {
			t.Error("it may be about to be kept by who told of it")
		}
		time.Sleep(6 * time.Second)
		restore()
		if len(kept) != 1 {
			t.Error("it is not kept")
		}
		lasts, err := v.Lasts(t.Context(), g)
		if err != nil || !lasts {
			t.Errorf("it does not last: %v", err)
		}
		v.Unbury(t.Context(), g)
		if len(kept) != 0 || v.Buried("/f", 1) {
			t.Errorf("it is still kept: %v", kept)
		}
	})
}

// TestClocksDiffer: what is buried now lies there, although a front end whose clock is
// ahead has dug and filled a grave of the same copy before.
func TestClocksDiffer(t *testing.T) {
	v := attached(t, nil)
	ahead := veil.Grave{Path: "/f", Endpoint: 1, Dug: time.Now().Add(time.Minute).UnixNano()}
	v.Heard("bury " + word(t, ahead))
	v.Heard("unbury " + word(t, ahead))
	r := record.Replica{Endpoint: 1, Size: 3, ModTime: 7}
	graves := []veil.Grave{veil.Of("/f", &r)}
	if left := v.Left(graves); len(left) != 0 {
		t.Errorf("left to bury by who comes next are %v", left)
	}
	v.Bury(t.Context(), graves)
	if !v.Hides("/f", &r) || !v.Has(graves[0]) {
		t.Error("it is not buried")
	}
	v.Unbury(t.Context(), graves[0])
	if v.Hides("/f", &r) {
		t.Error("it is still buried")
	}
}

// TestBrace: a file that may be another than the one that is coming is neither a part
// nor not one, until it is known how it looks, or who would know it must have died.
func TestBrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := attached(t, nil)
		defer v.Await("/d/other", time.Hour)()
		done, _ := v.AwaitComing("/d/f", time.Hour, &veil.Coming{Endpoint: 1, Size: 6})
		defer done()
		r := record.Replica{Endpoint: 1, Kind: plugins.File, Size: 3, ModTime: 1}
		part := func(what string, want, wantOver bool) {
			t.Helper()
			if is, over := v.Part("/d/f", &r); is != want || over != wantOver {
				t.Errorf("%s: a part %v, over something %v", what, is, over)
			}
		}
		part("at first", true, false)
		v.Brace("/d", 2, true, time.Minute)
		part("braced elsewhere", true, false)
		undo := v.Brace("/d", 1, true, time.Minute)
		part("braced", true, true)
		undo()
		part("nothing was put", true, false)
		undo = v.Brace("/d/f", 1, false, time.Minute)
		v.Show("/d/f", 1, false, &r)
		part("it is another", false, false)
		undo() // too late
		r.Size++
		part("now it is a part", true, true)
		v.Brace("/d/f", 1, false, time.Minute)
		time.Sleep(time.Minute)
		part("nobody has said how it looks", false, false)
	})
}
