package write_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"canopy/federator"
	"canopy/federator/write"
	"canopy/plugins"
	"canopy/plugins/faults"
)

// distant is a cache that front ends share and that is away from them, as that of
// package redis is.
type distant struct {
	lag *lag

	mu     sync.Mutex
	values map[string]kept
	levels []*level
	turns  map[string]bool
}

// Take implements write.Turns. A turn outlasts its owner by five seconds.
func (l *level) Take(ctx context.Context, path string) (release func(), err error) {
	for {
		l.lag.wait()
		l.mu.Lock()
		taken := l.turns[path] || l.dead
		if !taken {
			l.turns[path] = true
		}
		l.mu.Unlock()
		l.lag.wait()
		if !taken {
			break
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	over := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.turns, path)
	}
	return func() {
		l.mu.Lock()
		dead := l.dead
		l.mu.Unlock()
		if dead {
			time.AfterFunc(5*time.Second, over)
		} else {
			over()
		}
	}, nil
}

// Put, Delete and All are the ledger.
func (l *level) Put(ctx context.Context, key string, value []byte) error {
	if l.lag.wait(); l.gone() {
		return errDead
	}
	return l.hub.Put(ctx, key, value)
}

func (l *level) Delete(ctx context.Context, key string) error {
	if l.lag.wait(); l.gone() {
		return errDead
	}
	return l.hub.Delete(ctx, key)
}

func (l *level) Has(ctx context.Context, key string) (bool, error) {
	if l.lag.wait(); l.gone() {
		return false, errDead
	}
	return l.hub.Has(ctx, key)
}

func (l *level) All(ctx context.Context) (map[string][]byte, error) {
	if l.lag.wait(); l.gone() {
		return nil, errDead
	}
	return l.hub.All(ctx)
}

var errDead = errors.New("this front end is dead")

func (l *level) gone() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

// kept is a value for as long as it is.
type kept struct {
	value []byte
	until time.Time
}

// life is a front end from its start to its death.
type life struct {
	*front
	name string
	*level
	ctx   context.Context
	end   context.CancelFunc
	sites []*faults.Endpoint // as it reaches them
}

// born starts a front end.
func (d *distant) born(t *testing.T, name string, h *hub, settings func(*write.Settings), sites []*site) *life {
	l := &life{name: name, level: &level{distant: d, hub: h, waiting: make(map[string]*[]byte), unsure: make(map[string]int), wrote: make(map[string]time.Time)}}
	l.ctx, l.end = context.WithCancel(t.Context())
	var own []*site
	for _, s := range sites {
		seen := *s
		seen.Endpoint = faults.New(s.Endpoint)
		own, l.sites = append(own, &seen), append(l.sites, seen.Endpoint)
	}
	l.front = newFrontWith(t, l.level, l.level, l.level, settings, own...)
	d.mu.Lock()
	l.level.f = l.front.f
	d.levels = append(d.levels, l.level)
	d.mu.Unlock()
	l.front.w.Reconnected() // from now on it hears
	time.Sleep(time.Second) // until all have been probed
	return l
}

// die ends it at once: nothing that it does from now on has an effect.
func (l *life) die() {
	l.distant.mu.Lock()
	l.dead = true
	l.distant.mu.Unlock()
	for _, s := range l.sites {
		s.Inject(faults.Rule{Fail: plugins.Unavailable})
	}
	l.end()
}

// level is what a front end has of it, and of the ledger.
type level struct {
	*distant
	hub     *hub
	dead    bool
	f       *federator.Federator
	waiting map[string]*[]byte   // what is still to be written
	unsure  map[string]int       // what was invalidated and may still be there
	wrote   map[string]time.Time // when a value was written
	// delivered is closed when all has been done that was to be.
	delivered chan struct{}
	// heard is closed when all has been taken in that was received.
	heard chan struct{}
}

func (l *level) Get(_ context.Context, keys ...string) [][]byte {
	l.lag.wait()
	l.mu.Lock()
	values := make([][]byte, len(keys))
	for i, k := range keys {
		if v := l.values[k]; l.unsure[k] == 0 && time.Now().Before(v.until) {
			values[i] = v.value
		}
	}
	l.mu.Unlock()
	l.lag.wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, k := range keys {
		if l.unsure[k] > 0 {
			values[i] = nil
		}
	}
	return values
}

// deliver has the cache do something, after all that it was given to do before.
func (l *level) deliver(do func()) {
	l.after(&l.delivered, func() {
		if !l.gone() {
			do()
		}
	})
}

// after does something a little later, when what was to be done last has been, and is
// what is to be done last from now on.
func (l *level) after(last *chan struct{}, do func()) {
	done := make(chan struct{})
	l.mu.Lock()
	before := *last
	*last = done
	l.mu.Unlock()
	go func() {
		defer close(done)
		l.lag.wait()
		if before != nil {
			<-before
		}
		do()
	}()
}

func (l *level) Set(key string, value []byte, ttl time.Duration) {
	l.mu.Lock()
	l.waiting[key] = &value
	l.mu.Unlock()
	go func() {
		l.lag.wait()
		l.mu.Lock()
		due := l.waiting[key] == &value
		if due {
			delete(l.waiting, key)
			l.wrote[key] = time.Now()
		}
		l.mu.Unlock()
		if due {
			l.deliver(func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.values[key] = kept{value, time.Now().Add(ttl)}
			})
		}
	}()
}

func (l *level) Invalidate(keys ...string) {
	l.mu.Lock()
	for _, k := range keys {
		delete(l.waiting, k)
		l.unsure[k]++
	}
	l.mu.Unlock()
	l.deliver(func() {
		l.mu.Lock()
		for _, k := range keys {
			delete(l.values, k)
			l.unsure[k]--
		}
		others := slices.DeleteFunc(slices.Clone(l.levels), func(other *level) bool { return other == l })
		l.mu.Unlock()
		for _, other := range others {
			other.receive(keys)
		}
	})
}

// receive has a front end be told a little later, after all that it was told before.
func (l *level) receive(keys []string) {
	l.after(&l.heard, func() { l.hear(keys) })
}

// hear is told of what another front end has invalidated.
func (l *level) hear(keys []string) {
	l.mu.Lock()
	var again []string
	for _, k := range keys {
		delete(l.waiting, k)
		if at, ok := l.wrote[k]; ok && time.Since(at) < 2*time.Second {
			again = append(again, k)
		}
	}
	f := l.f
	if l.dead {
		f = nil
	}
	l.mu.Unlock()
	if f != nil {
		f.Forget(keys)
	}
	l.mu.Lock()
	for _, k := range again {
		l.unsure[k]++
	}
	l.mu.Unlock()
	if len(again) > 0 {
		l.deliver(func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			for _, k := range again {
				delete(l.values, k)
				l.unsure[k]--
			}
		})
	}
}

// Told waits for the cache, and then for all who live.
func (l *level) Told(ctx context.Context) bool {
	l.mu.Lock()
	delivered := l.delivered
	l.mu.Unlock()
	if !waited(ctx, delivered) {
		return false
	}
	var heard []chan struct{}
	l.mu.Lock()
	for _, other := range l.levels {
		if other != l && !other.dead {
			heard = append(heard, other.heard)
		}
	}
	l.mu.Unlock()
	for _, h := range heard {
		if !waited(ctx, h) {
			return false
		}
	}
	l.lag.wait()
	return !l.gone()
}

// waited waits for what may be nil.
func waited(ctx context.Context, done chan struct{}) bool {
	if done == nil {
		return true
	}
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *level) Close() error { return nil }
