package write_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"canopy/federator"
	"canopy/federator/write"
	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/plugintest/mem"
)

func anything(string) error { return nil }

func (f *front) remove(path string) error {
	return f.w.Remove(f.t.Context(), path, nobody, anything, nil)
}

func (f *front) move(from, to string, overwrite bool) string {
	created, err := f.w.Move(f.t.Context(), from, to, overwrite, nobody, anything)
	if err == nil && !created {
		return "replaced"
	}
	return kind(err)
}

func TestRemove(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tree := map[string]string{"/d/f": "1", "/d/sub/g": "2", "/keep": "3", "/empty/": ""}
		a, b := newSite("a", tree), newSite("b", tree)
		h := &hub{}
		one, two := newFront(t, h, nil, a, b), newFront(t, h, nil, a, b)
		equal(t, "before", two.list("/d")+two.list("/"), "f subd empty keep")
		equal(t, "a file", kind(one.remove("/d/f")), "done")
		equal(t, "gone", one.read("/d/f")+two.read("/d/f")+two.list("/d")+a.read("/d/f")+b.read("/d/f"), "absentabsentsub--")
		gone := 0
		equal(t, "a tree", kind(one.w.Remove(t.Context(), "/d", nobody, anything, func(n int) { gone = n })), "done")
		equal(t, "how many", gone, 3)
		equal(t, "gone", one.read("/d/sub/g")+two.read("/d")+two.list("/")+a.read("/d")+b.read("/d/sub"), "absentabsentempty keep--")
		equal(t, "what is not there", kind(one.remove("/d")), "absent")
		equal(t, "an empty one", kind(one.remove("/empty")), "done")
		equal(t, "kept", a.read("/keep")+b.read("/keep"), "33")
		equal(t, "the root", kind(one.remove("/")), "read only")
	})
}

// TestNothingIsTouched: where not all of it may be removed, none of it is.
func TestNothingIsTouched(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/d/a": "1", "/d/z": "1"}), newSite("b", map[string]string{"/d/deep/f": "2"})
		b.readOnly = true
		f := newFront(t, &hub{}, nil, a, b)
		equal(t, "a directory in part read only", kind(f.remove("/d")), "read only")
		never := errors.New("not you")
		may := func(path string) error {
			if path == "/d/z" {
				return never
			}
			return nil
		}
		a2 := newSite("a2", map[string]string{"/d/a": "1", "/d/z": "1"})
		f2 := newFront(t, &hub{}, nil, a2)
		if err := f2.w.Remove(t.Context(), "/d", nobody, may, nil); !errors.Is(err, never) {
			t.Errorf("%v", err)
		}
		few := newFront(t, &hub{}, func(s *write.Settings) { s.Most = 2 }, a2)
		equal(t, "too many", kind(few.remove("/d")), "invalid")
		equal(t, "all there", a.read("/d/a")+a.read("/d/z")+a2.read("/d/a")+a2.read("/d/z")+b.read("/d/deep/f"), "11112")
	})
}

// TestNothingComesBack: a file is deleted while one of its endpoints is down.
// The client is told, nobody sees it again, and it goes when the endpoint is
// back: whichever front end still lives then.
func TestNothingComesBack(t *testing.T) {
	for _, path := range []string{"/d/f", "/d"} {
		bubble(t, func(t *testing.T) {
			tree := map[string]string{"/d/f": "1"}
			a, b := newSite("a", tree), newSite("b", tree)
			h := &hub{}
			one, two := newFront(t, h, nil, a, b), newFront(t, h, nil, a, b)
			equal(t, "before", one.read("/d/f")+two.read("/d/f"), "11")
			b.Inject(faults.Rule{Fail: plugins.Unavailable})
			one.read("/none")
			two.read("/none")
			err := one.remove(path)
			var failures write.Failures
			switch {
			case path == "/d" && err == nil: // nobody knows that b has the directory, and the grave is kept
			case !errors.As(err, &failures) || failures[0].Endpoint != "b" || !failures[0].Pending:
				t.Errorf("told %v", err)
			}
			equal(t, "on a", a.read("/d/f"), "-")
			one.w.Close()
			b.Heal()
			three := newFront(t, h, nil, a, b)
			for range 40 {
				for _, f := range []*front{two, three} {
					if got := f.read("/d/f"); got == "1" {
						t.Fatal("it has come back")
					}
				}
				time.Sleep(time.Second)
			}
			equal(t, "on b", b.read("/d/f"), "-")
			equal(t, "graves", len(h.kept), 0)
			equal(t, "in the end", two.read(path), "absent")
		})
	}
}

// TestBuriedIsNotForEver: a path can be written again while its old copy lies
// in a grave at an endpoint that is down.
func TestBuriedIsNotForEver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tree := map[string]string{"/f": "old"}
		a, b := newSite("a", tree), newSite("b", tree)
		f := newFront(t, &hub{}, nil, a, b)
		b.Inject(faults.Rule{Fail: plugins.Unavailable})
		f.read("/none")
		equal(t, "told", kind(f.remove("/f")), "done") // nobody knows that b has it, and the grave is kept
		equal(t, "again", kind(f.put("/f", "new")), "done")
		b.Heal()
		for range 30 {
			if got := f.read("/f"); got != "new" {
				t.Fatalf("it is %q", got)
			}
			time.Sleep(time.Second)
		}
		equal(t, "copies", a.read("/f")+b.read("/f"), "new-")
	})
}

// TestAnswerLost: a storage has removed the file and the answer is lost.
func TestAnswerLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newSite("a", map[string]string{"/f": "1"})
		f := newFront(t, &hub{}, nil, a)
		a.Inject(faults.Rule{Op: "remove", Done: true, Fail: plugins.Unavailable, Times: 1})
		equal(t, "told", kind(f.remove("/f")), "failed at a")
		time.Sleep(10 * time.Second)
		equal(t, "then", f.read("/f"), "absent")
		equal(t, "again", kind(f.put("/f", "2")), "done")
		time.Sleep(10 * time.Second)
		equal(t, "stays", f.read("/f"), "2")
	})
}

func TestMakeDirectory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", nil), newSite("b", map[string]string{"/on/b/f": "1"})
		f := newFront(t, &hub{}, nil, a, b)
		mkdir := func(path string) string { return kind(f.w.MakeDirectory(t.Context(), path, nobody)) }
		equal(t, "before", f.read("/d"), "absent")
		equal(t, "new", mkdir("/d"), "done")
		equal(t, "seen", f.read("/d")+" "+f.list("/"), "/ d on")
		equal(t, "again", mkdir("/d"), "exists already")
		equal(t, "over a file", mkdir("/on/b/f"), "exists already")
		equal(t, "no parent", mkdir("/no/where"), "no directory for it")
		equal(t, "below one that is elsewhere", mkdir("/on/b/new"), "done")
		equal(t, "made", a.read("/on/b/new"), "/")
		equal(t, "the root", mkdir("/"), "exists already")
	})
}

func TestMove(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tree := map[string]string{"/f": "1", "/g": "2", "/d/x": "3", "/d/deep/y": "4"}
		a, b := newSite("a", tree), newSite("b", map[string]string{"/f": "1", "/on/b/": ""})
		h := &hub{}
		one, two := newFront(t, h, nil, a, b), newFront(t, h, nil, a, b)
		equal(t, "before", two.list("/")+two.read("/f"), "d f g on1")
		equal(t, "a file", one.move("/f", "/on/b/f2", false), "done")
		equal(t, "seen", one.read("/f")+two.read("/f")+two.read("/on/b/f2"), "absentabsent1")
		equal(t, "on all", a.read("/on/b/f2")+b.read("/on/b/f2")+a.read("/f")+b.read("/f"), "11--")
		equal(t, "onto one", one.move("/on/b/f2", "/g", false), "exists already")
		equal(t, "onto one", one.move("/on/b/f2", "/g", true), "replaced")
		equal(t, "seen", two.read("/g")+two.read("/on/b/f2")+a.read("/g")+b.read("/g"), "1absent11")
		equal(t, "a tree", one.move("/d", "/e", false), "done")
		equal(t, "seen", two.read("/e/deep/y")+two.read("/d/x")+two.list("/"), "4absente g on")
		equal(t, "over a directory", one.move("/g", "/e", true), "replaced")
		equal(t, "seen", two.read("/e")+two.read("/e/deep/y"), "1absent")
		equal(t, "into itself", one.move("/on", "/on/b/c", true), "invalid")
		equal(t, "onto itself", one.move("/e", "/e", true), "invalid")
		equal(t, "nothing", one.move("/none", "/x", true), "absent")
		equal(t, "no parent", one.move("/e", "/no/where", true), "no directory for it")
	})
}

// TestMoveBack: one of three cannot, and the others are as they were.
func TestMoveBack(t *testing.T) {
	for _, kind := range []plugins.Kind{plugins.Denied, plugins.Unavailable} {
		for _, done := range []bool{false, true} {
			bubble(t, func(t *testing.T) {
				tree := map[string]string{"/f": "1"}
				a, b, c := newSite("a", tree), newSite("b", tree), newSite("c", tree)
				f := newFront(t, &hub{}, nil, a, b, c)
				b.Inject(faults.Rule{Op: "move", Fail: kind, Done: done, Times: 1})
				if got := f.move("/f", "/g", false); got == "done" {
					t.Error("it is reported done")
				}
				time.Sleep(30 * time.Second)
				if done && kind == plugins.Denied {
					return // a storage that lies about what it has done
				}
				equal(t, "as before", f.read("/f")+f.read("/g")+a.read("/f")+b.read("/f")+c.read("/f"), "1absent111")
			})
		}
	}
}

// TestMoveElsewhere: the new name is on another endpoint.
func TestMoveElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/f": "1"}), newSite("b", nil)
		a.mount, b.mount = "/a", "/b"
		f := newFront(t, &hub{}, nil, a, b)
		equal(t, "carried", f.move("/a/f", "/b/g", false), "done")
		equal(t, "seen", f.read("/a/f")+f.read("/b/g"), "absent1")
		equal(t, "where", a.read("/f")+b.read("/g"), "-1")
		b.Inject(faults.Rule{Op: "open", After: 0, Fail: plugins.Unavailable})
		equal(t, "source unreadable", f.move("/b/g", "/a/h", false), "unavailable")
		b.Heal()
		time.Sleep(30 * time.Second)
		equal(t, "still there", f.read("/b/g")+f.read("/a/h"), "1absent")
	})
}

// TestMoveWithOneDown: the copy that cannot be moved does not come back.
func TestMoveWithOneDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tree := map[string]string{"/f": "1"}
		a, b := newSite("a", tree), newSite("b", tree)
		f := newFront(t, &hub{}, nil, a, b)
		equal(t, "before", f.read("/f"), "1")
		b.Inject(faults.Rule{Fail: plugins.Unavailable})
		f.read("/none")
		equal(t, "while b may have anything", f.move("/f", "/g", false), "unknown")
		time.Sleep(31 * time.Second)
		equal(t, "told", f.move("/f", "/g", false), "failed at b")
		b.Heal()
		for range 30 {
			equal(t, "seen", f.read("/f")+f.read("/g"), "absent1")
			time.Sleep(time.Second)
		}
		equal(t, "copies", a.read("/g")+b.read("/f"), "1-")
	})
}

// TestMoveOfAll: what is in a directory where it cannot be moved is not lost.
func TestMoveOfAll(t *testing.T) {
	for _, seen := range []bool{true, false} {
		bubble(t, func(t *testing.T) {
			a, b := newSite("a", map[string]string{"/d/f": "1"}), newSite("b", map[string]string{"/d/only": "2"})
			f := newFront(t, &hub{}, nil, a, b)
			if seen {
				equal(t, "before", f.list("/d"), "f only")
			}
			b.Inject(faults.Rule{Fail: plugins.Unavailable})
			f.read("/none")
			for range 3 {
				equal(t, "while b is down", f.move("/d", "/e", false), "unknown")
				time.Sleep(40 * time.Second)
			}
			b.Heal()
			time.Sleep(2 * time.Minute)
			equal(t, "on b", a.read("/d/f")+b.read("/d/only"), "12")
			equal(t, "seen", f.list("/d"), "f only")
			equal(t, "with b", f.move("/d", "/e", false), "done")
			equal(t, "moved", f.list("/e"), "f only")
		})
	}
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/d/f": "1"}), newSite("b", map[string]string{"/d/only": "2"}, "move")
		f := newFront(t, &hub{}, nil, a, b)
		equal(t, "where b cannot move", f.move("/d", "/e", false), "unsupported")
		equal(t, "on b", f.list("/d")+a.read("/d/f")+b.read("/d/only"), "f only12")
	})
}

// TestMoveInDoubt: a client was sent to an endpoint with a new file, and nobody knows
// whether it came there before that fell silent. The old one is not moved instead.
func TestMoveInDoubt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tree := map[string]string{"/f": "old", "/g": "g"}
		a, b := newSite("a", tree), newSite("b", tree)
		a.access = federator.Redirect
		h := &hub{}
		one, two := newFront(t, h, nil, a, b), newFront(t, h, nil, a, b)
		if target, carry, err := one.w.Redirect(t.Context(), "/f", write.File{Size: 7, Client: nobody}); err != nil || carry || target.Endpoint != "a" {
			t.Fatal(target, carry, err)
		}
		a.tree.Put("/f", mem.File{Content: "the new", ModTime: time.Now()})
		a.Inject(faults.Rule{Fail: plugins.Unavailable})
		two.read("/none")
		equal(t, "in doubt", two.move("/f", "/g", true), "unknown")
		a.Heal()
		time.Sleep(2 * time.Minute)
		equal(t, "moved", two.move("/f", "/g", true), "replaced")
		equal(t, "read", one.read("/f")+two.read("/g"), "absentthe new")
	})
}

func TestCopy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/d/x": "1", "/d/deep/y": "2", "/f": "3"}), newSite("b", map[string]string{"/d/z": "4"})
		f := newFront(t, &hub{}, nil, a, b)
		duplicate := func(from, to string, overwrite, deep bool) string {
			created, err := f.w.Copy(t.Context(), from, to, overwrite, deep, nobody, anything)
			return fmt.Sprint(kind(err), " ", created)
		}
		equal(t, "a file", duplicate("/f", "/g", false, true), "done true")
		equal(t, "onto one", duplicate("/f", "/d/x", false, true), "exists already false")
		equal(t, "onto one", duplicate("/f", "/d/x", true, true), "done false")
		equal(t, "a tree", duplicate("/d", "/e", false, true), "done true")
		equal(t, "read", f.read("/g")+f.read("/e/x")+f.read("/e/deep/y")+f.read("/e/z")+f.list("/e"), "3324deep x z")
		equal(t, "the directory alone", duplicate("/d", "/shallow", false, false), "done true")
		equal(t, "empty", f.list("/shallow"), "")
		equal(t, "originals", f.read("/f")+f.read("/d/deep/y"), "32")
	})
}

// TestAmend: while what belongs to a path is amended, nothing else changes there.
func TestAmend(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newSite("a", map[string]string{"/f": "old"})
		f := newFront(t, &hub{}, nil, a)
		put := make(chan error, 1)
		err := f.w.Amend(t.Context(), "/f", func() error {
			go func() { put <- f.put("/f", "new") }()
			time.Sleep(time.Minute)
			equal(t, "meanwhile", a.read("/f"), "old")
			return errors.New("in vain")
		})
		equal(t, "its error", err.Error(), "in vain")
		equal(t, "the other", kind(<-put), "done")
		equal(t, "then", a.read("/f"), "new")
	})
}
