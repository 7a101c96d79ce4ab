package limit

import (
	"context"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"canopy/plugins"
)

type lister struct{ *Endpoint }

// List holds its slot until the listing has ended or the caller has stopped.
func (l lister) List(ctx context.Context, path string) iter.Seq2[plugins.Entry, error] {
	return func(yield func(plugins.Entry, error) bool) {
		s := l.watch(ctx)
		defer s.end()
		waited, err := l.questions.enter(s.ctx)
		if err != nil {
			yield(plugins.Entry{}, l.refused(ctx, "list", path, err))
			return
		}
		defer l.questions.leave()
		for entry, err := range l.can.Lister.List(s.ctx, path) {
			s.pause()
			if err != nil {
				yield(plugins.Entry{}, l.failed(ctx, s.ctx, waited, "list", path, err))
				return
			}
			if !yield(entry, nil) {
				return
			}
			waited = 0 // it was for the first entry only
			s.resume()
		}
		// An endpoint that takes being cut off for the end must not pass for
		// one that has listed all.
		if s.silent.Load() {
			yield(plugins.Entry{}, l.late(waited, "list", path, s.ctx.Err()))
		}
	}
}

type reader struct{ *Endpoint }

// Open holds its slot until the body is closed.
func (r reader) Open(ctx context.Context, path string, part plugins.Range) (*plugins.Body, error) {
	s := r.watch(ctx)
	waited, err := r.bodies.enter(s.ctx)
	if err != nil {
		s.end()
		return nil, r.refused(ctx, "open", path, err)
	}
	release := sync.OnceFunc(func() {
		s.end()
		r.bodies.leave()
	})
	opened := false
	defer func() {
		if !opened {
			release()
		}
	}()
	body, err := r.can.Reader.Open(s.ctx, path, part)
	inTime := s.pause()
	if err != nil {
		return nil, r.failed(ctx, s.ctx, waited, "open", path, err)
	}
	if !inTime {
		// It came in the very moment that it was given up; its context is gone.
		body.Close()
		return nil, r.late(waited, "open", path, context.Canceled)
	}
	opened = true
	held := *body
	held.ReadCloser = &slotted{ReadCloser: body.ReadCloser, release: release}
	return &held, nil
}

// slotted is a body that gives its slot back when closed.
type slotted struct {
	io.ReadCloser
	release func()
}

func (b *slotted) Close() error {
	defer b.release()
	return b.ReadCloser.Close()
}

// stream ends its context when the endpoint has been silent for too long.
type stream struct {
	ctx     context.Context
	cancel  context.CancelFunc
	timeout time.Duration
	timer   *time.Timer // nil without a timeout
	silent  atomic.Bool
}

// watch begins a stream; the endpoint is awaited from now on.
func (e *Endpoint) watch(ctx context.Context) *stream {
	s := &stream{timeout: e.timeout}
	s.ctx, s.cancel = context.WithCancel(ctx)
	if s.timeout > 0 {
		s.timer = time.AfterFunc(s.timeout, func() {
			s.silent.Store(true)
			s.cancel()
		})
	}
	return s
}

// pause stops the clock: the endpoint has delivered. It reports whether that
// was in time.
func (s *stream) pause() bool { return s.timer == nil || s.timer.Stop() }

// resume starts it anew: the endpoint is awaited again.
func (s *stream) resume() {
	if s.timer != nil {
		s.timer.Reset(s.timeout)
	}
}

// end frees what the stream holds.
func (s *stream) end() {
	s.pause()
	s.cancel()
}
