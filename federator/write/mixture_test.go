package write_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"canopy/federator"
	"canopy/federator/place"
	"canopy/federator/write"
	"canopy/federator/write/history"
	"canopy/plugins"
	"canopy/plugins/faults"
)

var (
	firstSeed = flag.Uint64("seed", 1, "the seed of the first mixture")
	mixtures  = flag.Uint64("mixtures", 20, "how many mixtures are tried")
)

// TestMixture has clients of two front ends write, delete, move and read a few
// files at once, over storages that take their time and are down now and then.
func TestMixture(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+*mixtures; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { mixture(t, seed) })
		})
	}
}

// lag is what a storage is away from whoever asks it, by chance.
type lag struct {
	mu     sync.Mutex
	random *rand.Rand
}

func (l *lag) wait() {
	l.mu.Lock()
	d := time.Duration(l.random.Int64N(int64(4 * time.Millisecond)))
	if l.random.IntN(20) == 0 {
		d *= 10
	}
	l.mu.Unlock()
	time.Sleep(d)
}

// laggy is a storage that is away: what it does is done some time after it was
// asked, and is known some time later.
type laggy struct {
	timeless
	lag *lag
}

func (e laggy) away() func() {
	e.lag.wait()
	return e.lag.wait
}

func (e laggy) Stat(ctx context.Context, p string) (plugins.Entry, error) {
	defer e.away()()
	return e.timeless.Stat(ctx, p)
}

func (e laggy) Store(ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
	defer e.away()()
	return e.timeless.Store(ctx, p, content, u)
}

func (e laggy) Remove(ctx context.Context, p string) error {
	defer e.away()()
	return e.timeless.Remove(ctx, p)
}

func (e laggy) Move(ctx context.Context, from, to string, replace bool) error {
	defer e.away()()
	return e.timeless.Move(ctx, from, to, replace)
}

func (e laggy) Open(ctx context.Context, p string, r plugins.Range) (*plugins.Body, error) {
	defer e.away()()
	return e.timeless.Open(ctx, p, r)
}

func laggySite(name string, random *rand.Rand, without ...string) *site {
	s := newSite(name, nil)
	s.tree.Mkdir("/d")
	s.Endpoint = faults.New(laggy{timeless{s.tree}, &lag{random: random}}, without...)
	return s
}

func mixture(t *testing.T, seed uint64) {
	from := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }
	sites := []*site{laggySite("a", from(1)), laggySite("b", from(2), "move"), laggySite("c", from(3))}
	t.Cleanup(func() { time.Sleep(time.Second) }) // for what is under way after all
	h := &hub{}
	far := &distant{lag: &lag{random: from(4)}, values: make(map[string]kept), turns: make(map[string]bool)}
	settings := func(s *write.Settings) {
		if seed%2 == 0 {
			s.Policy, _ = place.ByName("spread")
		}
	}
	fronts := []*front{far.front(t, h, settings, sites), far.front(t, h, settings, sites)}
	m := &mixed{t: t, log: history.New(), since: time.Now(), fronts: fronts}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var clients, weather sync.WaitGroup
	pause := []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 400 * time.Millisecond}[seed%3]
	for i := range 10 {
		clients.Go(func() { m.client(fmt.Sprint("c", i), from(uint64(10+i)), 60, pause) })
	}
	weather.Go(func() {
		random := from(5)
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Duration(random.Int64N(int64(2 * time.Second)))):
			}
			s := sites[random.IntN(len(sites))]
			m.log.Note(time.Since(m.since), s.name+" is down")
			s.Inject(faults.Rule{Fail: plugins.Unavailable})
			time.Sleep(time.Duration(random.Int64N(int64(2 * time.Second))))
			s.Heal()
			m.log.Note(time.Since(m.since), s.name+" is back")
		}
	})
	clients.Wait()
	stop()
	weather.Wait()
	time.Sleep(20 * time.Minute)
	found := make(map[string]history.Version)
	for _, p := range m.log.Paths() {
		for _, f := range fronts {
			v := history.Version(strings.TrimPrefix(f.read(p), "absent"))
			if before, ok := found[p]; ok && before != v {
				t.Errorf("%s is %q and %q", p, before, v)
			}
			found[p] = v
		}
		for _, s := range sites {
			if v := history.Version(strings.TrimPrefix(s.read(p), "-")); v != "" && v != found[p] {
				t.Errorf("%s is %q, and %q on %s", p, found[p], v, s.name)
			}
		}
	}
	for _, f := range m.log.Judge(found, 0) {
		t.Errorf("seed %d: %s: %s\n%s", seed, f.Path, f.What, m.log.Tell(f.Path, f.At))
	}
	for _, s := range sites {
		if left := s.list(); left != "" {
			t.Errorf("left behind on %s: %s", s.name, left)
		}
	}
	if len(h.kept) != 0 {
		t.Errorf("seed %d: the ledger has %s", seed, h.kept)
	}
}

// mixed is one mixture.
type mixed struct {
	t      *testing.T
	log    *history.Log
	since  time.Time
	fronts []*front
}

// client does so many things, one after the other.
func (m *mixed) client(name string, random *rand.Rand, things int, pause time.Duration) {
	paths := []string{"/d/f0", "/d/f1", "/d/f2", "/d/f3"}
	for n := range things {
		time.Sleep(time.Duration(random.Int64N(int64(pause))))
		at := random.IntN(len(m.fronts))
		f := m.fronts[at]
		o := history.Op{Path: paths[random.IntN(len(paths))], Client: name, Front: fmt.Sprint(at), Began: time.Since(m.since)}
		ctx := m.t.Context()
		var err error
		switch turn := random.IntN(10); {
		case turn < 3:
			o.Kind, o.Version = history.Put, history.Version(fmt.Sprintf("%s-%03d", name, n))
			err = f.put(o.Path, string(o.Version))
		case turn < 5:
			o.Kind = history.Delete
			err = f.remove(o.Path)
		case turn < 7:
			o.Kind, o.To = history.Move, paths[random.IntN(len(paths))]
			if o.To == o.Path {
				continue
			}
			_, err = f.w.Move(ctx, o.Path, o.To, true, nobody, anything)
		default:
			o.Kind = history.Read
			got := f.read(o.Path)
			switch {
			case got == "absent":
			case strings.HasPrefix(got, "c"):
				o.Version = history.Version(got)
			default:
				continue
			}
		}
		o.Ended, o.Done, o.Said = time.Since(m.since), err == nil, fmt.Sprint(err)
		var absent *federator.Absent
		if errors.As(err, &absent) {
			o.Kind, o.To, o.Version, o.Done = history.Read, "", "", true
		}
		var busy = errors.Is(err, write.ErrBusy)
		if busy {
			m.t.Errorf("%v", &o)
		}
		m.log.Add(o)
	}
}

// distant is a cache that front ends share and that is away from them, as that of
// package redis is.
type distant struct {
	lag *lag

	mu     sync.Mutex
	values map[string]kept
	levels []*level
	turns  map[string]bool
}

// Take implements write.Turns.
func (d *distant) Take(ctx context.Context, path string) (release func(), err error) {
	for {
		d.lag.wait()
		d.mu.Lock()
		taken := d.turns[path]
		d.turns[path] = true
		d.mu.Unlock()
		d.lag.wait()
		if !taken {
			break
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.turns, path)
	}, nil
}

// kept is a value for as long as it is.
type kept struct {
	value []byte
	until time.Time
}

func (d *distant) front(t *testing.T, h *hub, settings func(*write.Settings), sites []*site) *front {
	l := &level{distant: d, waiting: make(map[string]*[]byte), unsure: make(map[string]int), wrote: make(map[string]time.Time)}
	f := newFrontWith(t, h, l, d, settings, sites...)
	d.mu.Lock()
	defer d.mu.Unlock()
	l.f = f.f
	d.levels = append(d.levels, l)
	return f
}

// level is what a front end has of it.
type level struct {
	*distant
	f       *federator.Federator
	waiting map[string]*[]byte   // what is still to be written
	unsure  map[string]int       // what was invalidated and may still be there
	wrote   map[string]time.Time // when a value was written
	// delivered is closed when all has been done that was to be.
	delivered chan struct{}
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
	done := make(chan struct{})
	l.mu.Lock()
	before := l.delivered
	l.delivered = done
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
			other.hear(keys)
		}
	})
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

func (l *level) Told(context.Context) bool {
	l.mu.Lock()
	all := l.delivered
	l.mu.Unlock()
	if all != nil {
		<-all
	}
	return true
}

func (l *level) Close() error { return nil }
