package cache

import (
	"context"
	"time"
)

// Shared is a cache that several front ends have in common. It is an
// opportunity, never an obligation: whatever happens to it, its users lose
// hits and nothing else. All methods but Close may be called by any number of
// goroutines at once.
type Shared interface {
	// Get returns the value of each key, in the order of the keys, nil where
	// there is none. It waits no longer than its own budget of a few
	// milliseconds, or until ctx ends, and does not wait at all for a level
	// that is known to be out of order; it never fails. The caller owns the
	// values.
	//
	// A question that was under way when Invalidate was called may still be
	// answered with the older value, like a question to an endpoint.
	Get(ctx context.Context, keys ...string) [][]byte

	// Set offers a value that is to be forgotten after ttl. It returns at
	// once; the value is written some time later, or dropped when too much is
	// waiting or the level is full. The caller must not change value afterwards.
	Set(key string, value []byte, ttl time.Duration)

	// Invalidate makes the values of keys unusable, here at once, and for all
	// other front ends as soon as they can be told. It returns at once.
	// Unlike a value, an invalidation is not dropped while the level is open:
	// what cannot be delivered now is delivered before anything that it
	// concerns is believed again.
	Invalidate(keys ...string)

	// Told waits until all that was invalidated before has been delivered, and
	// the other front ends have taken it in. It reports false where that is not so
	// before ctx ends, or the level is out of order. Who has not taken it in by
	// then is not waited for again until it has caught up.
	Told(ctx context.Context) bool

	// Close writes what is waiting, for a second at most, and ends the level.
	// No other call follows.
	Close() error
}
