package federator_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"canopy/federator"
	"canopy/nametrans"
	"canopy/plugins"
)

// handle is a site as one federator has opened it. It must not be asked after
// it was closed.
type handle struct {
	*site
	ordered bool
	stuck   *atomic.Bool // nothing below /q is answered
	shut    atomic.Bool
	misuse  *atomic.Bool
}

func (h *handle) check(ctx context.Context, p string) error {
	if h.shut.Load() && ctx.Err() == nil {
		h.misuse.Store(true)
	}
	if h.stuck.Load() && strings.HasPrefix(p, "/q") {
		select {
		case <-time.After(5 * time.Second):
			return &plugins.Error{Kind: plugins.Timeout}
		case <-ctx.Done():
			return plugins.Fail("wait", p, ctx.Err())
		}
	}
	return nil
}

func (h *handle) Stat(ctx context.Context, p string) (plugins.Entry, error) {
	if err := h.check(ctx, p); err != nil {
		return plugins.Entry{}, err
	}
	return h.site.Stat(ctx, p)
}

func (h *handle) Probe(ctx context.Context, p string) error {
	if err := h.check(ctx, p); err != nil {
		return err
	}
	return h.site.Probe(ctx, p)
}

func (h *handle) List(ctx context.Context, p string) iter.Seq2[plugins.Entry, error] {
	return func(yield func(plugins.Entry, error) bool) {
		if err := h.check(ctx, p); err != nil {
			yield(plugins.Entry{}, err)
			return
		}
		if h.ordered {
			h.site.List(ctx, p)(yield)
			return
		}
		var all []plugins.Entry
		for e, err := range h.site.List(ctx, p) {
			if err != nil {
				defer yield(e, err)
				break
			}
			all = append(all, e)
		}
		for _, e := range slices.Backward(all) {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (h *handle) Ordered() bool { return h.ordered }

func (h *handle) Close() error {
	h.shut.Store(true)
	return nil
}

// copyOf is what the world knows of a path at one site.
type copyOf struct {
	size  int       // 0: it is not there
	since time.Time // when that was last changed; zero for ever
}

// world is the truth: what is where, since when.
type world struct {
	sites  []*site
	stuck  []atomic.Bool
	held   []map[string]copyOf // by site
	misuse atomic.Bool
	// sick is when a site was last not well.
	sick []time.Time
}

var (
	worldDirs  = []string{"/", "/d", "/e"}
	worldFiles = []string{"/d/a", "/d/b", "/d/c", "/e/a", "/r"}
)

// multiplied is the site that shows two of its own trees as one.
const multiplied = 3

func newWorld() *world {
	w := &world{stuck: make([]atomic.Bool, 4), sick: make([]time.Time, 4)}
	for i := range 4 {
		s := newSite(fmt.Sprint("s", i), map[string]string{"/d/": "", "/e/": "", "/p/d/": "", "/q/d/": "", "/p/e/": "", "/q/e/": ""})
		s.delay.Store(int64(i) * int64(3*time.Millisecond))
		w.sites = append(w.sites, s)
		w.held = append(w.held, make(map[string]copyOf))
	}
	for i := range w.sites {
		for f := range worldFiles {
			if (i+f)%3 == 0 {
				w.put(i, f, 1+f%2)
			}
		}
	}
	return w
}

func (w *world) own(site, file int) string {
	switch {
	case site != multiplied:
		return worldFiles[file]
	case file%2 == 0:
		return "/p" + worldFiles[file]
	}
	return "/q" + worldFiles[file]
}

func (w *world) put(site, file, size int) {
	w.held[site][worldFiles[file]] = copyOf{size, time.Now()}
	if size == 0 {
		w.sites[site].Drop(w.own(site, file))
		return
	}
	w.sites[site].Put(w.own(site, file), memFile(strings.Repeat("x", size)))
}

func (w *world) endpoint(t testing.TB, i int) federator.Endpoint {
	e := w.sites[i].endpoint(t)
	if i == multiplied {
		names, err := nametrans.Compile("/", []nametrans.Rule{{Multiply: []string{"/p", "/q"}}})
		if err != nil {
			t.Fatal(err)
		}
		e.Names = names
	}
	e.Open = func(context.Context) (plugins.Endpoint, error) {
		return &handle{site: w.sites[i], ordered: i%2 == 0, stuck: &w.stuck[i], misuse: &w.misuse}, nil
	}
	return e
}

// gone returns since when none of the configured sites has the path, and
// whether that is so.
func (w *world) gone(path string, mask int) (since time.Time, is bool) {
	for i := range w.sites {
		if mask&(1<<i) == 0 {
			continue
		}
		c := w.held[i][path]
		if c.size > 0 {
			return time.Time{}, false
		}
		if c.since.After(since) {
			since = c.since
		}
	}
	return since, true
}

// names returns what the configured sites have in dir, with the sites.
func (w *world) names(dir string, mask int) map[string][]int {
	all := make(map[string][]int)
	for i := range w.sites {
		if mask&(1<<i) == 0 {
			continue
		}
		for path, c := range w.held[i] {
			if rest, ok := strings.CutPrefix(path, strings.TrimSuffix(dir, "/")+"/"); ok && c.size > 0 && !strings.Contains(rest, "/") {
				all[rest] = append(all[rest], i)
			}
		}
	}
	return all
}
