package limit

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// errFull is the refusal of a gate whose queue has no room.
var errFull = errors.New("too many requests under way and waiting")

// gate lets a number of holders in at once and a number wait, first come first
// served.
type gate struct {
	capacity int
	room     int

	mu      sync.Mutex
	inside  int
	waiting list.List // of chan struct{}, closed to let its owner in
}

// enter waits for a place inside, which leave gives back, and returns how long
// that took. The error is errFull or that of ctx.
func (g *gate) enter(ctx context.Context) (waited time.Duration, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	g.mu.Lock()
	if g.inside < g.capacity {
		g.inside++
		g.mu.Unlock()
		return 0, nil
	}
	if g.waiting.Len() >= g.room {
		g.mu.Unlock()
		return 0, errFull
	}
	turn := make(chan struct{})
	place := g.waiting.PushBack(turn)
	g.mu.Unlock()

	began := time.Now()
	select {
	case <-turn:
		if err := ctx.Err(); err != nil {
			g.leave()
			return 0, err
		}
		return time.Since(began), nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-turn: // just now; somebody else can have it
		g.pass()
	default:
		g.waiting.Remove(place)
	}
	return 0, ctx.Err()
}

// leave gives a place back.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pass()
}

// pass hands a place to the first who waits, so that nobody who comes later
// can slip in between. The lock is held.
func (g *gate) pass() {
	first := g.waiting.Front()
	if first == nil {
		g.inside--
		return
	}
	close(g.waiting.Remove(first).(chan struct{}))
}

// load returns how many are inside and how many wait.
func (g *gate) load() (inside, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside, g.waiting.Len()
}
