package write_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"canopy/federator"
	"canopy/federator/write"
	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/plugintest/mem"
)

// sending has a client be sent to a by the first of two front ends, with a file
// "/d/f" of six bytes, and send three of them.
func sending(t *testing.T, a, b *site) (one, two *front) {
	a.access = federator.Redirect
	h := &hub{}
	one, two = newFront(t, h, nil, a, b), newFront(t, h, nil, a, b)
	if target, carry, err := one.w.Redirect(t.Context(), "/d/f", write.File{Size: 6, Client: nobody}); err != nil || carry || target.Endpoint != "a" {
		t.Fatal(target, carry, err)
	}
	grows(a, "new")
	return one, two
}

// grows has the storage show that much of what a client sends.
func grows(s *site, content string) {
	s.tree.Put("/d/f", mem.File{Content: content, ModTime: time.Now()})
}

// TestPart: some storages show a file while it is being sent. No front end does.
func TestPart(t *testing.T) {
	old := map[string]string{"/d/f": "the old one"}
	for name, c := range map[string]struct {
		a, b            map[string]string
		meanwhile, list string
	}{
		"a new file":           {nil, nil, "absent", ""},
		"over a copy of two":   {old, old, "the old one", "f"},
		"over the only copy":   {old, nil, "unknown", "f"},
		"over a smaller one":   {map[string]string{"/d/f": "o"}, nil, "unknown", "f"},
		"beside one elsewhere": {map[string]string{"/d/f": "o"}, map[string]string{"/d/f": "o"}, "o", "f"},
	} {
		bubble(t, func(t *testing.T) {
			a, b := newSite("a", c.a), newSite("b", c.b)
			a.tree.Mkdir("/d")
			one, two := sending(t, a, b)
			for range 60 {
				for _, f := range []*front{one, two} {
					equal(t, name, f.read("/d/f"), c.meanwhile)
					equal(t, name+", listed", f.list("/d"), c.list)
				}
				time.Sleep(time.Second)
			}
			if size := two.size("/d", "f"); c.b != nil && size != int64(len(c.meanwhile)) {
				t.Errorf("%s: it is listed with %d bytes", name, size)
			}
			grows(a, "newnew")
			equal(t, name+", at once", one.read("/d/f")+" "+two.read("/d/f"), "newnew newnew")
			equal(t, name+", at once", two.size("/d", "f"), 6)
			time.Sleep(time.Minute)
			equal(t, name+", then", one.read("/d/f")+" "+b.read("/d/f"), "newnew -")
		})
	}
}

// TestPartBeforeIt: before the client has begun, what was there shows.
func TestPartBeforeIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/d/f": "o"}), newSite("b", nil)
		a.access = federator.Redirect
		f := newFront(t, &hub{}, nil, a, b)
		if _, carry, err := f.w.Redirect(t.Context(), "/d/f", write.File{Size: 6, Client: nobody}); err != nil || carry {
			t.Fatal(carry, err)
		}
		equal(t, "before", f.read("/d/f"), "o")
	})
}

// TestPartMeanwhile: somebody changes a path to which a client is sending a file.
func TestPartMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		do       func(f *front) error
		want     string
		onA, onB string
	}{
		"it is deleted":  {func(f *front) error { return f.remove("/d/f") }, "absent", "-", "-"},
		"all is deleted": {func(f *front) error { return f.remove("/d") }, "absent", "-", "-"},
		"it is moved away": {func(f *front) error {
			if got := f.move("/d/f", "/n", true); got != "absent" {
				return errors.New(got)
			}
			return nil
		}, "absent", "new", "-"},
		"a smaller one is put":   {func(f *front) error { return f.put("/d/f", "p") }, "p", "p", "-"},
		"a smaller one is moved": {func(f *front) error { f.move("/m", "/d/f", true); return nil }, "m", "m", "-"},
		"one is moved that becomes another in the last moment": {func(f *front) error {
			f.move("/changing", "/d/f", true)
			return nil
		}, "else", "else", "-"},
		"a directory is moved": {func(f *front) error { f.move("/t", "/d", true); return nil }, "t", "t", "-"},
	} {
		bubble(t, func(t *testing.T) {
			a, b := newSite("a", map[string]string{"/m": "m", "/t/f": "t", "/changing": "c"}), newSite("b", nil)
			a.tree.Mkdir("/d")
			a.Inject(faults.Rule{Op: "move", Path: func(p string) bool {
				if p == "/changing" { // a client who was sent there writes it over
					a.tree.Put(p, mem.File{Content: "else", ModTime: time.Now()})
				}
				return false
			}})
			one, two := sending(t, a, b)
			equal(t, name, kind(c.do(two)), "done")
			for range 30 {
				equal(t, name, one.read("/d/f")+" "+two.read("/d/f"), c.want+" "+c.want)
				time.Sleep(time.Second)
			}
			equal(t, name, a.read("/d/f")+" "+b.read("/d/f"), c.onA+" "+c.onB)
		})
	}
}

// TestPartOfAnother: while a client sends a file to an endpoint that has fallen
// silent, another is put elsewhere. The part never takes its place, however new it
// is; the file does when it is whole.
func TestPartOfAnother(t *testing.T) {
	for _, whole := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			a, b := newSite("a", nil), newSite("b", nil)
			a.tree.Mkdir("/d")
			b.tree.Mkdir("/d")
			one, two := sending(t, a, b)
			a.Inject(faults.Rule{Fail: plugins.Unavailable})
			for range 100 {
				if time.Sleep(time.Second); kind(two.put("/d/f", "put elsewhere")) == "done" {
					break
				}
			}
			grows(a, "newne")
			a.Heal()
			for range 600 {
				equal(t, "seen", one.read("/d/f")+", "+two.read("/d/f"), "put elsewhere, put elsewhere")
				time.Sleep(time.Second)
			}
			if !whole {
				time.Sleep(6 * time.Hour)
				equal(t, "in the end", one.read("/d/f")+", "+a.read("/d/f")+", "+b.read("/d/f"), "put elsewhere, -, put elsewhere")
				return
			}
			grows(a, "newnew")
			time.Sleep(time.Minute)
			equal(t, "in the end", one.read("/d/f")+", "+a.read("/d/f")+", "+b.read("/d/f"), "newnew, newnew, -")
		})
	}
}

// TestPartAfterwards: a client begins to send its file when another has been put there
// since it was told where to send it.
func TestPartAfterwards(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", nil), newSite("b", nil)
		a.tree.Mkdir("/d")
		one, two := sending(t, a, b)
		equal(t, "put", kind(two.put("/d/f", "p")), "done")
		equal(t, "it", one.read("/d/f")+" "+two.read("/d/f"), "p p")
		grows(a, "new")
		equal(t, "then", one.read("/d/f")+" "+two.read("/d/f"), "unknown unknown")
		grows(a, "newnew")
		equal(t, "in the end", one.read("/d/f")+" "+two.read("/d/f"), "newnew newnew")
	})
}

// TestPartOfTwo: a client has given up, and comes again with a smaller file.
func TestPartOfTwo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", nil), newSite("b", nil)
		a.tree.Mkdir("/d")
		one, two := sending(t, a, b)
		if target, carry, err := two.w.Redirect(t.Context(), "/d/f", write.File{Size: 2, Client: nobody}); err != nil || carry || target.Endpoint != "a" {
			t.Fatal(target, carry, err)
		}
		equal(t, "before", one.read("/d/f")+" "+two.read("/d/f"), "absent absent")
		grows(a, "2")
		equal(t, "meanwhile", one.read("/d/f")+" "+two.read("/d/f"), "unknown unknown")
		grows(a, "22")
		for minute := range 7 * 60 {
			equal(t, fmt.Sprint("after minutes ", minute), one.read("/d/f")+" "+two.read("/d/f"), "22 22")
			time.Sleep(time.Minute)
		}
	})
}

// TestPartForNewcomers: a front end that starts while a file is being sent is told.
func TestPartForNewcomers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", nil), newSite("b", nil)
		a.tree.Mkdir("/d")
		a.access = federator.Redirect
		h := &hub{}
		one := newFront(t, h, nil, a, b)
		if _, carry, err := one.w.Redirect(t.Context(), "/d/f", write.File{Size: 6, Client: nobody}); err != nil || carry {
			t.Fatal(carry, err)
		}
		grows(a, "new")
		two := newFront(t, h, nil, a, b)
		two.w.Reconnected() // this hub knows of it only now
		time.Sleep(time.Second)
		equal(t, "meanwhile", two.read("/d/f"), "absent")
		one.w.Reconnected() // whoever asks again is told no other
		time.Sleep(time.Second)
		equal(t, "meanwhile", one.read("/d/f")+" "+two.read("/d/f"), "absent absent")
		grows(a, "newnew")
		time.Sleep(time.Minute)
		equal(t, "then", one.read("/d/f")+" "+two.read("/d/f"), "newnew newnew")
	})
}

// TestPartForsaken: a client goes away amidst of it. What was there before stays; the
// part does not come to light beside it.
func TestPartForsaken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		old := map[string]string{"/d/f": "the old one"}
		a, b := newSite("a", old), newSite("b", old)
		one, two := sending(t, a, b)
		for range 7 * 60 {
			equal(t, "seen", one.read("/d/f")+" "+two.read("/d/f"), "the old one the old one")
			time.Sleep(time.Minute)
		}
		equal(t, "there are", a.read("/d/f")+" "+b.read("/d/f"), "- the old one")
	})
}

// TestNotToBeTold: a new file of equal size cannot be told from the old one where
// storages tell no times, or both are of one second. Then clients are not sent there
// as long as there are other copies: when they are to go could not be seen.
func TestNotToBeTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", nil), newSite("b", nil)
		a.access = federator.Redirect
		f := newFront(t, &hub{}, nil, a, b)
		carried := func(old time.Time, size int, copies ...*site) bool {
			for _, s := range []*site{a, b} {
				_ = s.tree.Remove(t.Context(), "/f")
			}
			for _, s := range copies {
				s.tree.Put("/f", mem.File{Content: strings.Repeat("o", size), ModTime: old})
			}
			_, carry, err := f.w.Redirect(t.Context(), "/f", write.File{Size: 6, Client: nobody})
			if err != nil {
				t.Fatal(err)
			}
			return carry
		}
		second := time.Now().Truncate(time.Second)
		equal(t, "of this second", carried(second, 6, a, b), true)
		equal(t, "without times", carried(time.Time{}, 6, a, b), true)
		equal(t, "without other copies", carried(time.Time{}, 6, a), false)
		equal(t, "of another size", carried(time.Time{}, 5, a, b), false)
		equal(t, "older", carried(second.Add(-time.Second), 6, a, b), false)
	})
}

// visible is a storage that shows files while they are stored.
type visible struct{ *mem.Endpoint }

func (visible) Atomic() bool { return false }

// TestOfUnknownSize: a part of a file of which the size was not announced cannot be
// told from the whole. So it is carried, where it would be seen.
func TestOfUnknownSize(t *testing.T) {
	for _, shows := range []bool{true, false} {
		bubble(t, func(t *testing.T) {
			a := newSite("a", nil)
			a.access = federator.Redirect
			if shows {
				a.Endpoint = faults.New(visible{a.tree})
			}
			f := newFront(t, &hub{}, nil, a)
			for size, want := range map[int64]bool{-1: shows, 3: false} {
				_, carry, err := f.w.Redirect(t.Context(), "/f", write.File{Size: size, Client: nobody})
				if err != nil || carry != want {
					t.Errorf("%d bytes, to a storage that shows them (%v): carried is %v, %v", size, shows, carry, err)
				}
			}
		})
	}
}

// TestPartOrNot: who puts a smaller file where a client is sending one has not told yet
// how it looks, and may never.
func TestPartOrNot(t *testing.T) {
	for name, put := range map[string]func(f *front){
		"put":   func(f *front) { _ = f.put("/d/f", "p") },
		"moved": func(f *front) { f.move("/m", "/d/f", true) },
	} {
		bubble(t, func(t *testing.T) {
			a, b := newSite("a", map[string]string{"/m": "p"}), newSite("b", nil)
			a.tree.Mkdir("/d")
			one, two := sending(t, a, b)
			a.Inject(faults.Rule{Op: "stat", Hang: true, Times: 1, Path: func(string) bool { return a.read("/d/f") == "p" }})
			var wg sync.WaitGroup
			wg.Go(func() { put(one) })
			time.Sleep(time.Second)
			equal(t, name+", meanwhile", two.read("/d/f"), "unknown")
			wg.Wait()
			equal(t, name+", then", one.read("/d/f")+two.read("/d/f"), "pp")
		})
	}
	// Where nothing comes of it, what there is is a part still.
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/m": "p"}), newSite("b", nil)
		a.tree.Mkdir("/d")
		one, two := sending(t, a, b)
		a.Inject(faults.Rule{Op: "move", Fail: plugins.Denied})
		a.Inject(faults.Rule{Op: "store", Fail: plugins.Denied})
		equal(t, "moved in vain", one.move("/m", "/d/f", true), "denied")
		equal(t, "a part", one.read("/d/f")+two.read("/d/f"), "absentabsent")
		equal(t, "put in vain", kind(one.put("/d/f", "p")), "denied")
		equal(t, "a part", one.read("/d/f")+two.read("/d/f"), "absentabsent")
	})
}
