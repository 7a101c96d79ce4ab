package copies

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"canopy/federator/write"
	"canopy/plugins"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf is a maker that has files, and makes copies in no time unless told
// otherwise.
type shelf struct {
	mu     sync.Mutex
	copies map[string]int
	fail   func(path string) error
	takes  time.Duration
	doubt  error // of Confirm

	running, most, tries, confirmed int
	when                            []time.Duration
	began                           time.Time
}

func newShelf(files ...string) *shelf {
	s := &shelf{copies: make(map[string]int), began: time.Now()}
	for _, f := range files {
		s.copies[f] = 1
	}
	return s
}

func (s *shelf) Replicate(ctx context.Context, path string, copies int) (write.Copied, error) {
	s.mu.Lock()
	s.running++
	s.tries++
	s.when = append(s.when, time.Since(s.began).Round(time.Second))
	s.most = max(s.most, s.running)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.running--
		s.mu.Unlock()
	}()
	if s.takes > 0 {
		select {
		case <-time.After(s.takes):
		case <-ctx.Done():
			return write.Copied{}, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, ok := s.copies[path]; !ok || n >= copies {
		return write.Copied{Enough: true}, nil
	}
	if s.fail != nil {
		if err := s.fail(path); err != nil {
			return write.Copied{}, err
		}
	}
	s.copies[path]++
	return write.Copied{Made: new(write.Made)}, nil
}

func (s *shelf) Confirm(context.Context, string, *write.Made) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.doubt == nil {
		s.confirmed++
	}
	return s.doubt
}

// said is all that a test wants to know of a shelf.
func (s *shelf) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(s.copies, " ", s.tries, " tries, ", s.confirmed, " confirmed")
}

// has is how many copies there are.
func (s *shelf) has(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.copies[path]
}

// ledger is one in memory.
type ledger struct {
	mu   sync.Mutex
	kept map[string][]byte
	down bool
}

var errDown = errors.New("the ledger is down")

func (l *ledger) do(f func()) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return errDown
	}
	if l.kept == nil {
		l.kept = make(map[string][]byte)
	}
	f()
	return nil
}

func (l *ledger) Put(ctx context.Context, key string, value []byte) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return l.do(func() { l.kept[key] = value })
}

func (l *ledger) Delete(ctx context.Context, key string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return l.do(func() { delete(l.kept, key) })
}

func (l *ledger) Has(_ context.Context, key string) (has bool, err error) {
	err = l.do(func() { _, has = l.kept[key] })
	return has, err
}

func (l *ledger) All(context.Context) (all map[string][]byte, err error) {
	err = l.do(func() { all = maps.Clone(l.kept) })
	return all, err
}

// notes is how many jobs are in it.
func (l *ledger) notes() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range l.kept {
		if strings.HasPrefix(key, noteKey) {
			n++
		}
	}
	return n
}

var rules = []Rule{{"/", 1}, {"/a", 2}, {"/a/b", 3}, {"/a/b/once", 1}}

func start(s *shelf, l *ledger, log *bytes.Buffer) *Replicator {
	out := Outside{Maker: s, Log: slog.New(slog.DiscardHandler)}
	if log != nil {
		out.Log = slog.New(slog.NewTextHandler(log, nil))
	}
	if l != nil {
		out.Ledger = l
	}
	return New(rules, out)
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestWish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(newShelf(), nil, nil)
		defer r.Close()
		for path, want := range map[string]int{"/": 1, "/f": 1, "/ab": 1, "/a": 2, "/a/f": 2, "/a/bc": 2, "/a/b": 3, "/a/b/f": 3, "/a/b/once/f": 1} {
			got, waiting := r.Wish(path)
			if got != want || waiting {
				t.Errorf("%s: %d, %t", path, got, waiting)
			}
		}
		r.Configure(nil)
		got, _ := r.Wish("/a/b/f")
		equal(t, "without rules", got, 1)
	})
}

func TestCopies(t *testing.T) {
	for _, l := range []*ledger{nil, {}} {
		synctest.Test(t, func(t *testing.T) {
			s := newShelf("/a/f", "/a/b/f", "/g")
			r := start(s, l, nil)
			defer r.Close()
			r.Stored("/a/f")
			r.Stored("/a/b/f")
			r.Stored("/g")
			r.Stored("/a/gone")
			_, waiting := r.Wish("/a/f")
			equal(t, "waiting", waiting, true)
			synctest.Wait()
			if l != nil {
				equal(t, "noted at once", l.notes(), 3)
			}
			equal(t, "not at once", s.said(), "map[/a/b/f:1 /a/f:1 /g:1] 0 tries, 0 confirmed")
			time.Sleep(time.Minute)
			equal(t, "then", s.said(), "map[/a/b/f:3 /a/f:2 /g:1] 6 tries, 3 confirmed")
			equal(t, "figures", r.Figures(), Figures{Made: 3})
			_, waiting = r.Wish("/a/f")
			equal(t, "waiting", waiting, false)
			if l != nil {
				equal(t, "the ledger", l.notes(), 0)
			}
		})
	}
}

// TestFailures: it is tried again later and later, and said once for each kind.
func TestFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := newShelf("/a/f")
		n := 0
		s.fail = func(string) error {
			switch n++; {
			case n <= 3:
				return &plugins.Error{Kind: plugins.Full}
			case n <= 5:
				return &plugins.Error{Kind: plugins.Unavailable}
			case n == 6:
				return write.ErrBusy
			case n <= 12:
				return write.ErrNowhere
			}
			return nil
		}
		r := start(s, nil, &log)
		defer r.Close()
		r.Stored("/a/f")
		time.Sleep(2 * time.Hour)
		equal(t, "then", s.said(), "map[/a/f:2] 14 tries, 1 confirmed")
		r.Close()
		equal(t, "when", fmt.Sprint(s.when), "[3s 8s 18s 38s 1m18s 2m38s 5m18s 10m38s 20m38s 30m38s 40m38s 50m38s 1h0m38s 1h0m40s]")
		equal(t, "figures", r.Figures(), Figures{Made: 1, Failed: 11})
		equal(t, "log", strings.Count(log.String(), "fewer copies"), 3)
	})
}

// TestBounded: no more than a few at once, and what is stored anew while it is
// copied is copied again.
func TestBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []string
		for i := range 20 {
			all = append(all, fmt.Sprintf("/a/%d", i))
		}
		s := newShelf(all...)
		s.takes = 10 * time.Second
		r := start(s, nil, nil)
		for _, p := range all {
			r.Stored(p)
		}
		time.Sleep(5 * time.Second)
		r.Stored(all[0])
		time.Sleep(10 * time.Minute)
		equal(t, "figures", r.Figures(), Figures{Made: 20})
		r.Stored(all[0])
		time.Sleep(5 * time.Second)
		r.Close() // midway
		equal(t, "none run", s.running, 0)
		equal(t, "at once", s.most, atOnce)
	})
}

func TestCrowded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(newShelf(), nil, nil)
		for i := range mostJobs + 5 {
			r.Stored(fmt.Sprintf("/a/%d", i))
		}
		equal(t, "figures", r.Figures(), Figures{Waiting: mostJobs, Failed: 5})
		r.Close()
	})
}

// TestHeirs: a front end dies, or ends, and one of the others goes on, and looks
// at the copies again that it has made.
func TestHeirs(t *testing.T) {
	for _, dies := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			l := &ledger{}
			s := newShelf("/a/b/f")
			s.doubt = errDown
			first := start(s, l, nil)
			others := []*Replicator{start(s, l, nil), start(s, l, nil)}
			first.Stored("/a/b/f")
			time.Sleep(4 * time.Second)
			equal(t, "begun", s.said(), "map[/a/b/f:2] 1 tries, 0 confirmed")
			kept, _ := l.All(t.Context())
			first.Close()
			if dies {
				l.do(func() { l.kept = kept }) // as if it had said nothing
			}
			s.mu.Lock()
			s.doubt = nil
			s.mu.Unlock()
			time.Sleep(6 * time.Second)
			if _, waiting := others[0].Wish("/a/b/f"); !waiting {
				t.Error("nobody knows of it")
			}
			time.Sleep(time.Minute)
			equal(t, "made", s.has("/a/b/f"), 3)
			equal(t, "by one of them", min(others[0].Figures().Made, others[1].Figures().Made), 0)
			equal(t, "the ledger", l.notes(), 0)
			for _, r := range others {
				_, waiting := r.Wish("/a/b/f")
				equal(t, "waiting", waiting, false)
				r.Close()
			}
			if s.confirmed < 2 {
				t.Errorf("%d copies were confirmed", s.confirmed)
			}
		})
	}
}

// TestTwoAreTold: two front ends are told of one file. The one that is told last
// makes the copies; the other one looks after those that it has made.
func TestTwoAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{}
		s := newShelf("/a/f")
		s.fail = func(string) error { return &plugins.Error{Kind: plugins.Unavailable} }
		one, two := start(s, l, nil), start(s, l, nil)
		one.Stored("/a/f")
		time.Sleep(time.Second)
		two.Stored("/a/f")
		time.Sleep(time.Hour)
		if n := one.Figures().Failed; n > 2 {
			t.Errorf("the first tries %d times", n)
		}
		equal(t, "the first has left it to the second", one.Figures().Waiting, 0)
		equal(t, "the second", two.Figures().Waiting, 1)
		two.Close()
		s.mu.Lock()
		s.fail = nil
		s.mu.Unlock()
		time.Sleep(time.Minute)
		equal(t, "the first goes on", s.has("/a/f"), 2)
		one.Close()
		equal(t, "the ledger", len(l.kept), 0)
	})
}

// TestLedgerDown: without the ledger it works all the same, and the ledger is
// told when it is back.
func TestLedgerDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{down: true}
		s := newShelf("/a/f", "/a/g")
		s.fail = func(p string) error {
			if p == "/a/g" {
				return &plugins.Error{Kind: plugins.Unavailable}
			}
			return nil
		}
		r := start(s, l, nil)
		r.Stored("/a/f")
		r.Stored("/a/g")
		time.Sleep(time.Minute)
		equal(t, "made", s.has("/a/f"), 2)
		l.mu.Lock()
		l.down = false
		l.mu.Unlock()
		time.Sleep(10 * time.Second)
		equal(t, "notes", l.notes(), 1)
		r.Close()
		equal(t, "it stays", l.notes(), 1)
	})
}

// TestStranger: what others have written into the ledger, or nobody can read,
// does no harm.
func TestStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &ledger{kept: map[string][]byte{
			"/f\x00af":    []byte(`{}`),
			"intent x":    []byte(`{"path":"L2E"}`),
			noteKey:       []byte(`{}`),
			noteKey + "x": []byte("\x00"),
			noteKey + "y": []byte(`{"path":"YS9m"}`), // not absolute
			lifeKey + "z": []byte(`[]`),
			lifeKey + "w": []byte(`{"until":5}`),
		}}
		r := start(newShelf(), l, nil)
		time.Sleep(time.Minute)
		equal(t, "figures", r.Figures(), Figures{})
		r.Close()
		equal(t, "what is left", len(l.kept), 6)
	})
}
