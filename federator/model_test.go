package federator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"canopy/cache"
	"canopy/federator"
)

// step is one operation of a random log.
type step struct {
	op         string
	site, file int
	n          int
}

func (s step) String() string {
	switch s.op {
	case "put":
		return fmt.Sprintf("put s%d %s size %d", s.site, worldFiles[s.file], s.n)
	case "write":
		return fmt.Sprintf("write s%d %s size %d, while it is asked for", s.site, worldFiles[s.file], s.n%3)
	case "remove":
		return fmt.Sprintf("remove s%d %s", s.site, worldFiles[s.file])
	case "advance":
		return fmt.Sprint("advance ", steps[s.n%len(steps)])
	case "lookup", "locate", "all", "forget", "meanwhile locate":
		return s.op + " " + worldFiles[s.file]
	case "list", "meanwhile list":
		return s.op + " " + worldDirs[s.file%len(worldDirs)]
	case "reload":
		return fmt.Sprintf("reload %04b", s.mask())
	case "break":
		return fmt.Sprintf("break listings of s%d after %d", s.site, s.n)
	}
	return fmt.Sprintf("%s s%d", s.op, s.site)
}

func (s step) mask() int { return max(1, (s.n*5+s.site)%16) }

var steps = []time.Duration{10 * time.Millisecond, 200 * time.Millisecond, 2 * time.Second, 7 * time.Second, 32 * time.Second, 6 * time.Minute, 11 * time.Minute, 80 * time.Minute}

var operations = []string{
	"put", "put", "remove", "freeze", "thaw", "thaw", "refuse", "accept", "accept", "stick", "unstick", "break", "mend",
	"advance", "advance", "advance", "advance", "lookup", "lookup", "locate", "locate", "all", "list", "list", "list", "reload", "forget", "forget",
	"meanwhile locate", "meanwhile locate", "meanwhile list", "write", "write",
}

func stepGen() *rapid.Generator[step] {
	return rapid.Custom(func(t *rapid.T) step {
		return step{
			op: rapid.SampledFrom(operations).Draw(t, "op"), site: rapid.IntRange(0, 3).Draw(t, "site"),
			file: rapid.IntRange(0, len(worldFiles)-1).Draw(t, "file"), n: rapid.IntRange(0, 7).Draw(t, "n"),
		}
	})
}

// model runs a log against federators and holds them against the truth.
type model struct {
	t          *testing.T
	w          *world
	s          federator.Settings
	f          []*federator.Federator
	mask       int
	shared     *memory
	forgotten  map[string]time.Time
	violations []string
	meanwhile  sync.WaitGroup
}

func (m *model) wrong(format string, args ...any) {
	m.violations = append(m.violations, fmt.Sprintf(format, args...))
}

func (m *model) endpoints() []federator.Endpoint {
	var all []federator.Endpoint
	for i := range m.w.sites {
		if m.mask&(1<<i) != 0 {
			all = append(all, m.w.endpoint(m.t, i))
		}
	}
	return all
}

func (m *model) do(n int, s step) {
	f := m.f[n%len(m.f)]
	site := m.w.sites[s.site]
	switch s.op {
	case "put":
		m.w.put(s.site, s.file, 1+s.n%3)
	case "remove":
		m.w.put(s.site, s.file, 0)
	case "freeze":
		site.frozen.Store(true)
	case "thaw":
		site.frozen.Store(false)
	case "refuse":
		site.refused.Store(true)
	case "accept":
		site.refused.Store(false)
	case "stick":
		m.w.stuck[s.site].Store(true)
	case "unstick":
		m.w.stuck[s.site].Store(false)
	case "break":
		site.breaks.Store(int64(s.n))
	case "mend":
		site.breaks.Store(0)
	case "advance":
		time.Sleep(steps[s.n])
	case "reload":
		m.mask = s.mask()
		for _, f := range m.f {
			if err := f.Reload(m.t.Context(), m.s, m.endpoints()); err != nil {
				m.wrong("reload: %v", err)
			}
		}
	case "forget":
		m.forget(worldFiles[s.file])
	case "write":
		path := worldFiles[s.file]
		m.forget(path)
		m.later(7, func(ctx context.Context) { f.Locate(ctx, path, federator.All, nobody) })
		m.later(7, func(ctx context.Context) {
			if d, err := f.List(ctx, parent(path)); err == nil {
				defer d.Close()
				for range d.Children() {
				}
			}
		})
		time.Sleep(4 * time.Millisecond) // some have answered
		m.w.put(s.site, s.file, s.n%3)
		m.forget(path)
		time.Sleep(10 * time.Millisecond)
		m.lookup(f, path, federator.First)
		m.list(f, parent(path))
	case "meanwhile locate":
		m.later(s.n, func(ctx context.Context) { f.Locate(ctx, worldFiles[s.file], federator.Best, nobody) })
	case "meanwhile list":
		m.later(s.n, func(ctx context.Context) {
			d, err := f.List(ctx, worldDirs[s.file%len(worldDirs)])
			if err != nil {
				return
			}
			defer d.Close()
			for range d.Children() {
				if s.n%2 == 0 {
					return
				}
			}
		})
	case "lookup":
		m.lookup(f, worldFiles[s.file], federator.First)
	case "all":
		m.lookup(f, worldFiles[s.file], federator.All)
	case "locate":
		m.locate(f, worldFiles[s.file])
	case "list":
		m.list(f, worldDirs[s.file%len(worldDirs)])
	}
	for i, site := range m.w.sites {
		if site.frozen.Load() || site.refused.Load() || site.breaks.Load() > 0 || m.w.stuck[i].Load() {
			m.w.sick[i] = time.Now()
		}
	}
}

func parent(path string) string { return path[:max(1, strings.LastIndexByte(path, '/'))] }

// forget does what a write does to the caches of all.
func (m *model) forget(path string) {
	time.Sleep(time.Microsecond) // so that what was written before is older
	keys := []string{"e:" + path, "l:" + parent(path)}
	m.shared.Invalidate(keys...)
	for _, f := range m.f {
		f.Forget(keys)
	}
	m.forgotten[path] = time.Now()
}

// later has a client of its own do something, for some time, while the log
// goes on.
func (m *model) later(n int, do func(context.Context)) {
	m.meanwhile.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), steps[n/2])
		defer cancel()
		do(ctx)
	})
}

// well reports whether all configured sites have been well for long.
func (m *model) well() bool {
	for i, t := range m.w.sick {
		if m.mask&(1<<i) != 0 && !t.IsZero() && time.Since(t) < 2*time.Minute {
			return false
		}
	}
	return true
}

func (m *model) lookup(f *federator.Federator, path string, need federator.Need) {
	found, err := f.Lookup(m.t.Context(), path, need, nobody)
	m.failure(path, err)
	if err == nil {
		m.exists(path, found)
	}
}

// exists checks that a path which is said to exist does, or did lately.
func (m *model) exists(path string, found federator.Found) {
	since, gone := m.w.gone(path, m.mask)
	if !gone {
		return
	}
	if ago := time.Since(since); ago > m.s.EntryTTL+m.s.Stale+m.s.Deadline {
		m.wrong("%s is said to exist, and is gone from all since %v", path, ago)
	}
	if at, ok := m.forgotten[path]; ok && since.Before(at) {
		m.wrong("%s is said to exist, was gone before it was forgotten; %+v, %d replicas", path, found.Missing, len(found.Replicas))
	}
}

func (m *model) failure(path string, err error) {
	var absent *federator.Absent
	var unknown *federator.Unknown
	switch {
	case errors.As(err, &absent):
		for i, site := range m.w.sites {
			c := m.w.held[i][path]
			if m.mask&(1<<i) == 0 || c.size == 0 || slices.Contains(absent.Missing, site.name) {
				continue
			}
			if ago := time.Since(c.since); ago > max(m.s.AbsentTTL, m.s.ListingTTL)+m.s.Deadline {
				m.wrong("%s is said to be absent (missing %v), and is at %s since %v", path, absent.Missing, site.name, ago)
			}
			if at, ok := m.forgotten[path]; ok && c.since.Before(at) {
				m.wrong("%s is said to be absent, was at %s before it was forgotten", path, site.name)
			}
		}
	case errors.As(err, &unknown):
		if len(unknown.Missing) == 0 {
			m.wrong("%s is unknown for nobody's sake", path)
		}
		if m.well() {
			m.wrong("%s is unknown for %v, and all are well", path, unknown.Missing)
		}
	case err != nil:
		m.wrong("%s: %v", path, err)
	}
}

func down(f *federator.Federator) []string {
	var names []string
	for _, s := range f.Endpoints() {
		if s.Condition.String() == "down" {
			names = append(names, s.Name)
		}
	}
	return names
}

func (m *model) locate(f *federator.Federator, path string) {
	before := down(f)
	d, err := f.Locate(m.t.Context(), path, federator.Best, nobody)
	m.failure(path, err)
	if err != nil {
		return
	}
	after := down(f)
	m.exists(path, d.Found)
	if len(d.Replicas) == 0 {
		m.wrong("%s has no replicas", path)
	}
	for _, r := range d.Replicas {
		if slices.Contains(before, r.Endpoint) && slices.Contains(after, r.Endpoint) {
			m.wrong("%s is offered at %s, which is down", path, r.Endpoint)
		}
		if r.Size != d.Size() {
			m.wrong("%s of size %d is offered with size %d at %s", path, d.Size(), r.Size, r.Endpoint)
		}
		i := int(r.Endpoint[1] - '0')
		if m.mask&(1<<i) == 0 {
			m.wrong("%s is offered at %s, which is not configured", path, r.Endpoint)
		}
		if c := m.w.held[i][path]; c.size == 0 && time.Since(c.since) > m.s.EntryTTL+m.s.Stale+m.s.Deadline {
			m.wrong("%s is offered at %s, where it is not since %v", path, r.Endpoint, time.Since(c.since))
		}
	}
	if i := d.Deal(); i >= d.Equals {
		m.wrong("dealt %d of %d", i, d.Equals)
	}
}

// directories are there all the time.
var directories = map[string]bool{"/d": true, "/e": true, "/p": true, "/q": true}

func (m *model) list(f *federator.Federator, dir string) {
	d, err := f.List(m.t.Context(), dir)
	if err != nil {
		m.failure(dir, err)
		return
	}
	defer d.Close()
	settled, early := d.Settled(), d.Missing()
	var names []string
	for c, err := range d.Children() {
		if err != nil {
			m.wrong("listing %s: %v", dir, err)
			return
		}
		if len(names) > 0 && c.Name <= names[len(names)-1] {
			m.wrong("listing %s: %s after %v", dir, c.Name, names)
		}
		names = append(names, c.Name)
		for _, name := range f.Holders(nil, &c.Facts) {
			if m.mask&(1<<int(name[1]-'0')) == 0 {
				m.wrong("listing %s: %s is at %s, which is not configured", dir, c.Name, name)
			}
		}
		if len(f.Holders(nil, &c.Facts)) == 0 {
			m.wrong("listing %s: nobody has %s", dir, c.Name)
		}
	}
	missing := d.Missing()
	if settled && !slices.Equal(early, missing) {
		m.wrong("listing %s: %v were missing when it was settled, then %v", dir, early, missing)
	}
	if m.well() && len(missing) > 0 && !d.Stale {
		m.wrong("listing %s: missing %v, and all are well", dir, missing)
	}
	bound := m.s.ListingTTL + m.s.Deadline
	if d.Stale {
		bound += m.s.Stale
	}
	for name, at := range m.w.names(dir, m.mask) {
		path := strings.TrimSuffix(dir, "/") + "/" + name
		for _, i := range at {
			c := m.w.held[i][path]
			if time.Since(c.since) > bound && !slices.Contains(missing, m.w.sites[i].name) && !slices.Contains(names, name) {
				m.wrong("listing %s (missing %v, stale %t): %s is not in it, and is at s%d since %v", dir, missing, d.Stale, name, i, time.Since(c.since))
			}
		}
	}
	for _, name := range names {
		path := strings.TrimSuffix(dir, "/") + "/" + name
		since, gone := m.w.gone(path, m.mask)
		if gone && !directories[path] && len(missing) == 0 && time.Since(since) > bound {
			m.wrong("listing %s: %s is in it, and is gone since %v", dir, name, time.Since(since))
		}
	}
}

// settle brings all back to health, lets all be learned anew, and checks that
// what is said is what is.
func (m *model) settle() {
	for i, s := range m.w.sites {
		s.frozen.Store(false)
		s.refused.Store(false)
		s.breaks.Store(0)
		m.w.stuck[i].Store(false)
	}
	time.Sleep(11 * time.Minute)
	for round := range 2 {
		for n, f := range m.f {
			for _, dir := range worldDirs {
				want := m.w.names(dir, m.mask)
				names, missing := listing(m.t, f, dir)
				got := strings.Fields(names)
				got = slices.DeleteFunc(got, func(s string) bool { return dir == "/" && (s == "d" || s == "e" || s == "p" || s == "q") || s == "e" })
				if round == 1 && (len(got) != len(want) || missing != "") {
					m.wrong("in the end: federator %d lists %s as %v, missing %q; true is %v", n, dir, got, missing, want)
				}
			}
			for _, path := range worldFiles {
				m.agreed(n, f, path, round == 1)
			}
		}
		time.Sleep(time.Minute)
	}
}

// agreed looks at a path in the end, and checks it against the truth.
func (m *model) agreed(n int, f *federator.Federator, path string, check bool) {
	d, err := f.Locate(context.Background(), path, federator.All, nobody)
	if !check {
		return
	}
	copies := make(map[int]int)
	most := 0
	for i := range m.w.sites {
		if c := m.w.held[i][path]; m.mask&(1<<i) != 0 && c.size > 0 {
			copies[c.size]++
			most = max(most, copies[c.size])
		}
	}
	var absent *federator.Absent
	switch {
	case most == 0 && (!errors.As(err, &absent) || len(absent.Missing) > 0):
		m.wrong("in the end: federator %d says of %s, which nobody has: %v", n, path, err)
	case most > 0 && err != nil:
		m.wrong("in the end: federator %d says of %s: %v", n, path, err)
	case most > 0 && (len(d.Replicas) != most || copies[int(d.Size())] != most || d.Stale):
		m.wrong("in the end: federator %d offers %s with size %d at %s (stale %t); true is %v", n, path, d.Size(), order(d), d.Stale, copies)
	}
}

func TestModel(t *testing.T) {
	type variant struct {
		name       string
		absent     time.Duration
		federators int
		shared     bool
		unknown    federator.Doubt
	}
	variants := []variant{
		{"cache", 30 * time.Second, 1, false, federator.Evidence},
		{"nothing absent is remembered", 0, 1, false, federator.AlwaysUnavailable},
		{"two front ends", 30 * time.Second, 2, true, federator.Evidence},
	}
	rapid.Check(t, func(rt *rapid.T) {
		v := rapid.SampledFrom(variants).Draw(rt, "variant")
		log := rapid.SliceOfN(stepGen(), 30, 120).Draw(rt, "log")
		var violations []string
		done := 0
		synctest.Test(t, func(t *testing.T) {
			m := &model{t: t, w: newWorld(), s: settings(), mask: 15, shared: &memory{}, forgotten: make(map[string]time.Time)}
			m.s.AbsentTTL, m.s.Unknown = v.absent, v.unknown
			var second cache.Shared
			if v.shared {
				second = m.shared
			}
			for range v.federators {
				m.f = append(m.f, start(t, m.s, second, m.endpoints()...))
			}
			for n, s := range log {
				m.do(n, s)
				if done = n + 1; len(m.violations) > 0 {
					break
				}
			}
			m.meanwhile.Wait()
			if len(m.violations) == 0 {
				m.settle()
			}
			if m.w.misuse.Load() {
				m.wrong("a closed endpoint was asked")
			}
			violations = m.violations
		})
		if len(violations) > 0 {
			var b strings.Builder
			for n, s := range log[:done] {
				fmt.Fprintf(&b, "%3d %v\n", n, s)
			}
			rt.Fatalf("%s:\n%s\nafter\n%s", v.name, strings.Join(violations, "\n"), b.String())
		}
	})
}
