package redis

import (
	"testing"
	"time"
)

// fixed is a clock that stands still.
func fixed() time.Time { return time.Unix(1_700_000_000, 0) }

func TestWindow(t *testing.T) {
	const us, ms = time.Microsecond, time.Millisecond
	for _, tc := range []struct {
		name     string
		budget   time.Duration
		observed []time.Duration
		min, max time.Duration
	}{
		{"nothing known", 5 * ms, nil, 5 * ms, 5 * ms},
		{"fast", 5 * ms, []time.Duration{50 * us, 60 * us, 40 * us}, ms, ms},
		{"usual", 5 * ms, []time.Duration{300 * us, 310 * us}, 2400 * us, 2500 * us},
		{"slow", 5 * ms, []time.Duration{2 * ms}, 5 * ms, 5 * ms},
		{"frozen once", 5 * ms, []time.Duration{time.Hour}, 5 * ms, 5 * ms},
		{"small budget", 500 * us, []time.Duration{us}, 500 * us, 500 * us},
		{"a peak counts at once", 9 * ms, []time.Duration{100 * us, 900 * us}, 4 * ms, 4100 * us},
		{"and for a while", 9 * ms, []time.Duration{100 * us, 900 * us, 100 * us, 100 * us}, 3700 * us, 4 * ms},
		{"no time at all", 5 * ms, []time.Duration{0, -1}, ms, ms},
	} {
		b := breaker{budget: tc.budget}
		for _, d := range tc.observed {
			b.observe(d)
		}
		if got := b.window(); got < tc.min || got > tc.max {
			t.Errorf("%s: %v, want %v to %v", tc.name, got, tc.min, tc.max)
		}
	}
}

func TestBlame(t *testing.T) {
	const ms = time.Millisecond
	b := breaker{budget: 5 * ms}
	if !b.blames(ms, ms) || !b.blames(2*ms-1, ms) {
		t.Error("a wait that ended in time is forgiven")
	}
	for range 2 {
		for i := range excuses {
			if b.blames(2*ms, ms) {
				t.Errorf("late wait %d is held against the server", i)
			}
		}
		if !b.blames(2*ms, ms) {
			t.Error("forgiven for ever")
		}
		b.observe(ms)
	}
}

func TestPhases(t *testing.T) {
	var b breaker
	if b.phase() != nil || b.trip(nil) {
		t.Error("a new breaker is in use")
	}
	one := b.reset(fixed(), 7)
	if b.phase() != one || one.generation != 7 {
		t.Errorf("phase %+v", b.phase())
	}
	if !b.trip(one) || b.trip(one) {
		t.Error("a phase ends once")
	}
	<-one.over
	two := b.reset(fixed(), 8)
	if b.trip(one) || b.phase() != two {
		t.Error("a failure of an earlier phase ended this one")
	}
}

func TestPause(t *testing.T) {
	const ms = pause(time.Millisecond)
	var got []pause
	for p, i := pause(0), 0; i < 9; i++ {
		p = p.longer()
		got = append(got, p)
	}
	want := []pause{10 * ms, 20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 640 * ms, 1000 * ms, 1000 * ms}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("pauses %v, want %v", got, want)
		}
	}
	if p := pause(640 * ms).after(time.Minute); p != 10*ms {
		t.Errorf("after a minute of use: %v", p)
	}
	if p := pause(40 * ms).after(time.Second); p != 80*ms {
		t.Errorf("after a second of use: %v", p)
	}
}
