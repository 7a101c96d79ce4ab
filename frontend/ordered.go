package frontend

import (
	"fmt"
	"iter"
	"runtime/debug"
	"sync"

	"canopy/federator"
)

// atOnce is how many paths of one request are looked up at the same time.
const atOnce = 64

// ordered yields f of each item, in their order, computing n at a time. When
// the loop ends early it waits for those that have begun.
func ordered[T, R any](items iter.Seq[T], n int, f func(T) R) iter.Seq[R] {
	return func(yield func(R) bool) {
		var wg sync.WaitGroup
		defer wg.Wait()
		// A ring of results to come: begun counts those that were put in,
		// taken those that were yielded.
		ring := make([]chan R, n)
		for i := range ring {
			ring[i] = make(chan R, 1)
		}
		begun, taken := 0, 0
		for item := range items {
			if begun-taken == n {
				if !yield(<-ring[taken%n]) {
					return
				}
				taken++
			}
			into := ring[begun%n]
			wg.Go(func() { into <- f(item) })
			begun++
		}
		for ; taken < begun; taken++ {
			if !yield(<-ring[taken%n]) {
				return
			}
		}
	}
}

// place is where a path was found to be.
type place struct {
	path string
	d    *federator.Decision
	err  error
}

// locate finds one of many paths. It runs in a goroutine of its own, where a
// panic would end the process.
func (x *exchange) locate(path string, need federator.Need) (p place) {
	p.path = path
	defer func() {
		if fault := recover(); fault != nil {
			x.h.log.Error("panic", "request", x.ID, "path", path, "panic", fault, "stack", string(debug.Stack()))
			p.err = fmt.Errorf("panic: %v", fault)
		}
	}()
	if p.err = x.allow(Read, path); p.err == nil {
		p.d, p.err = x.h.options.Federator.Locate(x.Request.Context(), path, need, &x.client)
	}
	return p
}
