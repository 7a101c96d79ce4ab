package redis

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// After several failed dials go-redis tries on its own; that ends
		// within a second of Close.
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// patient is how long tests wait for something that should take milliseconds.
const patient = 30 * time.Second

// eventually waits until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(patient)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %v: %s", patient, what)
		}
	}
}

// ear records what a level reports.
type ear struct {
	mu         sync.Mutex
	keys       []string
	reconnects int
}

func (e *ear) invalidated(keys []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.keys = append(e.keys, keys...)
}

func (e *ear) reconnected() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reconnects++
}

func (e *ear) heard(key string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.keys, key)
}

func (e *ear) connections() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.reconnects
}

// lenient is a budget for tests that are not about time.
const lenient = 2 * time.Second

// open makes a level that is in use and subscribed.
func open(t testing.TB, opt Options) (*Level, *ear) {
	t.Helper()
	l, e := openAnyway(t, opt)
	eventually(t, "in use and subscribed", func() bool { s := l.Stats(); return s.Serving && s.Subscribed })
	// A server that was slow once is waited for, whatever else the machine
	// is busy with.
	l.breaker.observe(lenient)
	return l, e
}

func openAnyway(t testing.TB, opt Options) (*Level, *ear) {
	t.Helper()
	e := &ear{}
	opt.OnInvalidate, opt.OnReconnect = e.invalidated, e.reconnected
	if opt.Budget == 0 {
		opt.Budget = lenient
	}
	l, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, e
}

// get asks until the level is in use.
func get(t *testing.T, l *Level, key string) []byte {
	t.Helper()
	eventually(t, "in use", func() bool { return l.Stats().Serving })
	return l.Get(t.Context(), key)[0]
}

// share offers a value until it can be read; a level may drop what it is
// offered at any time.
func share(t testing.TB, l *Level, key, value string) {
	t.Helper()
	eventually(t, key+" can be read", func() bool {
		if string(l.Get(t.Context(), key)[0]) == value {
			return true
		}
		l.Set(key, []byte(value), time.Hour)
		return false
	})
}

func miniURL(m *miniredis.Miniredis) string { return "redis://" + m.Addr() }

func TestSetAndGet(t *testing.T) {
	m := miniredis.RunT(t)
	l, _ := open(t, Options{URL: miniURL(m)})
	values := map[string]string{
		"/a":                         "value",
		"/empty":                     "",
		"/large":                     strings.Repeat("text ", 100_000),
		strings.Repeat("/long", 100): "long",
		"/with space\x00and\xff":     "odd",
	}
	var keys []string
	for key, value := range values {
		keys = append(keys, key)
		l.Set(key, []byte(value), time.Minute)
	}
	eventually(t, "all written", func() bool { return l.Stats().Written == uint64(len(values)) })
	keys = append(keys, "/missing")
	got := l.Get(t.Context(), keys...)
	for i, key := range keys {
		want, ok := values[key]
		if string(got[i]) != want || ok != (got[i] != nil) {
			t.Errorf("%.20q: %.20q (nil: %v), want %.20q", key, got[i], got[i] == nil, want)
		}
	}
	for _, name := range m.Keys() {
		if ttl := m.TTL(name); ttl <= 0 || strings.HasPrefix(name, "canopy:v:") && ttl > time.Minute {
			t.Errorf("%s lives for %v", name, ttl)
		}
		if !strings.HasPrefix(name, "canopy:") || len(name) > maxPlainKey+20 {
			t.Errorf("a key of name %s", name)
		}
	}
	if s := l.Stats(); s.Hits != 5 || s.Misses != 1 || s.Skipped != 0 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
	m.FastForward(time.Minute)
	if v := get(t, l, "/a"); v != nil {
		t.Errorf("%q after its time", v)
	}
	if got := l.Get(t.Context()); len(got) != 0 {
		t.Errorf("no keys, %d values", len(got))
	}
}

func TestSetRefuses(t *testing.T) {
	m := miniredis.RunT(t)
	l, _ := open(t, Options{URL: miniURL(m)})
	l.Set("/no-time", nil, 0)
	l.Set(strings.Repeat("x", maxKey+1), nil, time.Hour)
	l.Set("/huge", make([]byte, maxValue+1), time.Hour)
	l.Set("/noise", noise(maxFrame), time.Hour)
	l.Set("/forever", []byte("v"), 1000*time.Hour)
	eventually(t, "the good one written, the others dropped", func() bool {
		s := l.Stats()
		return s.Written == 1 && s.Dropped == 4
	})
	if ttl := m.TTL("canopy:v:/forever"); ttl > maxTTL {
		t.Errorf("a value lives for %v", ttl)
	}
	if v := get(t, l, strings.Repeat("x", maxKey+1)); v != nil {
		t.Error("a key that is too long has a value")
	}
}

func TestInvalidateTellsOthers(t *testing.T) {
	m := miniredis.RunT(t)
	a, earA := open(t, Options{URL: miniURL(m)})
	b, earB := open(t, Options{URL: miniURL(m)})
	long := strings.Repeat("/long", 100)
	share(t, a, "/k", "v")
	share(t, a, long, "v")
	share(t, a, "/other", "v")

	b.Invalidate("/k", long, strings.Repeat("x", maxKey+1))
	if got := b.Get(t.Context(), "/k", long); got[0] != nil || got[1] != nil {
		t.Errorf("%q at once after Invalidate", got)
	}
	eventually(t, "a has heard", func() bool { return earA.heard("/k") && earA.heard(long) })
	if got := a.Get(t.Context(), "/k", long, "/other"); got[0] != nil || got[1] != nil || string(got[2]) != "v" {
		t.Errorf("a reads %q", got)
	}
	// a had just written these keys itself and deletes them again.
	eventually(t, "nothing pending", func() bool { return a.Stats().Pending+b.Stats().Pending == 0 })
	a.Invalidate("/last")
	eventually(t, "b has heard", func() bool { return earB.heard("/last") })
	if earB.heard("/k") || earA.heard("/last") {
		t.Error("a front end heard itself")
	}
	if s := b.Stats(); s.Invalidated != 2 || s.Heard != 1 {
		t.Errorf("%+v", s)
	}

	// What follows an invalidation is kept.
	a.Invalidate("/k")
	share(t, a, "/k", "new")
}

// TestTold: what has been told is in nobody's cache any more.
func TestTold(t *testing.T) {
	m := miniredis.RunT(t)
	a, _ := open(t, Options{URL: miniURL(m)})
	b, ear := open(t, Options{URL: miniURL(m)})
	for i := range 50 {
		key := fmt.Sprint("/k", i)
		share(t, a, key, "v")
		b.Invalidate(key)
		if !b.Told(t.Context()) {
			t.Fatal("the server answers, and cannot be told")
		}
		if got := a.Get(t.Context(), key); got[0] != nil {
			t.Fatalf("%q is still there", got)
		}
	}
	b.Invalidate("/last")
	a.Invalidate("/last")
	if !a.Told(t.Context()) || !ear.heard("/last") {
		t.Error("not told")
	}
	// One that answers late is out of use, but is told all the same.
	a.suspect(a.breaker.phase(), a.names.generation(), errOverdue)
	a.Invalidate("/late")
	if !a.Told(t.Context()) || !ear.heard("/late") {
		t.Error("not told by one that is suspect")
	}
}

func TestForeignValues(t *testing.T) {
	m := miniredis.RunT(t)
	l, _ := open(t, Options{URL: miniURL(m)})
	share(t, l, "/k", "v")
	frame, err := m.Get("canopy:v:/k")
	if err != nil {
		t.Fatal(err)
	}
	m.Set("canopy:v:/copy", frame)
	m.Set("canopy:v:/damaged", frame[:len(frame)-1])
	m.Set("canopy:v:/text", "hello")
	m.HSet("canopy:v:/hash", "a", "b")
	got := l.Get(t.Context(), "/damaged", "/text", "/hash", "/k")
	if got[0] != nil || got[1] != nil || got[2] != nil || string(got[3]) != "v" {
		t.Errorf("%q", got)
	}
	if s := l.Stats(); s.Corrupt != 2 || !s.Serving {
		t.Errorf("%+v", s)
	}
}

func TestMalformedMessages(t *testing.T) {
	m := miniredis.RunT(t)
	l, e := open(t, Options{URL: miniURL(m)})
	m.Publish("canopy:invalidate:0", "nonsense")
	m.Publish("canopy:invalidate:0", string(message{origin: 1, keys: []string{"/k"}}.encode()))
	eventually(t, "heard", func() bool { return e.heard("/k") })
	if s := l.Stats(); s.Malformed != 1 || s.Heard != 1 {
		t.Errorf("%+v", s)
	}
	before := e.connections()
	m.Publish("canopy:invalidate:0", string(message{origin: 1, everything: true}.encode()))
	eventually(t, "told to doubt everything", func() bool { return e.connections() == before+1 })
}

// TestInvalidateWhileDown checks that a deletion that could not be delivered
// is made up for before the level is used again.
func TestInvalidateWhileDown(t *testing.T) {
	m := miniredis.RunT(t)
	l, e := open(t, Options{URL: miniURL(m)})
	share(t, l, "/stale", "old")
	share(t, l, "/good", "v")
	connections := e.connections()
	m.Close()
	l.Invalidate("/stale")
	eventually(t, "suspect", func() bool { return !l.Stats().Serving })
	if got := l.Get(t.Context(), "/good"); got[0] != nil {
		t.Errorf("%q from a server that is gone", got)
	}
	if err := m.Restart(); err != nil {
		t.Fatal(err)
	}
	if v := get(t, l, "/stale"); v != nil {
		t.Errorf("%q after its invalidation", v)
	}
	if m.Exists("canopy:v:/stale") {
		t.Error("in use again, and the stale value is still there")
	}
	if v := get(t, l, "/good"); string(v) != "v" {
		t.Errorf("good is %q", v)
	}
	eventually(t, "subscribed again", func() bool { return e.connections() > connections })
}

// TestTooManyInvalidations checks that all values die, for all front ends, when
// nobody can remember any longer which ones should.
func TestTooManyInvalidations(t *testing.T) {
	m := miniredis.RunT(t)
	var log buffer
	l, _ := open(t, Options{URL: miniURL(m), Log: testLog(&log)})
	other, otherEar := open(t, Options{URL: miniURL(m)})
	share(t, l, "/k", "v")
	share(t, other, "/k", "v")
	m.Close()
	for i := range maxRemovals + 1 {
		l.Invalidate(fmt.Sprint("/", i))
	}
	if got := l.Get(t.Context(), "/k"); got[0] != nil {
		t.Errorf("%q although invalidations were lost", got)
	}
	if err := m.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new generation", func() bool { return l.Stats().Generations == 1 })
	if !strings.Contains(log.String(), "declared dead") {
		t.Errorf("the log does not tell: %s", log.String())
	}
	if v := get(t, l, "/k"); v != nil {
		t.Errorf("%q of an older generation", v)
	}
	eventually(t, "subscribed again", func() bool { return otherEar.connections() > 1 })
	if v := get(t, other, "/k"); v != nil {
		t.Errorf("the other front end has %q", v)
	}
	share(t, other, "/k", "new")
	if v := get(t, l, "/k"); string(v) != "new" {
		t.Errorf("shared again: %q", v)
	}
}

// TestGenerationLost checks that losing the generation, as an evicting server
// may, revives nothing.
func TestGenerationLost(t *testing.T) {
	m := miniredis.RunT(t)
	l, _ := open(t, Options{URL: miniURL(m)})
	for _, bad := range []string{"", "12345678", "not a number"} {
		share(t, l, "/k", "v")
		if m.Del("canopy:generation"); bad != "" {
			m.Set("canopy:generation", bad)
		}
		if v := get(t, l, "/k"); v != nil {
			t.Errorf("with generation %q: %q", bad, v)
		}
		eventually(t, "in use again", func() bool { return l.Stats().Serving })
	}
	if m.TTL("canopy:generation") <= 0 {
		t.Error("the generation lives for ever")
	}
	share(t, l, "/k", "v")
}

func TestClusterAndPassword(t *testing.T) {
	for _, scheme := range []string{"redis", "redis+cluster"} {
		m := miniredis.RunT(t)
		m.RequireUserAuth("me", "secret")
		a, _ := open(t, Options{URL: scheme + "://me:secret@" + m.Addr(), Prefix: "p:"})
		b, _ := open(t, Options{URL: scheme + "://me:secret@" + m.Addr(), Prefix: "p:"})
		share(t, a, "/k", "v")
		if v := get(t, b, "/k"); string(v) != "v" {
			t.Errorf("%s: %q", scheme, v)
		}

		var log buffer
		wrong, _ := openAnyway(t, Options{URL: scheme + "://me:hunter2@" + m.Addr(), Log: testLog(&log)})
		eventually(t, "the log tells", func() bool { return strings.Contains(log.String(), "out of use") })
		if strings.Contains(log.String(), "hunter2") {
			t.Errorf("the password is in the log: %s", log.String())
		}
		if got := wrong.Get(t.Context(), "/k"); got[0] != nil {
			t.Errorf("%q with a wrong password", got)
		}
	}
}

func TestTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate
	defer web.Close()
	m := miniredis.NewMiniRedis()
	if err := m.StartTLS(&tls.Config{Certificates: web.TLS.Certificates}); err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	l, _ := open(t, Options{URL: "rediss://" + m.Addr(), TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	share(t, l, "/k", "v")

	var log buffer
	openAnyway(t, Options{URL: "rediss://" + m.Addr(), Log: testLog(&log)})
	eventually(t, "the unknown authority is in the log", func() bool { return strings.Contains(log.String(), "unknown authority") })
	if _, err := Open(Options{URL: miniURL(m), TLS: &tls.Config{MinVersion: tls.VersionTLS12}}); err == nil {
		t.Error("TLS settings without TLS are accepted")
	}
}

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func testLog(b *buffer) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// TestCloseDelivers checks that what waits is done before the level ends, and
// that a level whose server never was there can be closed too.
func TestCloseDelivers(t *testing.T) {
	m := miniredis.RunT(t)
	l, err := Open(Options{URL: miniURL(m), Budget: lenient})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		l.Set(fmt.Sprint("/", i), []byte("v"), time.Hour)
	}
	l.Invalidate("/7")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(m.Keys()); n != 1000 || m.Exists("canopy:v:/7") {
		t.Errorf("%d keys, want 999 and the generation", n)
	}

	addr := m.Addr()
	m.Close()
	l, err = Open(Options{URL: "redis://" + addr})
	if err != nil {
		t.Fatal(err)
	}
	l.Invalidate("/k")
	if got := l.Get(t.Context(), "/k"); got[0] != nil {
		t.Errorf("%q from nowhere", got)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestConcurrentUse(t *testing.T) {
	m := miniredis.RunT(t)
	l, _ := open(t, Options{URL: miniURL(m)})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 300 {
				key := fmt.Sprint("/", (g*7+i)%50)
				switch i % 4 {
				case 0:
					l.Set(key, []byte(key), time.Minute)
				case 1:
					l.Invalidate(key)
				default:
					for _, v := range l.Get(t.Context(), key, key) {
						if v != nil && string(v) != key {
							t.Errorf("%s has the value %q", key, v)
						}
					}
				}
			}
		})
	}
	wg.Wait()
	eventually(t, "nothing left to do", func() bool { return l.Stats().Pending == 0 })
}
