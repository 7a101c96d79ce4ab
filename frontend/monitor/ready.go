package monitor

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"canopy/federator"
	"canopy/federator/health"
)

// Readiness is whether requests should be sent here. It is false from the
// start until every reason against it was removed, and again while the process
// drains. Endpoints that are down are no reason: what is known of them can
// still be told, and other front ends would fare no better. Its methods may be
// called by any number of goroutines at once; the zero Readiness is ready.
type Readiness struct {
	mu      sync.Mutex
	reasons []reason
}

// reason stands until it is over.
type reason struct {
	text string
	over func() bool
}

// Until makes the front end not ready, for the reason given, until over says
// that it is no more; it is called whenever somebody asks, and never again
// after it has returned true.
func (r *Readiness) Until(text string, over func() bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reasons = append(r.reasons, reason{text, over})
}

// Drain makes the front end not ready for good.
func (r *Readiness) Drain() {
	r.Until("draining: the process is about to end", func() bool { return false })
}

// Reasons are why the front end is not ready; none when it is.
func (r *Readiness) Reasons() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	texts := []string{}
	left := r.reasons[:0]
	for _, reason := range r.reasons {
		if !reason.over() {
			left = append(left, reason)
			texts = append(texts, reason.text)
		}
	}
	r.reasons = left
	return texts
}

// UntilProbed makes the front end not ready until every endpoint of f has given
// a first sign, an answer that was measured or a failure, or the time given
// has passed.
func (r *Readiness) UntilProbed(f Federation, within time.Duration) {
	began := time.Now()
	r.Until("starting: not every endpoint has been probed yet", func() bool {
		return time.Since(began) >= within || probed(f.Endpoints())
	})
}

func probed(endpoints []federator.Status) bool {
	for _, e := range endpoints {
		if e.Latency == 0 && e.Condition == health.Up && !e.Draining {
			return false
		}
	}
	return true
}

// Handler serves readiness (GET /-/readyz): 200 or 503, and the reasons in
// JSON.
func (r *Readiness) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reasons := r.Reasons()
		status := http.StatusOK
		if len(reasons) > 0 {
			status = http.StatusServiceUnavailable
			w.Header().Set("Retry-After", "1")
		}
		answer(w, status, struct {
			Ready   bool     `json:"ready"`
			Reasons []string `json:"reasons"`
		}{len(reasons) == 0, reasons})
	})
}

// Alive serves liveness (GET /-/healthz): 200 for as long as the process can
// answer at all.
func Alive(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, struct {
		Alive bool `json:"alive"`
	}{true})
}

func answer(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
