package redis

import (
	"sync/atomic"
	"time"
)

const (
	// patience is how many times the usual answer a request waits.
	patience = 8
	// shortest is the least that a request waits: below it, the scheduler
	// would be measured instead of the server.
	shortest = time.Millisecond

	// lateness is how many windows after its beginning a wait may end for
	// the server to be blamed at once. A wait that ends later was held up
	// here: this machine is busy, and the answer may have been too late for
	// no other reason. excuses is how many such waits in a row are forgiven.
	lateness = 2
	excuses  = 8

	// probeFirst and probeLast bound the pause before the server is asked
	// again. It doubles each time.
	probeFirst = 10 * time.Millisecond
	probeLast  = time.Second
	// proven is how long a level must have been in use for its next failure
	// to count as a new one.
	proven = 5 * time.Second
)

// phase is a stretch of time in which the level is in use. over is closed when
// it ends. generation is that of the values that count in it.
type phase struct {
	over       chan struct{}
	began      time.Time
	generation uint64
}

// breaker decides whether the server is asked, and how long an answer may
// take. Its zero value, with a budget, is suspect.
type breaker struct {
	budget  time.Duration
	current atomic.Pointer[phase] // nil: suspect
	usual   atomic.Int64          // nanoseconds; 0: nothing known
	excused atomic.Int32          // waits forgiven since the last answer
}

// phase returns the present phase of use, nil when the level is suspect.
func (b *breaker) phase() *phase { return b.current.Load() }

// trip ends p, and reports false when that has already happened: a failure
// within an earlier phase says nothing about this one.
func (b *breaker) trip(p *phase) bool {
	if p == nil || !b.current.CompareAndSwap(p, nil) {
		return false
	}
	close(p.over)
	return true
}

// reset begins a phase of use.
func (b *breaker) reset(now time.Time, generation uint64) *phase {
	p := &phase{over: make(chan struct{}), began: now, generation: generation}
	b.current.Store(p)
	return p
}

// observe learns how long an answer took. It believes in rising times quickly
// and in falling ones slowly, so that the ordinary peaks of a busy machine are
// part of what is usual. Concurrent observations may lose one another, which
// an average survives.
func (b *breaker) observe(took time.Duration) {
	b.excused.Store(0)
	took = min(max(took, 1), b.budget)
	old := time.Duration(b.usual.Load())
	switch {
	case old == 0:
		old = took
	case took > old:
		old += (took - old + 1) / 2
	default:
		old -= (old - took) / 32
	}
	b.usual.Store(int64(old))
}

// blames is whether a wait in vain, which was to last for window and lasted for
// waited, is held against the server.
func (b *breaker) blames(waited, window time.Duration) bool {
	return waited < lateness*window || b.excused.Add(1) > excuses
}

func (b *breaker) usually() time.Duration { return time.Duration(b.usual.Load()) }

// window is how long a request may wait for an answer now.
func (b *breaker) window() time.Duration {
	usual := b.usually()
	if usual == 0 {
		return b.budget
	}
	return min(max(patience*usual, shortest), b.budget)
}

// pause is the time before the next attempt to use the server again.
type pause time.Duration

// longer returns the pause after another failure.
func (p pause) longer() pause {
	return min(max(2*p, pause(probeFirst)), pause(probeLast))
}

// after returns the pause that follows a phase of use of the given length.
func (p pause) after(used time.Duration) pause {
	if used >= proven {
		return pause(probeFirst)
	}
	return p.longer()
}
