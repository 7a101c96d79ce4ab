package removal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"canopy/cmd/canopy/client"
	"canopy/plugins"
	"canopy/plugins/plugintest/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run is a remover with what it said.
type run struct {
	Remover
	mu      sync.Mutex
	removed []string
	failed  []string
	pauses  []time.Duration
}

func newRun(s Server) *run {
	r := &run{}
	r.Remover = Remover{
		Server: s, Recursive: true, Slots: make(chan struct{}, 3),
		Removed: func(a client.Address) {
			r.mu.Lock()
			defer r.mu.Unlock()
			slash := ""
			if a.Collection {
				slash = "/"
			}
			r.removed = append(r.removed, a.Path+slash)
		},
		Failed: func(err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.failed = append(r.failed, err.Error())
		},
		Patience: client.Patience{Attempts: 3, Pause: func(ctx context.Context, d time.Duration) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.pauses = append(r.pauses, d)
			return ctx.Err()
		}},
	}
	return r
}

// said fails the test unless just that was removed and failed, in any order.
func (r *run) said(t *testing.T, removed []string, failed ...string) {
	t.Helper()
	slices.Sort(r.removed)
	if slices.Sort(removed); !slices.Equal(r.removed, removed) {
		t.Errorf("removed %q, not %q", r.removed, removed)
	}
	slices.Sort(r.failed)
	if len(r.failed) != len(failed) {
		t.Fatalf("failed %q", r.failed)
	}
	for i, want := range failed {
		if !strings.Contains(r.failed[i], want) {
			t.Errorf("failed %q, not %q", r.failed[i], want)
		}
	}
}

// tree is a server in memory: directories end in a slash.
type tree struct {
	mu    sync.Mutex
	paths []string
	// faults are what goes wrong when a path is removed, once each.
	faults map[string][]error
	// missing are endpoints that do not answer.
	missing []string
	// before is called before each removal.
	before func(path string)
}

func (m *tree) Look(ctx context.Context, a client.Address) (plugins.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case a.Path == "/" || slices.Contains(m.paths, a.Path+"/"):
		return plugins.Entry{Kind: plugins.Directory}, nil
	case slices.Contains(m.paths, a.Path):
		return plugins.Entry{Kind: plugins.File}, nil
	}
	return plugins.Entry{}, &plugins.Error{Kind: plugins.NotFound, Err: errors.New("nothing at " + a.Path)}
}

func (m *tree) List(ctx context.Context, a client.Address, yield func(plugins.Entry) error) (client.Listing, error) {
	m.mu.Lock()
	paths := slices.Clone(m.paths)
	m.mu.Unlock()
	for _, p := range paths {
		name, below := strings.CutPrefix(p, a.Path+"/")
		if !below || name == "" || strings.Contains(strings.TrimSuffix(name, "/"), "/") {
			continue
		}
		e := plugins.Entry{Name: strings.TrimSuffix(name, "/"), Kind: plugins.File}
		if e.Name != name {
			e.Kind = plugins.Directory
		}
		if err := yield(e); err != nil {
			return client.Listing{}, err
		}
	}
	return client.Listing{Missing: m.missing}, nil
}

func (m *tree) Remove(ctx context.Context, a client.Address) error {
	path := a.Path
	if a.Collection {
		path += "/"
	}
	if m.before != nil {
		m.before(path)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if faults := m.faults[path]; len(faults) > 0 {
		m.faults[path] = faults[1:]
		return faults[0]
	}
	for _, p := range m.paths {
		if strings.HasPrefix(p, path) && p != path {
			return fmt.Errorf("%s was removed before %s", path, p)
		}
	}
	m.paths = slices.DeleteFunc(m.paths, func(p string) bool { return p == path })
	return ctx.Err()
}

func at(path string) client.Address { return client.Address{Origin: "http://host", Path: path} }

var forest = []string{"/a/", "/a/1", "/a/2", "/a/b/", "/a/b/3", "/a/c/", "/x"}

func newTree() *tree { return &tree{paths: slices.Clone(forest), faults: make(map[string][]error)} }

func TestRemove(t *testing.T) {
	denied := &plugins.Error{Kind: plugins.Denied, Err: errors.New("answered 403")}
	busy := &plugins.Error{Kind: plugins.Busy, Err: errors.New("answered 503")}
	partial := &plugins.Error{Kind: plugins.Locked, Err: &client.Partial{Failures: []client.Failure{
		{Path: "/a/2", Status: http.StatusLocked}, {Path: "/a/2", Status: http.StatusBadGateway},
	}, More: 3}}
	below := []string{"/a/1", "/a/2", "/a/b/3", "/a/b/", "/a/c/", "/a/"}
	for _, test := range []struct {
		name    string
		path    string
		set     func(*run, *tree)
		removed []string
		failed  []string
		left    []string
	}{
		{name: "a file", path: "/x", removed: []string{"/x"}, left: forest[:6]},
		{name: "a tree", path: "/a", removed: below, left: []string{"/x"}},
		{name: "a tree without -r", path: "/a", set: func(r *run, _ *tree) { r.Recursive = false }, failed: []string{"add -r"}, left: forest},
		{name: "the root", path: "/", failed: []string{"it is the root"}, left: forest},
		{name: "nothing", path: "/none", failed: []string{"not found"}, left: forest},
		{name: "nothing, forced", path: "/none", set: func(r *run, _ *tree) { r.Force = true }, left: forest},
		{
			name: "a file that stays", path: "/a", set: func(_ *run, m *tree) { m.faults["/a/b/3"] = []error{denied} },
			removed: []string{"/a/1", "/a/2", "/a/c/"}, failed: []string{"403"}, left: []string{"/a/", "/a/b/", "/a/b/3", "/x"},
		},
		{
			name: "busy", path: "/a", set: func(_ *run, m *tree) { m.faults["/a/1"] = []error{busy, busy} },
			removed: below, left: []string{"/x"},
		},
		{
			name: "gone meanwhile", path: "/a",
			set:     func(_ *run, m *tree) { m.faults["/a/1"] = []error{&plugins.Error{Kind: plugins.NotFound}} },
			removed: []string{"/a/1", "/a/2", "/a/b/3", "/a/b/", "/a/c/"}, failed: []string{"/a/ was removed before /a/1"},
			left: []string{"/a/", "/a/1", "/x"},
		},
		{
			name: "in part", path: "/a", set: func(_ *run, m *tree) { m.faults["/a/2"] = []error{partial} },
			removed: []string{"/a/1", "/a/b/3", "/a/b/", "/a/c/"},
			failed:  []string{`http://host/a/2: "/a/2": 423 Locked`, `http://host/a/2: "/a/2": 502 Bad Gateway`, "http://host/a/2: 3 more failures"},
			left:    []string{"/a/", "/a/2", "/x"},
		},
		{
			name: "incomplete", path: "/a/b", set: func(_ *run, m *tree) { m.missing = []string{"lyon", "tokyo"} },
			removed: []string{"/a/b/3"}, failed: []string{"no answer from lyon, tokyo"},
			left: []string{"/a/", "/a/1", "/a/2", "/a/b/", "/a/c/", "/x"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newTree()
			r := newRun(m)
			if test.set != nil {
				test.set(r, m)
			}
			r.Remove(t.Context(), at(test.path))
			r.said(t, test.removed, test.failed...)
			if slices.Sort(m.paths); !slices.Equal(m.paths, test.left) {
				t.Errorf("left %q, not %q", m.paths, test.left)
			}
			if test.name == "busy" && !slices.Equal(r.pauses, []time.Duration{time.Second, 2 * time.Second}) {
				t.Errorf("pauses %v", r.pauses)
			}
		})
	}
}

// TestFileWithSlash: what a slash calls a directory is not removed as a file.
func TestFileWithSlash(t *testing.T) {
	m := newTree()
	r := newRun(m)
	a := at("/x")
	a.Collection = true
	r.Remove(t.Context(), a)
	r.said(t, nil, "it is a file; leave out the slash")
}

// TestInterrupted leaves what it has not come to.
func TestInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	m := newTree()
	m.before = func(path string) {
		if path == "/a/b/3" {
			interrupt()
		}
	}
	r := newRun(m)
	r.Remove(ctx, at("/a"))
	if len(r.failed) == 0 || slices.Contains(r.removed, "/a/") {
		t.Errorf("removed %q, failed %q", r.removed, r.failed)
	}
	if slices.Sort(m.paths); !slices.Equal(m.paths, []string{"/a/", "/a/b/", "/a/c/", "/x"}) {
		t.Errorf("left %q", m.paths)
	}
}

// TestEndless ends in a tree that has no end.
func TestEndless(t *testing.T) {
	m := &tree{}
	path := "/d/"
	for range maxLevels + 5 {
		m.paths = append(m.paths, path)
		path += "d/"
	}
	r := newRun(m)
	r.Remove(t.Context(), at("/d"))
	if len(r.removed) > 0 || len(r.failed) != 1 || !strings.Contains(r.failed[0], "deeper than 128 directories") {
		t.Errorf("removed %d, failed %q", len(r.removed), r.failed)
	}
}

// TestServers removes a tree from the servers that people run.
func TestServers(t *testing.T) {
	for name, launch := range map[string]func(testing.TB, string, ...rig.Option) *rig.Server{
		"apache": rig.Apache, "nginx": rig.Nginx, "rclone": rig.Rclone, "xrootd": rig.XRootD,
	} {
		t.Run(name, func(t *testing.T) {
			dir := rig.TempDir(t)
			for _, path := range []string{"a/b/one", "a/b/c d/two", "a/three", "kept"} {
				path = filepath.Join(dir, path)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			a, err := client.Parse(launch(t, dir).URL() + "/a")
			if err != nil {
				t.Fatal(err)
			}
			c := client.New(client.Config{Timeout: 10 * time.Second})
			defer c.Close()
			r := newRun(c)
			r.Remove(t.Context(), a)
			r.said(t, []string{"/a/b/one", "/a/b/c d/two", "/a/b/c d/", "/a/b/", "/a/three", "/a/"})
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 1 || left[0].Name() != "kept" {
				t.Errorf("left %v, %v", left, err)
			}
		})
	}
}
