package plugintest

import (
	"context"
	"io"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"canopy/plugins"
	"canopy/plugins/plugintest/mem"
)

// The endpoints below write, each wrong in one way.

type wrongStore struct {
	*mem.Endpoint
	store func(e *mem.Endpoint, ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error)
}

func (w wrongStore) Store(ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
	return w.store(w.Endpoint, ctx, p, content, u)
}

type wrongRemove struct {
	*mem.Endpoint
	remove func(e *mem.Endpoint, ctx context.Context, p string) error
}

func (w wrongRemove) Remove(ctx context.Context, p string) error {
	return w.remove(w.Endpoint, ctx, p)
}

type wrongMake struct {
	*mem.Endpoint
	make func(e *mem.Endpoint, ctx context.Context, p string) error
}

func (w wrongMake) MakeDirectory(ctx context.Context, p string) error {
	return w.make(w.Endpoint, ctx, p)
}

type wrongMove struct {
	*mem.Endpoint
	move func(e *mem.Endpoint, ctx context.Context, from, to string, replace bool) error
}

func (w wrongMove) Move(ctx context.Context, from, to string, replace bool) error {
	return w.move(w.Endpoint, ctx, from, to, replace)
}

// writeless has all abilities but those of writing.
type writeless struct {
	plugins.Endpoint
	plugins.Lister
	plugins.Reader
	plugins.Locator
	plugins.Digester
	plugins.Spacer
}

// credulous takes any end of the content for a proper one.
type credulous struct{ r io.Reader }

func (c credulous) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// hoarder reads on when it is closed.
type hoarder struct {
	*mem.Endpoint
	content io.Reader
}

func (h *hoarder) Store(ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
	h.content = content
	return h.Endpoint.Store(ctx, p, content, u)
}

func (h *hoarder) Close() error {
	if h.content != nil {
		h.content.Read(make([]byte, 1))
	}
	return nil
}

func TestTheSuiteFindsWriters(t *testing.T) {
	type store = func(*mem.Endpoint, context.Context, string, io.Reader, plugins.Upload) (plugins.Entry, error)
	stores := func(f store) func(*mem.Endpoint) plugins.Endpoint {
		return func(e *mem.Endpoint) plugins.Endpoint { return wrongStore{e, f} }
	}
	removes := func(f func(*mem.Endpoint, context.Context, string) error) func(*mem.Endpoint) plugins.Endpoint {
		return func(e *mem.Endpoint) plugins.Endpoint { return wrongRemove{e, f} }
	}
	makes := func(f func(*mem.Endpoint, context.Context, string) error) func(*mem.Endpoint) plugins.Endpoint {
		return func(e *mem.Endpoint) plugins.Endpoint { return wrongMake{e, f} }
	}
	moves := func(f func(*mem.Endpoint, context.Context, string, string, bool) error) func(*mem.Endpoint) plugins.Endpoint {
		return func(e *mem.Endpoint) plugins.Endpoint { return wrongMove{e, f} }
	}
	stop := make(chan struct{})
	defer close(stop)
	// Two that look before either acts.
	var pairs sync.Mutex
	var waiting chan struct{}
	meet := func() {
		pairs.Lock()
		if waiting != nil {
			close(waiting)
			waiting = nil
			pairs.Unlock()
			return
		}
		turn := make(chan struct{})
		waiting = turn
		pairs.Unlock()
		<-turn
	}
	for _, tt := range []struct {
		fault string
		wrap  func(*mem.Endpoint) plugins.Endpoint
		// want are checks that must fail.
		want []string
	}{
		{"no writing at all", func(e *mem.Endpoint) plugins.Endpoint { return writeless{e, e, e, e, e, e} },
			[]string{"abilities/write", "abilities/remove", "abilities/mkdir", "abilities/move"}},
		{"conditions ignored", stores(func(e *mem.Endpoint, ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
			u.New, u.IfMatch = false, ""
			return e.Store(ctx, p, content, u)
		}), []string{"store/new where something is", "store/other tag", "store/tag of nothing", "contend/new"}},
		{"a look before the leap", stores(func(e *mem.Endpoint, ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
			if u.New {
				_, err := e.Stat(ctx, p)
				meet()
				if err == nil {
					return plugins.Entry{}, &plugins.Error{Kind: plugins.Exists, Op: "store", Path: p}
				}
			}
			u.New = false
			return e.Store(ctx, p, content, u)
		}), []string{"contend/new"}},
		{"sizes ignored", stores(func(e *mem.Endpoint, ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
			u.Size = -1
			return e.Store(ctx, p, content, u)
		}), []string{"store/too short", "store/too long"}},
		{"broken content taken for whole", stores(func(e *mem.Endpoint, ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
			u.Size = -1
			return e.Store(ctx, p, credulous{content}, u)
		}), []string{"store/content fails"}},
		{"a file that shows while it is sent", stores(func(e *mem.Endpoint, ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
			e.Put(p, mem.File{Content: "the first bytes"})
			return e.Store(ctx, p, content, u)
		}), []string{"store/unseen while it is sent", "store/content fails", "store/too short", "store/canceled midway"}},
		{"another name that shows", stores(func(e *mem.Endpoint, ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
			e.Put(p+".part", mem.File{})
			entry, err := e.Store(ctx, p, content, u)
			if err == nil {
				e.Drop(p + ".part")
			}
			return entry, err
		}), []string{"store/unseen while it is sent", "store/content fails", "store/too long", "store/canceled midway"}},
		{"parents made unasked", stores(func(e *mem.Endpoint, ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
			e.Mkdir(path.Dir(p))
			return e.Store(ctx, p, content, u)
		}), []string{"store/below a missing directory", "store/below a file"}},
		{"directories replaced", stores(func(e *mem.Endpoint, ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
			e.Drop(p)
			return e.Store(ctx, p, content, u)
		}), []string{"store/over a directory"}},
		{"an end that is not heard of", stores(func(e *mem.Endpoint, ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
			return e.Store(context.WithoutCancel(ctx), p, content, u)
		}), []string{"store/canceled midway", "cancel/before"}},
		{"the storage blamed", stores(func(e *mem.Endpoint, ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
			entry, err := e.Store(ctx, p, content, u)
			if err != nil {
				err = &plugins.Error{Kind: plugins.Unavailable, Op: "store", Path: p, Err: err}
			}
			return entry, err
		}), []string{"store/content fails", "store/too short"}},
		{"the cause lost", stores(func(e *mem.Endpoint, ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
			entry, err := e.Store(ctx, p, content, u)
			if err != nil {
				err = &plugins.Error{Kind: plugins.KindOf(err), Op: "store", Path: p}
			}
			return entry, err
		}), []string{"store/content fails"}},
		{"a wrong answer", stores(func(e *mem.Endpoint, ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
			entry, err := e.Store(ctx, p, content, u)
			entry.ETag = `"another"`
			return entry, err
		}), []string{"store/new", "store/over a file"}},
		{"a time forgotten", stores(func(e *mem.Endpoint, ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
			u.ModTime = u.ModTime.AddDate(1, 0, 0)
			return e.Store(ctx, p, content, u)
		}), []string{"store/time"}},
		{"content read too late", func(e *mem.Endpoint) plugins.Endpoint { return &hoarder{Endpoint: e} }, []string{"store/lets go of the content"}},
		{"something left running", stores(func(e *mem.Endpoint, ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
			go func() { <-stop }()
			return e.Store(ctx, p, content, u)
		}), []string{"leaks/after failed stores"}},
		{"a part of a directory removed", removes(func(e *mem.Endpoint, ctx context.Context, p string) error {
			err := e.Remove(ctx, p)
			if plugins.KindOf(err) == plugins.NotEmpty {
				e.Drop(p + "/a")
			}
			return err
		}), []string{"remove/full directory"}},
		{"what was never there removed", removes(func(e *mem.Endpoint, ctx context.Context, p string) error {
			err := e.Remove(ctx, p)
			if plugins.KindOf(err) == plugins.NotFound {
				err = nil
			}
			return err
		}), []string{"remove/absent", "remove/below a file"}},
		{"nothing removed", removes(func(*mem.Endpoint, context.Context, string) error { return nil }),
			[]string{"remove/file", "remove/empty directory", "remove/full directory", "remove/root"}},
		{"what is there made again", makes(func(e *mem.Endpoint, ctx context.Context, p string) error {
			err := e.MakeDirectory(ctx, p)
			if plugins.KindOf(err) == plugins.Exists {
				err = nil
			}
			return err
		}), []string{"make/over something"}},
		{"directories made on the way", makes(func(e *mem.Endpoint, _ context.Context, p string) error {
			e.Mkdir(p)
			return nil
		}), []string{"make/below a missing directory", "make/below a file"}},
		{"directories that are none", makes(func(*mem.Endpoint, context.Context, string) error { return nil }), []string{"make/new"}},
		{"leave to replace taken", moves(func(e *mem.Endpoint, ctx context.Context, from, to string, _ bool) error {
			return e.Move(ctx, from, to, true)
		}), []string{"move/over a file"}},
		{"the place cleared first", moves(func(e *mem.Endpoint, ctx context.Context, from, to string, replace bool) error {
			if replace {
				e.Drop(to)
			}
			return e.Move(ctx, from, to, replace)
		}), []string{"move/from nothing", "move/over a directory", "move/onto itself"}},
		{"a copy instead", moves(func(e *mem.Endpoint, ctx context.Context, from, to string, replace bool) error {
			old, err := e.Open(ctx, from, plugins.Whole)
			if err := e.Move(ctx, from, to, replace); err != nil || old == nil {
				return err
			}
			text, _ := io.ReadAll(old)
			e.Put(from, mem.File{Content: string(text)})
			return err
		}), []string{"move/file"}},
		{"parents made for the moved", moves(func(e *mem.Endpoint, ctx context.Context, from, to string, replace bool) error {
			e.Mkdir(path.Dir(to))
			return e.Move(ctx, from, to, replace)
		}), []string{"move/below a missing directory", "move/below a file"}},
		{"names decoded", stores(func(e *mem.Endpoint, ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
			return e.Store(ctx, strings.ReplaceAll(p, "%41", "A"), content, u)
		}), []string{`write names/13 "%41"`}},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			s := subject(storage(t), tt.wrap)
			s.Writable = true
			got := failing(t, s, tt.want...)
			for _, want := range tt.want {
				if !slices.Contains(got, want) {
					t.Errorf("%q did not notice", want)
				}
			}
		})
	}
}
