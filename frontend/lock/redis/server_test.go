package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"canopy/frontend/lock"
	"canopy/frontend/lock/locktest"
	"canopy/plugins"
	"canopy/plugins/plugintest/rig"

	goredis "github.com/redis/go-redis/v9"
)

// These tests use a real server.

type realClock struct{}

func (realClock) Now() time.Time        { return time.Now() }
func (realClock) Advance(time.Duration) {}

func TestServer(t *testing.T) {
	t.Parallel()
	client := dial(t, rig.Redis(t).Addr())
	locktest.RunStill(t, func(t testing.TB) (lock.Store, locktest.Clock) {
		if err := client.FlushAll(context.Background()).Err(); err != nil {
			t.Fatal(err)
		}
		return New(Options{Client: client}), realClock{}
	})
}

// patient is how long tests wait for something that should take milliseconds.
const patient = 30 * time.Second

// eventually waits until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(patient)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %v: %s", patient, what)
		}
	}
}

// tables are two front ends that share a server.
func tables(t testing.TB, addr string) [2]*lock.Table {
	var two [2]*lock.Table
	for i := range two {
		two[i] = lock.New(lock.Options{Store: New(Options{Client: dial(t, addr), Patience: 10 * time.Second})})
	}
	return two
}

// TestRace lets a hundred clients of two front ends want locks that exclude
// each other.
func TestRace(t *testing.T) {
	t.Parallel()
	two := tables(t, rig.Redis(t).Addr())
	for round, wanted := range [][]lock.Lock{
		{{Root: "/a/b", Scope: lock.Exclusive}},
		{{Root: "/c", Scope: lock.Exclusive, Deep: true}, {Root: "/c/d/e", Scope: lock.Exclusive}},
		{{Root: "/f", Scope: lock.Shared, Deep: true}, {Root: "/f/g", Scope: lock.Exclusive}},
	} {
		var granted [2]atomic.Int32
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for i := range 100 {
			wg.Go(func() {
				<-begin
				l := wanted[i/2%len(wanted)]
				l.Holder = fmt.Sprint("user", i)
				_, err := two[i%2].Create(t.Context(), time.Now(), l, time.Minute)
				var conflict *lock.ConflictError
				switch {
				case err == nil:
					granted[l.Scope-1].Add(1)
				case plugins.KindOf(err) == plugins.Full && l.Scope == lock.Shared:
				case !errors.As(err, &conflict):
					t.Error(err)
				}
			})
		}
		close(begin)
		wg.Wait()
		exclusive, shared := granted[lock.Exclusive-1].Load(), granted[lock.Shared-1].Load()
		if exclusive > 1 || exclusive == 1 && shared > 0 || exclusive+shared == 0 {
			t.Errorf("round %d: %d exclusive and %d shared locks were granted", round, exclusive, shared)
		}
	}
}

// TestShared checks that one front end honours what another granted.
func TestShared(t *testing.T) {
	t.Parallel()
	two := tables(t, rig.Redis(t).Addr())
	ctx, now := t.Context(), time.Now()
	l, err := two[0].Create(ctx, now, lock.Lock{Root: "/a", Deep: true, Scope: lock.Exclusive, Holder: "ada"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var locked *lock.LockedError
	write := lock.Check{Who: "ada", Touches: []lock.Touch{{Path: "/a/b"}}}
	if err := two[1].Check(ctx, now, write); !errors.As(err, &locked) || locked.Roots[0] != "/a" {
		t.Errorf("without the token: %v", err)
	}
	if err := two[1].Unlock(ctx, now, l.Token, "/a/b", "bob"); err != lock.ErrNotHolder {
		t.Errorf("somebody else's: %v", err)
	}
	if err := two[1].Unlock(ctx, now, l.Token, "/a/b", "ada"); err != nil {
		t.Error(err)
	}
	if err := two[0].Check(ctx, now, write); err != nil {
		t.Errorf("when it is unlocked: %v", err)
	}
}

// TestEnd waits for a lock to end by the server's clock, and looks whether
// everything would go if nobody came again.
func TestEnd(t *testing.T) {
	t.Parallel()
	s := rig.Redis(t)
	client := dial(t, s.Addr())
	store := New(Options{Client: client})
	l := lock.Lock{Token: "urn:1", Root: "/a", Scope: lock.Exclusive}
	limits := lock.Limits{Total: 10, PerHolder: 10, PerPath: 10}
	// Our own clock is an hour late.
	now := time.Now().Add(-time.Hour)
	if got, err := store.Add(t.Context(), now, l, 20*time.Millisecond, limits); len(got) > 0 || err != nil {
		t.Fatal(got, err)
	}
	for _, key := range store.keys {
		left, err := client.PTTL(t.Context(), key).Result()
		if err != nil || left <= 0 || left > time.Second+20*time.Millisecond {
			t.Errorf("%s will be there for %v, %v", key, left, err)
		}
	}
	l.Token = "urn:2"
	eventually(t, "the lock has ended", func() bool {
		got, err := store.Add(t.Context(), now, l, 20*time.Millisecond, limits)
		if err != nil {
			t.Fatal(err)
		}
		return len(got) == 0
	})
	eventually(t, "the keys are gone", func() bool {
		n, err := client.Exists(t.Context(), store.keys...).Result()
		if err != nil {
			t.Fatal(err)
		}
		return n == 0
	})
}

// every calls each method of a table, and returns the errors.
func every(ctx context.Context, t *lock.Table) map[string]error {
	now := time.Now()
	errs := make(map[string]error)
	_, errs["Create"] = t.Create(ctx, now, lock.Lock{Root: "/a", Scope: lock.Shared}, time.Minute)
	_, errs["Refresh"] = t.Refresh(ctx, now, "urn:1", "/a", "", time.Minute)
	errs["Unlock"] = t.Unlock(ctx, now, "urn:1", "/a", "")
	_, errs["Find"] = t.Find(ctx, now, "/a")
	_, errs["Tree"] = t.Tree(ctx, now, "/a")
	errs["Drop"] = t.Drop(ctx, now, "/a")
	errs["Check"] = t.Check(ctx, now, lock.Check{Touches: []lock.Touch{{Path: "/a"}}})
	return errs
}

// TestGone checks that nobody is told anything of locks without the server, and
// that it is used again, empty, when it is back.
func TestGone(t *testing.T) {
	t.Parallel()
	s := rig.Redis(t)
	table := tables(t, s.Addr())[0]
	if _, err := table.Create(t.Context(), time.Now(), lock.Lock{Root: "/a", Scope: lock.Exclusive}, time.Minute); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	for name, err := range every(t.Context(), table) {
		if plugins.KindOf(err) != plugins.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Start()
	eventually(t, "used again", func() bool {
		_, err := table.Create(t.Context(), time.Now(), lock.Lock{Root: "/a", Scope: lock.Exclusive}, time.Minute)
		return err == nil
	})
}

// TestFrozen checks that a server that hangs costs no more than the patience.
func TestFrozen(t *testing.T) {
	t.Parallel()
	s := rig.Redis(t)
	store := New(Options{Client: dial(t, s.Addr()), Patience: 20 * time.Millisecond})
	s.Freeze()
	began := time.Now()
	for name, err := range every(t.Context(), lock.New(lock.Options{Store: store})) {
		if k := plugins.KindOf(err); k != plugins.Timeout && k != plugins.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestFull checks that a server without memory still ends locks, and grants
// none.
func TestFull(t *testing.T) {
	t.Parallel()
	s := rig.Redis(t, rig.Extra("--maxmemory-policy", "noeviction"))
	client := dial(t, s.Addr())
	table := lock.New(lock.Options{Store: New(Options{Client: client})})
	l, err := table.Create(t.Context(), time.Now(), lock.Lock{Root: "/a", Scope: lock.Shared}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := table.Create(t.Context(), time.Now(), lock.Lock{Root: "/a", Scope: lock.Shared}, time.Minute); plugins.KindOf(err) != plugins.Unavailable {
		t.Errorf("a second lock: %v", err)
	}
	if set, err := table.Find(t.Context(), time.Now(), "/a"); err != nil || len(set.On("/a")) != 1 {
		t.Errorf("found %v, %v", set, err)
	}
	if err := table.Unlock(t.Context(), time.Now(), l.Token, "/a", ""); err != nil {
		t.Errorf("unlock: %v", err)
	}
}

// TestDamaged puts things into Redis that a store never would.
func TestDamaged(t *testing.T) {
	t.Parallel()
	s := rig.Redis(t)
	client := dial(t, s.Addr())
	store := New(Options{Client: client})
	ctx := t.Context()
	good := lock.Lock{Token: "urn:1", Root: "/a", Scope: lock.Exclusive, Owner: "Ada"}
	limits := lock.Limits{Total: 10, PerHolder: 10, PerPath: 10}
	for name, c := range map[string]struct {
		damage func() error
		kind   plugins.Kind // of the error, 0 for no lock found
	}{
		"another version": {func() error { return client.HSet(ctx, store.keys[0], "urn:1", "2\x00xi\x00/a\x00\x00").Err() }, plugins.Malformed},
		"flags":           {func() error { return client.HSet(ctx, store.keys[0], "urn:1", "1\x00yi\x00/a\x00\x00").Err() }, plugins.Malformed},
		"markup": {func() error {
			return client.HSet(ctx, store.keys[0], "urn:1", "1\x00xi\x00/a\x00\x00</D:owner><script>").Err()
		}, plugins.Malformed},
		"size": {func() error {
			return client.HSet(ctx, store.keys[0], "urn:1", strings.Repeat("x", maxRecord+1)).Err()
		}, plugins.Malformed},
		"record lost":  {func() error { return client.Del(ctx, store.keys[0]).Err() }, 0},
		"index lost":   {func() error { return client.Del(ctx, store.keys[1]).Err() }, 0},
		"ends lost":    {func() error { return client.Del(ctx, store.keys[2]).Err() }, 0},
		"type":         {func() error { return client.Set(ctx, store.keys[1], "x", 0).Err() }, plugins.Unavailable},
		"other member": {func() error { return client.ZAdd(ctx, store.keys[1], goredis.Z{Member: "x"}).Err() }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if err := client.FlushAll(ctx).Err(); err != nil {
				t.Fatal(err)
			}
			if got, err := store.Add(ctx, time.Now(), good, time.Minute, limits); len(got) > 0 || err != nil {
				t.Fatal(got, err)
			}
			if err := c.damage(); err != nil {
				t.Fatal(err)
			}
			found, err := store.Find(ctx, time.Now(), lock.Query{On: []string{"/a"}})
			if plugins.KindOf(err) != c.kind || len(found) > 0 {
				t.Errorf("%v, %v", found, err)
			}
			if c.kind != 0 {
				return
			}
			again := good
			again.Token = "urn:2"
			if got, err := store.Add(ctx, time.Now(), again, time.Minute, limits); len(got) > 0 || err != nil {
				t.Errorf("anew: %v, %v", got, err)
			}
			if found, err := store.Find(ctx, time.Now(), lock.Query{On: []string{"/a"}}); len(found) != 1 || err != nil {
				t.Errorf("anew: %v, %v", found, err)
			}
		})
	}
}

// TestCluster uses a real cluster of one.
func TestCluster(t *testing.T) {
	t.Parallel()
	s := rig.Redis(t, rig.Extra("--cluster-enabled", "yes"))
	direct := dial(t, s.Addr())
	if err := direct.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(s.Addr())
	client := goredis.NewUniversalClient(&goredis.UniversalOptions{
		Addrs: []string{"127.0.0.1:" + port}, IsClusterMode: true, Protocol: 2, DisableIdentity: true, ContextTimeoutEnabled: true,
	})
	t.Cleanup(func() { client.Close() })
	eventually(t, "the cluster is up", func() bool {
		info, err := direct.ClusterInfo(t.Context()).Result()
		return err == nil && strings.Contains(info, "cluster_state:ok")
	})
	locktest.RunStill(t, func(t testing.TB) (lock.Store, locktest.Clock) {
		if err := direct.FlushAll(context.Background()).Err(); err != nil {
			t.Fatal(err)
		}
		return New(Options{Client: client, Prefix: "a{b}c:"}), realClock{}
	})
}

// TestAccess uses an account that may do no more than the package comment says.
func TestAccess(t *testing.T) {
	t.Parallel()
	s := rig.Redis(t)
	admin := dial(t, s.Addr())
	commands := "evalsha eval time hget hset hdel hlen hexists zadd zrem zcard zscore zrange zrangebylex zrangebyscore zlexcount del pexpireat"
	rules := []any{"acl", "setuser", "default", "on", "nopass", "resetkeys", "~canopy:{lock}:*", "-@all", "+acl"}
	for _, c := range strings.Fields(commands) {
		rules = append(rules, "+"+c)
	}
	if err := admin.Do(t.Context(), rules...).Err(); err != nil {
		t.Fatal(err)
	}
	table := tables(t, s.Addr())[1]
	l, err := table.Create(t.Context(), time.Now(), lock.Lock{Root: "/b", Scope: lock.Exclusive}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Refresh(t.Context(), time.Now(), l.Token, "/b", "", time.Minute); err != nil {
		t.Error(err)
	}
	if err := table.Unlock(t.Context(), time.Now(), l.Token, "/b", ""); err != nil {
		t.Error(err)
	}
	for name, err := range every(t.Context(), table) {
		if err != nil && err != lock.ErrNoLock {
			t.Errorf("%s: %v", name, err)
		}
	}
}
