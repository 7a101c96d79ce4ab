package client

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"canopy/plugins"
	"canopy/plugins/plugintest/rig"
	"canopy/plugins/wire/multistatus"
)

// davs are the servers to which people write.
var davs = map[string]func(testing.TB, string, ...rig.Option) *rig.Server{
	"apache": rig.Apache, "nginx": rig.Nginx, "rclone": rig.Rclone,
}

// TestWrite makes, stores, moves, copies and removes on the servers that people
// run.
func TestWrite(t *testing.T) {
	for name, launch := range davs {
		t.Run(name, func(t *testing.T) {
			ctx, dir := t.Context(), rig.TempDir(t)
			url := launch(t, dir).URL()
			c := open(t, Config{})
			at := func(path string) Address { return parse(t, url+path) }
			wants := func(what string, err error, kind plugins.Kind) {
				t.Helper()
				if got := plugins.KindOf(err); got != kind {
					t.Errorf("%s: %v, which is %v, not %v", what, err, got, kind)
				}
			}
			holds := func(path, content string) {
				t.Helper()
				got, err := os.ReadFile(filepath.Join(dir, path))
				if err != nil || string(got) != content {
					t.Errorf("%s: %q, %v", path, got, err)
				}
			}
			store := func(path, content string, u plugins.Upload) error {
				u.Size = int64(len(content))
				_, err := c.Store(ctx, at(path), strings.NewReader(content), u)
				return err
			}

			wants("without a parent", c.MakeDirectory(ctx, at("/a/b")), plugins.NoParent)
			made, err := c.MakeAll(ctx, at("/a/b%20b/c"))
			if wants("all", err, 0); !made {
				t.Error("it was not made")
			}
			made, err = c.MakeAll(ctx, at("/a/b%20b/c"))
			if wants("again", err, 0); made {
				t.Error("it was made twice")
			}
			wants("what is there", c.MakeDirectory(ctx, at("/a")), plugins.Exists)
			wants("a new file", store("/a/we%20ird%23%25", "one", plugins.Upload{New: true}), 0)
			holds("a/we ird#%", "one")
			wants("replaced", store("/a/we%20ird%23%25", "second", plugins.Upload{}), 0)
			holds("a/we ird#%", "second")
			wants("below a file", func() error { _, err := c.MakeAll(ctx, at("/a/we%20ird%23%25/x")); return err }(), plugins.NotDirectory)
			wants("empty", store("/a/empty", "", plugins.Upload{New: true}), 0)
			holds("a/empty", "")
			if _, err := c.Store(ctx, at("/a/stream"), io.MultiReader(strings.NewReader("unknown")), plugins.Upload{Size: -1}); err != nil {
				t.Error(err)
			}
			holds("a/stream", "unknown")
			if e, err := c.Check(ctx, at("/a/stream"), "adler32"); err != nil || e.Size != 7 {
				t.Errorf("check: %+v, %v", e, err)
			}

			wants("move", c.Move(ctx, at("/a/stream"), at("/a/b%20b/moved"), false), 0)
			holds("a/b b/moved", "unknown")
			wants("move onto", c.Move(ctx, at("/a/b%20b/moved"), at("/a/empty"), false), plugins.Exists)
			if name != "nginx" { // which makes directories for what is moved
				wants("move to nowhere", c.Move(ctx, at("/a/b%20b/moved"), at("/none/x"), false), plugins.NoParent)
			}
			wants("move nothing", c.Move(ctx, at("/none"), at("/a/x"), false), plugins.NotFound)
			wants("copy", c.Duplicate(ctx, at("/a/b%20b/moved"), at("/a/copy"), false), 0)
			holds("a/copy", "unknown")
			tree := at("/a/b%20b/")
			wants("copy a tree", c.Duplicate(ctx, tree, at("/tree"), false), 0)
			holds("tree/moved", "unknown")
			wants("move a tree", c.Move(ctx, at("/tree/"), at("/wood"), false), 0)
			holds("wood/moved", "unknown")

			wants("remove", c.Remove(ctx, at("/a/copy")), 0)
			wants("remove nothing", c.Remove(ctx, at("/a/copy")), plugins.NotFound)
			wants("remove a tree", c.Remove(ctx, at("/wood/")), 0)
			if _, err := os.Stat(filepath.Join(dir, "wood")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the tree: %v", err)
			}
			if e, err := c.Look(ctx, at("/a")); err != nil || e.Kind != plugins.Directory {
				t.Errorf("look: %+v, %v", e, err)
			}
		})
	}
}

// TestNew shows that a file which is there stays, at a server that knows how.
func TestNew(t *testing.T) {
	dir := rig.TempDir(t)
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	url := rig.Apache(t, dir).URL()
	c := open(t, Config{})
	_, err := c.Store(t.Context(), parse(t, url+"/f"), strings.NewReader("new"), plugins.Upload{Size: 3, New: true})
	if plugins.KindOf(err) != plugins.Exists {
		t.Error(err)
	}
}

// TestRedirectedUpload sends nothing to who redirects, and no credential to
// whom it redirects.
func TestRedirectedUpload(t *testing.T) {
	var stored bytes.Buffer
	there := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the other server got the credential")
		}
		stored.ReadFrom(r.Body)
		w.WriteHeader(http.StatusCreated)
	})
	here := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Expect") != "100-continue" || r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("header %v", r.Header)
		}
		w.Header().Set("Connection", "close")
		http.Redirect(w, r, strings.Replace(there, "127.0.0.1", "localhost", 1)+"/x", http.StatusTemporaryRedirect)
	})
	at := parse(t, here+"/f")
	config := Config{Trusted: []Address{at}}
	config.Credentials.Bearer = "secret"
	c := open(t, config)
	read := &counted{r: strings.NewReader("content")}
	e, err := c.Store(t.Context(), at, read, plugins.Upload{Size: 7})
	if err != nil || e.Size != 7 || stored.String() != "content" || read.n != 7 {
		t.Errorf("%+v, %v, %q of %d", e, err, stored.String(), read.n)
	}
}

// counted counts what is read, and cannot go back.
type counted struct {
	r io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// TestPartial names what a server could not do.
func TestPartial(t *testing.T) {
	answer := func(status int, write func(*multistatus.Writer)) string {
		return start(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			if write != nil {
				m := multistatus.NewWriter(w, multistatus.Options{})
				write(m)
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	said := func(m *multistatus.Writer, path string, status int) {
		if err := m.Status(path, status, 0); err != nil {
			t.Error(err)
		}
	}
	for _, test := range []struct {
		name   string
		status int
		write  func(*multistatus.Writer)
		kind   plugins.Kind
		n      int
		says   string
	}{
		{"fine", 207, func(m *multistatus.Writer) { said(m, "/a", 204) }, 0, 0, ""},
		{"locked", 207, func(m *multistatus.Writer) {
			said(m, "/a/x y", http.StatusLocked)
			said(m, "/a/", http.StatusFailedDependency)
		}, plugins.Locked, 1, `/a: locked: not all of it: "/a/x y": 423 Locked`},
		{"many", 207, func(m *multistatus.Writer) {
			for range maxFailures + 5 {
				said(m, "/b", http.StatusForbidden)
			}
		}, plugins.Denied, maxFailures + 5, `"/b": 403 Forbidden and 1004 more`},
		{"broken", 207, nil, plugins.Malformed, 0, "multistatus"},
		{"later", 202, nil, plugins.Malformed, 0, "does not say that it is done"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := open(t, Config{}).Remove(t.Context(), parse(t, answer(test.status, test.write)+"/a"))
			if plugins.KindOf(err) != test.kind || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v", err)
			}
			var partial *Partial
			if n := 0; errors.As(err, &partial) {
				if n = len(partial.Failures) + partial.More; n != test.n {
					t.Errorf("%d failures", n)
				}
			} else if test.n > 0 {
				t.Errorf("no failures: %v", err)
			}
		})
	}
}
