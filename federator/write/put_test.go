package write_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"canopy/federator"
	"canopy/federator/place"
	"canopy/federator/write"
	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/plugintest/mem"
)

func TestPut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/d/": ""}), newSite("b", map[string]string{"/d/": "", "/d/on-b": "old"})
		h := &hub{}
		one, two := newFront(t, h, nil, a, b), newFront(t, h, nil, a, b)
		for _, f := range []*front{one, two} {
			equal(t, "before", f.read("/d/new"), "absent")
			equal(t, "before", f.list("/d"), "on-b")
		}
		equal(t, "a new one", kind(one.put("/d/new", "content")), "done")
		for _, f := range []*front{one, two} {
			equal(t, "seen at once", f.read("/d/new"), "content")
			equal(t, "listed at once", f.list("/d"), "new on-b")
		}
		equal(t, "where", a.read("/d/new")+b.read("/d/new"), "content-")
		equal(t, "over one that is on b", kind(two.put("/d/on-b", "other")), "done")
		equal(t, "where", a.read("/d/on-b")+b.read("/d/on-b"), "-other")
		equal(t, "seen", one.read("/d/on-b"), "other")

		equal(t, "over a directory", kind(one.put("/d", "x")), "is a directory")
		equal(t, "no parent", kind(one.put("/none/f", "x")), "no directory for it")
		equal(t, "below a file", kind(one.put("/d/new/f", "x")), "no directory for it")
		isNew := func(f *write.File) { f.New = true }
		equal(t, "new over one", kind(one.put("/d/new", "x", isNew)), "exists already")
		equal(t, "new", kind(one.put("/d/new2", "x", isNew)), "done")
		match := func(holds bool) func(*write.File) {
			return func(f *write.File) { f.Match = func(*federator.Found) bool { return holds } }
		}
		equal(t, "no match", kind(one.put("/d/new", "x", match(false))), "changed")
		equal(t, "match of nothing", kind(one.put("/d/none", "x", match(true))), "changed")
		equal(t, "match", kind(one.put("/d/new", "better", match(true))), "done")
		equal(t, "seen", two.read("/d/new"), "better")
	})
}

func TestPutMakesParents(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", nil), newSite("b", map[string]string{"/only/on/b/": ""})
		f := newFront(t, &hub{}, nil, a, b)
		equal(t, "a parent of the namespace", kind(f.put("/only/on/b/f", "1")), "done")
		equal(t, "made where the file goes", a.read("/only/on/b/f"), "1")
		grid := newFront(t, &hub{}, func(s *write.Settings) { s.MakeParents = true }, a, b)
		equal(t, "a parent that is nowhere", kind(grid.put("/no/where/f", "2")), "done")
		equal(t, "made", a.read("/no/where/f"), "2")
	})
}

// TestPutThatFails: whatever goes wrong, what was there is there, and nothing
// else.
func TestPutThatFails(t *testing.T) {
	for _, without := range [][]string{nil, {"atomic"}} {
		bubble(t, func(t *testing.T) {
			a := newSite("a", map[string]string{"/f": "old"}, without...)
			f := newFront(t, &hub{}, nil, a)
			short := func(s *write.File) { s.Size = 100 }
			equal(t, "too short", kind(f.put("/f", "short", short)), "invalid")
			broken := io.MultiReader(strings.NewReader("half of"), iotest.ErrReader(errors.New("gone")))
			if _, err := f.w.Put(t.Context(), "/f", broken, write.File{Size: -1, Client: nobody}); err == nil {
				t.Error("a broken body is stored")
			}
			sum := func(s *write.File) { s.Digests = []plugins.Digest{{Algorithm: "md5", Sum: "0123456789abcdef"}} }
			equal(t, "wrong sum", kind(f.put("/f", "content", sum)), "checksum")
			a.Inject(faults.Rule{Op: "store", After: 3, Fail: plugins.Unavailable, Times: 1})
			equal(t, "cut", kind(f.put("/f", "content")), "unavailable")
			time.Sleep(time.Minute)
			equal(t, "old", f.read("/f"), "old")
			equal(t, "nothing else", f.list("/"), "f")
			equal(t, "new", kind(f.put("/f", "new")), "done")
			equal(t, "new", f.read("/f"), "new")
		})
	}
}

// TestOneName: a file with several copies is written over on one of them; the
// others are out of sight at once, and then gone, also when their endpoint is
// down for a while, and for front ends that come later.
func TestOneName(t *testing.T) {
	bubble(t, func(t *testing.T) {
		old := map[string]string{"/f": "old content"}
		a, b, c := newSite("a", old), newSite("b", old), newSite("c", old)
		h := &hub{}
		one, two := newFront(t, h, nil, a, b, c), newFront(t, h, nil, a, b, c)
		equal(t, "before", two.read("/f"), "old content")
		c.Inject(faults.Rule{Fail: plugins.Unavailable})
		one.read("/none") // finds out
		equal(t, "done", kind(one.put("/f", "new")), "done")
		equal(t, "one", one.read("/f"), "new")
		equal(t, "two", two.read("/f"), "new")
		equal(t, "copies", a.read("/f")+b.read("/f")+c.read("/f"), "new-old content")
		three := newFront(t, h, nil, a, b, c)
		c.Heal()
		for range 30 {
			time.Sleep(time.Second)
			for _, f := range []*front{one, two, three} {
				if got := f.read("/f"); got != "new" {
					t.Fatalf("somebody reads %q", got)
				}
			}
		}
		equal(t, "copies", a.read("/f")+b.read("/f")+c.read("/f"), "new--")
		equal(t, "graves", len(h.kept), 0)
	})
}

func TestWhereItCannotGo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/f": "1", "/both": "1"}), newSite("b", map[string]string{"/both": "1"})
		a.readOnly = true
		f := newFront(t, &hub{}, nil, a, b)
		equal(t, "held read only", kind(f.put("/f", "2")), "read only")
		equal(t, "one copy read only", kind(f.put("/both", "2")), "read only")
		equal(t, "untouched", b.read("/both"), "1")
		equal(t, "new", kind(f.put("/new", "2")), "done")
		equal(t, "where", a.read("/new")+b.read("/new"), "-2")
		b.tree.SetSpace(plugins.Space{Used: 5, Free: 3})
		equal(t, "room", kind(f.put("/large", "four")), "no room")
		b.Inject(faults.Rule{Fail: plugins.Unavailable})
		f.read("/none")
		equal(t, "all down", kind(f.put("/other", "2")), "unknown")
	})
}

// TestTheNextTakesIt: an endpoint that refuses before any of the body was
// taken is no reason to fail.
func TestTheNextTakesIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", nil), newSite("b", nil)
		f := newFront(t, &hub{}, nil, a, b)
		a.Inject(faults.Rule{Op: "store", Fail: plugins.Full})
		equal(t, "done", kind(f.put("/f", "1")), "done")
		equal(t, "where", a.read("/f")+b.read("/f"), "-1")
	})
}

// TestRedirect: a client is sent to an endpoint, and stores the file there
// itself some time later. Both front ends show it as soon as it is there.
func TestRedirect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/f": "old content"}), newSite("b", map[string]string{"/f": "old content"})
		a.access, b.access = federator.Redirect, federator.Redirect
		h := &hub{}
		one, two := newFront(t, h, nil, a, b), newFront(t, h, nil, a, b)
		equal(t, "before", two.read("/f"), "old content")
		target, carry, err := one.w.Redirect(t.Context(), "/f", write.File{Size: 3, Client: nobody})
		if err != nil || carry {
			t.Fatal(target, carry, err)
		}
		equal(t, "sent to", target.URL, "http://a.example/f")
		time.Sleep(time.Minute)
		equal(t, "while it is sent", one.read("/f")+two.read("/f"), "old contentold content")
		three := newFront(t, h, nil, a, b) // heard nothing of it
		if _, err := a.tree.Store(t.Context(), "/f", strings.NewReader("new"), plugins.Upload{Size: 3}); err != nil {
			t.Fatal(err)
		}
		equal(t, "at once", one.read("/f")+two.read("/f")+three.read("/f"), "newnewnew")
		for name, f := range map[string]*front{"one": one, "two": two, "three": three} {
			equal(t, "listed at once by "+name, f.size("/", "f"), 3)
		}
		time.Sleep(11 * time.Second)
		equal(t, "then", one.read("/f")+two.read("/f"), "newnew")
		equal(t, "the other copy", b.read("/f"), "-")

		target, _, err = one.w.Redirect(t.Context(), "/n", write.File{Size: -1, Client: nobody})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "before", two.read("/n"), "absent")
		if _, err := a.tree.Store(t.Context(), "/n", strings.NewReader("new"), plugins.Upload{Size: 3}); err != nil {
			t.Fatal(err)
		}
		equal(t, "at once", one.read("/n")+two.read("/n"), "newnew")
		equal(t, "listed at once", two.list("/"), "f n")
	})
}

// TestRedirectThen: a client has sent its file, and before any front end has looked
// somebody else does something. What was there before it does not come back, and
// what came after it does not go.
func TestRedirectThen(t *testing.T) {
	for name, c := range map[string]struct {
		then func(f *front) error
		want string
	}{
		"deletes it":      {func(f *front) error { return f.remove("/d/f") }, "absent"},
		"deletes all":     {func(f *front) error { return f.remove("/d") }, "absent"},
		"moves it away":   {func(f *front) error { f.move("/d/f", "/d/h", true); return nil }, "absent"},
		"moves one there": {func(f *front) error { f.move("/d/g", "/d/f", true); return nil }, "mov"},
		"writes":          {func(f *front) error { return f.put("/d/f", "put") }, "put"},
	} {
		bubble(t, func(t *testing.T) {
			a, b := timelessSite("a", nil), timelessSite("b", nil)
			for path, content := range map[string]string{"/d/f": "old", "/d/g": "mov"} {
				b.tree.Put(path, mem.File{Content: content, ModTime: time.Now()})
			}
			a.tree.Put("/d/f", mem.File{Content: "old", ModTime: time.Now()})
			a.access = federator.Redirect
			h := &hub{}
			one, two := newFront(t, h, nil, a, b), newFront(t, h, nil, a, b)
			if _, carry, err := one.w.Redirect(t.Context(), "/d/f", write.File{Size: 3, Client: nobody}); carry || err != nil {
				t.Fatal(carry, err)
			}
			if _, err := a.Abilities().Writer.Store(t.Context(), "/d/f", strings.NewReader("new"), plugins.Upload{Size: 3}); err != nil {
				t.Fatal(err)
			}
			if err := c.then(two); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for range 100 {
				equal(t, name, one.read("/d/f")+two.read("/d/f"), c.want+c.want)
				time.Sleep(200 * time.Millisecond)
			}
		})
	}
}

// TestRedirectThenSilence: a client has sent its file to an endpoint, which falls silent
// at once. Once anybody has seen the new file, the old one is never seen again, by
// nobody; else nobody knows which it is, and for a while nobody is told either.
func TestRedirectThenSilence(t *testing.T) {
	for _, seen := range []bool{true, false} {
		bubble(t, func(t *testing.T) {
			old := map[string]string{"/f": "old content"}
			a, b := newSite("a", old), newSite("b", old)
			a.access = federator.Redirect
			h := &hub{}
			one, two := newFront(t, h, nil, a, b), newFront(t, h, nil, a, b)
			if _, carry, err := one.w.Redirect(t.Context(), "/f", write.File{Size: 3, Client: nobody}); carry || err != nil {
				t.Fatal(carry, err)
			}
			if _, err := a.tree.Store(t.Context(), "/f", strings.NewReader("new"), plugins.Upload{Size: 3}); err != nil {
				t.Fatal(err)
			}
			if seen {
				equal(t, "seen", two.read("/f"), "new")
			}
			a.Inject(faults.Rule{Fail: plugins.Unavailable})
			three := newFront(t, h, nil, a, b)
			three.w.Reconnected() // this hub knows of it only now
			time.Sleep(time.Second)
			for range 25 {
				equal(t, "meanwhile", one.read("/f")+" "+two.read("/f")+" "+three.read("/f"), "unknown unknown unknown")
				time.Sleep(time.Second)
			}
			time.Sleep(time.Minute)
			for name, f := range map[string]*front{"one": one, "two": two, "three": three} {
				if got := f.read("/f"); seen == (got == "old content") {
					t.Errorf("seen %v, then %s has %q", seen, name, got)
				}
			}
			a.Heal()
			time.Sleep(time.Minute)
			equal(t, "in the end", one.read("/f")+" "+two.read("/f")+" "+three.read("/f")+b.read("/f"), "new new new-")
		})
	}
}

// TestRedirectOrphaned: the front end that has sent a client to an endpoint dies
// while the file grows there. Others do not take a part of it for the whole.
func TestRedirectOrphaned(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/f": "old content"}), newSite("b", map[string]string{"/f": "old content"})
		a.access = federator.Redirect
		h := &hub{}
		one, _ := newFront(t, h, nil, a, b), newFront(t, h, nil, a, b)
		if _, carry, err := one.w.Redirect(t.Context(), "/f", write.File{Size: 3, Client: nobody}); carry || err != nil {
			t.Fatal(carry, err)
		}
		h.mu.Lock()
		h.front = h.front[1:]
		h.mu.Unlock()
		one.w.Close()
		a.tree.Put("/f", mem.File{Content: "ne", ModTime: time.Now()})
		time.Sleep(time.Minute)
		equal(t, "the other copy, for now", b.read("/f"), "old content")
		a.tree.Put("/f", mem.File{Content: "new", ModTime: time.Now()})
		time.Sleep(time.Minute)
		equal(t, "the other copy, then", b.read("/f"), "-")
	})
}

// TestRedirectPull: a client has an endpoint fetch a file. Where the source does not
// say how large it will be, it shows while it grows, and is not remembered before it
// has stood still for long; else it does not show before it is whole.
func TestRedirectPull(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/both": "old", "/mine": "old"}), newSite("b", map[string]string{"/both": "old", "/d/": ""})
		a.access, b.access = federator.Redirect, federator.Redirect
		h := &hub{}
		one, two := newFront(t, h, nil, a, b), newFront(t, h, nil, a, b)
		ask := func(path string, more ...func(*write.File)) string {
			t.Helper()
			file := write.File{Size: -1, Client: nobody, Pull: true}
			for _, m := range more {
				m(&file)
			}
			target, carry, err := one.w.Redirect(t.Context(), path, file)
			switch {
			case err != nil:
				return kind(err)
			case carry:
				return "carry"
			}
			return target.URL
		}
		equal(t, "sent to", ask("/d/f"), "http://a.example/d/f")
		equal(t, "its directory", a.read("/d"), "/")
		for n := range 20 {
			a.tree.Put("/d/f", mem.File{Content: strings.Repeat("x", n), ModTime: time.Now()})
			equal(t, "as it grows", two.read("/d/f"), strings.Repeat("x", n))
			time.Sleep(4 * time.Minute)
		}
		equal(t, "asked afresh", fmt.Sprint(asks(a, two)), "true")
		time.Sleep(6 * time.Minute)
		equal(t, "remembered", fmt.Sprint(asks(a, two)), "false")

		of3 := func(f *write.File) { f.Size = 3 }
		equal(t, "of three bytes", ask("/d/g", of3), "http://a.example/d/g")
		a.tree.Put("/d/g", mem.File{Content: "xx", ModTime: time.Now()})
		equal(t, "a part", two.read("/d/g"), "absent")
		a.tree.Put("/d/g", mem.File{Content: "xxx", ModTime: time.Now()})
		equal(t, "the whole", two.read("/d/g"), "xxx")

		equal(t, "of another size, with copies elsewhere", ask("/both", func(f *write.File) { f.Size = 4 }), "http://a.example/both")
		time.Sleep(7 * time.Hour)
		equal(t, "over its only copy", ask("/mine"), "http://a.example/mine")
		equal(t, "with copies elsewhere", ask("/both"), "carry")
		equal(t, "a chunked upload with copies elsewhere", ask("/both", func(f *write.File) { f.Pull = false }), "carry")
		equal(t, "what must be new", ask("/mine", func(f *write.File) { f.New = true }), plugins.Exists.String())
		equal(t, "to where it would do harm", ask("/n", func(f *write.File) { f.Harms = func(to string) bool { return to == "http://a.example/n" } }), "carry")
		equal(t, "below nothing", ask("/none/f"), plugins.NoParent.String())
	})
	bubble(t, func(t *testing.T) {
		a := newSite("a", nil, "third-party")
		a.access = federator.Redirect
		one := newFront(t, &hub{}, nil, a)
		_, carry, err := one.w.Redirect(t.Context(), "/f", write.File{Size: -1, Client: nobody, Pull: true})
		if !carry || err != nil {
			t.Errorf("an endpoint that does not fetch: %v, %v", carry, err)
		}
	})
}

// asks reports whether a site is asked for /d/f when a front end is.
func asks(s *site, f *front) bool {
	f.read("/d/f")
	time.Sleep(time.Second) // in a bubble: until all have answered
	before := s.Calls("stat")
	f.read("/d/f")
	return s.Calls("stat") > before
}

// TestTwoAtOnce: two front ends store one name at the same time, on different
// endpoints. One content is left, and it is of one of them.
func TestTwoAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", nil), newSite("b", nil)
		h := &hub{}
		one := newFront(t, h, nil, a, b)
		two := newFront(t, h, nil, b, a) // another first choice
		for _, s := range []*site{a, b} {
			s.Inject(faults.Rule{Op: "store", Delay: time.Second})
		}
		done := make(chan error, 1)
		go func() { done <- two.put("/f", "second") }()
		equal(t, "one", kind(one.put("/f", "first")), "done")
		equal(t, "two", kind(<-done), "done")
		time.Sleep(10 * time.Second)
		got := a.read("/f") + b.read("/f")
		if got != "first-" && got != "-second" {
			t.Errorf("there is %q", got)
		}
		if one.read("/f") != two.read("/f") {
			t.Error("they differ")
		}
	})
}

// TestDirectoryGone: a directory that was known to be there has gone since.
func TestDirectoryGone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newSite("a", map[string]string{"/d/f": "1"})
		f := newFront(t, &hub{}, nil, a)
		equal(t, "before", f.read("/d"), "/")
		a.tree.Drop("/d")
		equal(t, "stored", kind(f.put("/d/g", "2")), "done")
		equal(t, "there", a.read("/d/g"), "2")
	})
}

func TestSpread(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", nil), newSite("b", nil)
		f := newFront(t, &hub{}, func(s *write.Settings) { s.Policy, _ = place.ByName("spread") }, a, b)
		for _, name := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
			equal(t, name, kind(f.put("/"+name, name)), "done")
		}
		if n := strings.Count(f.list("/"), " "); n != 25 {
			t.Errorf("%d names", n+1)
		}
		if e, err := a.tree.Stat(t.Context(), "/a"); err == nil && e.Size != 1 {
			t.Error(e)
		}
	})
}
