package resume_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"canopy/federator"
	"canopy/federator/geo"
	"canopy/federator/place"
	"canopy/federator/veil"
	"canopy/federator/write"
	"canopy/frontend"
	"canopy/frontend/lock"
	"canopy/frontend/resume"
	"canopy/nametrans"
	"canopy/plugins"
	"canopy/plugins/local"
	"canopy/plugins/wire/digest"
	"canopy/web"
)

// world is a front end with a spool, over one directory.
type world struct {
	t           *testing.T
	root, spool string
	uploads     *resume.Handler
	server      *httptest.Server
	// store is asked before each file is stored, if set.
	store atomic.Pointer[func(content io.Reader) error]
	stop  func()
}

// storage is the endpoint of the directory, whose Store can fail.
type storage struct {
	plugins.Endpoint
	w *world
}

func (s *storage) Abilities() plugins.Abilities {
	a := plugins.AbilitiesOf(s.Endpoint)
	a.Writer = &writer{a.Writer, s.w}
	return a
}

type writer struct {
	plugins.Writer
	w *world
}

func (w *writer) Store(ctx context.Context, path string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
	if f := w.w.store.Load(); f != nil {
		if err := (*f)(content); err != nil {
			return plugins.Entry{}, plugins.Fail("store", path, err)
		}
	}
	return w.Writer.Store(ctx, path, content, u)
}

// guard lets the user of a header do what their name says.
type guard struct{}

func (guard) Identify(r *http.Request) (frontend.User, error) {
	return frontend.User{Name: r.Header.Get("User")}, nil
}

func (guard) Allowed(u *frontend.User, right frontend.Right, path string) bool {
	return right == frontend.Read || right == frontend.List || u.Name == "writer" || u.Name == "d" && strings.HasPrefix(path, "/d/")
}

func (guard) Challenges() []string { return []string{"Basic"} }

// newWorld serves an empty directory.
func newWorld(t *testing.T) *world {
	w := &world{t: t, root: t.TempDir(), spool: filepath.Join(t.TempDir(), "spool")}
	if err := os.Mkdir(filepath.Join(w.root, "d"), 0o777); err != nil {
		t.Fatal(err)
	}
	w.start()
	t.Cleanup(func() { w.stop() })
	return w
}

// start begins to serve, as a process does.
func (w *world) start() {
	t := w.t
	t.Helper()
	names, err := nametrans.Compile("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	atlas, err := geo.New(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	v := veil.New(nil)
	f := federator.New(federator.Bounds{Entries: 1000, Bytes: 1 << 20}, nil, federator.Outside{Seed: 1, Veil: v})
	policy, _ := place.ByName("first")
	log := slog.New(slog.DiscardHandler)
	writer := write.New(f, v, write.Settings{Policy: policy, Cleanup: time.Hour, Most: 100}, write.Outside{Log: log, Hash: digest.New})
	err = f.Reload(t.Context(), federator.Settings{Deadline: 10 * time.Second, Atlas: atlas, Select: []string{"weight"}}, []federator.Endpoint{{
		Name: "here", ID: 1, Fingerprint: "here", Type: "local", Mount: "/", Names: names, Read: true, List: true, Write: true, Weight: 1,
		ProbeEvery: time.Minute, ProbeTimeout: time.Second, ProbePath: "/",
		Open: func(ctx context.Context) (plugins.Endpoint, error) {
			e, err := (&local.Config{Root: w.root}).Open(ctx, plugins.Env{Log: log})
			return &storage{e, w}, err
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := web.New()
	if err != nil {
		t.Fatal(err)
	}
	if w.uploads, err = resume.New(resume.Options{Directory: w.spool, Most: 1 << 20, Cleanup: time.Hour}); err != nil {
		t.Fatal(err)
	}
	h, err := frontend.New(frontend.Options{
		Federator: f, Writer: writer, Pages: pages, Atlas: atlas, Guard: guard{}, Locks: lock.New(lock.Options{Store: new(lock.Memory)}), Uploads: w.uploads,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewServer(h)
	w.stop = func() {
		w.server.CloseClientConnections()
		w.server.Close()
		w.uploads.Close()
		writer.Close()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// reply is an answer with its body.
type reply struct {
	*http.Response
	t    *testing.T
	body string
}

// ask sends a request as somebody who may write, or as the User of fields,
// which are "Name: value".
func (w *world) ask(method, path string, body io.Reader, fields ...string) reply {
	w.t.Helper()
	r, err := w.send(method, path, body, fields...)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) send(method, path string, body io.Reader, fields ...string) (reply, error) {
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, body)
	if err != nil {
		return reply{}, err
	}
	r.Header = http.Header{"Tus-Resumable": {"1.0.0"}, "User": {"writer"}, "Accept": {"text/plain"}}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		if r.Header.Set(name, value); value == "" {
			r.Header.Del(strings.TrimSuffix(name, ":"))
		}
	}
	resp, err := w.server.Client().Do(r)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if strings.Contains(string(b), w.spool) || strings.Contains(string(b), w.root) {
		w.t.Errorf("%s %s tells a path of the machine: %s", method, path, b)
	}
	return reply{resp, w.t, string(b)}, err
}

// is demands a status, and fields of the header.
func (r reply) is(status int, fields ...string) reply {
	r.t.Helper()
	if r.StatusCode != status || r.Header.Get("Tus-Resumable") != "1.0.0" {
		r.t.Errorf("%s %s: %s, want %d: %s", r.Request.Method, r.Request.URL.Path, r.Status, status, r.body)
	}
	for _, f := range fields {
		name, want, _ := strings.Cut(f, ": ")
		if got := r.Header.Get(name); got != want {
			r.t.Errorf("%s %s: %s is %q, want %q", r.Request.Method, r.Request.URL.Path, name, got, want)
		}
	}
	return r
}

// meta writes Upload-Metadata of keys and values in turn.
func meta(all ...string) string {
	var pairs []string
	for i := 0; i < len(all); i += 2 {
		pairs = append(pairs, all[i]+" "+base64.StdEncoding.EncodeToString([]byte(all[i+1])))
	}
	return "Upload-Metadata: " + strings.Join(pairs, ",")
}

// create begins an upload and returns its path.
func (w *world) create(size int, pairs ...string) string {
	w.t.Helper()
	r := w.ask("POST", "/-/uploads/", nil, fmt.Sprintf("Upload-Length: %d", size), meta(pairs...)).is(201)
	at := r.Header.Get("Location")
	if !strings.HasPrefix(at, "/-/uploads/") || len(at) < 30 {
		w.t.Fatalf("the upload is at %q", at)
	}
	return at
}

// patch sends a piece.
func (w *world) patch(at string, offset int, piece string, fields ...string) reply {
	w.t.Helper()
	return w.ask("PATCH", at, strings.NewReader(piece), append([]string{"Content-Type: application/offset+octet-stream", fmt.Sprintf("Upload-Offset: %d", offset)}, fields...)...)
}

// has demands that the directory holds just this content at name, "-" being
// that there is no such file, and that nothing is in the spool but so many
// files.
func (w *world) has(name, content string, spooled int) {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.root, name))
	got := string(b)
	if errors.Is(err, os.ErrNotExist) {
		got = "-"
	} else if err != nil {
		got = err.Error()
	}
	if got != content {
		w.t.Errorf("%s has %.100q, want %.100q", name, got, content)
	}
	entries, err := os.ReadDir(w.spool)
	if err != nil && !errors.Is(err, os.ErrNotExist) || len(entries) != 2*spooled {
		w.t.Errorf("%d files in the spool, want those of %d uploads: %v", len(entries), spooled, err)
	}
}
