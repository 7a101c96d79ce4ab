package federator_test

import (
	"context"
	"iter"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"canopy/federator"
	"canopy/federator/record"
	"canopy/plugins"
	"canopy/plugins/plugintest/mem"
)

// reload puts other endpoints in force.
func reload(t *testing.T, f *federator.Federator, endpoints ...federator.Endpoint) {
	t.Helper()
	if err := f.Reload(t.Context(), settings(), endpoints); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func TestWhatAnEndpointHadGoesWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/d/on-a": "1"}), newSite("b", map[string]string{"/d/on-b": "1", "/f": "1"})
		f := federate(t, settings(), nil, a, b)
		time.Sleep(time.Second)
		listing(t, f, "/d")
		equal(t, "before", verdict(f, "/f")+" "+verdict(f, "/d/on-b"), "file file")
		reload(t, f, a.endpoint(t))
		names, missing := listing(t, f, "/d")
		equal(t, "after", names+missing, "on-a")
		equal(t, "after", verdict(f, "/f")+" "+verdict(f, "/d/on-b"), "absent absent")
		reload(t, f, a.endpoint(t), newSite("b", map[string]string{"/d/on-b": "1"}).endpoint(t))
		equal(t, "when it has come back", verdict(f, "/d/on-b"), "file")
	})
}

// TestClosedEndpointsAreNotRead: a decision may be older than the endpoints
// of now.
func TestClosedEndpointsAreNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := newSite("a", map[string]string{"/f": "content"})
		f := federate(t, settings(), nil, old)
		d, err := f.Locate(t.Context(), "/f", federator.All, nobody)
		if err != nil {
			t.Fatal(err)
		}
		other := newSite("a", map[string]string{"/f": "content"})
		reload(t, f, other.endpoint(t, func(e *federator.Endpoint) { e.Fingerprint = "other credentials" }))
		if !old.closed.Load() {
			t.Fatal("the old one is open")
		}
		reads := 0
		other.Endpoint.Put("/f", mem.File{Content: "content"})
		c, err := f.Open(t.Context(), d, 0, plugins.Whole)
		if err == nil {
			reads++
			c.Close()
		}
		equal(t, "reads", reads, 1)
		if _, err := f.Digest(t.Context(), d, "md5"); err != nil {
			t.Error(err)
		}
		reload(t, f)
		if _, err := f.Open(t.Context(), d, 0, plugins.Whole); err == nil {
			t.Error("it is read from an endpoint that is gone")
		}
		if _, err := f.Open(t.Context(), d, 7, plugins.Whole); err == nil {
			t.Error("there is no eighth replica")
		}
	})
}

func TestCloseWaitsForWhatIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite("a", map[string]string{"/f": "content"})
		f := federator.New(federator.Bounds{Entries: 10, Bytes: 1 << 20}, nil, federator.Outside{})
		if err := f.Reload(t.Context(), settings(), []federator.Endpoint{s.endpoint(t)}); err != nil {
			t.Fatal(err)
		}
		d, err := f.Locate(t.Context(), "/f", federator.All, nobody)
		if err != nil {
			t.Fatal(err)
		}
		c, err := f.Open(t.Context(), d, 0, plugins.Whole)
		if err != nil {
			t.Fatal(err)
		}
		closed := make(chan error)
		go func() { closed <- f.Close() }()
		synctest.Wait()
		if s.closed.Load() {
			t.Error("closed while it is read from")
		}
		c.Close()
		if err := <-closed; err != nil || !s.closed.Load() {
			t.Errorf("closed %t, %v", s.closed.Load(), err)
		}
	})
}

// TestForgottenWhileAsked: what was asked before a path changed must not be
// remembered after it.
func TestForgottenWhileAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := delayed("a", 100*time.Millisecond, files(1)), delayed("b", time.Second, files(1))
		f := federate(t, settings(), nil, a, b)
		time.Sleep(2 * time.Second)
		go f.Lookup(t.Context(), "/d/new", federator.All, nobody)
		go func() {
			if d, err := f.List(t.Context(), "/d"); err == nil {
				for range d.Children() {
				}
				d.Close()
			}
		}()
		time.Sleep(500 * time.Millisecond) // a has denied it
		a.Put("/d/new", memFile("1"))
		f.Forget([]string{"e:/d/new", "l:/d"})
		time.Sleep(5 * time.Second)
		equal(t, "once written", verdict(f, "/d/new"), "file")
		names, _ := listing(t, f, "/d")
		equal(t, "listing", names, "f00000 new")

		go f.Lookup(t.Context(), "/d/newer", federator.All, nobody)
		time.Sleep(500 * time.Millisecond)
		a.Put("/d/newer", memFile("1"))
		f.ForgetAll()
		time.Sleep(5 * time.Second)
		equal(t, "when all was forgotten", verdict(f, "/d/newer"), "file")
	})
}

// TestListingLearnsFromLookups: a path and the listing of its parent do not
// contradict each other for longer than it takes to notice.
func TestListingLearnsFromLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite("a", files(3))
		set := settings()
		set.EntryTTL, set.Stale = time.Minute, 0
		f := start(t, set, nil, s.endpoint(t))
		time.Sleep(time.Second)
		equal(t, "early", verdict(f, "/d/f00001"), "file")
		listing(t, f, "/d")
		s.Drop("/d/f00001")
		d, err := f.Locate(t.Context(), "/d/f00000", federator.Best, nobody)
		if err != nil {
			t.Fatal(err)
		}
		s.Drop("/d/f00000")
		if _, err := f.Open(t.Context(), d, 0, plugins.Whole); plugins.KindOf(err) != plugins.NotFound {
			t.Fatal(err)
		}
		synctest.Wait()
		equal(t, "what could not be read", verdict(f, "/d/f00000"), "absent")
		names, missing := listing(t, f, "/d")
		equal(t, "listing", names+missing, "f00001 f00002")
		time.Sleep(31 * time.Second) // the absence is forgotten, the listing is not
		equal(t, "later", verdict(f, "/d/f00000"), "absent")
		s.Put("/d/f00002", memFile("longer"))
		time.Sleep(time.Minute)
		if found, err := f.Lookup(t.Context(), "/d/f00002", federator.First, nobody); err != nil || found.Size() != 6 {
			t.Errorf("size %d, %v", found.Size(), err)
		}
	})
}

// disorder is an endpoint that promises an order of names and does not keep it.
type disorder struct{ *site }

func (d disorder) List(ctx context.Context, p string) iter.Seq2[plugins.Entry, error] {
	return func(yield func(plugins.Entry, error) bool) {
		for _, name := range []string{"b", "c", "a"} {
			if !yield(plugins.Entry{Name: name, Kind: plugins.File, Size: 1}, nil) {
				return
			}
		}
	}
}

func TestDisorderIsNoProofOfAbsence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite("a", map[string]string{"/d/a": "1", "/d/b": "1", "/d/c": "1"})
		e := s.endpoint(t)
		e.Open = func(context.Context) (plugins.Endpoint, error) { return disorder{s}, nil }
		f := start(t, settings(), nil, e)
		time.Sleep(time.Second)
		names, missing := listing(t, f, "/d")
		equal(t, "listing", names+"; "+missing, "b c; a")
		for _, path := range []string{"/d/a", "/d/b", "/d/c"} {
			equal(t, path, verdict(f, path), "file")
		}
	})
}

// TestOfferedIsWhatIsDescribed: where only the lesser of two contents can be
// had, its size is given, too.
func TestOfferedIsWhatIsDescribed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := newSite("a", map[string]string{"/f": "more"}), newSite("b", map[string]string{"/f": "more"}), newSite("c", map[string]string{"/f": "less!"})
		f := federate(t, settings(), nil, a, b, c)
		time.Sleep(time.Second)
		for range 2 {
			d, err := f.Locate(t.Context(), "/f", federator.All, nobody)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "size", d.Size(), 4)
		}
		a.refused.Store(true)
		b.refused.Store(true)
		verdict(f, "/elsewhere")
		for range 2 {
			d, err := f.Locate(t.Context(), "/f", federator.All, nobody)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "offered", order(d), "c")
			equal(t, "its size", d.Size(), 5)
			equal(t, "diverged", len(d.Diverged()), 2)
			text, err := readAll(f, "/f", plugins.Whole)
			if err != nil || text != "less!" {
				t.Errorf("%q, %v", text, err)
			}
		}
	})
}

func TestVirtualBeatsAFileOfItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/f": "1"}), newSite("b", map[string]string{"/grid": "a file", "/other": "1"})
		f := start(t, settings(), nil, a.endpoint(t, mounted(t, "/grid/atlas")), b.endpoint(t))
		time.Sleep(time.Second)
		for _, need := range []federator.Need{federator.First, federator.All, federator.First} {
			found, err := f.Lookup(t.Context(), "/grid", need, nobody)
			if err != nil || found.Kind() != plugins.Directory {
				t.Errorf("%v, %v", found.Kind(), err)
			}
		}
		d, err := f.List(t.Context(), "/")
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		for c := range d.Children() {
			if c.Name == "grid" && c.Kind() == plugins.File {
				t.Error("it is listed as a file")
			}
		}
		names, _ := listing(t, f, "/grid")
		equal(t, "names", names, "atlas")
	})
}

func TestBrokenFilesDoNotTakeTheEndpointDown(t *testing.T) {
	tree := map[string]string{"/f": "0123456789"}
	a := newSite("a", tree)
	broken := a.endpoint(t)
	broken.Open = func(context.Context) (plugins.Endpoint, error) { return short{a}, nil }
	f := start(t, settings(), nil, broken)
	for range 5 {
		if _, err := readAll(f, "/f", plugins.Whole); err == nil {
			t.Fatal("it was read")
		}
		equal(t, "it", f.Endpoints()[0].Condition.String(), "up")
	}
}

// signer gives URLs that end to work.
type signer struct {
	*site
	life time.Duration
}

func (s signer) Locate(p, method string) (plugins.Location, error) {
	l, err := s.site.Endpoint.Locate(p, method)
	l.Expires = time.Now().Add(s.life)
	l.URL += "?expires=" + l.Expires.Format(http.TimeFormat)
	return l, err
}

func TestSignedAddressesAreNotServedWhenTheyExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite("a", map[string]string{"/f": "1"})
		e := s.endpoint(t)
		e.Open = func(context.Context) (plugins.Endpoint, error) { return signer{s, time.Minute}, nil }
		f := start(t, settings(), nil, e)
		time.Sleep(time.Second)
		made := make(map[string]bool)
		for range 600 { // well into the time in which the entry is stale
			d, err := f.Locate(t.Context(), "/f", federator.Best, nobody)
			if err != nil {
				t.Fatal(err)
			}
			url := d.Replicas[0].URL
			at, err := time.Parse(http.TimeFormat, url[len("http://a.example/data/f?expires="):])
			if err != nil {
				t.Fatal(err)
			}
			if left := time.Until(at); left < 29*time.Second {
				t.Fatalf("%v are left of a minute", left)
			}
			made[url] = true
			time.Sleep(3 * time.Second)
		}
		if len(made) > 100 {
			t.Errorf("signed %d times in half an hour", len(made))
		}
	})
}

func TestSharedKnowledgeOfOthersConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &memory{}
		a, b := newSite("a", map[string]string{"/d/on-a": "1"}), newSite("b", map[string]string{"/d/on-b": "1"})
		both := federate(t, settings(), shared, a, b)
		only := federate(t, settings(), shared, a)
		time.Sleep(time.Second)
		listing(t, both, "/d")
		equal(t, "both", verdict(both, "/d/on-b"), "file")
		time.Sleep(time.Second)
		names, missing := listing(t, only, "/d")
		equal(t, "only a", names+missing, "on-a")
		equal(t, "only a", verdict(only, "/d/on-b"), "absent")
	})
}

func TestSharedClockAheadDoesNotOutliveItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sets record.Coverages
		ahead := time.Now().Add(24 * time.Hour).UnixNano()
		r := &record.Record{Coverage: sets.Of([]record.ID{id("a")}), Asked: true}
		r.Facts = record.Agree([]record.Replica{{Endpoint: id("a"), Kind: plugins.File, Size: 9, Learned: ahead}})
		shared := &memory{m: map[string][]byte{"e:/f": record.AppendRecord(nil, r, ahead)}}
		f := federate(t, settings(), shared, newSite("a", nil))
		time.Sleep(time.Second)
		equal(t, "at first", verdict(f, "/f"), "file")
		shared.Invalidate("e:/f")
		time.Sleep(10*time.Minute + time.Second)
		verdict(f, "/f")
		time.Sleep(time.Second)
		equal(t, "when it was asked for", verdict(f, "/f"), "absent")
	})
}
