package federator_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"canopy/federator"
	"canopy/plugins"
)

func delayed(name string, d time.Duration, tree map[string]string) *site {
	s := newSite(name, tree)
	s.delay.Store(int64(d))
	return s
}

// four are endpoints at 5, 20, 50 and 100 ms, each with one file of its own.
func four() []*site {
	return []*site{
		delayed("a", 5*time.Millisecond, map[string]string{"/d/on-a": "1", "/d/both": "1"}),
		delayed("b", 20*time.Millisecond, map[string]string{"/d/on-b": "1"}),
		delayed("c", 50*time.Millisecond, map[string]string{"/d/on-c": "1"}),
		delayed("d", 100*time.Millisecond, map[string]string{"/d/on-d": "1", "/d/both": "1"}),
	}
}

func TestColdLookupCostsOneTripToTheNearestHolder(t *testing.T) {
	for _, c := range []struct {
		path string
		took time.Duration
	}{
		{"/d/on-a", 5 * time.Millisecond},
		{"/d/both", 5 * time.Millisecond},
		{"/d/on-b", 20 * time.Millisecond},
		{"/d/on-c", 50 * time.Millisecond},
		{"/d/on-d", 100 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := federate(t, settings(), nil, four()...)
			time.Sleep(3 * time.Second) // probes have measured all
			began := time.Now()
			if _, err := f.Locate(t.Context(), c.path, federator.Best, nobody); err != nil {
				t.Fatal(err)
			}
			equal(t, c.path, time.Since(began), c.took)
		})
	}
}

func TestLateAnswersFillTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sites := four()
		f := federate(t, settings(), nil, sites...)
		time.Sleep(3 * time.Second)
		d, err := f.Locate(t.Context(), "/d/both", federator.Best, nobody)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "at first", order(d), "a")
		time.Sleep(time.Second)
		began := time.Now()
		d, err = f.Locate(t.Context(), "/d/both", federator.Best, nobody)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "later", order(d), "a d")
		equal(t, "time", time.Since(began), 0)
		for _, s := range sites {
			equal(t, "questions to "+s.name, s.stats.Load(), 1)
		}
	})
}

func TestManyCallersOneQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sites := four()
		f := federate(t, settings(), nil, sites...)
		time.Sleep(3 * time.Second)
		at(100, func(int) {
			if _, err := f.Locate(t.Context(), "/d/both", federator.Best, nobody); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Second)
		for _, s := range sites {
			equal(t, "questions to "+s.name, s.stats.Load(), 1)
		}
	})
}

func TestOneCallerLeavesOthersStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := delayed("a", time.Second, map[string]string{"/f": "1"})
		f := federate(t, settings(), nil, s)
		at(10, func(i int) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			if i%2 == 0 {
				ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
			}
			defer cancel()
			_, err := f.Locate(ctx, "/f", federator.Best, nobody)
			if (i%2 == 0) != (err == context.DeadlineExceeded) {
				t.Errorf("caller %d: %v", i, err)
			}
		})
		equal(t, "questions", s.stats.Load(), 1)
		equal(t, "canceled", s.canceled.Load(), 0)
	})
}

func TestNobodyWaitsNobodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := delayed("a", time.Second, map[string]string{"/f": "1"})
		f := federate(t, settings(), nil, s)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := f.Locate(ctx, "/f", federator.Best, nobody); err != context.DeadlineExceeded {
			t.Error(err)
		}
		synctest.Wait()
		equal(t, "canceled", s.canceled.Load(), 1)
		equal(t, "after it", verdict(f, "/f"), "file")
	})
}

func TestAbsentIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sites := four()
		f := federate(t, settings(), nil, sites...)
		time.Sleep(time.Second)
		equal(t, "first", verdict(f, "/d/none"), "absent")
		equal(t, "again", verdict(f, "/d/none"), "absent")
		equal(t, "questions", sites[0].stats.Load(), 1)
		sites[0].Put("/d/none", memFile("1"))
		time.Sleep(31 * time.Second)
		equal(t, "when it has come", verdict(f, "/d/none"), "file")
	})
}

func TestTimeoutIsNeverAbsence(t *testing.T) {
	for _, c := range []struct {
		policy federator.Doubt
		want   string // while the silent endpoint is in doubt
		late   string // long after
	}{
		{federator.Evidence, "unknown for b", "absent but for b"},
		{federator.AlwaysUnavailable, "unknown for b", "unknown for b"},
		{federator.AlwaysAbsent, "absent but for b", "absent but for b"},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, b := newSite("a", files(1)), newSite("b", map[string]string{"/only-b": "1"})
			s := settings()
			s.Unknown = c.policy
			f := federate(t, s, nil, a, b)
			time.Sleep(time.Second)
			b.frozen.Store(true)
			equal(t, "at first", verdict(f, "/only-b"), c.want)
			equal(t, "again", verdict(f, "/only-b"), c.want)
			time.Sleep(time.Minute)
			equal(t, "a minute later", verdict(f, "/only-b"), c.late)
			b.frozen.Store(false)
			time.Sleep(11 * time.Second) // the next probe
			equal(t, "when it is back", verdict(f, "/only-b"), "file")
		})
	}
}

func TestEvidenceOutlivesTheDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", files(1)), newSite("b", map[string]string{"/known": "1", "/dir/listed": "1"})
		f := federate(t, settings(), nil, a, b)
		time.Sleep(time.Second)
		equal(t, "known", verdict(f, "/known"), "file")
		names, _ := listing(t, f, "/dir")
		equal(t, "listing", names, "listed")
		b.refused.Store(true)
		time.Sleep(15 * time.Minute) // fresh no more, down for long
		for _, path := range []string{"/known", "/dir/listed"} {
			_, err := f.Locate(t.Context(), path, federator.Best, nobody)
			if _, ok := err.(*federator.Unknown); !ok {
				t.Errorf("%s: %v", path, err)
			}
		}
		equal(t, "never seen", verdict(f, "/never"), "absent but for b")
		b.refused.Store(false)
		time.Sleep(11 * time.Second)
		equal(t, "never seen, and all can be asked", verdict(f, "/never"), "absent")
		if _, err := f.Locate(t.Context(), "/known", federator.Best, nobody); err != nil {
			t.Error(err)
		}
	})
}

func TestDeniedLeavesItOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", files(1)), newSite("b", nil)
		b.fault.Store(&plugins.Error{Kind: plugins.Denied})
		f := federate(t, settings(), nil, a, b)
		time.Sleep(time.Second)
		equal(t, "path", verdict(f, "/x"), "absent but for b")
		equal(t, "held elsewhere", verdict(f, "/d/f00000"), "file")
		for _, s := range f.Endpoints() {
			equal(t, s.Name, s.Condition.String(), "up")
		}
		verdict(f, "/x")
		synctest.Wait()
		equal(t, "a refusal is not asked for again at once", b.stats.Load(), 2)
	})
}

func TestFrozenEndpointCostsTheGraceOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		frozen := delayed("frozen", time.Millisecond, files(20))
		held := delayed("held", 10*time.Millisecond, files(20))
		f := federate(t, settings(), nil, frozen, held)
		time.Sleep(3 * time.Second)
		frozen.frozen.Store(true)
		took := func(path string) time.Duration {
			began := time.Now()
			d, err := f.Locate(t.Context(), path, federator.Best, nobody)
			if err != nil {
				t.Fatal(err)
			}
			if order(d) != "held" {
				t.Errorf("%s offers %s", path, order(d))
			}
			return time.Since(began)
		}
		if d := took("/d/f00000"); d > 60*time.Millisecond {
			t.Errorf("the first lookup took %v", d)
		}
		time.Sleep(100 * time.Millisecond)
		equal(t, "the second", took("/d/f00001"), 10*time.Millisecond)
		time.Sleep(11 * time.Second)
		asked := frozen.stats.Load()
		equal(t, "when it is down", took("/d/f00002"), 10*time.Millisecond)
		equal(t, "questions to an endpoint that is down", frozen.stats.Load(), asked)
		frozen.frozen.Store(false)
		time.Sleep(5 * time.Minute) // until probes show it to be as quick as it was
		d, err := f.Locate(t.Context(), "/d/f00003", federator.Best, nobody)
		if err != nil {
			t.Fatal(err)
		}
		if order(d) != "frozen" && order(d) != "frozen held" {
			t.Errorf("back again, it is %s", order(d))
		}
	})
}

func TestRefusedConnectionTakesTheEndpointOutAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", files(3)), newSite("b", files(3))
		f := federate(t, settings(), nil, a, b)
		time.Sleep(2 * time.Second)
		names, _ := listing(t, f, "/d")
		equal(t, "listing", names, "f00000 f00001 f00002")
		a.refused.Store(true)
		verdict(f, "/elsewhere") // meets the refusal
		synctest.Wait()
		for range 20 {
			d, err := f.Locate(t.Context(), "/d/f00001", federator.Best, nobody)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "offered", order(d), "b")
		}
		b.refused.Store(true)
		verdict(f, "/elsewhere2")
		_, err := f.Locate(t.Context(), "/d/f00001", federator.Best, nobody)
		if u, ok := err.(*federator.Unknown); !ok || len(u.Missing) != 2 {
			t.Errorf("with no live replica: %v", err)
		}
	})
}

func TestOpeningAfterListingAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", files(50)), newSite("b", files(30))
		f := federate(t, settings(), nil, a, b)
		time.Sleep(2 * time.Second)
		if names, missing := listing(t, f, "/d"); len(names) != 50*7-1 || missing != "" {
			t.Errorf("%q %q", names, missing)
		}
		for _, name := range []string{"f00000", "f00029", "f00049"} {
			if _, err := f.Locate(t.Context(), "/d/"+name, federator.Best, nobody); err != nil {
				t.Error(err)
			}
		}
		equal(t, "not in the listing", verdict(f, "/d/none"), "absent")
		equal(t, "questions", a.stats.Load()+b.stats.Load(), 0)
	})
}
