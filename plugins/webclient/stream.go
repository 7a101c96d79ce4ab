package webclient

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"time"

	"canopy/plugins"
	"canopy/plugins/wire/answer"
	"canopy/plugins/wire/splice"
)

// Silence returns why an exchange ends in which the storage makes no progress.
// As the cause of a context given to Client.Do it makes the error a Timeout.
func Silence() error {
	return &plugins.Error{Kind: plugins.Timeout, Err: errors.New("the storage made no progress within the time allowed")}
}

// watchdog ends an exchange by its context when it is not petted in time.
type watchdog struct {
	limit  time.Duration
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// watch returns a context that ends for silence. The watchdog is awake for the
// first time, for limit; a limit that is not positive is none.
func watch(ctx context.Context, limit time.Duration) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watchdog{limit: limit, cancel: cancel}
	if limit > 0 {
		w.timer = time.AfterFunc(limit, func() { cancel(Silence()) })
	}
	return ctx, w
}

func (w *watchdog) sleep() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

func (w *watchdog) wake() { w.wakeFor(w.limit) }

// wakeFor is wake with another limit, this once.
func (w *watchdog) wakeFor(limit time.Duration) {
	if w.timer != nil {
		w.timer.Reset(limit)
	}
}

// spliced arms the connections that the requests of ctx get, if their bodies are
// to be moved on. It is not the storage's fault when the client takes its time.
func (w *watchdog) spliced(ctx context.Context) context.Context {
	pipe := splice.From(ctx)
	if pipe == nil {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		splice.Arm(got.Conn, pipe, w.sleep, w.wake)
	}})
}

// end frees the watchdog and whatever still runs under its context.
func (w *watchdog) end() {
	w.sleep()
	w.cancel(context.Canceled)
}

// stream is the body of an answer. It is watched only while it is being read:
// a reader may take all the time it wants.
type stream struct {
	io.ReadCloser
	ctx      context.Context
	watchdog *watchdog
	request  *http.Request
	// fault is what every error of the body has in common.
	fault plugins.Error
	err   error
}

func (s *stream) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	s.watchdog.wake()
	n, err := s.ReadCloser.Read(p)
	s.watchdog.sleep()
	switch {
	case err == nil:
	case err == io.EOF:
		s.err = io.EOF
		s.watchdog.end()
	default:
		e := s.fault
		cause := s.failure(err)
		e.Kind, e.Err = cause.Kind, cause.Err
		s.err = &e
		s.watchdog.end()
	}
	return n, s.err
}

// failure makes an error of one that ended the body.
func (s *stream) failure(err error) *plugins.Error {
	if e := ended(s.ctx); e != nil {
		return e
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &plugins.Error{Kind: plugins.Malformed, Err: errors.New(answer.Origin(s.request.URL) + ": the answer ended early")}
	}
	return broken(s.request, err, true)
}

func (s *stream) Close() error {
	s.watchdog.end()
	return s.ReadCloser.Close()
}
