package monitor

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"canopy/cache"
	"canopy/federator"
	"canopy/federator/health"
	"canopy/plugins"
)

var update = flag.Bool("update", false, "write the golden files anew")

// federation is a federator of which everything is known.
type federation struct {
	counters  federator.Counters
	endpoints []federator.Status
}

func (f *federation) Counters() *federator.Counters { return &f.counters }

func (f *federation) CacheStats() (entries, listings cache.Stats) {
	return cache.Stats{Hits: 1, Stale: 2, Misses: 3, Evictions: 4, Refused: 5}, cache.Stats{Hits: 6}
}

func (f *federation) Endpoints() []federator.Status { return f.endpoints }

func shown() *federation {
	f := &federation{endpoints: []federator.Status{
		{Name: "far", Condition: health.Slow, Latency: 80 * time.Millisecond, Load: 1.5, Sent: 7},
		{Name: "near", Condition: health.Down, Draining: true},
	}}
	f.counters.Hits.Store(10)
	f.counters.StaleHits.Store(20)
	f.counters.Misses.Store(30)
	f.counters.Flights.Store(40)
	f.counters.Listings.Store(50)
	f.counters.Failovers.Store(60)
	return f
}

// scrape returns the project's own series that have a value, or all of them,
// without the buckets of histograms.
func scrape(t *testing.T, m *Metrics, all bool) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/-/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	var b strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		comment := strings.HasPrefix(line, "#")
		if strings.Contains(line, "canopy_") && !strings.Contains(line, "_bucket{") && (all || !comment && !strings.HasSuffix(line, " 0\n")) {
			b.WriteString(line)
		}
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// TestFromTheStart: every series of a configured endpoint is there before
// anything has happened.
func TestFromTheStart(t *testing.T) {
	m := New(Build{"1.2.3", "abcdef", "go1.26"})
	m.Configure([]string{"near"})
	golden(t, "start.txt", scrape(t, m, true))
}

func TestFigures(t *testing.T) {
	m := New(Build{"1.2.3", "abcdef", "go1.26"})
	m.Configure([]string{"near", "far"})
	m.Show(shown())
	m.Answered("GET", 302, 0, 200*time.Microsecond, "near", false)
	m.Answered("GET", 206, 1<<20, time.Hour, "far", true)
	m.Answered("GET", 200, 5, time.Millisecond, "", false)
	m.Answered("BREW\n", 999, -1, 0, "unheard of", false)
	m.Answered("PUT", 100, 0, 0, "", false)
	m.Asked("near", "stat", 0, 3*time.Millisecond)
	m.Asked("near", "stat", plugins.Timeout, time.Minute)
	m.Asked("far", "dance", plugins.Kind(200), 0)
	m.Asked("unheard of", "stat", 0, 0)
	m.Reloaded(true, time.UnixMilli(1_000_500))
	m.Reloaded(false, time.UnixMilli(2_000_500))
	golden(t, "figures.txt", scrape(t, m, false))
}

// TestConfigure: what stays keeps its figures, what goes is forgotten.
func TestConfigure(t *testing.T) {
	m := New(Build{})
	m.Configure([]string{"a", "b"})
	m.Asked("a", "stat", 0, time.Millisecond)
	m.Asked("b", "stat", 0, time.Millisecond)
	m.Configure([]string{"b", "c"})
	m.Asked("a", "stat", 0, time.Millisecond)
	m.Asked("b", "stat", 0, time.Millisecond)
	text := scrape(t, m, true)
	if strings.Contains(text, `endpoint="a"`) {
		t.Error("an endpoint that is gone has series")
	}
	for _, want := range []string{
		`canopy_endpoint_questions_total{endpoint="b",kind="ok",op="stat"} 2`,
		`canopy_endpoint_questions_total{endpoint="c",kind="busy",op="list"} 0`,
		`canopy_endpoint_redirects_total{endpoint="c"} 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("there is no %s", want)
		}
	}
}

func TestKinds(t *testing.T) {
	for i, kind := range kinds {
		if kind == "" {
			t.Errorf("kind %d (%v) has no label", i, plugins.Kind(i))
		}
	}
	if last := plugins.Kind(len(kinds) - 1); last.String() != "failed" {
		t.Errorf("kind %v has no label", last)
	}
}

func TestHotPath(t *testing.T) {
	m := New(Build{})
	m.Configure([]string{"near"})
	for name, f := range map[string]func(){
		"Answered": func() { m.Answered("GET", 302, 0, time.Millisecond, "near", false) },
		"Asked":    func() { m.Asked("near", "stat", 0, time.Millisecond) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkAnswered(b *testing.B) {
	m := New(Build{})
	m.Configure([]string{"near"})
	b.ReportAllocs()
	for b.Loop() {
		m.Answered("GET", 302, 0, 70*time.Microsecond, "near", false)
	}
}

func BenchmarkAsked(b *testing.B) {
	m := New(Build{})
	m.Configure([]string{"near"})
	b.ReportAllocs()
	for b.Loop() {
		m.Asked("near", "open", plugins.NotFound, 20*time.Millisecond)
	}
}
