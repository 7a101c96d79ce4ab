package frontend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/limit"
)

// distant returns a federation of a site next door and one 80 ms away that
// takes requests at once, in front of which a front end with these options is.
func distant(t *testing.T, requests int, o Options) (*world, *site) {
	near, far := newSite(t, "geneva", nil), newSite(t, "oslo", nil)
	far.Inject(faults.Rule{Op: "stat", Delay: 80 * time.Millisecond})
	far.config.Open = func(context.Context) (plugins.Endpoint, error) {
		return limit.New(far.Endpoint, limit.Config{Requests: requests, Timeout: 5 * time.Second}), nil
	}
	w := build(t, o, near, far)
	time.Sleep(time.Minute) // until both were probed
	far.Forget()
	return w, far
}

// paths are n paths that nobody has, as lines.
func paths(prefix string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "\"/%s%d\"\n", prefix, i)
	}
	return b.String()
}

// questions is how often s was asked for a path that paths returned.
func questions(s *site, prefix string) (n int) {
	for _, call := range s.Asked() {
		if call.Op == "stat" && strings.HasPrefix(call.Path, "/"+prefix) {
			n++
		}
	}
	return n
}

// bulk asks for what paths returned and fails unless each is answered with 404,
// in order.
func (w *world) bulk(prefix string, n int) {
	w.t.Helper()
	r := w.ask("POST", "/-/api/v1/replicas", "Content-Type: application/x-ndjson", paths(prefix, n))
	lines := strings.Split(strings.TrimSpace(r.body), "\n")
	if len(lines) != n {
		w.t.Errorf("%d lines for %d paths", len(lines), n)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, fmt.Sprintf(`{"path":"/%s%d","error"`, prefix, i)) || !strings.Contains(line, `"status":404`) {
			w.t.Fatalf("line %d is %s", i, line)
		}
	}
}

// Many paths take as many round trips as their number divided by how many are
// looked up at once, whoever asks; nobody is turned away by an endpoint that
// takes as many.
func TestBulkAtOnce(t *testing.T) {
	for _, c := range []struct {
		lookups, calls, paths int
		want                  time.Duration
	}{
		{0, 1, 640, 800 * time.Millisecond},
		{0, 8, 80, 800 * time.Millisecond},
		{1024, 1, 2048, 160 * time.Millisecond},
		{1024, 4, 512, 160 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, far := distant(t, max(c.lookups, DefaultLookups), Options{Lookups: c.lookups})
			var wg sync.WaitGroup
			began := time.Now()
			for call := range c.calls {
				wg.Go(func() { w.bulk(fmt.Sprintf("%c", 'a'+call), c.paths) })
			}
			wg.Wait()
			if took := time.Since(began); took != c.want {
				t.Errorf("%+v: it took %v", c, took)
			}
			if n := questions(far, ""); n < c.calls*c.paths {
				t.Errorf("%+v: %d questions", c, n)
			}
		})
	}
}

// What is known is sent while something else is waited for.
func TestBulkStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := distant(t, 64, Options{})
		far.Inject(faults.Rule{Op: "stat", Path: faults.Exactly("/a2"), Delay: 4 * time.Second})
		began := time.Now()
		out := &sink{write: func(p []byte) (int, error) {
			for i, want := range []time.Duration{80 * time.Millisecond, 80 * time.Millisecond, 4 * time.Second} {
				if took := time.Since(began); strings.Contains(string(p), fmt.Sprintf(`"/a%d"`, i)) && (took < want || took > want+2*pause) {
					t.Errorf("the answer for /a%d came after %v", i, took)
				}
			}
			return len(p), nil
		}}
		w.h.ServeHTTP(out, bulkRequest(t.Context(), paths("a", 4)))
		if out.flushed == 0 {
			t.Error("nothing was flushed")
		}
	})
}

// sink is a client that takes what write takes.
type sink struct {
	header  http.Header
	flushed int
	write   func([]byte) (int, error)
}

func (s *sink) Header() http.Header {
	if s.header == nil {
		s.header = http.Header{}
	}
	return s.header
}

func (s *sink) WriteHeader(int)             {}
func (s *sink) Flush()                      { s.flushed++ }
func (s *sink) Write(p []byte) (int, error) { return s.write(p) }

func bulkRequest(ctx context.Context, body string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, "POST", "/-/api/v1/replicas", strings.NewReader(body))
	r.Header.Set("Content-Type", typeNDJSON)
	return r
}

// cut serves r and reports whether the connection was cut.
func (w *world) cut(out http.ResponseWriter, r *http.Request) (cut bool) {
	defer func() {
		if fault := recover(); fault != nil {
			cut = fault == http.ErrAbortHandler
		}
	}()
	w.h.ServeHTTP(out, r)
	return false
}

// When the client goes nothing more is asked, and nobody is waited for: not
// even while others have all the room.
func TestBulkClientGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := distant(t, 64, Options{})
		var wg sync.WaitGroup
		wg.Go(func() { w.bulk("other", 1600) })
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		wg.Go(func() {
			if !w.cut(&sink{write: func(p []byte) (int, error) { return len(p), nil }}, bulkRequest(ctx, paths("a", 5000))) {
				t.Error("the answer looks complete")
			}
			if took := time.Since(began); took != 400*time.Millisecond {
				t.Errorf("it took %v", took)
			}
		})
		time.Sleep(400 * time.Millisecond)
		cancel()
		synctest.Wait()
		far.Forget()
		wg.Wait()
		if n := questions(far, "a"); n != 0 {
			t.Errorf("%d questions for nobody", n)
		}
	})
}

// A client that takes nothing holds up nobody else, and no more is found out
// for it than it can be given.
func TestBulkStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, far := distant(t, 64, Options{})
		stop := make(chan struct{})
		out := &sink{write: func([]byte) (int, error) { <-stop; return 0, errors.New("connection reset") }}
		done := make(chan bool)
		go func() { done <- w.cut(out, bulkRequest(t.Context(), paths("a", 5000))) }()
		time.Sleep(time.Hour)
		before := questions(far, "a")
		time.Sleep(time.Hour)
		if after := questions(far, "a"); after != before || before > 10*DefaultLookups {
			t.Errorf("%d questions, then %d", before, after)
		}
		began := time.Now()
		w.bulk("other", 640)
		if took := time.Since(began); took != 800*time.Millisecond {
			t.Errorf("others wait %v", took)
		}
		close(stop)
		if !<-done {
			t.Error("the answer looks complete")
		}
	})
}

// The loop's end is the end of all that it began.
func TestOrderedBreak(t *testing.T) {
	var running atomic.Int32
	numbers := func(yield func(int) bool) {
		for i := 0; yield(i); i++ {
		}
	}
	slow := func(i int) int {
		running.Add(1)
		defer running.Add(-1)
		return i * i
	}
	want := 0
	for got := range ordered(t.Context(), numbers, make(chan struct{}, 7), slow, func() {}) {
		if got != want*want {
			t.Fatalf("%d in place %d", got, want)
		}
		if want++; want == 1000 {
			break
		}
	}
	if n := running.Load(); want != 1000 || n != 0 {
		t.Errorf("%d after %d", n, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range ordered(ctx, numbers, make(chan struct{}, 7), slow, func() {}) {
		// It comes to an end by itself.
	}
}
