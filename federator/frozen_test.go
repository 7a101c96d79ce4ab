package federator_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"canopy/federator"
	"canopy/nametrans"
	"canopy/plugins"
)

// six are endpoints at 5 to 30 ms; each of n files is on two of the first
// five, and the sixth has all of them.
func six(n int) []*site {
	trees := make([]map[string]string, 6)
	for i := range trees {
		trees[i] = map[string]string{"/d/": ""}
	}
	for i := range n {
		path := fmt.Sprintf("/d/f%05d", i)
		trees[i%5][path], trees[(i+2)%5][path], trees[5][path] = "x", "x", "x"
	}
	var sites []*site
	for i, tree := range trees {
		sites = append(sites, delayed(fmt.Sprint("s", i), time.Duration(5*i+5)*time.Millisecond, tree))
	}
	return sites
}

// lookups locates n files, the first being number from, each after the other,
// and returns the 99th percentile of what that took beyond the distance of the
// nearest holder that is well.
func lookups(t *testing.T, f *federator.Federator, sites []*site, from, n int) time.Duration {
	t.Helper()
	var took []time.Duration
	for i := from; i < from+n; i++ {
		nearest := time.Hour
		for _, k := range []int{i % 5, (i + 2) % 5, 5} {
			if s := sites[k]; !s.frozen.Load() && !s.refused.Load() {
				nearest = min(nearest, time.Duration(s.delay.Load()))
			}
		}
		began := time.Now()
		d, err := f.Locate(t.Context(), fmt.Sprintf("/d/f%05d", i), federator.Best, nobody)
		if err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began)-nearest)
		if len(d.Replicas) == 0 {
			t.Fatal("nothing is offered")
		}
	}
	slices.Sort(took)
	return took[n*99/100]
}

func TestOneOfSixFrozen(t *testing.T) {
	for _, i := range []int{0, 5} { // the nearest, and the farthest
		synctest.Test(t, func(t *testing.T) {
			sites := six(3000)
			f := federate(t, settings(), nil, sites...)
			time.Sleep(3 * time.Second)
			equal(t, "while all are well", lookups(t, f, sites, 0, 1000), 0)
			frozen := sites[i]
			frozen.frozen.Store(true)
			began := time.Now()
			if at := lookups(t, f, sites, 1000, 1000); at > settings().Grace {
				t.Errorf("with %s frozen at first: %v more", frozen.name, at)
			}
			for f.Endpoints()[i].Condition.String() != "down" {
				time.Sleep(100 * time.Millisecond)
			}
			if took := f.Endpoints()[i].Since.Sub(began); took > 10*time.Second+300*time.Millisecond {
				t.Errorf("%s is down after %v", frozen.name, took)
			}
			synctest.Wait()
			asked := frozen.stats.Load()
			equal(t, "when it is known to be down", lookups(t, f, sites, 2000, 1000), 0)
			equal(t, "questions to it", frozen.stats.Load(), asked)
			frozen.frozen.Store(false)
			time.Sleep(11 * time.Second)
			equal(t, "when it is back", f.Endpoints()[i].Condition.String(), "up")
		})
	}
}

func TestOneOfSixRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sites := six(2000)
		f := federate(t, settings(), nil, sites...)
		time.Sleep(3 * time.Second)
		equal(t, "while all are well", lookups(t, f, sites, 0, 1000), 0)
		sites[5].refused.Store(true)
		equal(t, "with one refused", lookups(t, f, sites, 1000, 1000), 0)
		equal(t, "it", f.Endpoints()[5].Condition.String(), "down")
	})
}

// TestAWordOverdueIsWaitedFor: an answer that takes a little longer than usual
// is no reason to turn a client away whose file nobody else has.
func TestAWordOverdueIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", files(1)), delayed("b", time.Millisecond, map[string]string{"/only": "1"})
		f := federate(t, settings(), nil, a, b)
		time.Sleep(3 * time.Second)
		b.delay.Store(int64(700 * time.Millisecond))
		began := time.Now()
		equal(t, "only", verdict(f, "/only"), "file")
		equal(t, "after", time.Since(began), 700*time.Millisecond)
	})
}

func TestALargeDirectoryIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/d/a": "1", "/small/x": "1"}), newSite("b", map[string]string{"/d/b": "1", "/small/y": "1"})
		large := b.endpoint(t)
		large.Open = func(context.Context) (plugins.Endpoint, error) { return slowLister{b}, nil }
		f := start(t, settings(), nil, a.endpoint(t), large)
		time.Sleep(time.Second)
		for range 3 {
			listing(t, f, "/small") // how long listings take is known
			time.Sleep(6*time.Minute + time.Hour)
		}
		names, missing := listing(t, f, "/d")
		equal(t, "names", names, "a b")
		equal(t, "missing", missing, "")
	})
}

// slowLister takes its time for /d, and is well.
type slowLister struct{ *site }

func (s slowLister) List(ctx context.Context, p string) iter.Seq2[plugins.Entry, error] {
	return func(yield func(plugins.Entry, error) bool) {
		if p == "/d" {
			time.Sleep(3 * time.Second)
		}
		s.site.List(ctx, p)(yield)
	}
}

func TestASilenceEndsWithTheHush(t *testing.T) {
	for _, c := range []struct {
		kind  plugins.Kind
		hush  time.Duration
		first string
	}{
		{plugins.Busy, 5 * time.Second, "unknown for b"},
		{plugins.Faulty, 5 * time.Second, "unknown for b"},
		{plugins.Timeout, 5 * time.Second, "unknown for b"},
		{plugins.Malformed, 5 * time.Second, "unknown for b"},
		{plugins.Denied, 30 * time.Second, "absent but for b"},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, b := newSite("a", nil), newSite("b", map[string]string{"/f": "1"})
			f := federate(t, settings(), nil, a, b)
			time.Sleep(time.Second)
			b.fault.Store(&plugins.Error{Kind: c.kind})
			equal(t, c.kind.String()+" at first", verdict(f, "/f"), c.first)
			b.fault.Store(nil)
			time.Sleep(c.hush - time.Second)
			equal(t, c.kind.String()+" before it is asked again", verdict(f, "/f"), c.first)
			equal(t, c.kind.String()+" questions", b.stats.Load(), 1)
			time.Sleep(time.Second)
			equal(t, c.kind.String()+" in the end", verdict(f, "/f"), "file")
		})
	}
}

func TestUnknownDirectories(t *testing.T) {
	for policy, want := range map[federator.Doubt]string{
		federator.Evidence:          `"/x" may be on an endpoint that cannot be asked: b`,
		federator.AlwaysUnavailable: `"/x" may be on an endpoint that cannot be asked: b`,
		federator.AlwaysAbsent:      `"/x" is on none of the endpoints that could be asked; silent: b`,
	} {
		synctest.Test(t, func(t *testing.T) {
			a, b := newSite("a", files(1)), newSite("b", map[string]string{"/x/y": "1"})
			s := settings()
			s.Unknown = policy
			f := federate(t, s, nil, a, b)
			time.Sleep(time.Second)
			b.refused.Store(true)
			got, _ := listing(t, f, "/x")
			equal(t, "listing", got, want)
			names, missing := listing(t, f, "/d")
			equal(t, "of one that is elsewhere", names+"; "+missing, "f00000; b")
		})
	}
}

// TestHalfOfATranslationIsNotTheWhole: an endpoint that shows two of its trees
// as one has answered when both have been listed.
func TestHalfOfATranslationIsNotTheWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for i, size := range []int{1, 2, 3, 1, 2} {
			w.put(multiplied, i, size)
		}
		other := newSite("other", map[string]string{"/d/o": "1", "/e/o": "1"})
		f := start(t, settings(), nil, w.endpoint(t, multiplied), other.endpoint(t))
		time.Sleep(2 * time.Second)
		listing(t, f, "/e")
		time.Sleep(time.Second)
		w.stuck[multiplied].Store(true)
		names, missing := listing(t, f, "/d")
		equal(t, "half of it", names+"; "+missing, "a c o; s3")
		w.stuck[multiplied].Store(false)
		equal(t, "in the other half", verdict(f, "/d/b"), "file")
		time.Sleep(11 * time.Second)
		names, missing = listing(t, f, "/d")
		equal(t, "all of it", names+"; "+missing, "a b c o; ")
		d, err := f.Locate(t.Context(), "/d/b", federator.Best, nobody)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "its URL", d.Replicas[0].URL, "http://s3.example/data/q/d/b")
	})
}

// TestListingSpeaksOnlyOfItsOwn: a rule may put a path elsewhere than where
// its directory is.
func TestListingSpeaksOnlyOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite("a", map[string]string{"/d/plain": "1", "/d/odd.txt": "wrong one", "/text/odd": "1"})
		names, err := nametrans.Compile("/", []nametrans.Rule{{Regexp: `/d/(.*)\.txt`, With: "/text/$1"}})
		if err != nil {
			t.Fatal(err)
		}
		f := start(t, settings(), nil, s.endpoint(t, func(e *federator.Endpoint) { e.Names = names }))
		time.Sleep(time.Second)
		listing(t, f, "/d")
		d, err := f.Locate(t.Context(), "/d/odd.txt", federator.Best, nobody)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "size", d.Size(), 1)
		equal(t, "URL", d.Replicas[0].URL, "http://a.example/data/text/odd")
		s.Put("/text/new", memFile("1"))
		equal(t, "what the listing cannot deny", verdict(f, "/d/new.txt"), "file")
	})
}

// TestDeadSitesFilesAreStillListed: what a silent endpoint had is shown, and
// remains evidence, after its directory was listed again without it.
func TestDeadSitesFilesAreStillListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/d/on-a": "1"}), newSite("b", map[string]string{"/d/on-b": "1"})
		f := federate(t, settings(), nil, a, b)
		time.Sleep(time.Second)
		listing(t, f, "/d")
		b.refused.Store(true)
		time.Sleep(6 * time.Minute)
		listing(t, f, "/d") // stale, and refreshed
		time.Sleep(time.Second)
		names, missing := listing(t, f, "/d")
		equal(t, "refreshed", names+"; "+missing, "on-a on-b; b")
		a.Drop("/d/on-a")
		time.Sleep(6 * time.Minute)
		listing(t, f, "/d")
		time.Sleep(time.Second)
		names, missing = listing(t, f, "/d")
		equal(t, "again", names+"; "+missing, "on-b; b")
		_, err := f.Locate(t.Context(), "/d/on-b", federator.Best, nobody)
		if _, ok := err.(*federator.Unknown); !ok {
			t.Errorf("a file of the dead site: %v", err)
		}
		time.Sleep(2 * time.Hour)
		listing(t, f, "/d")
		time.Sleep(time.Second)
		names, missing = listing(t, f, "/d")
		equal(t, "not for ever", names+"; "+missing, "; b")
	})
}
