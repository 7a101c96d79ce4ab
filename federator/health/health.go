// Package health is the state of one endpoint: up, slow, down or draining.
//
// What real requests meet and what probes find feed the same State:
//
//   - A refused or cut connection takes the endpoint down at once.
//   - A question without an answer makes it slow as soon as it is overdue
//     (State.Overdue), and down after two in a row (Hangs).
//   - A fault of the storage itself (5xx, nonsense) may concern one path
//     only, so it asks for a probe; two failed probes take the endpoint down.
//   - Any answer, a refusal of credentials included, is life: it makes a slow
//     endpoint up again. A down endpoint is brought back by a probe only, so
//     that no client is the one to find out.
//   - A file that cannot be opened in time, and a file or a listing that breaks
//     off, may be a matter of that path (a bad disk, a tape), so it only asks
//     for a probe.
//   - Before a client is turned away because an endpoint is down, and when
//     another front end has found that its condition changed, it is probed
//     without waiting for the time of the next probe (State.Recheck, Doubt).
//
// A State outlives the configuration that made it: it is kept by the
// endpoint's identity, so that a reload does not forget who is failing.
package health

import (
	"sync"
	"sync/atomic"
	"time"

	"canopy/plugins"
)

// Condition is what an endpoint can be counted on for.
type Condition uint8

// The conditions, from best to worst.
const (
	// Up: it answers.
	Up Condition = iota
	// Slow: a question is overdue; nobody waits for it longer than the grace.
	Slow
	// Down: it is not asked but by probes.
	Down
)

// String returns "up", "slow" or "down".
func (c Condition) String() string { return [...]string{"up", "slow", "down"}[c] }

// Hangs is how many questions in a row may go unanswered before an endpoint
// is down.
const Hangs = 2

// State is the health of one endpoint. It is safe for concurrent use.
type State struct {
	condition atomic.Uint32
	draining  atomic.Bool
	recovered atomic.Uint32
	since     atomic.Int64 // when the condition last changed, Unix nanoseconds

	// changed is told after every change of condition, outside the lock.
	changed func()
	// wanted asks whoever probes to do so soon, urgent to do so now; they
	// never block.
	wanted, urgent chan struct{}

	mu     sync.Mutex
	awaits chan struct{} // closed at the end of the next probe to begin; nil if nobody awaits it
	hangs  int
	faults int
	last   string // why the condition is what it is, for people
	usual  [classes]estimate
}

// New returns the state of an endpoint that is taken to be up until something
// else is known. changed is called after every change of condition and may be
// called concurrently; now is in Unix nanoseconds.
func New(now int64, changed func()) *State {
	s := &State{changed: changed, wanted: make(chan struct{}, 1), urgent: make(chan struct{}, 1)}
	s.since.Store(now)
	return s
}

// Condition returns the present condition.
func (s *State) Condition() Condition { return Condition(s.condition.Load()) }

// Draining reports whether an operator has taken the endpoint out of the
// choice: it is still asked, and offered only where nobody else is.
func (s *State) Draining() bool { return s.draining.Load() }

// Drain sets or lifts that.
func (s *State) Drain(on bool) {
	if s.draining.Swap(on) != on {
		s.changed()
	}
}

// Recoveries counts how often the endpoint came back from down. Whoever
// remembers a silence remembers this number with it, so that the silence is
// forgotten when the endpoint is back.
func (s *State) Recoveries() uint32 { return s.recovered.Load() }

// Since returns when the condition last changed, in Unix nanoseconds.
func (s *State) Since() int64 { return s.since.Load() }

// Reason says in a few words why the condition is what it is; "" when up.
func (s *State) Reason() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// ProbeWanted is signalled when a probe should be made before its time.
func (s *State) ProbeWanted() <-chan struct{} { return s.wanted }

func (s *State) wantProbe() {
	select {
	case s.wanted <- struct{}{}:
	default:
	}
}

// Doubt asks for a probe soon: somebody else has found the endpoint to be
// otherwise.
func (s *State) Doubt() { s.wantProbe() }

// Recheck asks for a probe at once, and returns a channel that is closed when
// one that began after the call has ended. There is always such a one while
// the endpoint is watched.
func (s *State) Recheck() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.awaits == nil {
		s.awaits = make(chan struct{})
	}
	select {
	case s.urgent <- struct{}{}:
	default:
	}
	return s.awaits
}

// probing tells that a probe begins, and returns what is to be called at its
// end.
func (s *State) probing() (ended func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.awaits
	s.awaits = nil
	return func() {
		if c != nil {
			close(c)
		}
	}
}

// Class is a sort of question, for what is usual differs between them.
type Class uint8

// The classes: a question about one path, the start of a listing, and the
// opening of a file, which may have to come from tape.
const (
	Stat Class = iota
	List
	Open
	classes
)

// Answered records that the endpoint answered a real question within took,
// kind being that of its error or 0. now is in Unix nanoseconds.
func (s *State) Answered(class Class, kind plugins.Kind, took time.Duration, now int64) {
	switch {
	case kind == plugins.Canceled || kind == plugins.Busy || kind == plugins.Unsupported || kind == plugins.Invalid:
		return
	case kind == plugins.Unavailable:
		s.set(Down, "connection refused or cut", now)
		s.wantProbe()
	case kind == plugins.Timeout && class != Open:
		s.hung(now)
	case kind.Silent():
		s.wantProbe()
	default:
		s.mu.Lock()
		s.hangs = 0
		s.measure(class, took)
		s.mu.Unlock()
		s.turn(Slow, Up, "", now)
	}
}

// Broke records that the endpoint broke off in the middle of a file or of a
// listing.
func (s *State) Broke() { s.wantProbe() }

// Overdue records that a question has been out longer than is usual.
func (s *State) Overdue(now int64) {
	if s.turn(Up, Slow, "answers are overdue", now) {
		s.wantProbe()
	}
}

// Hung reports whether the last question that ended did so without an answer.
func (s *State) Hung() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hangs > 0
}

func (s *State) hung(now int64) {
	s.mu.Lock()
	s.hangs++
	down := s.hangs >= Hangs
	s.mu.Unlock()
	if down {
		s.set(Down, "no answer in time", now)
	} else {
		s.turn(Up, Slow, "no answer in time", now)
	}
	s.wantProbe()
}

// Probed records the outcome of a probe: kind is that of its error, or 0.
func (s *State) Probed(kind plugins.Kind, took time.Duration, now int64) {
	switch {
	case kind == plugins.Canceled:
	case kind == plugins.Unavailable:
		s.set(Down, "connection refused or cut", now)
	case kind == plugins.Timeout:
		s.hung(now)
	case kind.Silent():
		s.mu.Lock()
		s.faults++
		down := s.faults >= Hangs
		s.mu.Unlock()
		if down {
			s.set(Down, "probes fail at the storage", now)
		}
	default:
		s.mu.Lock()
		s.hangs, s.faults = 0, 0
		s.measure(Stat, took)
		s.mu.Unlock()
		s.set(Up, "", now)
	}
}

// measure takes the time of an answer into account. What an endpoint in
// trouble takes says little of what is usual, so it counts for no more than
// twice what was granted: an outage is forgotten soon, and an endpoint that
// has become slower for good is believed after a few answers. s.mu is held.
func (s *State) measure(class Class, took time.Duration) {
	e := &s.usual[class]
	if granted := e.patience(); granted > 0 && s.Condition() != Up {
		took = min(took, 2*granted)
	}
	e.add(took)
}

// set makes the condition c, whatever it was.
func (s *State) set(c Condition, why string, now int64) {
	s.mu.Lock()
	changed := s.become(c, why, now)
	s.mu.Unlock()
	if changed {
		s.changed()
	}
}

// turn makes the condition c if it is from, and reports whether it was: what
// was found in the meantime is not undone.
func (s *State) turn(from, c Condition, why string, now int64) bool {
	s.mu.Lock()
	is := s.Condition() == from
	changed := is && s.become(c, why, now)
	s.mu.Unlock()
	if changed {
		s.changed()
	}
	return is
}

// become changes the condition and reports whether it was another. s.mu is
// held.
func (s *State) become(c Condition, why string, now int64) bool {
	old := s.Condition()
	s.last = why
	if old == c {
		return false
	}
	if old == Down {
		s.recovered.Add(1)
	}
	s.since.Store(now)
	s.condition.Store(uint32(c))
	return true
}

// Latency returns the usual time of an answer, 0 when nothing was measured.
func (s *State) Latency(class Class) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usual[class].mean
}

// Patience returns how long an answer of this class may take before it is
// overdue, 0 when nothing was measured.
func (s *State) Patience(class Class) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usual[class].patience()
}
