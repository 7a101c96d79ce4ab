package federator_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"canopy/federator"
	"canopy/plugins/plugintest/mem"
)

func memFile(content string) mem.File { return mem.File{Content: content} }

func TestListingWaitsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := federate(t, settings(), nil, four()...)
		time.Sleep(3 * time.Second)
		began := time.Now()
		names, missing := listing(t, f, "/d")
		equal(t, "names", names, "both on-a on-b on-c on-d")
		equal(t, "missing", missing, "")
		equal(t, "time", time.Since(began), 100*time.Millisecond)
	})
}

func TestConcurrentListings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sites := four()
		f := federate(t, settings(), nil, sites...)
		time.Sleep(3 * time.Second)
		at(32, func(int) {
			names, missing := listing(t, f, "/d")
			equal(t, "names", names+missing, "both on-a on-b on-c on-d")
		})
		for _, s := range sites {
			equal(t, "questions to "+s.name, s.lists.Load(), 1)
		}
	})
}

func TestFrozenEndpointMakesTheListingIncomplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/d/on-a": "1"}), newSite("b", map[string]string{"/d/on-b": "1", "/e/x": "1"})
		f := federate(t, settings(), nil, a, b)
		time.Sleep(2 * time.Second)
		listing(t, f, "/e") // how long listings take is known
		b.frozen.Store(true)
		began := time.Now()
		names, missing := listing(t, f, "/d")
		equal(t, "names", names, "on-a")
		equal(t, "missing", missing, "b")
		if took := time.Since(began); took > 110*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		began = time.Now()
		names, missing = listing(t, f, "/")
		equal(t, "names", names, "d")
		equal(t, "missing", missing, "b")
		equal(t, "the second takes", time.Since(began), 0)
		time.Sleep(12 * time.Second)
		names, missing = listing(t, f, "/d")
		equal(t, "when it is down", names+", "+missing, "on-a, b")
		b.frozen.Store(false)
		time.Sleep(12 * time.Second)
		names, missing = listing(t, f, "/d")
		equal(t, "when it is back", names+", "+missing, "on-a on-b, ")
		equal(t, "who is complete is not asked again", a.lists.Load(), 3)
	})
}

func TestListingThatBreaksIsIncomplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", files(10)), newSite("b", map[string]string{"/d/z1": "1", "/d/z2": "1", "/d/z3": "1"})
		b.breaks.Store(2)
		f := federate(t, settings(), nil, a, b)
		time.Sleep(2 * time.Second)
		names, missing := listing(t, f, "/d")
		if want := "z1 z2"; names[len(names)-5:] != want || missing != "b" {
			t.Errorf("%q, missing %q", names, missing)
		}
		equal(t, "absence is not proved", verdict(f, "/d/z3"), "file")
		b.breaks.Store(0)
		time.Sleep(31 * time.Second)
		names, missing = listing(t, f, "/d")
		if want := "z1 z2 z3"; names[len(names)-8:] != want || missing != "" {
			t.Errorf("then %q, missing %q", names, missing)
		}
	})
}

func TestListingOfWhatIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := federate(t, settings(), nil, newSite("a", map[string]string{"/file": "1", "/empty/": ""}))
		time.Sleep(time.Second)
		names, _ := listing(t, f, "/none")
		equal(t, "absent", names, `"/none" is on none of the endpoints`)
		names, _ = listing(t, f, "/file")
		equal(t, "a file", names, `list "/file": not a directory`)
		names, missing := listing(t, f, "/empty")
		equal(t, "empty", names+missing, "")
	})
}

func TestVirtualParents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := newSite("a", map[string]string{"/f": "1"}), newSite("b", map[string]string{"/g": "1"}), newSite("c", map[string]string{"/grid/own": "1"})
		f := start(t, settings(), nil,
			a.endpoint(t, mounted(t, "/grid/atlas/data")), b.endpoint(t, mounted(t, "/grid/cms")), c.endpoint(t))
		time.Sleep(2 * time.Second)
		a.refused.Store(true)
		b.refused.Store(true)
		time.Sleep(20 * time.Second)
		names, missing := listing(t, f, "/grid")
		equal(t, "names", names, "atlas cms own")
		equal(t, "missing", missing, "")
		equal(t, "a parent", verdict(f, "/grid/atlas"), "directory")
		names, _ = listing(t, f, "/grid/atlas")
		equal(t, "names", names, "data")
		equal(t, "inside", verdict(f, "/grid/atlas/data/f"), "unknown for a")
		a.refused.Store(false)
		time.Sleep(11 * time.Second)
		equal(t, "inside, when it is back", verdict(f, "/grid/atlas/data/f"), "file")
	})
}

func TestDivergedAreNeverMixed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := newSite("a", nil), newSite("b", nil), newSite("c", nil)
		old := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
		a.Put("/f", mem.File{Content: "new", ModTime: old.Add(time.Hour)})
		b.Put("/f", mem.File{Content: "older", ModTime: old})
		c.Put("/f", mem.File{Content: "older", ModTime: old})
		f := federate(t, settings(), nil, a, b, c)
		time.Sleep(2 * time.Second)
		d, err := f.Locate(t.Context(), "/f", federator.All, nobody)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "size", d.Size(), 5)
		for _, r := range d.Replicas {
			if r.Endpoint == "a" {
				t.Error("the lone copy is offered along with the others")
			}
		}
		equal(t, "offered", len(d.Replicas), 2)
		equal(t, "reported", len(d.Diverged()), 1)
	})
}

func TestManyNamesInManyChunks(t *testing.T) {
	a, b := newSite("a", files(3000)), newSite("b", files(2000))
	f := federate(t, settings(), nil, a, b)
	for range 2 {
		d, err := f.List(context.Background(), "/d")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for c, err := range d.Children() {
			if err != nil {
				t.Fatal(err)
			}
			want := 1
			if n < 2000 {
				want = 2
			}
			if c.Name != fmt.Sprintf("f%05d", n) || len(c.Replicas) != want {
				t.Fatalf("child %d is %s with %d replicas", n, c.Name, len(c.Replicas))
			}
			n++
		}
		d.Close()
		equal(t, "children", n, 3000)
	}
}
