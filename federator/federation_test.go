package federator_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"canopy/cache"
	"canopy/federator"
	"canopy/federator/choice"
	"canopy/federator/geo"
	"canopy/federator/record"
	"canopy/nametrans"
	"canopy/plugins"
	"canopy/plugins/plugintest/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a storage in memory with the faults that a test gives it.
type site struct {
	*mem.Endpoint
	name  string
	delay atomic.Int64 // of every answer, in nanoseconds
	// frozen: no question is answered until its context ends.
	frozen atomic.Bool
	// refused: as if nobody listened.
	refused atomic.Bool
	fault   atomic.Pointer[plugins.Error] // answered to every question but probes
	stats   atomic.Int64
	lists   atomic.Int64
	// breaks is after how many names a listing fails; 0 is never.
	breaks   atomic.Int64
	canceled atomic.Int64
	closed   atomic.Bool
}

func newSite(name string, tree map[string]string) *site {
	return &site{Endpoint: mem.New("http://"+name+".example/data", tree), name: name}
}

func (s *site) answer(ctx context.Context) error {
	if s.closed.Load() {
		panic("question to a closed endpoint")
	}
	if s.refused.Load() {
		return &plugins.Error{Kind: plugins.Unavailable, Op: "dial"}
	}
	wait := time.Duration(s.delay.Load())
	if s.frozen.Load() {
		wait = time.Hour
	}
	if wait > 0 {
		timer := time.NewTimer(min(wait, 5*time.Second)) // limits.timeout
		defer timer.Stop()
		select {
		case <-timer.C:
			if s.frozen.Load() {
				return &plugins.Error{Kind: plugins.Timeout}
			}
		case <-ctx.Done():
			s.canceled.Add(1)
			return plugins.Fail("wait", "", ctx.Err())
		}
	}
	return nil
}

func (s *site) Stat(ctx context.Context, p string) (plugins.Entry, error) {
	s.stats.Add(1)
	if err := s.answer(ctx); err != nil {
		return plugins.Entry{}, err
	}
	if e := s.fault.Load(); e != nil {
		return plugins.Entry{}, e
	}
	return s.Endpoint.Stat(ctx, p)
}

func (s *site) Probe(ctx context.Context, p string) error { return s.answer(ctx) }

func (s *site) List(ctx context.Context, p string) iter.Seq2[plugins.Entry, error] {
	s.lists.Add(1)
	return func(yield func(plugins.Entry, error) bool) {
		if err := s.answer(ctx); err != nil {
			yield(plugins.Entry{}, err)
			return
		}
		n := int64(0)
		for e, err := range s.Endpoint.List(ctx, p) {
			if b := s.breaks.Load(); b > 0 && n == b {
				yield(plugins.Entry{}, &plugins.Error{Kind: plugins.Unavailable})
				return
			}
			n++
			if !yield(e, err) {
				return
			}
		}
	}
}

func (s *site) Close() error {
	s.closed.Store(true)
	return nil
}

func id(s string) record.ID {
	h := fnv.New64a()
	h.Write([]byte(s))
	return record.ID(h.Sum64())
}

// endpoint configures a site at the root of the namespace.
func (s *site) endpoint(t testing.TB, change ...func(*federator.Endpoint)) federator.Endpoint {
	t.Helper()
	names, err := nametrans.Compile("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	e := federator.Endpoint{
		Name: s.name, ID: id(s.name), Fingerprint: s.name, Type: "mem", Mount: "/", Names: names,
		Open: func(context.Context) (plugins.Endpoint, error) { return s, nil },
		Read: true, List: true, Weight: 1, ProbeEvery: 10 * time.Second, ProbeTimeout: 5 * time.Second, ProbePath: "/",
	}
	for _, c := range change {
		c(&e)
	}
	return e
}

func mounted(t testing.TB, mount string) func(*federator.Endpoint) {
	return func(e *federator.Endpoint) {
		names, err := nametrans.Compile(mount, nil)
		if err != nil {
			t.Fatal(err)
		}
		e.Mount, e.Names = mount, names
		e.ID = id(e.Name + mount)
	}
}

func settings() federator.Settings {
	return federator.Settings{
		Deadline: 10 * time.Second, Grace: 50 * time.Millisecond, DoubtFor: 30 * time.Second,
		EntryTTL: 10 * time.Minute, ListingTTL: 5 * time.Minute, AbsentTTL: 30 * time.Second, Stale: time.Hour,
		Select: []string{"site", "geo", "latency", "load", "random"},
	}
}

// federate starts a federation of sites and waits until each was probed.
func federate(t testing.TB, s federator.Settings, shared cache.Shared, sites ...*site) *federator.Federator {
	t.Helper()
	endpoints := make([]federator.Endpoint, len(sites))
	for i := range sites {
		endpoints[i] = sites[i].endpoint(t)
	}
	return start(t, s, shared, endpoints...)
}

func start(t testing.TB, s federator.Settings, shared cache.Shared, endpoints ...federator.Endpoint) *federator.Federator {
	t.Helper()
	f := federator.New(federator.Bounds{Entries: 1e6, Bytes: 1 << 30}, shared, federator.Outside{Seed: 1})
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := f.Reload(t.Context(), s, endpoints); err != nil {
		t.Fatal(err)
	}
	return f
}

var nobody = &choice.Client{Place: (*geo.Atlas)(nil).Locate(netip.Addr{})}

// order returns the endpoints of a decision, best first.
func order(d *federator.Decision) string {
	var names []string
	for _, r := range d.Replicas {
		names = append(names, r.Endpoint)
	}
	return strings.Join(names, " ")
}

// verdict says in a word how a lookup of path ends.
func verdict(f *federator.Federator, path string) string {
	found, err := f.Lookup(context.Background(), path, federator.First, nobody)
	var absent *federator.Absent
	var unknown *federator.Unknown
	switch {
	case err == nil:
		return found.Kind().String()
	case errors.As(err, &absent) && len(absent.Missing) > 0:
		return "absent but for " + strings.Join(absent.Missing, " ")
	case errors.As(err, &absent):
		return "absent"
	case errors.As(err, &unknown):
		return "unknown for " + strings.Join(unknown.Missing, " ")
	}
	return err.Error()
}

// listing returns the names of a directory, and who is missing.
func listing(t testing.TB, f *federator.Federator, path string) (names, missing string) {
	t.Helper()
	d, err := f.List(t.Context(), path)
	if err != nil {
		return err.Error(), ""
	}
	defer d.Close()
	var all []string
	for c, err := range d.Children() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c.Name)
	}
	return strings.Join(all, " "), strings.Join(d.Missing(), " ")
}

// at runs n calls at once.
func at(n int, call func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { call(i) })
	}
	wg.Wait()
}

func files(n int) map[string]string {
	tree := make(map[string]string)
	for i := range n {
		tree[fmt.Sprintf("/d/f%05d", i)] = "x"
	}
	return tree
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
