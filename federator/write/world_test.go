package write_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"canopy/cache"
	"canopy/federator"
	"canopy/federator/choice"
	"canopy/federator/geo"
	"canopy/federator/place"
	"canopy/federator/record"
	"canopy/federator/veil"
	"canopy/federator/write"
	"canopy/nametrans"
	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/plugintest/mem"
	"canopy/plugins/wire/digest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a storage in memory, with faults.
type site struct {
	*faults.Endpoint
	tree     *mem.Endpoint
	name     string
	readOnly bool
	mount    string
	access   federator.Access
	growing  *sync.Map // what grow is storing, by path
}

func newSite(name string, tree map[string]string, without ...string) *site {
	s := &site{tree: mem.New("http://"+name+".example", tree), name: name, mount: "/", access: federator.Proxy, growing: new(sync.Map)}
	s.Endpoint = faults.New(s.tree, without...)
	return s
}

func (s *site) endpoint(t testing.TB) federator.Endpoint {
	t.Helper()
	names, err := nametrans.Compile(s.mount, nil)
	if err != nil {
		t.Fatal(err)
	}
	id := fnv.New64a()
	io.WriteString(id, s.name)
	return federator.Endpoint{
		Name: s.name, ID: record.ID(id.Sum64()), Fingerprint: s.name, Type: "mem", Mount: s.mount, Names: names, Access: s.access,
		Open: func(context.Context) (plugins.Endpoint, error) { return s.Endpoint, nil },
		Read: true, List: true, Write: !s.readOnly, Weight: 1, ProbeEvery: 10 * time.Second, ProbeTimeout: 5 * time.Second, ProbePath: "/",
	}
}

// read returns what the storage itself has at path, "-" for nothing.
func (s *site) read(path string) string {
	b, err := s.tree.Open(context.Background(), path, plugins.Whole)
	if err != nil {
		if e, err := s.tree.Stat(context.Background(), path); err == nil && e.Kind == plugins.Directory {
			return "/"
		}
		return "-"
	}
	defer b.Close()
	all, err := io.ReadAll(b)
	if err != nil {
		return err.Error()
	}
	return string(all)
}

// hub is the level that front ends share: it passes words on at once.
type hub struct {
	mu    sync.Mutex
	front []*federator.Federator
	kept  map[string][]byte
	// down: nothing is kept or found.
	down bool
}

func (h *hub) Get(context.Context, ...string) [][]byte { return nil }
func (h *hub) Set(string, []byte, time.Duration)       {}
func (h *hub) Close() error                            { return nil }
func (h *hub) Told(context.Context) bool               { return true }
func (h *hub) Invalidate(keys ...string)               { h.tell(keys) }
func (h *hub) tell(keys []string) {
	h.mu.Lock()
	all := slices.Clone(h.front)
	h.mu.Unlock()
	for _, f := range all {
		f.Forget(keys)
	}
}

func (h *hub) Put(_ context.Context, key string, value []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down {
		return errors.New("the ledger is down")
	}
	if h.kept == nil {
		h.kept = make(map[string][]byte)
	}
	h.kept[key] = value
	return nil
}

func (h *hub) Delete(_ context.Context, key string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down {
		return errors.New("the ledger is down")
	}
	delete(h.kept, key)
	return nil
}

func (h *hub) Has(_ context.Context, key string) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down {
		return false, errors.New("the ledger is down")
	}
	_, ok := h.kept[key]
	return ok, nil
}

func (h *hub) All(context.Context) (map[string][]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down {
		return nil, errors.New("the ledger is down")
	}
	all := make(map[string][]byte)
	for k, v := range h.kept {
		all[k] = v
	}
	return all, nil
}

// front is one front end.
type front struct {
	t testing.TB
	f *federator.Federator
	w *write.Writer

	mu     sync.Mutex
	stored []string // what it was told to have come to be
}

func (f *front) note(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stored = append(f.stored, path)
}

var nobody = &choice.Client{Place: new(geo.Place)}

func newFront(t testing.TB, h *hub, change func(*write.Settings), sites ...*site) *front {
	t.Helper()
	f := newFrontWith(t, h, h, nil, change, sites...)
	time.Sleep(time.Second) // in a bubble: until all have been probed
	h.mu.Lock()
	defer h.mu.Unlock()
	h.front = append(h.front, f.f)
	return f
}

func newFrontWith(t testing.TB, ledger veil.Ledger, shared cache.Shared, turns write.Turns, change func(*write.Settings), sites ...*site) *front {
	t.Helper()
	v := veil.New(ledger)
	f := federator.New(federator.Bounds{Entries: 1000, Bytes: 1 << 24}, shared, federator.Outside{Seed: 1, Veil: v})
	policy, _ := place.ByName("first")
	settings := write.Settings{Policy: policy, Cleanup: time.Hour, Most: 1000}
	if change != nil {
		change(&settings)
	}
	made := &front{t: t, f: f}
	w := write.New(f, v, settings, write.Outside{Log: slog.New(slog.DiscardHandler), Hash: digest.New, Ledger: ledger, Turns: turns, Stored: made.note})
	made.w = w
	t.Cleanup(func() {
		w.Close()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	endpoints := make([]federator.Endpoint, len(sites))
	for i, s := range sites {
		endpoints[i] = s.endpoint(t)
	}
	if err := f.Reload(t.Context(), federator.Settings{
		Deadline: 10 * time.Second, Grace: 50 * time.Millisecond, DoubtFor: 30 * time.Second,
		EntryTTL: 10 * time.Minute, ListingTTL: 5 * time.Minute, AbsentTTL: 30 * time.Second, Stale: time.Hour,
		Select: []string{"weight"},
	}, endpoints); err != nil {
		t.Fatal(err)
	}
	return made
}

func (f *front) put(path, content string, more ...func(*write.File)) error {
	file := write.File{Size: int64(len(content)), Client: nobody}
	for _, m := range more {
		m(&file)
	}
	_, err := f.w.Put(f.t.Context(), path, strings.NewReader(content), file)
	return err
}

// read returns what a client gets at path: the content, "/", "absent" or
// "unknown".
func (f *front) read(path string) string {
	d, err := f.f.Locate(f.t.Context(), path, federator.All, nobody)
	var absent *federator.Absent
	var unknown *federator.Unknown
	switch {
	case errors.As(err, &absent):
		return "absent"
	case errors.As(err, &unknown):
		return "unknown"
	case err != nil:
		return err.Error()
	case d.Kind() == plugins.Directory:
		return "/"
	}
	c, err := f.f.Open(f.t.Context(), d, 0, plugins.Whole)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	all, err := io.ReadAll(c)
	if err != nil {
		return err.Error()
	}
	return string(all)
}

// list returns the names in dir, and then those who are missing.
func (f *front) list(dir string) string {
	d, err := f.f.List(f.t.Context(), dir)
	if err != nil {
		return err.Error()
	}
	defer d.Close()
	var names []string
	for c, err := range d.Children() {
		if err != nil {
			return err.Error()
		}
		names = append(names, c.Name)
	}
	if missing := d.Missing(); len(missing) > 0 {
		names = append(names, "but for", fmt.Sprint(missing))
	}
	return strings.Join(names, " ")
}

// size returns the size that a listing tells of a file, -1 if it is not in it.
func (f *front) size(dir, name string) int64 {
	d, err := f.f.List(f.t.Context(), dir)
	if err != nil {
		f.t.Fatal(err)
	}
	defer d.Close()
	for c, err := range d.Children() {
		if err == nil && c.Name == name {
			return c.Size()
		}
	}
	return -1
}

// kind returns the kind of an error in a word.
func kind(err error) string {
	var readOnly *write.ReadOnly
	var failures write.Failures
	var unknown *federator.Unknown
	var absent *federator.Absent
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &readOnly):
		return "read only"
	case errors.As(err, &failures):
		return "failed at " + failures[0].Endpoint
	case errors.As(err, &unknown):
		return "unknown"
	case errors.As(err, &absent):
		return "absent"
	case errors.Is(err, write.ErrChecksum):
		return "checksum"
	}
	return plugins.KindOf(err).String()
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// bubble runs test with time of its own.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}
