package redis

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"canopy/plugins/plugintest/rig"
)

func newTurns(t *testing.T, s *rig.Server) *Turns {
	t.Helper()
	c, err := NewClient(Options{URL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return NewTurns(c, "test")
}

func TestTurns(t *testing.T) {
	t.Parallel()
	s := rig.Redis(t)
	one, two := newTurns(t, s), newTurns(t, s)
	// What is counted without a lock of its own is kept by the turns.
	count, wg := 0, sync.WaitGroup{}
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				release, err := []*Turns{one, two}[i%2].Take(t.Context(), "/d/\xff\x00")
				if err != nil {
					t.Error(err)
					return
				}
				before := count
				runtime.Gosched()
				count = before + 1
				release()
				release()
			}
		})
	}
	wg.Wait()
	if count != 160 {
		t.Errorf("%d of 160 took their turn alone", count)
	}

	release, err := one.Take(t.Context(), "/f")
	if err != nil {
		t.Fatal(err)
	}
	other, err := two.Take(t.Context(), "/g")
	if err != nil {
		t.Fatal(err)
	}
	other()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := two.Take(ctx, "/f"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second one has the turn, or %v", err)
	}
	release()
	if release, err = two.Take(t.Context(), "/f"); err != nil {
		t.Fatal(err)
	}
	release()
}

// TestTurnsEnd: a turn is renewed as long as its owner lives, and a little
// longer; who has lost his does not end that of another.
func TestTurnsEnd(t *testing.T) {
	t.Parallel()
	s := rig.Redis(t)
	one, two := newTurns(t, s), newTurns(t, s)
	one.lease, two.lease = 600*time.Millisecond, 600*time.Millisecond
	release, err := one.Take(t.Context(), "/f")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*one.lease)
	defer cancel()
	if _, err := two.Take(ctx, "/f"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it is renewed another one has it, or %v", err)
	}
	one.client.Close() // as one who dies
	began := time.Now()
	second, err := two.Take(t.Context(), "/f")
	if err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	release()
	if n, err := two.client.Exists(t.Context(), two.prefix+"/f").Result(); err != nil || n != 1 {
		t.Errorf("the turn of another was ended: %d, %v", n, err)
	}
	second()
	if n, err := two.client.Exists(t.Context(), two.prefix+"/f").Result(); err != nil || n != 0 {
		t.Errorf("it was not ended: %d, %v", n, err)
	}
}

// TestTurnsWithoutServer: nobody waits, and the server is not asked each time.
func TestTurnsWithoutServer(t *testing.T) {
	t.Parallel()
	s := rig.Redis(t)
	turns := newTurns(t, s)
	s.Stop()
	began := time.Now()
	for range 10 {
		release, err := turns.Take(t.Context(), "/f")
		if err != nil {
			t.Fatal(err)
		}
		release()
	}
	if took := time.Since(began); took > 2*turnPatience+turnPause {
		t.Errorf("ten turns took %v", took)
	}
	s.Start()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); ; <-tick.C {
		release, err := turns.Take(t.Context(), "/f")
		if err != nil {
			t.Fatal(err)
		}
		n, err := turns.client.Exists(t.Context(), turns.prefix+"/f").Result()
		release()
		if err == nil && n == 1 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("it is not used again")
		}
	}
}
