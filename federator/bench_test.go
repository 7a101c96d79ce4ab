package federator_test

import (
	"context"
	"fmt"
	"iter"
	"math/bits"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"canopy/federator"
	"canopy/plugins"
)

func warm(b *testing.B, endpoints int) *federator.Federator {
	var sites []*site
	for i := range endpoints {
		sites = append(sites, newSite(fmt.Sprint("s", i), files(1000)))
	}
	f := federate(b, settings(), nil, sites...)
	if _, err := f.Locate(b.Context(), "/d/f00001", federator.All, nobody); err != nil {
		b.Fatal(err)
	}
	return f
}

// BenchmarkLocateWarm is a hit: the bulk of all requests.
func BenchmarkLocateWarm(b *testing.B) {
	for _, n := range []int{2, 22} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := warm(b, n)
			time.Sleep(10 * time.Millisecond) // all have answered
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				d, err := f.Locate(ctx, "/d/f00001", federator.Best, nobody)
				if err != nil || d.Deal() >= n {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLocateAfterAChange(b *testing.B) {
	f := warm(b, 6)
	ctx := context.Background()
	b.ReportAllocs()
	for on := false; b.Loop(); on = !on {
		f.Drain("s5", on)
		if _, err := f.Locate(ctx, "/d/f00001", federator.Best, nobody); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookupWarm(b *testing.B) {
	f := warm(b, 6)
	ctx := context.Background()
	listingOf(b, f)
	for _, c := range []struct{ name, path string }{{"entry", "/d/f00001"}, {"absent by listing", "/d/none"}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.Lookup(ctx, c.path, federator.First, nobody)
			}
		})
	}
}

func listingOf(b *testing.B, f *federator.Federator) (n int) {
	d, err := f.List(context.Background(), "/d")
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	for range d.Children() {
		n++
	}
	return n
}

func BenchmarkListWarm(b *testing.B) {
	f := warm(b, 4)
	n := listingOf(b, f)
	b.ReportAllocs()
	for b.Loop() {
		listingOf(b, f)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/child")
}

// BenchmarkListCold merges 10,000 names from four endpoints.
func BenchmarkListCold(b *testing.B) {
	for _, ordered := range []bool{true, false} {
		b.Run(fmt.Sprintf("ordered=%t", ordered), func(b *testing.B) {
			f := start(b, settings(), nil, crowd(b, 4, 10000, ordered)...)
			n := listingOf(b, f)
			b.ReportAllocs()
			for b.Loop() {
				f.ForgetAll()
				listingOf(b, f)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/child")
		})
	}
}

// many is a storage with a directory of n files, of which it keeps nothing in
// memory.
type many struct {
	*site
	n       int
	ordered bool
}

func (m many) Ordered() bool { return m.ordered }

func (m many) List(context.Context, string) iter.Seq2[plugins.Entry, error] {
	return func(yield func(plugins.Entry, error) bool) {
		modified := time.Unix(1.6e9, 123456789)
		name := []byte("file-000000000.root")
		width := bits.Len(uint(m.n - 1))
		for i := range 1 << width {
			k := i
			if !m.ordered { // every name once, far from its neighbours
				k = int(bits.Reverse64(uint64(i)) >> (64 - width))
			}
			for at, left := 13, k; at > 4; at, left = at-1, left/10 {
				name[at] = byte('0' + left%10)
			}
			if k < m.n && !yield(plugins.Entry{Name: string(name), Kind: plugins.File, Size: int64(k) * 1000003, ModTime: modified}, nil) {
				return
			}
		}
	}
}

func crowd(t testing.TB, endpoints, n int, ordered bool) []federator.Endpoint {
	var all []federator.Endpoint
	for i := range endpoints {
		s := newSite(fmt.Sprint("s", i), nil)
		all = append(all, s.endpoint(t, func(e *federator.Endpoint) {
			e.Open = func(context.Context) (plugins.Endpoint, error) { return many{s, n, ordered}, nil }
		}))
	}
	return all
}

// resident is the memory that the process holds, in MiB.
func resident() float64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return float64(s[0].Value.Uint64()-s[1].Value.Uint64()) / (1 << 20)
}

// TestAMillionChildren streams a directory of a million entries, as the demand
// is, with less than 600 MiB resident.
func TestAMillionChildren(t *testing.T) {
	n := 1000000
	if raceEnabled {
		n = 100000
	}
	for _, c := range []struct {
		endpoints int
		ordered   bool
	}{{1, true}, {1, false}, {4, true}, {4, false}} {
		t.Run(fmt.Sprintf("endpoints=%d,ordered=%t", c.endpoints, c.ordered), func(t *testing.T) {
			debug.FreeOSMemory()
			f := start(t, settings(), nil, crowd(t, c.endpoints, n, c.ordered)...)
			began := time.Now()
			d, err := f.List(t.Context(), "/d")
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			most, count := resident(), 0
			for child, err := range d.Children() {
				if err != nil {
					t.Fatal(err)
				}
				if len(child.Replicas) != c.endpoints || child.Name != fmt.Sprintf("file-%09d.root", count) {
					t.Fatalf("child %d is %s with %d replicas", count, child.Name, len(child.Replicas))
				}
				if count++; count%10000 == 0 {
					most = max(most, resident())
				}
			}
			t.Logf("%.0f MiB at most, %v", most, time.Since(began).Round(time.Millisecond))
			if count != n || len(d.Missing()) > 0 {
				t.Errorf("%d children, missing %v", count, d.Missing())
			}
			if most > 600 && !raceEnabled {
				t.Errorf("%.0f MiB resident", most)
			}
		})
	}
}

// TestEntriesAreSmall: what a remembered path with two replicas takes.
func TestEntriesAreSmall(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for _, c := range []struct{ endpoints, entries int }{{2, 200000}, {22, 20000}} {
		endpoints, n := c.endpoints, c.entries
		if raceEnabled {
			n /= 20
		}
		var all []federator.Endpoint
		for i := range endpoints {
			s := newSite(fmt.Sprint("s", i), nil)
			all = append(all, s.endpoint(t, func(e *federator.Endpoint) {
				e.Open = func(context.Context) (plugins.Endpoint, error) { return twice{s, i < 2}, nil }
			}))
		}
		f := start(t, settings(), nil, all...)
		before := heap()
		for i := range n {
			if _, err := f.Lookup(t.Context(), fmt.Sprintf("/store/data/file-%08d.root", i), federator.All, nobody); err != nil {
				t.Fatal(err)
			}
		}
		each := (heap() - before) / uint64(n)
		t.Logf("%d bytes for each, of %d endpoints", each, endpoints)
		if each > 500 && !raceEnabled {
			t.Errorf("%d bytes for each", each)
		}
		runtime.KeepAlive(f)
	}
}

// twice has every file, or none.
type twice struct {
	*site
	has bool
}

func (s twice) Stat(_ context.Context, p string) (plugins.Entry, error) {
	if !s.has {
		return plugins.Entry{}, &plugins.Error{Kind: plugins.NotFound, Op: "stat", Path: p}
	}
	return plugins.Entry{Name: p[len("/store/data/"):], Kind: plugins.File, Size: 123456, ModTime: time.Unix(1.6e9, 5)}, nil
}
