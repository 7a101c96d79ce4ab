package redis

import (
	"sync/atomic"
	"time"
)

// Stats is what a level did since it was opened, and how it is.
type Stats struct {
	// Serving is whether Get asks the server at present.
	Serving bool
	// Subscribed is whether invalidations of other front ends arrive.
	Subscribed bool
	// Usual is how long the server usually takes, seen from a request.
	Usual time.Duration

	// Hits and Misses count keys, a miss being any key without a value.
	Hits, Misses uint64
	// Skipped counts keys that were not asked for, because the level was
	// suspect or too busy or the key was being invalidated; also misses.
	Skipped uint64
	// Corrupt counts values that could not be understood; also misses.
	Corrupt uint64
	// Overdue counts questions given up because of the budget.
	Overdue uint64
	// Suspected counts how often the level went out of use.
	Suspected uint64

	// Written counts values stored, Dropped those given up because too much
	// was waiting, they were too large, or the server went away, and Refused
	// those the server did not take, mostly because it is full.
	Written, Dropped, Refused uint64
	// Invalidated counts keys of Invalidate that were delivered, Heard those
	// that came from other front ends, Malformed messages not understood.
	Invalidated, Heard, Malformed uint64
	// Pending is the number of keys still to be invalidated.
	Pending int
	// Generations counts how often this front end declared all values dead.
	Generations uint64
}

type counters struct {
	subscribed                                       atomic.Bool
	hits, misses, skipped, corrupt, overdue, suspect atomic.Uint64
	written, dropped, refused                        atomic.Uint64
	invalidated, heard, malformed, generations       atomic.Uint64
}

// Stats returns the present figures.
func (l *Level) Stats() Stats {
	c := &l.count
	return Stats{
		Serving:     l.breaker.phase() != nil,
		Subscribed:  c.subscribed.Load(),
		Usual:       l.breaker.usually(),
		Hits:        c.hits.Load(),
		Misses:      c.misses.Load(),
		Skipped:     c.skipped.Load(),
		Corrupt:     c.corrupt.Load(),
		Overdue:     c.overdue.Load(),
		Suspected:   c.suspect.Load(),
		Written:     c.written.Load(),
		Dropped:     c.dropped.Load(),
		Refused:     c.refused.Load(),
		Invalidated: c.invalidated.Load(),
		Heard:       c.heard.Load(),
		Malformed:   c.malformed.Load(),
		Pending:     l.outbox.waiting(),
		Generations: c.generations.Load(),
	}
}
