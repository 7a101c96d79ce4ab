package lock_test

import (
	"testing"
	"time"

	"canopy/frontend/lock"
	"canopy/frontend/lock/locktest"
)

// clock is a time that stands still.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time          { return c.now }
func (c *clock) Advance(d time.Duration) { c.now = c.now.Add(d) }

func start() *clock { return &clock{time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)} }

func TestMemory(t *testing.T) {
	t.Parallel()
	locktest.Run(t, func(testing.TB) (lock.Store, locktest.Clock) { return new(lock.Memory), start() })
}
