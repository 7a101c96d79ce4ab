package frontend

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"sync"
	"time"

	"canopy/federator"
)

// pause is how long the next result may take before those that are there are
// sent.
const pause = 10 * time.Millisecond

// ordered yields f of each item, in their order, computing as many at a time as
// there is room for, which others may share. It is idle when it has waited for
// a pause. It ends early with ctx. When the loop ends, so has all that was
// begun.
func ordered[T, R any](ctx context.Context, items iter.Seq[T], room chan struct{}, f func(T) R, idle func()) iter.Seq[R] {
	return func(yield func(R) bool) {
		var wg sync.WaitGroup
		defer wg.Wait()
		// A ring of results to come: begun counts those that were put in,
		// taken those that were yielded.
		ring := make([]chan R, cap(room))
		for i := range ring {
			ring[i] = make(chan R, 1)
		}
		begun, taken := 0, 0
		timer := time.NewTimer(pause)
		defer timer.Stop()
		// advance yields the next result, or takes room for one more where
		// there is a place in the ring and more is wanted.
		advance := func(more bool) (entered, ok bool) {
			var next <-chan R
			if taken < begun {
				next = ring[taken%len(ring)]
			}
			var into chan<- struct{}
			if more && begun-taken < len(ring) {
				into = room
			}
			timer.Reset(pause)
			for {
				select {
				case <-ctx.Done():
					return false, false
				case into <- struct{}{}:
					return true, true
				case r := <-next:
					taken++
					return false, yield(r)
				case <-timer.C:
					idle()
				}
			}
		}
		for item := range items {
			for entered := false; !entered; {
				var ok bool
				if entered, ok = advance(true); !ok {
					return
				}
			}
			into := ring[begun%len(ring)]
			wg.Go(func() {
				defer func() { <-room }()
				into <- f(item)
			})
			begun++
		}
		for taken < begun {
			if _, ok := advance(false); !ok {
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
