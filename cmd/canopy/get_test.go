package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"canopy/cmd/canopy/client"
	"canopy/plugins"
)

// content makes n bytes that differ with the seed.
func content(seed byte, n int) []byte {
	b := make([]byte, n)
	// It never fails.
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// replica serves b at every path.
func replica(b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, b[:4]))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	}
}

// site serves h and returns its URL.
func site(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// announcing is a server that names urls as duplicates, the first one first,
// and sends clients to the last.
func announcing(t *testing.T, b []byte, urls ...string) string {
	return site(t, func(w http.ResponseWriter, r *http.Request) {
		for i, u := range urls {
			w.Header().Add("Link", fmt.Sprintf("<%s/f>; rel=duplicate; pri=%d", u, i+1))
		}
		switch r.Method {
		case http.MethodHead:
			replica(b)(w, r)
		case http.MethodGet:
			http.Redirect(w, r, urls[len(urls)-1]+"/f", http.StatusFound)
		default:
			http.Error(w, "no", http.StatusMethodNotAllowed)
		}
	})
}

// canopy runs a command line in process.
func canopy(ctx context.Context, args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(ctx, args, &out, &errs)
	return status, out.String(), errs.String()
}

// TestGetFromFaultyReplicas downloads although most replicas do harm.
func TestGetFromFaultyReplicas(t *testing.T) {
	b := content(1, 9<<20)
	good := replica(b)
	dead := httptest.NewServer(nil)
	dead.Close()
	short := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Range", fmt.Sprintf("%s/%d", strings.Replace(r.Header.Get("Range"), "=", " ", 1), len(b)))
		w.Header().Set("Content-Length", fmt.Sprint(1<<20))
		w.WriteHeader(http.StatusPartialContent)
		w.Write(b[:1000])
	}
	// The good one goes on when the other one has been asked as often as its
	// fault takes.
	var calls atomic.Int64
	changed := make(chan struct{})
	for _, test := range []struct {
		name   string
		faulty string
		warns  string
	}{
		{"dead", dead.URL, ""},
		{"short", site(t, short), ""},
		{"failing", site(t, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusInternalServerError) }), ""},
		{"absent", site(t, http.NotFound), "404 Not Found"},
		{"wrong size", site(t, replica(b[1:])), "it has 9437183 bytes there, not 9437184"},
		{"without ranges", site(t, func(w http.ResponseWriter, r *http.Request) { w.Write(b) }), ""},
		{"changing", site(t, func(w http.ResponseWriter, r *http.Request) {
			switch n := calls.Add(1); {
			case n == 2:
				close(changed)
				fallthrough
			case n > 2:
				replica(content(2, len(b)))(w, r)
				return
			}
			good(w, r)
		}), "it has changed there while it was being downloaded"},
	} {
		t.Run(test.name, func(t *testing.T) {
			url := announcing(t, b, test.faulty, site(t, func(w http.ResponseWriter, r *http.Request) {
				if test.name == "changing" {
					<-changed
				}
				good(w, r)
			}))
			to := filepath.Join(t.TempDir(), "f")
			status, _, stderr := canopy(t.Context(), "get", "--streams", "2", "-o", to, url+"/f")
			got, err := os.ReadFile(to)
			if status != done || err != nil || !bytes.Equal(got, b) {
				t.Errorf("status %d, %v, %d bytes, %s", status, err, len(got), stderr)
			}
			if !strings.Contains(stderr, test.warns) || test.warns == "" && stderr != "" {
				t.Errorf("stderr %q", stderr)
			}
		})
	}
}

// TestGetSlowReplica waits for a slow replica only as long as there is other
// work to do.
func TestGetSlowReplica(t *testing.T) {
	b := content(1, 16<<20)
	var served atomic.Int64
	enough := make(chan struct{})
	var once sync.Once
	slow := func(w http.ResponseWriter, r *http.Request) {
		<-enough
		replica(b)(w, r)
	}
	fast := func(w http.ResponseWriter, r *http.Request) {
		replica(b)(w, r)
		if served.Add(1) >= 7 {
			once.Do(func() { close(enough) })
		}
	}
	to := filepath.Join(t.TempDir(), "f")
	status, stdout, stderr := canopy(t.Context(), "get", "--json", "--streams", "2", "-o", to, announcing(t, b, site(t, slow), site(t, fast))+"/f")
	got, err := os.ReadFile(to)
	if status != done || err != nil || !bytes.Equal(got, b) {
		t.Errorf("status %d, %v, %s%s", status, err, stdout, stderr)
	}
}

// TestGetInterrupted goes on after Ctrl-C, and notices that the content has
// changed.
func TestGetInterrupted(t *testing.T) {
	first, second := content(1, 8<<20), content(2, 8<<20)
	for _, test := range []struct {
		name    string
		then    []byte
		resumed string
		warns   string
	}{
		{"same", first, `"resumed":`, ""},
		{"changed", second, "", "beginning anew, the content has changed since the earlier download"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			var now atomic.Pointer[[]byte]
			now.Store(&first)
			var parts atomic.Int64
			url := site(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet && r.Header.Get("Range") != "" && parts.Add(1) == 4 {
					interrupt()
					<-r.Context().Done()
					return
				}
				replica(*now.Load())(w, r)
			})
			dir := t.TempDir()
			status, _, stderr := canopy(ctx, "get", "--streams", "1", url+"/f", dir+"/")
			if status != interrupted || stderr != "canopy: get: interrupted; what has come is kept, and the same command goes on from there\n" {
				t.Fatalf("status %d, %q", status, stderr)
			}
			if names := names(t, dir); !slices.Equal(names, []string{"f.canopy-part", "f.canopy-part.json"}) {
				t.Errorf("left behind: %q", names)
			}
			now.Store(&test.then)
			status, stdout, stderr := canopy(t.Context(), "get", "--json", url+"/f", dir+"/")
			got, err := os.ReadFile(filepath.Join(dir, "f"))
			if status != done || err != nil || !bytes.Equal(got, test.then) {
				t.Errorf("status %d, %v, %d bytes", status, err, len(got))
			}
			if !strings.Contains(stdout, test.resumed) || !strings.Contains(stderr, test.warns) || test.warns == "" && stderr != "" {
				t.Errorf("%q, %q", stdout, stderr)
			}
			if names := names(t, dir); !slices.Equal(names, []string{"f"}) {
				t.Errorf("left behind: %q", names)
			}
		})
	}
}

func names(t *testing.T, dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestGetChangedMeanwhile begins anew by itself.
func TestGetChangedMeanwhile(t *testing.T) {
	b, later := content(1, 8<<20), content(2, 8<<20+5)
	var parts atomic.Int64
	url := site(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && parts.Add(1) < 3 || r.Method == http.MethodHead && parts.Load() < 3 {
			replica(b)(w, r)
			return
		}
		replica(later)(w, r)
	})
	to := filepath.Join(t.TempDir(), "f")
	status, _, stderr := canopy(t.Context(), "get", "--streams", "1", "-o", to, url+"/f")
	got, err := os.ReadFile(to)
	if status != done || err != nil || !bytes.Equal(got, later) || !strings.Contains(stderr, "beginning anew") {
		t.Errorf("status %d, %v, %d bytes, %q", status, err, len(got), stderr)
	}
}

// TestBars shows what is drawn on a terminal.
func TestBars(t *testing.T) {
	var out bytes.Buffer
	b := draw(&out)
	one := b.start("one\x1b[31m", 100)
	one.add(60)
	one.add(-10)
	one.add(50)
	one.end(nil)
	two := b.start("two", -1)
	two.add(5)
	two.end(io.ErrUnexpectedEOF)
	if !b.log("a warning: 100%") {
		t.Error("nobody logs")
	}
	b.close()
	for _, want := range []string{`"one\x1b[31m"`, "done!", "100B", "fail!", "two", "a warning: 100%"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %q", want, out.String())
		}
	}
	var none *bars
	none.start("x", 1).add(1)
	none.start("x", 1).end(nil)
	if none.log("x") {
		t.Error("logs to nobody")
	}
	none.close()
}

func TestShown(t *testing.T) {
	for name, want := range map[string]string{
		"plain": "plain", "a b": "a b", "é": "é", "\xff": `"\xff"`, "a\nb": `"a\nb"`, "\x1b[2J": `"\x1b[2J"`, "\u202e": `"\u202e"`,
	} {
		if got := shown(name); got != want {
			t.Errorf("%q is shown as %s", name, got)
		}
	}
}

// TestTrusts shows when a copy without encryption is read.
func TestTrusts(t *testing.T) {
	secure, plain := client.Address{Origin: "https://a"}, client.Address{Origin: "http://a"}
	strong, weak := []plugins.Digest{{Algorithm: "sha-256"}}, []plugins.Digest{{Algorithm: "adler32"}}
	for _, test := range []struct {
		a     client.Address
		copy  string
		known []plugins.Digest
		want  bool
	}{
		{secure, "https://b/f", nil, true},
		{secure, "http://b/f", nil, false},
		{secure, "http://b/f", weak, false},
		{secure, "http://b/f", strong, true},
		{plain, "http://b/f", nil, true},
	} {
		if got := trusts(test.a, test.copy, test.known); got != test.want {
			t.Errorf("%s, %s, %v: %t", test.a.Origin, test.copy, test.known, got)
		}
	}
}
