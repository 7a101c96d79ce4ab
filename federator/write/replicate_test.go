package write_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"canopy/federator"
	"canopy/federator/write"
	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/plugintest/mem"
)

// timeless is a storage that gives every file the time of now, to the second.
type timeless struct{ *mem.Endpoint }

func (e timeless) Store(ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
	u.ModTime = time.Now().Truncate(time.Second)
	return e.Endpoint.Store(ctx, p, content, u)
}

// timelessSite is a site that cannot choose the times of its files.
func timelessSite(name string, tree map[string]string, without ...string) *site {
	s := newSite(name, tree)
	s.Endpoint = faults.New(timeless{s.tree}, without...)
	return s
}

// variants are storages that take copies in different ways.
var variants = map[string]func(name string, tree map[string]string) *site{
	"staged":        func(name string, tree map[string]string) *site { return newSite(name, tree) },
	"staged, now":   func(name string, tree map[string]string) *site { return timelessSite(name, tree) },
	"straight":      func(name string, tree map[string]string) *site { return newSite(name, tree, "move") },
	"straight, now": func(name string, tree map[string]string) *site { return timelessSite(name, tree, "move") },
	"pulled, now":   func(name string, tree map[string]string) *site { return copierSite(name, plugins.Pull, tree) },
	"pushed, now":   func(name string, tree map[string]string) *site { return copierSite(name, plugins.Push, tree) },
}

// replicate makes copies as long as one is wanted, and confirms each a little
// later, as package copies does. It gives up after a minute.
func (f *front) replicate(path string, copies int) {
	began := time.Now()
	var made []*write.Made
	for time.Since(began) < time.Minute {
		copied, err := f.w.Replicate(f.t.Context(), path, copies)
		if copied.Made != nil {
			made = append(made, copied.Made)
		}
		time.Sleep(2 * time.Second)
		var open []*write.Made
		for _, m := range made {
			if f.w.Confirm(f.t.Context(), path, m) != nil {
				open = append(open, m)
			}
		}
		if made = open; err == nil && copied.Enough && len(made) == 0 {
			return
		}
	}
}

func TestReplicate(t *testing.T) {
	for name, site := range variants {
		bubble(t, func(t *testing.T) {
			a, b, c := site("a", nil), site("b", nil), site("c", nil)
			h := &hub{}
			one, two := newFront(t, h, nil, a, b, c), newFront(t, h, nil, a, b, c)
			equal(t, "stored", kind(one.put("/f", "content")), "done")
			if _, err := one.w.Replicate(t.Context(), "/f", 2); !errors.Is(err, write.ErrBusy) {
				t.Errorf("%s: of a file of this second: %v", name, err)
			}
			time.Sleep(4500 * time.Millisecond)
			if err := one.w.Confirm(t.Context(), "/f", &write.Made{}); err != nil {
				t.Error(err)
			}
			copied, err := one.w.Replicate(t.Context(), "/f", 2)
			if err != nil || copied.Made == nil {
				t.Fatalf("%s: %+v, %v", name, copied, err)
			}
			equal(t, name, a.read("/f")+b.read("/f")+c.read("/f"), "contentcontent-")
			d, err := two.f.Locate(t.Context(), "/f", federator.All, nobody)
			if err != nil || len(d.Replicas) != 2 {
				t.Errorf("%s: %+v, %v", name, d, err)
			}
			x, _ := a.tree.Stat(t.Context(), "/f")
			y, _ := b.tree.Stat(t.Context(), "/f")
			if !strings.Contains(name, "now") && !x.ModTime.Equal(y.ModTime) {
				t.Errorf("%s: times are %v and %v", name, x.ModTime, y.ModTime)
			}
			if err := two.w.Confirm(t.Context(), "/f", copied.Made); err != nil {
				t.Error(err)
			}
			copied, err = two.w.Replicate(t.Context(), "/f", 2)
			if err != nil || !copied.Enough {
				t.Errorf("%s: enough: %+v, %v", name, copied, err)
			}
			equal(t, "the ledger", len(h.kept), 0)
			one.replicate("/f", 5)
			equal(t, "as many as there can be", a.read("/f")+b.read("/f")+c.read("/f"), "contentcontentcontent")
			if _, err := one.w.Replicate(t.Context(), "/f", 5); !errors.Is(err, write.ErrNowhere) {
				t.Errorf("%s: more than can be: %v", name, err)
			}
			equal(t, "over it", kind(two.put("/f", "new")), "done")
			equal(t, "one is left", a.read("/f")+b.read("/f")+c.read("/f"), "new--")
			for path, want := range map[string]bool{"/": true, "/none": true} {
				if copied, err := one.w.Replicate(t.Context(), path, 2); err != nil || copied.Enough != want {
					t.Errorf("%s: %s: %+v, %v", name, path, copied, err)
				}
			}
		})
	}
}

// TestStored: every file that comes to be is told of, and no other.
func TestStored(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/d/x": "1"}), newSite("b", nil)
		b.mount = "/b"
		b.tree.Mkdir("/")
		a.access = federator.Redirect
		f := newFront(t, &hub{}, nil, a, b)
		told := func(what, want string) {
			t.Helper()
			f.mu.Lock()
			defer f.mu.Unlock()
			equal(t, what, strings.Join(f.stored, " "), want)
			f.stored = nil
		}
		f.put("/f", "1")
		told("put", "/f")
		f.put("/none/f", "1")
		told("refused", "")
		f.move("/f", "/g", true)
		told("moved", "/g")
		f.move("/g", "/b/g", true)
		told("carried", "/b/g")
		if _, err := f.w.Copy(t.Context(), "/d", "/e", true, true, nobody, anything); err != nil {
			t.Error(err)
		}
		told("copied", "/e/x")
		f.remove("/e")
		told("removed", "")
		if _, carry, err := f.w.Redirect(t.Context(), "/n", write.File{Size: 3, Client: nobody}); carry || err != nil {
			t.Error(carry, err)
		}
		time.Sleep(time.Second)
		told("not yet", "")
		if _, err := a.tree.Store(t.Context(), "/n", strings.NewReader("new"), plugins.Upload{Size: 3}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Second)
		told("sent by a client", "/n")
	})
}

// changes are what somebody else can do to /f, of which the content is old.
var changes = map[string]struct {
	run  func(*front) string
	want string
}{
	"put": {func(f *front) string { return kind(f.put("/f", "new")) }, "new"},
	// Of one size, nothing but its time and tag tells it from the old one.
	"put alike": {func(f *front) string { return kind(f.put("/f", "OLD")) }, "OLD"},
	"remove":    {func(f *front) string { return kind(f.remove("/f")) }, "absent"},
	"move away": {func(f *front) string { return f.move("/f", "/g", false) }, "absent"},
	"move onto": {func(f *front) string { return f.move("/x", "/f", true) }, "moved"},
}

// TestReplicateMeanwhile: another front end, or this one, changes the file at
// every moment of the copying and of what comes after it. In the end there is
// what was acknowledged, and nothing else; and what is gone comes to light
// again at most for the moment in which two front ends do not know of each
// other.
func TestReplicateMeanwhile(t *testing.T) {
	for variant, site := range variants {
		for name, change := range changes {
			for _, same := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%s/%t", variant, name, same), func(t *testing.T) {
					seen, step := 0, 293*time.Millisecond
					if same {
						step *= 3 // they come one after the other
					}
					for offset := time.Duration(0); offset < 5*time.Second; offset += step {
						bubble(t, func(t *testing.T) { seen += meanwhile(t, site, change.run, change.want, same, offset) })
						if t.Failed() {
							t.Fatalf("the change comes %v after the copying has begun", offset)
						}
					}
					t.Logf("the old file came to light at %d moments", seen)
				})
			}
		}
	}
}

// meanwhile runs one such change, offset after the copying has begun, and
// returns how often the old file was seen when it was gone.
func meanwhile(t *testing.T, site func(string, map[string]string) *site, change func(*front) string, want string, same bool, offset time.Duration) (seen int) {
	a, b := site("a", nil), site("b", nil)
	h := &hub{}
	one, two := newFront(t, h, nil, a, b), newFront(t, h, nil, a, b)
	equal(t, "before", kind(one.put("/f", "old"))+kind(one.put("/x", "moved")), "donedone")
	time.Sleep(5 * time.Second)
	for i, s := range []interface{ Inject(faults.Rule) }{a, b} {
		for _, op := range []string{"stat", "open", "store", "move", "remove", "space"} {
			s.Inject(faults.Rule{Op: op, Delay: time.Duration(100+30*i) * time.Millisecond})
		}
	}
	ended := make(chan bool)
	go func() {
		one.replicate("/f", 2)
		close(ended)
	}()
	time.Sleep(offset)
	by := two
	if same {
		by = one
	}
	began := time.Now()
	equal(t, "told", strings.Replace(change(by), "replaced", "done", 1), "done")
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("it takes %v", took)
	}
	for range 60 {
		for _, f := range []*front{one, two} {
			if got := f.read("/f"); got != want {
				if got != "old" {
					t.Fatalf("somebody reads %q", got)
				}
				seen++
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	<-ended
	a.Heal()
	b.Heal()
	time.Sleep(time.Minute)
	for _, f := range []*front{one, two} {
		equal(t, "in the end", f.read("/f"), want)
	}
	content := strings.Replace(want, "absent", "-", 1)
	if x, y := a.read("/f"), b.read("/f"); x != content && x != "-" || y != content && y != "-" || x+y == "--" && content != "-" {
		t.Errorf("there is %q and %q", x, y)
	}
	if len(h.kept) != 0 {
		t.Errorf("the ledger has %q", h.kept)
	}
	for _, s := range []string{a.list(), b.list()} {
		if s != "" {
			t.Errorf("left behind: %s", s)
		}
	}
	return seen
}

// list returns what is in the staging directory.
func (s *site) list() (names string) {
	for e, err := range s.tree.List(context.Background(), "/"+plugins.Staging) {
		if err == nil {
			names += e.Name + " "
		}
	}
	return names
}

// TestReplicateElsewhere: where an endpoint does not take the copy the next one
// does, and one that has a dead copy does not until that has gone.
func TestReplicateElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a, b, c := newSite("a", nil), newSite("b", nil), newSite("c", nil)
		f := newFront(t, &hub{}, nil, a, b, c)
		equal(t, "put", kind(f.put("/full", "1"))+kind(f.put("/buried", "1")), "donedone")
		time.Sleep(3 * time.Second)
		b.Inject(faults.Rule{Op: "store", Fail: plugins.Full})
		f.replicate("/full", 2)
		equal(t, "the next one", a.read("/full")+b.read("/full")+c.read("/full"), "1-1")
		b.Heal()

		f.replicate("/buried", 2)
		equal(t, "on b", b.read("/buried"), "1")
		b.Inject(faults.Rule{Fail: plugins.Unavailable})
		f.read("/none")
		equal(t, "gone", kind(f.remove("/buried")), "failed at b")
		equal(t, "again", kind(f.put("/buried", "2")), "done")
		time.Sleep(3 * time.Second)
		f.replicate("/buried", 3)
		equal(t, "not where it is down", a.read("/buried")+b.read("/buried")+c.read("/buried"), "212")
		b.Heal()
		b.Inject(faults.Rule{Op: "remove", Fail: plugins.Unavailable, Times: 2})
		time.Sleep(15 * time.Second)
		f.replicate("/buried", 3)
		equal(t, "then", a.read("/buried")+b.read("/buried")+c.read("/buried"), "222")
	})
}

// TestReplicateSound: what does not have the checksum that was stated is no
// copy, and the properties of the file are those of its copies.
func TestReplicateSound(t *testing.T) {
	for name, site := range variants {
		bubble(t, func(t *testing.T) {
			a, b := site("a", nil), site("b", nil)
			f := newFront(t, &hub{}, nil, a, b)
			a.tree.Put("/bad", mem.File{Content: "content", ModTime: time.Now().Add(-time.Hour), Digests: []plugins.Digest{{Algorithm: "md5", Sum: "0123456789abcdef"}}})
			a.tree.Put("/good", mem.File{Content: "content", ModTime: time.Now().Add(-time.Hour)})
			author := []plugins.Property{{Name: xml.Name{Space: "urn:x", Local: "author"}, Value: "Ada"}}
			if err := a.tree.SetProperties(t.Context(), "/good", author, nil); err != nil {
				t.Fatal(err)
			}
			if _, err := f.w.Replicate(t.Context(), "/bad", 2); !errors.Is(err, write.ErrChecksum) {
				t.Errorf("%s: %v", name, err)
			}
			time.Sleep(time.Minute)
			equal(t, name, b.read("/bad")+b.list(), "-")
			f.replicate("/good", 2)
			if got, err := b.tree.Properties(t.Context(), "/good", nil); err != nil || len(got) != 1 || got[0] != author[0] {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		})
	}
}

// TestReplicateDies: a front end ends at each step of making a copy. The other
// one sees to it that nothing is left of that, and can make it.
func TestReplicateDies(t *testing.T) {
	for name, site := range variants {
		for _, rule := range []faults.Rule{
			{Op: "store", Hang: true, After: 3}, {Op: "store", Hang: true, Done: true},
			{Op: "move", Hang: true}, {Op: "move", Hang: true, Done: true},
			{Op: "stat", Path: faults.Exactly("/f"), Hang: true},
		} {
			bubble(t, func(t *testing.T) {
				a, b := site("a", nil), site("b", nil)
				h := &hub{}
				one, two := newFront(t, h, func(s *write.Settings) { s.Cleanup = time.Minute }, a, b), newFront(t, h, func(s *write.Settings) { s.Cleanup = time.Minute }, a, b)
				equal(t, "put", kind(one.put("/f", "content")), "done")
				time.Sleep(3 * time.Second)
				rule.Times = 1
				if rule.Op == "stat" {
					// From the moment on in which it is in its place.
					b.Inject(faults.Rule{Op: map[bool]string{true: "store", false: "move"}[strings.HasPrefix(name, "straight")], Delay: time.Second})
				}
				ctx, kill := context.WithCancel(t.Context())
				ended := make(chan bool)
				go func() {
					_, _ = one.w.Replicate(ctx, "/f", 2)
					close(ended)
				}()
				if rule.Op == "stat" {
					time.Sleep(900 * time.Millisecond)
				}
				b.Inject(rule)
				time.Sleep(3 * time.Second)
				kill()
				<-ended
				one.w.Close()
				b.Heal()
				for range 10 {
					time.Sleep(time.Second)
					equal(t, "read", two.read("/f"), "content")
				}
				time.Sleep(10 * time.Minute)
				equal(t, fmt.Sprintf("%s, %+v: left behind", name, rule), b.list(), "")
				two.replicate("/f", 2)
				equal(t, fmt.Sprintf("%s, %+v", name, rule), a.read("/f")+b.read("/f"), "contentcontent")
				time.Sleep(time.Minute)
				equal(t, "the ledger", len(h.kept), 0)
			})
		}
	}
}
