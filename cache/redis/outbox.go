package redis

import (
	"slices"
	"sync"
	"time"
)

const (
	// maxWrites and maxWriteBytes bound the values that wait to be written.
	maxWrites     = 4096
	maxWriteBytes = 32 << 20
	// maxRemovals and maxRemovalBytes bound the keys that wait to be deleted.
	maxRemovals     = 64 << 10
	maxRemovalBytes = 32 << 20

	// writeRun, writeRunBytes, removalRun and removalRunBytes bound what one
	// pipeline carries; a run has at least one of its kind, and the keys of
	// a run of removals fit one message.
	writeRun        = 128
	writeRunBytes   = 1 << 20
	removalRun      = 256
	removalRunBytes = 64 << 10

	// memory is how long a write is remembered at least, in case an
	// invalidation from elsewhere crosses it.
	memory = time.Second
)

// write is a value to be stored.
type write struct {
	key   string
	value []byte
	until time.Time
}

// removal is a key to be deleted.
type removal struct {
	key string
	// turn tells this removal from an earlier one of the same key.
	turn uint64
	// tell is whether the other front ends are to be told.
	tell bool
}

// outbox holds what the keeper has to do. A key's removals come before its
// writes, because a write that is already waiting is dropped by a removal.
type outbox struct {
	now func() time.Time

	mu           sync.Mutex
	writes       map[string]write
	writeBytes   int
	removals     map[string]removal
	removalBytes int
	turn         uint64
	// queue has the removals in the order of their turns, and those that have
	// been done or come later again.
	queue []removal
	// fewer is closed and replaced when removals have been done, or lost.
	fewer chan struct{}
	// overflow is that there were too many removals to keep: every value is
	// to be taken for dead.
	overflow bool
	// stuck is that the last removals that were tried could not be done.
	stuck bool
	// recent and older are the keys written since rotated, and in the time
	// as long before.
	recent, older map[string]struct{}
	rotated       time.Time

	// work has an element when the keeper should look.
	work chan struct{}
}

func (o *outbox) init(now func() time.Time) {
	o.now = now
	o.writes = map[string]write{}
	o.removals = map[string]removal{}
	o.fewer = make(chan struct{})
	o.recent = map[string]struct{}{}
	o.rotated = now()
	o.work = make(chan struct{}, 1)
}

// wake makes the keeper look.
func (o *outbox) wake() {
	select {
	case o.work <- struct{}{}:
	default:
	}
}

// put adds a write in place of an older one of the key, and reports whether
// there was room.
func (o *outbox) put(w write) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dropWrite(w.key)
	if len(o.writes) >= maxWrites || o.writeBytes+w.size() > maxWriteBytes {
		return false
	}
	o.writes[w.key] = w
	o.writeBytes += w.size()
	o.wake()
	return true
}

func (w write) size() int { return len(w.key) + len(w.value) }

func (o *outbox) dropWrite(key string) {
	if w, ok := o.writes[key]; ok {
		delete(o.writes, key)
		o.writeBytes -= w.size()
	}
}

// remove adds removals and reports false when they are too many.
func (o *outbox) remove(tell bool, keys []string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.wake()
	for _, key := range keys {
		o.dropWrite(key)
		o.addRemoval(key, tell)
	}
	return !o.overflow
}

func (o *outbox) addRemoval(key string, tell bool) {
	if o.overflow {
		return
	}
	o.turn++
	old, known := o.removals[key]
	if !known {
		o.removalBytes += len(key)
	}
	r := removal{key: key, turn: o.turn, tell: tell || old.tell}
	o.removals[key] = r
	o.queue = append(o.queue, r)
	if len(o.removals) > maxRemovals || o.removalBytes > maxRemovalBytes {
		o.lose()
	}
}

// lose replaces all removals by the overflow; no value that waits may be
// written after it either.
func (o *outbox) lose() {
	o.overflow = true
	o.removals, o.removalBytes, o.queue = map[string]removal{}, 0, nil
	o.signal()
	o.writes, o.writeBytes = map[string]write{}, 0
}

// heard notes that another front end has removed keys: own writes of them are
// dropped, and removed once more when they were sent a moment ago. It reports
// false when there are too many removals.
func (o *outbox) heard(keys []string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rotate()
	for _, key := range keys {
		o.dropWrite(key)
		_, recent := o.recent[key]
		_, older := o.older[key]
		if recent || older {
			o.addRemoval(key, false)
			o.wake()
		}
	}
	return !o.overflow
}

// rotate forgets writes of long ago.
func (o *outbox) rotate() {
	now := o.now()
	switch age := now.Sub(o.rotated); {
	case age < memory:
		return
	case age < 2*memory:
		o.older = o.recent
	default:
		o.older = nil
	}
	o.recent, o.rotated = map[string]struct{}{}, now
}

// doubts is whether what Redis has for key must not be believed yet.
func (o *outbox) doubts(key string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, removed := o.removals[key]
	return removed || o.overflow
}

// waiting returns the number of keys to be removed.
func (o *outbox) waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.removals)
}

// signal wakes those who wait for removals to be done.
func (o *outbox) signal() {
	close(o.fewer)
	o.fewer = make(chan struct{})
}

// nextRemovals returns those keys to be removed that have waited longest: words
// are told in the order in which they were said. They stay until removed is
// called.
func (o *outbox) nextRemovals() []removal {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = slices.DeleteFunc(o.queue, func(r removal) bool { return o.removals[r.key].turn != r.turn })
	size, n := 0, 0
	for ; n < len(o.queue) && n < removalRun; n++ {
		if size += len(o.queue[n].key); n > 0 && size > removalRunBytes {
			break
		}
	}
	return slices.Clone(o.queue[:n])
}

// removed strikes off what has been done, unless it is to be done again.
func (o *outbox) removed(run []removal) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range run {
		if o.removals[r.key].turn == r.turn {
			delete(o.removals, r.key)
			o.removalBytes -= len(r.key)
		}
	}
	o.stuck = false
	o.signal()
}

// stick notes that removals could not be done.
func (o *outbox) stick() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stuck = true
	o.signal()
}

// lastTurn returns the turn of the last removal that was asked for.
func (o *outbox) lastTurn() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.turn
}

// done reports whether all removals up to a turn have been done, or cannot be done at
// present, and returns what is closed when there is news of that.
func (o *outbox) done(turn uint64) (ok, stuck bool, news <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.queue {
		if r.turn <= turn && o.removals[r.key].turn == r.turn {
			return false, o.stuck, o.fewer
		}
		if r.turn > turn {
			break
		}
	}
	return !o.overflow, o.overflow, o.fewer
}

// nextWrites takes some writes out, none while there are removals.
func (o *outbox) nextWrites() []write {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.removals) > 0 || o.overflow {
		return nil
	}
	o.rotate()
	var run []write
	size := 0
	for key, w := range o.writes {
		if size += w.size(); len(run) > 0 && size > writeRunBytes {
			break
		}
		o.dropWrite(key)
		o.recent[key] = struct{}{}
		if run = append(run, w); len(run) == writeRun {
			break
		}
	}
	return run
}

// forgetWrites drops all writes, because what they say may be outdated, and
// returns how many there were.
func (o *outbox) forgetWrites() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(o.writes)
	o.writes, o.writeBytes = map[string]write{}, 0
	return n
}

// overflowed is whether removals have been lost.
func (o *outbox) overflowed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.overflow
}

// settle ends an overflow: a new generation takes the place of all removals up
// to now.
func (o *outbox) settle() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.overflow, o.stuck = false, false
}

// unsettle takes settle back.
func (o *outbox) unsettle() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lose()
}
