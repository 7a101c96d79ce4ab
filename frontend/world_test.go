package frontend

import (
	"context"
	"flag"
	"hash/fnv"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"canopy/federator"
	"canopy/federator/geo"
	"canopy/federator/record"
	"canopy/nametrans"
	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/plugintest/mem"
	"canopy/web"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a storage in memory that can be given faults.
type site struct {
	*faults.Endpoint
	tree   *mem.Endpoint
	config federator.Endpoint
	tb     testing.TB
}

// newSite returns a storage that holds tree and lacks the abilities without.
func newSite(t testing.TB, name string, tree map[string]string, without ...string) *site {
	t.Helper()
	names, err := nametrans.Compile("/", nil)
	if err != nil {
		t.Fatal(err)
	}
	id := fnv.New64a()
	io.WriteString(id, name)
	s := &site{tree: mem.New("http://"+name+".example/data", tree), tb: t}
	s.Endpoint = faults.New(s.tree, without...)
	s.config = federator.Endpoint{
		Name: name, ID: record.ID(id.Sum64()), Fingerprint: name, Type: "mem", Mount: "/", Names: names, Site: strings.ToUpper(name),
		Open: func(context.Context) (plugins.Endpoint, error) { return s.Endpoint, nil },
		Read: true, List: true, Weight: 1, ProbeEvery: 10 * time.Second, ProbeTimeout: 5 * time.Second, ProbePath: "/",
	}
	return s
}

// at puts a file with a time of change there.
func (s *site) put(path, content string, f mem.File) *site {
	f.Content = content
	if f.ModTime.IsZero() {
		f.ModTime = day
	}
	s.tree.Put(path, f)
	return s
}

// carried makes Canopy carry the bytes of the site.
func (s *site) carried() *site {
	s.config.Access = federator.Proxy
	return s
}

var day = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)

// settings are those of the tests: order by site, so that it is exact.
func settings() federator.Settings {
	return federator.Settings{
		Deadline: 10 * time.Second, Grace: 50 * time.Millisecond, DoubtFor: 30 * time.Second,
		EntryTTL: 10 * time.Minute, ListingTTL: 5 * time.Minute, AbsentTTL: 30 * time.Second, Stale: time.Hour,
		Select: []string{"weight"},
	}
}

// world is a front end over sites in memory.
type world struct {
	t testing.TB
	f *federator.Federator
	h *Handler
}

// build starts a federation of sites. The weights descend, so that the sites
// are chosen in the order given.
func build(t testing.TB, o Options, sites ...*site) *world {
	t.Helper()
	endpoints := make([]federator.Endpoint, len(sites))
	for i, s := range sites {
		endpoints[i] = s.config
		if s.config.Weight == 1 {
			endpoints[i].Weight = float64(len(sites) - i)
		}
	}
	f := federator.New(federator.Bounds{Entries: 1e6, Bytes: 1 << 30}, nil, federator.Outside{Seed: 1})
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	s := settings()
	if o.Atlas == nil {
		atlas, err := geo.New(nil, "")
		if err != nil {
			t.Fatal(err)
		}
		o.Atlas = atlas
	}
	s.Atlas = o.Atlas
	if err := f.Reload(t.Context(), s, endpoints); err != nil {
		t.Fatal(err)
	}
	pages, err := web.New()
	if err != nil {
		t.Fatal(err)
	}
	o.Federator, o.Pages = f, pages
	if testing.Verbose() && o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t, f, h}
}

// reply is an answer with its body.
type reply struct {
	*http.Response
	body string
	// broken is whether the connection was cut.
	broken bool
}

// ask sends a request; fields are "Name: value", and what has no colon is the
// body.
func (w *world) ask(method, target string, fields ...string) reply {
	w.t.Helper()
	body := ""
	header := http.Header{}
	for _, f := range fields {
		if name, value, ok := strings.Cut(f, ": "); ok && !strings.ContainsAny(name, " <{\"") {
			header.Add(name, value)
		} else {
			body = f
		}
	}
	var in io.Reader = http.NoBody
	if body != "" {
		in = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(w.t.Context(), method, target, in)
	for name, values := range header {
		r.Header[name] = values
	}
	if header.Get("Host") != "" {
		r.Host = header.Get("Host")
		r.Header.Del("Host")
	}
	return w.serve(r)
}

func (w *world) serve(r *http.Request) (a reply) {
	rec := httptest.NewRecorder()
	defer func() {
		if fault := recover(); fault != nil {
			if fault != http.ErrAbortHandler {
				panic(fault)
			}
			a = reply{rec.Result(), rec.Body.String(), true}
		}
	}()
	w.h.ServeHTTP(rec, r)
	a = reply{rec.Result(), rec.Body.String(), false}
	if r.Method == http.MethodHead {
		a.body = "" // net/http sends none
	}
	return a
}

// status asserts the status of an answer.
func (a reply) status(t testing.TB, want int) reply {
	t.Helper()
	if a.StatusCode != want {
		t.Errorf("status %d, want %d: %.200s", a.StatusCode, want, a.body)
	}
	return a
}

// has asserts fields of the header, written "Name: value"; "Name:" is one that
// is not there.
func (a reply) has(t testing.TB, fields ...string) reply {
	t.Helper()
	for _, f := range fields {
		name, want, _ := strings.Cut(f, ":")
		want = strings.TrimPrefix(want, " ")
		if got := strings.Join(a.Header.Values(name), " | "); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	return a
}

// golden compares got with the file of that name in testdata.
func golden(t testing.TB, name, got string) {
	t.Helper()
	file := "testdata/" + name
	if *update {
		if err := os.MkdirAll("testdata", 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: want -, got +:\n%s", name, diff)
	}
}
