package redis

import (
	"testing"
	"time"

	"canopy/frontend/lock"
	"canopy/frontend/lock/locktest"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// After several failed dials go-redis tries on its own; that ends
		// within a second of Close.
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// dial makes a client as cache/redis does.
func dial(t testing.TB, addr string) goredis.UniversalClient {
	t.Helper()
	c := goredis.NewUniversalClient(&goredis.UniversalOptions{
		Addrs: []string{addr}, Protocol: 2, DisableIdentity: true, MaxRetries: -1, DialerRetries: 1,
		DialTimeout: time.Second, ReadTimeout: time.Second, WriteTimeout: time.Second, ContextTimeoutEnabled: true,
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// miniClock is the time of a server in this process. The server's is 17
// minutes ahead of ours.
type miniClock struct {
	server *miniredis.Miniredis
	now    time.Time
}

const ahead = 17 * time.Minute

func (c *miniClock) Now() time.Time { return c.now }

func (c *miniClock) Advance(d time.Duration) {
	c.now = c.now.Add(d)
	c.server.SetTime(c.now.Add(ahead))
	c.server.FastForward(d)
}

// TestStore runs everything that needs a time which can be set; the scripts are
// run by an interpreter of Lua in Go.
func TestStore(t *testing.T) {
	server := miniredis.RunT(t)
	client := dial(t, server.Addr())
	locktest.Run(t, func(testing.TB) (lock.Store, locktest.Clock) {
		server.FlushAll()
		c := &miniClock{server: server, now: time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)}
		c.Advance(0)
		return New(Options{Client: client, Patience: time.Minute}), c
	})
}
