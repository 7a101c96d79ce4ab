package monitor

import (
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"canopy/federator"
	"canopy/federator/health"
)

func TestReadiness(t *testing.T) {
	var r Readiness
	over := false
	ask := func(status int, want string) {
		t.Helper()
		w := httptest.NewRecorder()
		r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/-/readyz", nil))
		if got := w.Body.String(); w.Code != status || got != want+"\n" {
			t.Errorf("got %d %s, want %d %s", w.Code, got, status, want)
		}
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("got header %v", w.Header())
		}
	}
	ask(200, `{"ready":true,"reasons":[]}`)
	r.Until("starting: a < b", func() bool { return over })
	ask(503, `{"ready":false,"reasons":["starting: a \u003c b"]}`)
	over = true
	ask(200, `{"ready":true,"reasons":[]}`)
	over = false
	ask(200, `{"ready":true,"reasons":[]}`)
	r.Drain()
	ask(503, `{"ready":false,"reasons":["draining: the process is about to end"]}`)
}

func TestUntilProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &federation{endpoints: []federator.Status{{Name: "a"}, {Name: "b"}, {Name: "c", Draining: true}}}
		var r Readiness
		ready := func() bool { return len(r.Reasons()) == 0 }
		r.UntilProbed(f, 10*time.Second)
		if ready() {
			t.Error("ready at once")
		}
		f.endpoints[0].Latency = time.Millisecond
		if ready() {
			t.Error("ready after one of two")
		}
		f.endpoints[1].Condition = health.Down
		if !ready() {
			t.Errorf("not ready after both: %q", r.Reasons())
		}

		f.endpoints = slices.Clone(f.endpoints[:1])
		f.endpoints[0].Latency = 0
		if !ready() {
			t.Error("not ready any more")
		}
		r.UntilProbed(f, 10*time.Second)
		time.Sleep(10*time.Second - 1)
		if ready() {
			t.Error("ready too soon")
		}
		time.Sleep(time.Nanosecond)
		if !ready() {
			t.Error("not ready when the time is up")
		}
	})
}

func TestAlive(t *testing.T) {
	w := httptest.NewRecorder()
	Alive(w, httptest.NewRequest("GET", "/-/healthz", nil))
	if w.Code != 200 || w.Body.String() != "{\"alive\":true}\n" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
