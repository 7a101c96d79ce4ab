package health_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"canopy/federator/health"
	"canopy/plugins"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// event is something that happens to an endpoint, and what it is then.
type event struct {
	what string
	do   func(*health.State)
	want health.Condition
}

func answered(kind plugins.Kind) func(*health.State) {
	return func(s *health.State) { s.Answered(health.Stat, kind, time.Millisecond, 1) }
}

func probed(kind plugins.Kind) func(*health.State) {
	return func(s *health.State) { s.Probed(kind, time.Millisecond, 1) }
}

func TestCondition(t *testing.T) {
	overdue := func(s *health.State) { s.Overdue(1) }
	for name, events := range map[string][]event{
		"answers": {
			{"found", answered(0), health.Up}, {"not found", answered(plugins.NotFound), health.Up},
			{"denied", answered(plugins.Denied), health.Up}, {"busy", answered(plugins.Busy), health.Up},
		},
		"refused at once": {
			{"refused", answered(plugins.Unavailable), health.Down},
			{"an answer that was under way", answered(0), health.Down},
			{"a probe", probed(0), health.Up},
		},
		"hangs": {
			{"overdue", overdue, health.Slow}, {"timeout", answered(plugins.Timeout), health.Slow},
			{"again", answered(plugins.Timeout), health.Down}, {"probe hangs", probed(plugins.Timeout), health.Down},
			{"probe denied", probed(plugins.Denied), health.Up},
		},
		"a hang between answers": {
			{"timeout", answered(plugins.Timeout), health.Slow}, {"answer", answered(plugins.NotFound), health.Up},
			{"timeout", answered(plugins.Timeout), health.Slow}, {"answer", answered(0), health.Up},
		},
		"overdue and then answered": {{"overdue", overdue, health.Slow}, {"answer", answered(0), health.Up}},
		"faults of one path": {
			{"fault", answered(plugins.Faulty), health.Up}, {"nonsense", answered(plugins.Malformed), health.Up},
			{"fault", answered(plugins.Faulty), health.Up}, {"probe", probed(plugins.NotFound), health.Up},
		},
		"faults of all": {
			{"probe fails", probed(plugins.Faulty), health.Up}, {"again", probed(plugins.Faulty), health.Down},
			{"works", probed(0), health.Up},
		},
		"the caller's own doing": {
			{"canceled", answered(plugins.Canceled), health.Up}, {"probe canceled", probed(plugins.Canceled), health.Up},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := health.New(0, func() {})
			for i, e := range events {
				e.do(s)
				if got := s.Condition(); got != e.want {
					t.Fatalf("after %s (number %d) it is %v, want %v", e.what, i, got, e.want)
				}
				if (s.Condition() == health.Up) != (s.Reason() == "") {
					t.Errorf("%v because of %q", s.Condition(), s.Reason())
				}
			}
		})
	}
}

// TestLateNewsUndoNothing: what two questions find at the same time never
// brings an endpoint back that a third has found to be down.
func TestLateNewsUndoNothing(t *testing.T) {
	for range 2000 {
		s := health.New(0, func() {})
		s.Overdue(1)
		var wg sync.WaitGroup
		wg.Go(func() { s.Answered(health.Stat, 0, time.Millisecond, 1) })
		wg.Go(func() { s.Overdue(1) })
		wg.Go(func() { s.Answered(health.Stat, plugins.Unavailable, 0, 1) })
		wg.Wait()
		if s.Condition() != health.Down {
			t.Fatalf("it is %v", s.Condition())
		}
	}
}

func TestFilesThatCannotBeReadAskForAProbe(t *testing.T) {
	s := health.New(0, func() {})
	for range 5 {
		s.Answered(health.Open, plugins.Timeout, time.Second, 1)
		s.Broke()
	}
	if s.Condition() != health.Up || s.Hung() {
		t.Errorf("it is %v", s.Condition())
	}
	select {
	case <-s.ProbeWanted():
	default:
		t.Error("no probe is asked for")
	}
	s.Answered(health.Open, 0, time.Minute, 1) // from tape
	if s.Latency(health.Stat) != 0 {
		t.Error("files are taken to be like lookups")
	}
	s.Answered(health.Stat, plugins.Timeout, time.Second, 1)
	if !s.Hung() || s.Condition() != health.Slow {
		t.Errorf("after a hang it is %v", s.Condition())
	}
}

func TestProberWithoutATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := health.New(0, func() {})
		var probes atomic.Int32
		ctx, cancel := context.WithCancel(t.Context())
		p := health.Prober{State: s, Ask: func(context.Context) error { probes.Add(1); return nil }}
		go p.Run(ctx)
		time.Sleep(25 * time.Second)
		cancel()
		synctest.Wait()
		if n := probes.Load(); n != 3 || s.Condition() != health.Up {
			t.Errorf("%d probes in 25 s, %v", n, s.Condition())
		}
	})
}

// TestRecheck: whoever waits learns of a probe that began after the question,
// soon, and probes are not made one upon another for it.
func TestRecheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := health.New(0, func() {})
		var probes atomic.Int32
		var refused atomic.Bool
		refused.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		p := health.Prober{State: s, Every: time.Minute, Ask: func(context.Context) error {
			probes.Add(1)
			was := refused.Load()
			time.Sleep(10 * time.Millisecond)
			if was {
				return &plugins.Error{Kind: plugins.Unavailable}
			}
			return nil
		}}
		go p.Run(ctx)
		time.Sleep(2 * time.Millisecond)
		one, two := s.Recheck(), s.Recheck()
		refused.Store(false) // too late for the probe under way
		began := time.Now()
		<-one
		<-two
		if took := time.Since(began); took > 40*time.Millisecond || s.Condition() != health.Up || probes.Load() != 2 {
			t.Errorf("after %v and %d probes it is %v", took, probes.Load(), s.Condition())
		}
		for range 10 {
			<-s.Recheck()
		}
		if took := time.Since(began); took < 300*time.Millisecond || took > 340*time.Millisecond {
			t.Errorf("ten more took %v", took)
		}
		cancel()
		synctest.Wait()
	})
}

func TestChangesAreTold(t *testing.T) {
	told := 0
	s := health.New(0, func() { told++ })
	for _, do := range []func(*health.State){answered(0), answered(plugins.Unavailable), answered(plugins.Unavailable), probed(0), probed(0)} {
		do(s)
	}
	s.Drain(true)
	s.Drain(true)
	s.Drain(false)
	if told != 4 || s.Recoveries() != 1 || s.Since() != 1 {
		t.Errorf("told %d times, %d recoveries, since %d", told, s.Recoveries(), s.Since())
	}
}

func TestPatience(t *testing.T) {
	s := health.New(0, func() {})
	if s.Patience(health.Stat) != 0 || s.Latency(health.List) != 0 {
		t.Error("something is known before anything was measured")
	}
	for range 100 {
		s.Answered(health.Stat, 0, 10*time.Millisecond, 1)
	}
	if p := s.Patience(health.Stat); p < 60*time.Millisecond || p > 62*time.Millisecond {
		t.Errorf("patience of %v with an endpoint that takes 10 ms", p)
	}
	if s.Patience(health.List) != 0 {
		t.Error("listings are taken to be like lookups")
	}
	// An outage says little of what is usual.
	s.Overdue(1)
	s.Answered(health.Stat, 0, time.Hour, 1)
	if l := s.Latency(health.Stat); l > 30*time.Millisecond {
		t.Errorf("after an outage it is said to take %v", l)
	}
	// One that is slower for good is believed in the end.
	for range 100 {
		s.Overdue(1)
		s.Answered(health.Stat, 0, time.Second, 1)
	}
	if p := s.Patience(health.Stat); p < time.Second {
		t.Errorf("patience of %v with an endpoint that takes a second", p)
	}
}

func TestProber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := health.New(0, func() {})
		var probes []time.Duration
		start := time.Now()
		var err atomic.Pointer[plugins.Error]
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		p := health.Prober{State: s, Every: 10 * time.Second, Timeout: time.Second, Ask: func(ctx context.Context) error {
			probes = append(probes, time.Since(start))
			if e := err.Load(); e != nil {
				return e
			}
			return nil
		}}
		go p.Run(ctx)
		time.Sleep(25 * time.Second) // at 0, 10 and 20
		err.Store(&plugins.Error{Kind: plugins.Unavailable})
		time.Sleep(6 * time.Second) // fails at 30; then at 30.25, 30.75
		err.Store(nil)
		time.Sleep(20 * time.Second) // 31.75 finds it up; then 41.75
		s.Answered(health.Stat, plugins.Faulty, 0, 1)
		time.Sleep(5 * time.Second) // asked for at once
		cancel()
		synctest.Wait()
		want := []time.Duration{0, 10e9, 20e9, 30e9, 30.25e9, 30.75e9, 31.75e9, 41.75e9, 51e9}
		if len(probes) != len(want) {
			t.Fatalf("probes at %v", probes)
		}
		for i := range want {
			if probes[i] != want[i] {
				t.Errorf("probe %d at %v, want %v", i, probes[i], want[i])
			}
		}
	})
}

func TestProbeThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := health.New(0, func() {})
		ctx, cancel := context.WithCancel(t.Context())
		p := health.Prober{State: s, Every: 10 * time.Second, Timeout: time.Second, Ask: func(ctx context.Context) error {
			<-ctx.Done()
			return plugins.Fail("probe", "/", ctx.Err())
		}}
		go p.Run(ctx)
		time.Sleep(1500 * time.Millisecond)
		if c := s.Condition(); c != health.Slow {
			t.Errorf("after one timeout it is %v", c)
		}
		time.Sleep(time.Second)
		if c := s.Condition(); c != health.Down {
			t.Errorf("after two timeouts it is %v", c)
		}
		cancel()
		synctest.Wait()
	})
}
