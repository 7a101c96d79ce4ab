package listen

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// watch cuts off clients that stand still where the connection alone does not
// show it: one that sends nothing of a body being waited for, and over HTTP/2,
// where many answers share a connection, one that takes nothing of an answer.
func watch(next http.Handler, patience time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		controller := http.NewResponseController(w)
		if r.ProtoMajor >= 2 && r.TLS == nil {
			// The preface of HTTP/2, taken for a request, in the clear.
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusHTTPVersionNotSupported)
			return
		}
		if r.Body != nil && r.Body != http.NoBody {
			// A copy, because the server looks at the body of its own request
			// to learn what was read and whether the client was told to go on.
			watched := *r
			b := &body{r.Body, controller, patience, false}
			watched.Body = b
			r = &watched
			defer b.leave()
		}
		if r.ProtoMajor >= 2 {
			a := &answer{ResponseWriter: w, controller: controller, patience: patience}
			defer a.leave()
			w = a
		}
		next.ServeHTTP(w, r)
	})
}

// body is a request's body that fails when nothing of it comes.
type body struct {
	io.ReadCloser
	controller *http.ResponseController
	patience   time.Duration
	ended      bool
}

// Read waits for the patience at most. The deadline is gone when it returns:
// it concerns this wait alone, not the time that the handler takes.
func (b *body) Read(p []byte) (int, error) {
	if err := b.controller.SetReadDeadline(time.Now().Add(b.patience)); err != nil {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	b.ended = err == io.EOF
	b.controller.SetReadDeadline(time.Time{})
	return n, err
}

// leave bounds the time for which the server reads what the handler left. The
// next request on the connection has a deadline of its own.
func (b *body) leave() {
	if !b.ended {
		b.controller.SetReadDeadline(time.Now().Add(b.patience))
	}
}

// answer is an answer over HTTP/2, which is reset when the client does not let
// it go on.
type answer struct {
	http.ResponseWriter
	controller *http.ResponseController
	patience   time.Duration

	mu      sync.Mutex
	waiting bool // for the client, within a write
	timer   *time.Timer
}

// begin starts the watch over one write, or over the next portion of it.
func (a *answer) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = true
	if a.timer == nil {
		a.timer = time.AfterFunc(a.patience, a.cut)
		return
	}
	a.timer.Reset(a.patience)
}

// end ends it.
func (a *answer) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = false
	a.timer.Stop()
}

// cut makes the write that waits fail. The lock keeps the handler, and so the
// controller, from coming to its end meanwhile.
func (a *answer) cut() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting {
		a.controller.SetWriteDeadline(time.Unix(1, 0))
	}
}

// leave bounds the time for what the server still has of the answer.
func (a *answer) leave() {
	if a.timer != nil {
		a.controller.SetWriteDeadline(time.Now().Add(a.patience))
	}
}

// Write sends p, each portion of which may take the patience.
func (a *answer) Write(p []byte) (int, error) {
	a.begin()
	defer a.end()
	written := 0
	for {
		n, err := a.ResponseWriter.Write(p[:min(len(p), portion)])
		written += n
		if p = p[n:]; err != nil || len(p) == 0 {
			return written, err
		}
		a.begin()
	}
}

// FlushError sends what was written.
func (a *answer) FlushError() error {
	a.begin()
	defer a.end()
	return a.controller.Flush()
}

// Flush sends what was written.
func (a *answer) Flush() { a.FlushError() }

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
