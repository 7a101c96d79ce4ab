package redis

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// TestTakenIn: who takes his time is waited for, and then not again until he has
// caught up.
func TestTakenIn(t *testing.T) {
	m := miniredis.RunT(t)
	busy, free := make(chan struct{}), make(chan struct{})
	slow := &ear{}
	b, err := Open(Options{URL: miniURL(m), Budget: lenient, OnInvalidate: func(keys []string) {
		if slices.Contains(keys, "/slow") {
			close(busy)
			<-free
		}
		slow.invalidated(keys)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	a, _ := open(t, Options{URL: miniURL(m)})
	eventually(t, "they know each other", func() bool {
		a.roll.mu.Lock()
		defer a.roll.mu.Unlock()
		return len(a.roll.peers) == 1
	})

	a.Invalidate("/slow")
	<-busy
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if a.Told(ctx) {
		t.Error("b has been told, and is still busy")
	}
	if !a.Told(t.Context()) {
		t.Error("b is waited for again")
	}
	close(free)
	a.Invalidate("/next")
	eventually(t, "b has caught up", func() bool { return a.Told(t.Context()) && slow.heard("/next") })
	a.Invalidate("/last")
	if !a.Told(t.Context()) || !slow.heard("/last") {
		t.Error("b is not waited for")
	}
}

// TestRoll calls peers that are there, that are gone, that are mute, and none.
func TestRoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &roll{}
		r.init()
		call := func(receivers int64, err error, answers ...uint64) (done bool) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			over := make(chan bool, 1)
			go func() {
				ok, _ := r.all(ctx)
				over <- ok
			}()
			synctest.Wait()
			if n, _ := r.due(); n > 0 {
				r.said(n, receivers, err)
				for _, origin := range answers {
					r.answered(origin, n)
				}
			}
			return <-over
		}
		if !call(1, nil) {
			t.Error("there is nobody else")
		}
		r.called(1, 1)
		r.called(2, 1)
		if _, owed := r.due(); len(owed) != 2 {
			t.Errorf("owed: %v", owed)
		}
		for name, c := range map[string]struct {
			receivers int64
			err       error
			answers   []uint64
			want      bool
		}{
			"both":                  {3, nil, []uint64{1, 2}, true},
			"both, nobody counts":   {0, nil, []uint64{2, 1}, true},
			"with a stranger":       {4, nil, []uint64{1, 2}, true},
			"with one who is new":   {4, nil, []uint64{1, 2, 3}, true},
			"that cannot be called": {0, errors.New("no"), nil, false},
		} {
			if got := call(c.receivers, c.err, c.answers...); got != c.want {
				t.Errorf("%s: %v", name, got)
			}
			if delete(r.peers, 3); len(r.peers) != 2 {
				t.Errorf("%s: %d peers", name, len(r.peers))
			}
		}
		if call(3, nil, 1) || !call(3, nil, 1) {
			t.Error("2 does not answer in time, and is mute then")
		}
		if !call(3, nil, 2, 1) || call(3, nil, 1) {
			t.Error("2 has answered, and is waited for again")
		}
		if !call(2, nil, 1) || len(r.peers) != 1 {
			t.Error("2 has gone")
		}
	})
}
