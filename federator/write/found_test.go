package write_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"canopy/federator/write"
	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/plugintest/mem"
)

// What the mixture of cmd/canopy/soak has found.

// TestMoveOntoGrave: a file is moved to where an old copy is buried. It keeps
// its time, which is before the grave's, and is not the dead one for that.
func TestMoveOntoGrave(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/f": "old"}), newSite("b", map[string]string{"/g": "alive"})
		f := newFront(t, &hub{}, nil, a, b)
		f.read("/g")
		b.Inject(faults.Rule{Fail: plugins.Unavailable})
		f.read("/none")
		equal(t, "a is where it is known to be, b where it may be", kind(f.remove("/f")), "done")
		b.Heal()
		// As soon as b is known to be back, before the grave has been looked after.
		for range 300 {
			time.Sleep(100 * time.Millisecond)
			if f.move("/g", "/f", true) == "done" {
				break
			}
		}
		for range 30 {
			if got := f.read("/f"); got != "alive" {
				t.Fatalf("it is %q", got)
			}
			time.Sleep(time.Second)
		}
		equal(t, "on b", b.read("/f"), "alive")
	})
}

// TestPutAtTwo: two front ends store a new file at once, each on another
// endpoint.
func TestPutAtTwo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", nil), newSite("b", nil)
		h := &hub{}
		one, two := newFront(t, h, nil, a, b), newFront(t, h, nil, b, a)
		slow, body := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			_, err := one.w.Put(t.Context(), "/f", slow, write.File{Size: 3, Client: nobody})
			ended <- err
		}()
		io.WriteString(body, "on")
		equal(t, "the second", kind(two.put("/f", "two")), "done")
		io.WriteString(body, "e")
		body.Close()
		equal(t, "the first", kind(<-ended), "done")
		time.Sleep(30 * time.Second)
		if got := a.read("/f") + b.read("/f"); got != "-"+one.read("/f") && got != one.read("/f")+"-" {
			t.Errorf("there is %q, seen is %q", got, one.read("/f"))
		}
		equal(t, "both front ends", one.read("/f"), two.read("/f"))
	})
}

// TestMoveAtTwo: two front ends move different files to one name.
func TestMoveAtTwo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/x": "1"}), newSite("b", map[string]string{"/y": "2"})
		h := &hub{}
		one, two := newFront(t, h, nil, a, b), newFront(t, h, nil, a, b)
		a.Inject(faults.Rule{Op: "move", Delay: time.Second, Times: 1})
		ended := make(chan string, 1)
		go func() { ended <- one.move("/x", "/f", true) }()
		time.Sleep(100 * time.Millisecond)
		second := two.move("/y", "/f", true)
		t.Logf("first %s, second %s", <-ended, second)
		time.Sleep(30 * time.Second)
		if x, y := a.read("/f"), b.read("/f"); x != "-" && y != "-" && x != y {
			t.Errorf("two contents: %q and %q", x, y)
		}
	})
}

// TestStale: what another front end has done has not been heard of. What is
// changed on is what the storages say, not what is remembered of them.
func TestStale(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/kept": "old"}), newSite("b", nil)
		one, deaf := newFront(t, &hub{}, nil, a, b), newFront(t, &hub{}, nil, b, a)
		equal(t, "before", deaf.read("/new")+" "+deaf.read("/kept"), "absent old")
		time.Sleep(time.Second)
		equal(t, "new", kind(one.put("/new", "1")), "done")
		equal(t, "over it", kind(deaf.put("/new", "2")), "done")
		if got := a.read("/new") + b.read("/new"); got != "2-" && got != "-2" {
			t.Errorf("there is %q", got)
		}
		equal(t, "another", kind(one.put("/kept", "another")), "done")
		equal(t, "gone", kind(deaf.remove("/kept")), "done")
		equal(t, "from a", a.read("/kept"), "-")
	})
}

// TestKilledBetween: a front end is killed when the new file is there and the
// old one not yet gone elsewhere. Whoever goes on brings that to its end.
func TestKilledBetween(t *testing.T) {
	for _, what := range []string{"put", "move"} {
		bubble(t, func(t *testing.T) {
			a, b := newSite("a", map[string]string{"/f": "old", "/g": "new"}), newSite("b", map[string]string{"/f": "old"})
			h := &hub{}
			one, two := newFront(t, h, nil, a, b), newFront(t, h, nil, a, b)
			// All that one does from the moment on in which a has the new file
			// comes to nothing, as if it had been killed.
			op := map[string]string{"put": "store", "move": "move"}[what]
			ctx, kill := context.WithCancel(t.Context())
			a.Inject(faults.Rule{Op: op, Done: true, Hang: true, Times: 1})
			ended := make(chan error, 1)
			go func() {
				if what == "put" {
					_, err := one.w.Put(ctx, "/f", strings.NewReader("new"), write.File{Size: 3, Client: nobody})
					ended <- err
				} else {
					_, err := one.w.Move(ctx, "/g", "/f", true, nobody, anything)
					ended <- err
				}
			}()
			time.Sleep(time.Second)
			equal(t, what+": on a", a.read("/f"), "new")
			h.mu.Lock()
			h.front = h.front[1:]
			h.mu.Unlock()
			one.w.Close()
			time.Sleep(time.Minute)
			if x, y := a.read("/f"), b.read("/f"); x != y && x != "-" && y != "-" {
				t.Errorf("%s: two contents: %q, %q; seen is %q", what, x, y, two.read("/f"))
			}
			kill()
			t.Logf("%s ends: %v", what, <-ended)
		})
	}
}

// TestInBetween: a file of that name comes into being after it was looked for.
// Who has not asked that nothing be there is not told that something is.
func TestInBetween(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newSite("a", map[string]string{"/g": "moved"})
		h := &hub{}
		one, two := newFront(t, h, nil, a), newFront(t, h, nil, a)
		for _, first := range []string{"store", "move"} {
			a.Inject(faults.Rule{Op: first, Delay: time.Second, Times: 1})
			ended := make(chan string, 1)
			go func() {
				if first == "store" {
					ended <- kind(one.put("/stored", "1"))
				} else {
					ended <- one.move("/g", "/moved", true)
				}
			}()
			time.Sleep(100 * time.Millisecond)
			equal(t, "two", kind(two.put(map[string]string{"store": "/stored", "move": "/moved"}[first], "2")), "done")
			if got := <-ended; got != "done" && got != "replaced" {
				t.Errorf("%s: %s", first, got)
			}
		}
	})
}

// TestMoveOverSilent: a file is moved over one of which a copy is on an
// endpoint that is down. It does not come back with that.
func TestMoveOverSilent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/f": "old", "/g": "new"}), newSite("b", map[string]string{"/f": "old"})
		f := newFront(t, &hub{}, nil, a, b)
		b.Inject(faults.Rule{Fail: plugins.Unavailable})
		f.read("/none")
		moved := f.move("/g", "/f", true)
		b.Heal()
		time.Sleep(time.Minute)
		want := "oldold" // where it was refused
		if moved == "replaced" {
			want = "new-"
		}
		equal(t, moved, a.read("/f")+b.read("/f"), want)
	})
}

// TestBuriedWhileWritten: the dead copy is being removed while a new file takes
// its place. It is the dead one that goes.
func TestBuriedWhileWritten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tree := map[string]string{"/f": "old"}
		a, b := newSite("a", tree), newSite("b", tree)
		f := newFront(t, &hub{}, nil, b, a)
		b.Inject(faults.Rule{Fail: plugins.Unavailable})
		f.read("/none")
		equal(t, "b may have one", kind(f.remove("/f")), "done")
		b.Heal()
		b.Inject(faults.Rule{Op: "remove", Path: faults.Exactly("/f"), Delay: 10 * time.Second, Times: 1})
		for f.list("/") != "" || b.read("/f") != "old" {
			time.Sleep(100 * time.Millisecond)
			if b.read("/f") == "-" {
				t.Fatal("it has gone before")
			}
		}
		time.Sleep(6 * time.Second) // now it is being removed
		equal(t, "meanwhile", kind(f.put("/f", "new")), "done")
		time.Sleep(30 * time.Second)
		equal(t, "seen, b, a", f.read("/f")+" "+b.read("/f")+a.read("/f"), "new new-")
	})
}

// TestAsideIsPutBack: a front end has died while a file was aside to be looked
// at. It is put back, unless it is the dead one or a newer one is in its place, and
// nothing stays. Its grave may be no more: there was nothing in its place.
func TestAsideIsPutBack(t *testing.T) {
	const at = "/.canopy-uploads/0-aside-x"
	for name, c := range map[string]struct {
		there string // what is in its place
		note  string
		until time.Duration
		want  string // in its place, and aside
	}{
		"gone":             {"", `{"endpoint":%d,"own":%q,"at":%q,"until":%d}`, -1, "alive-"},
		"a newer one":      {"newer", `{"endpoint":%d,"own":%q,"at":%q,"until":%d}`, -1, "newer-"},
		"a dead one":       {"", `{"endpoint":%d,"own":%q,"at":%q,"until":%d,"grave":{"path":"L2Y","endpoint":%[1]d,"since":%[4]d}}`, -1, "--"},
		"another one":      {"", `{"endpoint":%d,"own":%q,"at":%q,"until":%d,"grave":{"path":"L2Y","endpoint":%[1]d,"since":1}}`, -1, "alive-"},
		"nobody has died":  {"", `{"endpoint":%d,"own":%q,"at":%q,"until":%d}`, time.Hour, "-alive"},
		"not one of ours":  {"", `{"endpoint":%d,"own":%q,"at":"L2ctZQ","x":%q,"until":%d}`, -1, "-alive"},
		"another endpoint": {"", `{"endpoint":1%d,"own":%q,"at":%q,"until":%d}`, -1, "-alive"},
	} {
		bubble(t, func(t *testing.T) {
			tree := map[string]string{at: "alive"}
			if c.there != "" {
				tree["/f"] = c.there
			}
			a := newSite("a", tree)
			text := func(p string) string { return base64.RawStdEncoding.EncodeToString([]byte(p)) }
			id := a.endpoint(t).ID
			h := &hub{kept: map[string][]byte{
				"aside " + at: fmt.Appendf(nil, c.note, id, text("/f"), text(at), time.Now().Add(c.until).UnixNano()),
			}}
			newFront(t, h, func(s *write.Settings) { s.Cleanup = time.Second }, a)
			time.Sleep(time.Minute)
			equal(t, name, a.read("/f")+a.read(at), c.want)
			if left, _ := h.All(t.Context()); (len(left) == 0) != strings.HasSuffix(c.want, "-") {
				t.Errorf("%s: in the ledger %q", name, left)
			}
		})
	}
}

// TestAnotherIsPutBack: what lies where something dead is to be removed turns
// out to be another file in the moment in which it goes.
func TestAnotherIsPutBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tree := map[string]string{"/f": "old"}
		a, b := newSite("a", tree), newSite("b", tree)
		h := &hub{}
		f := newFront(t, h, nil, b, a)
		b.Inject(faults.Rule{Fail: plugins.Unavailable})
		f.read("/none")
		equal(t, "b may have one", kind(f.remove("/f")), "done")
		b.Heal()
		asked := make(chan struct{})
		b.Inject(faults.Rule{Op: "move", Delay: 5 * time.Second, Times: 1, Path: func(p string) bool {
			if p == "/f" {
				close(asked)
			}
			return p == "/f"
		}})
		<-asked // it was the dead one
		b.tree.Put("/f", mem.File{Content: "alive", ModTime: time.Now()})
		time.Sleep(time.Minute)
		equal(t, "b, a, seen", b.read("/f")+a.read("/f")+" "+f.read("/f"), "alive- alive")
		if left, _ := h.All(t.Context()); len(left) > 0 {
			t.Errorf("in the ledger %q", left)
		}
	})
}

// TestWrittenIntoBuriedTree: a directory was deleted while an endpoint was
// down, and a new file is put into it there. What was in it does not come back.
func TestWrittenIntoBuriedTree(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tree := map[string]string{"/d/old": "old", "/d/e/older": "old"}
		a, b := newSite("a", nil), newSite("b", tree)
		f := newFront(t, &hub{}, func(s *write.Settings) { s.MakeParents = true }, b, a)
		a.tree.Put("/d/a", mem.File{Content: "a"})
		b.Inject(faults.Rule{Fail: plugins.Unavailable})
		f.read("/none")
		equal(t, "b may have it", kind(f.remove("/d")), "done")
		b.Heal()
		for f.list("/") != "" { // but for b
			time.Sleep(time.Millisecond)
		}
		equal(t, "not removed yet", b.read("/d/old"), "old")
		equal(t, "put", kind(f.put("/d/new", "new")), "done")
		equal(t, "seen", f.list("/d")+" "+f.read("/d/old")+" "+f.read("/d/e/older"), "new absent absent")
		equal(t, "on b", b.read("/d/new")+b.read("/d/old")+b.read("/d/e/older"), "new--")
	})
}

// TestAliveInBuriedTree: somebody has put files into a directory at its storage
// since it was deleted. They stay, however deep.
func TestAliveInBuriedTree(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newSite("b", map[string]string{"/d/old": "old", "/d/e/f/old": "old", "/d/g/old": "old"})
		f := newFront(t, &hub{}, nil, newSite("a", map[string]string{"/d/a": "a"}), b)
		b.Inject(faults.Rule{Fail: plugins.Unavailable})
		f.read("/none")
		equal(t, "b may have it", kind(f.remove("/d")), "done")
		time.Sleep(2 * time.Second)
		b.tree.Put("/d/e/f/new", mem.File{Content: "new", ModTime: time.Now()})
		b.Heal()
		time.Sleep(time.Minute)
		equal(t, "on b", b.read("/d/old")+b.read("/d/e/f/old")+b.read("/d/g")+b.read("/d/e/f/new"), "---new")
		equal(t, "seen", f.read("/d/e/f/new")+" "+f.list("/d"), "new e")
	})
}

// astray is a storage of which a listing has a name that leads out of the directory.
type astray struct {
	*mem.Endpoint
	dir, name string
}

func (a astray) List(ctx context.Context, path string) iter.Seq2[plugins.Entry, error] {
	return func(yield func(plugins.Entry, error) bool) {
		if path == a.dir && !yield(plugins.Entry{Name: a.name, Kind: plugins.Directory}, nil) {
			return
		}
		for e, err := range a.Endpoint.List(ctx, path) {
			if !yield(e, err) {
				return
			}
		}
	}
}

// TestNamesAstray: what a storage calls the children of a dead directory leads to
// nothing that lives.
func TestNamesAstray(t *testing.T) {
	for _, name := range []string{"..", "../keep", "/keep", ".", ""} {
		bubble(t, func(t *testing.T) {
			b := newSite("b", map[string]string{"/d/e/old": "old", "/keep/it": "it"})
			b.Endpoint = faults.New(astray{b.tree, "/d/e", name})
			f := newFront(t, &hub{}, nil, newSite("a", map[string]string{"/d/a": "a"}), b)
			b.Inject(faults.Rule{Fail: plugins.Unavailable})
			f.read("/none")
			equal(t, "b may have it", kind(f.remove("/d")), "done")
			b.Heal()
			time.Sleep(time.Minute)
			equal(t, "on b", b.read("/keep/it"), "it")
			equal(t, "seen", f.read("/keep/it")+" "+f.read("/d"), "it absent")
		})
	}
}

// TestWithoutEnd: a directory that holds itself is neither removed nor copied, and ends
// nothing else.
func TestWithoutEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := newSite("a", map[string]string{"/d/f": "1", "/e/": ""})
		a.Endpoint = faults.New(&endless{Endpoint: a.tree})
		f := newFront(t, &hub{}, func(s *write.Settings) { s.Most = 1e6 }, a)
		equal(t, "removed", kind(f.remove("/d")), "invalid")
		_, err := f.w.Copy(t.Context(), "/d", "/e/d", false, true, nobody, func(string) error { return nil })
		equal(t, "copied", kind(err), "invalid")
		equal(t, "still there", a.read("/d/f"), "1")
	})
}

// endless has every directory below /d hold itself.
type endless struct{ *mem.Endpoint }

func (e *endless) real(path string) string {
	for strings.HasPrefix(path, "/d/d") {
		path = path[2:]
	}
	return path
}

func (e *endless) Stat(ctx context.Context, path string) (plugins.Entry, error) {
	return e.Endpoint.Stat(ctx, e.real(path))
}

func (e *endless) List(ctx context.Context, path string) iter.Seq2[plugins.Entry, error] {
	path = e.real(path)
	return astray{e.Endpoint, "/d", "d"}.List(ctx, path)
}

// TestPutIntoVanishingDirectory: a file comes into a dead directory in the
// moment in which that is removed, or a directory is made anew in its place.
func TestPutIntoVanishingDirectory(t *testing.T) {
	for _, after := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			b := newSite("b", map[string]string{"/d/old": "old"})
			h := &hub{}
			f := newFront(t, h, nil, newSite("a", map[string]string{"/d/a": "a"}), b)
			b.Inject(faults.Rule{Fail: plugins.Unavailable})
			f.read("/none")
			equal(t, "b may have it", kind(f.remove("/d")), "done")
			b.Heal()
			b.Inject(faults.Rule{Op: "move", Delay: time.Second, Times: 1, Path: func(p string) bool {
				if p == "/d" && b.read("/d/new") == "-" {
					b.tree.Put("/d/new", mem.File{Content: "new", ModTime: time.Now()})
				}
				return p == "/d"
			}})
			if after {
				b.Inject(faults.Rule{Op: "list", Path: func(p string) bool {
					if strings.Contains(p, "-aside-") {
						b.tree.Put("/d/newer", mem.File{Content: "newer", ModTime: time.Now()})
					}
					return false
				}})
			}
			time.Sleep(time.Minute)
			want := "new newer"
			if !after {
				want = "new"
			}
			equal(t, "seen", f.list("/d"), want)
			equal(t, "on b", b.read("/d/new"), "new")
			if left, _ := h.All(t.Context()); len(left) > 0 {
				t.Errorf("in the ledger %q", left)
			}
		})
	}
}

// TestMadeDirectoryIsThere: a directory was absent, as all front ends know, and
// is made for a file. Nobody goes on believing that it is absent.
func TestMadeDirectoryIsThere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", nil), newSite("b", nil)
		h := &hub{}
		grid := func(s *write.Settings) { s.MakeParents = true }
		one, two := newFront(t, h, grid, a, b), newFront(t, h, grid, a, b)
		equal(t, "before", one.read("/d")+" "+one.read("/d/e"), "absent absent")
		equal(t, "put", kind(two.put("/d/e/f", "new")), "done")
		a.Inject(faults.Rule{Fail: plugins.Unavailable})
		one.read("/none")
		equal(t, "the file", one.read("/d/e/f"), "unknown")
		equal(t, "its directory", one.read("/d/e"), "unknown")
		equal(t, "that above", one.read("/d"), "unknown")
	})
}

// TestMovedWhileAsked: a file comes to one endpoint after that was asked, and
// goes from another before that has answered. It was there all the time.
func TestMovedWhileAsked(t *testing.T) {
	for name, look := range map[string]func(*front) string{
		"read": func(f *front) string { return f.read("/f") },
		"move": func(f *front) string { return f.move("/f", "/h", false) },
	} {
		bubble(t, func(t *testing.T) {
			a, b := newSite("a", map[string]string{"/f": "old"}), newSite("b", map[string]string{"/g": "new"})
			h := &hub{}
			one, two := newFront(t, h, nil, a, b), newFront(t, h, nil, a, b)
			a.Inject(faults.Rule{Op: "stat", Path: faults.Exactly("/f"), Delay: time.Second, Times: 1})
			said := make(chan string)
			go func() { said <- look(one) }()
			time.Sleep(500 * time.Millisecond)
			go two.move("/g", "/f", true)
			if got := <-said; got == "absent" {
				t.Errorf("%s: %s", name, got)
			}
		})
	}
}

// TestManyAskMeanwhile: while a file is written each who reads asks for himself. What the
// slow ones learn in the end is remembered by nobody, however many came after them.
func TestManyAskMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", nil), newSite("b", nil)
		f := newFront(t, &hub{}, nil, a, b)
		a.Inject(faults.Rule{Op: "store", Delay: 300 * time.Millisecond})
		var wg sync.WaitGroup
		wg.Go(func() { equal(t, "stored", kind(f.put("/f", "1")), "done") })
		time.Sleep(100 * time.Millisecond)
		b.Inject(faults.Rule{Op: "stat", Delay: 2 * time.Second, Times: 3})
		for range 3 {
			wg.Go(func() { f.read("/f") })
		}
		wg.Wait()
		equal(t, "read", f.read("/f"), "1")
	})
}
