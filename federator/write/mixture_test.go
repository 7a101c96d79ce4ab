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
	"canopy/plugins/plugintest/mem"
)

var (
	firstSeed = flag.Uint64("seed", 1, "the seed of the first mixture")
	mixtures  = flag.Uint64("mixtures", 12, "how many mixtures are tried")
	traces    = flag.Bool("traces", false, "what storages do is in the history of a path")
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
	// note is told what is done.
	note func(what string)
}

func (l *lag) did(err error, what ...string) {
	if l.note == nil {
		return
	}
	if err != nil {
		what = append(what, "in vain:", err.Error())
	}
	l.note(strings.Join(what, " "))
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
	entry, err := e.timeless.Store(ctx, p, content, u)
	e.lag.did(err, "stores", p)
	return entry, err
}

func (e laggy) Remove(ctx context.Context, p string) error {
	defer e.away()()
	err := e.timeless.Remove(ctx, p)
	e.lag.did(err, "removes", p)
	return err
}

func (e laggy) Move(ctx context.Context, from, to string, replace bool) error {
	defer e.away()()
	err := e.timeless.Move(ctx, from, to, replace)
	e.lag.did(err, "moves", from, "to", to)
	return err
}

func (e laggy) Open(ctx context.Context, p string, r plugins.Range) (*plugins.Body, error) {
	defer e.away()()
	return e.timeless.Open(ctx, p, r)
}

func laggySite(name string, random *rand.Rand, note func(string), without ...string) *site {
	s := newSite(name, nil)
	s.tree.Mkdir("/d")
	s.Endpoint = faults.New(laggy{timeless{s.tree}, &lag{random: random, note: note}}, without...)
	return s
}

func mixture(t *testing.T, seed uint64) {
	from := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }
	m := &mixed{t: t, log: history.New(), since: time.Now(), grows: seed%4 == 0}
	notes := func(name string) func(string) {
		if !*traces {
			return nil
		}
		return func(what string) { m.log.Note(time.Since(m.since), name+" "+what) }
	}
	var cannot []string
	if seed/4%2 == 0 {
		cannot = []string{"move"}
	}
	sites := []*site{laggySite("a", from(1), notes("a")), laggySite("b", from(2), notes("b"), cannot...), laggySite("c", from(3), notes("c"))}
	m.sites = sites
	sites[1].access = federator.Redirect          // who writes there is not seen before he is done
	t.Cleanup(func() { time.Sleep(time.Second) }) // for what is under way after all
	h := &hub{}
	far := &distant{lag: &lag{random: from(4)}, values: make(map[string]kept), turns: make(map[string]bool)}
	settings := func(s *write.Settings) {
		s.Cleanup = time.Minute
		if seed%2 == 0 {
			s.Policy, _ = place.ByName("spread")
		}
	}
	m.sow(from(6))
	for i := range m.fronts {
		m.fronts[i] = far.born(t, fmt.Sprint(i, "-1"), h, settings, sites)
	}
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
			if random.IntN(4) == 0 {
				i := random.IntN(len(m.fronts))
				old := m.front(i)
				m.log.Note(time.Since(m.since), old.name+" dies")
				old.die()
				f := far.born(t, fmt.Sprint(i, "-", time.Since(m.since)), h, settings, sites)
				m.mu.Lock()
				m.fronts[i] = f
				m.mu.Unlock()
				m.log.Note(time.Since(m.since), f.name+" is born")
				continue
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
		for _, f := range m.fronts {
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
	left, err := h.All(t.Context())
	if err != nil {
		t.Error(err)
	}
	for key, value := range left {
		// Clients who were sent to a storage are waited for much longer.
		if !strings.HasPrefix(key, "intent ") {
			t.Errorf("seed %d: the ledger has %q: %s", seed, key, value)
		}
	}
}

// mixed is one mixture.
type mixed struct {
	t     *testing.T
	log   *history.Log
	since time.Time
	sites []*site
	grows bool

	mu     sync.Mutex
	fronts [2]*life
}

// names are the paths that all clients use.
var names = []string{"/d/f0", "/d/f1", "/d/f2", "/d/f3"}

// sow lays files down on some of the sites.
func (m *mixed) sow(random *rand.Rand) {
	for n, p := range names {
		v := []string{"cs-%03d", "cs-%05d"}[random.IntN(2)] // as long as others, or longer
		v = fmt.Sprintf(v, n)
		copies := random.IntN(len(m.sites))
		for _, i := range random.Perm(len(m.sites))[:copies] {
			m.sites[i].tree.Put(p, mem.File{Content: v, ModTime: time.Now().Add(-time.Hour)})
		}
		if copies > 0 {
			m.log.Add(history.Op{Kind: history.Put, Path: p, Version: history.Version(v), Done: true, Client: "nobody", Front: "none"})
		}
	}
}

func (m *mixed) front(i int) *life {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fronts[i]
}

// aftermath is for how long what a front end had asked for when it died may still
// come to be.
const aftermath = 200 * time.Millisecond

// client does so many things, one after the other.
func (m *mixed) client(name string, random *rand.Rand, things int, pause time.Duration) {
	for n := range things {
		time.Sleep(time.Duration(random.Int64N(int64(pause))))
		f := m.front(random.IntN(len(m.fronts)))
		o := history.Op{Path: names[random.IntN(len(names))], Client: name, Front: f.name, Began: time.Since(m.since)}
		var err error
		switch turn := random.IntN(10); {
		case turn < 3:
			// Of several sizes: what is smaller than what is to come may be a part of it.
			o.Kind, o.Version = history.Put, history.Version(fmt.Sprintf("%s-%0*d", name, 3+2*random.IntN(3), n))
			err = m.put(f, o.Path, string(o.Version), random.IntN(2) == 0, random.IntN(5) == 0)
		case turn < 5:
			o.Kind = history.Delete
			err = f.w.Remove(f.ctx, o.Path, nobody, anything, nil)
		case turn < 7:
			o.Kind, o.To = history.Move, names[random.IntN(len(names))]
			if o.To == o.Path {
				continue
			}
			_, err = f.w.Move(f.ctx, o.Path, o.To, true, nobody, anything)
		default:
			o.Kind = history.Read
			got := f.read(o.Path)
			switch {
			case f.gone():
				continue
			case got == "absent":
			case strings.HasPrefix(got, "c"):
				o.Version = history.Version(got)
			default:
				continue
			}
		}
		o.Ended, o.Done, o.Said = time.Since(m.since), err == nil && !f.gone(), fmt.Sprint(err)
		var absent *federator.Absent
		switch {
		case f.gone() && o.Kind != history.Read:
			o.Ended += aftermath // nobody knows
		case errors.As(err, &absent):
			o.Kind, o.To, o.Version, o.Done = history.Read, "", "", true
		}
		m.log.Add(o)
	}
}

// grow stores a file that is seen while it grows. One at a time can be at a path.
func (s *site) grow(t *testing.T, p, content string) error {
	if _, growing := s.growing.LoadOrStore(p, true); growing {
		return errors.New("another one is being stored there")
	}
	defer s.growing.Delete(p)
	before, half := s.read(p), content[:len(content)/2]
	s.tree.Put(p, mem.File{Content: half, ModTime: time.Now().Truncate(time.Second)})
	time.Sleep(time.Duration(len(content)) * time.Millisecond)
	_, err := s.Abilities().Writer.Store(t.Context(), p, strings.NewReader(content), plugins.Upload{Size: int64(len(content))})
	if err != nil && s.read(p) == half { // it does not keep what broke off
		if before == "-" {
			_ = s.tree.Remove(t.Context(), p)
		} else {
			s.tree.Put(p, mem.File{Content: before, ModTime: time.Now().Truncate(time.Second)})
		}
	}
	return err
}

// put stores a file by way of the front end, or, if asks, where that sends the
// client, who may never go there; there it is seen while it grows, if m.grows.
func (m *mixed) put(f *life, p, content string, asks, never bool) error {
	file := write.File{Size: int64(len(content)), Client: nobody}
	if asks {
		target, carry, err := f.w.Redirect(f.ctx, p, file)
		if err != nil || f.gone() {
			return errors.Join(err, f.ctx.Err())
		}
		if !carry && never {
			return errors.New("the client has not gone there")
		}
		if !carry {
			at := slices.IndexFunc(m.sites, func(s *site) bool { return s.name == target.Endpoint })
			if !m.grows {
				_, err := m.sites[at].Abilities().Writer.Store(m.t.Context(), p, strings.NewReader(content), plugins.Upload{Size: file.Size})
				return err
			}
			return m.sites[at].grow(m.t, p, content)
		}
	}
	_, err := f.w.Put(f.ctx, p, strings.NewReader(content), file)
	return err
}
