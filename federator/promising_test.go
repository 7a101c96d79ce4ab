package federator_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"canopy/federator"
	"canopy/federator/choice"
	"canopy/federator/health"
)

// TestLastResort: two holders are killed and revived one after the other. At
// no time is the file without a live replica, and at no time is a client told
// so, although the first is still believed to be down when the second dies.
func TestLastResort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", files(2)), newSite("b", files(2))
		f := federate(t, settings(), nil, a, b)
		time.Sleep(time.Second)
		ask := func(when string) {
			t.Helper()
			d, err := f.Locate(t.Context(), "/d/f00001", federator.Best, nobody)
			if err != nil {
				t.Fatalf("%s: %v", when, err)
			}
			for _, p := range d.Replicas {
				if s := map[string]*site{"a": a, "b": b}[p.Endpoint]; s.refused.Load() {
					t.Errorf("%s: a client is sent to %s, which is dead", when, p.Endpoint)
				}
			}
		}
		ask("at first")
		for range 20 {
			for _, s := range []*site{a, b} {
				s.refused.Store(true)

				verdict(f, "/d/none") // finds out
				f.Forget([]string{"e:/d/none"})
				ask("with one dead")
				time.Sleep(3 * time.Second) // probes are rare by now
				s.refused.Store(false)
				other := a
				if s == a {
					other = b
				}
				other.refused.Store(true)
				verdict(f, "/d/none")
				f.Forget([]string{"e:/d/none"})
				ask("with the other dead and the first just back")
				other.refused.Store(false)
				time.Sleep(30 * time.Second)
			}
		}
	})
}

// TestLastResortIsShort: nobody waits for endpoints that are down for longer
// than for a better replica, and a refused connection costs nothing.
func TestLastResortIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newSite("a", files(2))
		f := federate(t, settings(), nil, a)
		time.Sleep(time.Second)
		equal(t, "before", verdict(f, "/d/f00001"), "file")
		for _, freeze := range []bool{false, true} {
			a.refused.Store(!freeze)
			a.frozen.Store(freeze)
			time.Sleep(time.Minute) // longer than it takes to see it
			began := time.Now()
			d, err := f.Locate(t.Context(), "/d/f00001", federator.Best, nobody)
			var unknown *federator.Unknown
			if !errors.As(err, &unknown) || d == nil || len(d.Replicas) > 0 {
				t.Fatalf("%v, %v", d, err)
			}
			if took := time.Since(began); took > settings().Grace {
				t.Errorf("frozen %v: it took %v", freeze, took)
			}
			reasons := f.Explain(d, nobody)
			if len(reasons) != 1 || reasons[0].Refused == "" || reasons[0].Place != 0 {
				t.Errorf("explained as %+v", reasons)
			}
		}
	})
}

// TestFrontEndsTellEachOtherOfHealth: what one front end meets has the others
// look for themselves, long before their next probe.
func TestFrontEndsTellEachOtherOfHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &memory{}
		a := newSite("a", files(2))
		one := federate(t, settings(), shared, a)
		two := federate(t, settings(), shared, a)
		shared.tell = func(keys []string) {
			one.Forget(keys)
			two.Forget(keys)
		}
		time.Sleep(time.Second)
		for _, c := range []struct {
			refused bool
			want    health.Condition
		}{{true, health.Down}, {false, health.Up}} {
			a.refused.Store(c.refused)
			one.Forget([]string{"e:/d/f00000", "l:/d"})
			verdict(one, "/d/f00000") // meets it
			time.Sleep(300 * time.Millisecond)
			equal(t, "one", one.Endpoints()[0].Condition, c.want)
			equal(t, "two", two.Endpoints()[0].Condition, c.want)
		}
	})
}

// TestTheOnlyAnswerDies: who has the file dies after saying so, while the
// other one who has it is about to answer.
func TestTheOnlyAnswerDies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", files(2)), newSite("b", files(2))
		f := federate(t, settings(), nil, a, b)
		time.Sleep(time.Second)
		b.delay.Store(int64(settings().Grace + 20*time.Millisecond))
		go func() {
			time.Sleep(settings().Grace / 2)
			a.refused.Store(true)
			verdict(f, "/d/none") // finds out
		}()
		began := time.Now()
		d, err := f.Locate(t.Context(), "/d/f00001", federator.Best, &choice.Client{Place: nobody.Place, Prefer: []string{"b"}})
		if err != nil {
			t.Fatalf("after %v: %v", time.Since(began), err)
		}
		equal(t, "replicas", len(d.Replicas), 1)
		equal(t, "from", d.Replicas[0].Endpoint, "b")
	})
}
