package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"canopy/plugins"
)

// watchdog ends an exchange by its context when it is not petted in time.
type watchdog struct {
	limit  time.Duration
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// errSilent is why an exchange ended in which nothing moved.
var errSilent = errors.New("no progress within the time allowed")

// watch returns a context that ends for silence. The watchdog is awake for
// limit.
func watch(ctx context.Context, limit time.Duration) (context.Context, *watchdog) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &watchdog{limit: limit, cancel: cancel, timer: time.AfterFunc(limit, func() { cancel(errSilent) })}
}

func (w *watchdog) sleep()               { w.timer.Stop() }
func (w *watchdog) wake(d time.Duration) { w.timer.Reset(d) }

// end frees the watchdog and whatever still runs under its context.
func (w *watchdog) end() {
	w.sleep()
	w.cancel(context.Canceled)
}

// body is that of an answer, watched only while it is being read.
type body struct {
	io.ReadCloser
	ctx      context.Context
	dog      *watchdog
	op, from string
	err      error
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	b.dog.wake(b.dog.limit)
	n, err := b.ReadCloser.Read(p)
	b.dog.sleep()
	switch {
	case err == nil:
	case err == io.EOF:
		b.err = io.EOF
		b.dog.end()
	default:
		e := ended(b.ctx, b.from)
		if e == nil {
			e = &plugins.Error{Kind: plugins.Unavailable, Err: fmt.Errorf("%s broke off: %w", b.from, err)}
		}
		e.Op, b.err = b.op, e
		b.dog.end()
	}
	return n, b.err
}

func (b *body) Close() error {
	b.dog.end()
	return b.ReadCloser.Close()
}

// Content is the body of an upload. It is opened anew for every host that is
// asked, the one before being closed first.
type Content struct {
	// Size is in bytes, not negative.
	Size int64
	// Open begins the content from its start.
	Open func() (io.ReadCloser, error)

	mu   sync.Mutex
	last *sending
}

// attach makes req send the content.
func (c *Content) attach(req *http.Request, dog *watchdog, idle time.Duration) error {
	req.ContentLength = c.Size
	if c.Size == 0 {
		req.Body = http.NoBody
		return nil
	}
	req.Header.Set("Expect", "100-continue")
	// Tells net/http, not the host, that it may begin again when a kept
	// connection turns out to be dead.
	req.Header["X-Idempotency-Key"] = nil
	req.GetBody = func() (io.ReadCloser, error) { return c.begin(dog, idle) }
	var err error
	req.Body, err = req.GetBody()
	return err
}

// begin opens the content lazily: a host that redirects takes none of it.
func (c *Content) begin(dog *watchdog, idle time.Duration) (io.ReadCloser, error) {
	s := &sending{content: c, dog: dog, idle: idle}
	c.mu.Lock()
	before := c.last
	c.last = s
	c.mu.Unlock()
	if before != nil {
		if err := before.Close(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Close ends what is being sent; the transport may hold on to it for a while
// after the answer has come.
func (c *Content) Close() error {
	c.mu.Lock()
	last := c.last
	c.mu.Unlock()
	if last == nil {
		return nil
	}
	return last.Close()
}

// sending is content on its way to one host. The watchdog sleeps while the
// content itself is waited for.
type sending struct {
	content *Content
	dog     *watchdog
	idle    time.Duration

	mu     sync.Mutex
	from   io.ReadCloser
	closed bool
}

func (s *sending) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, io.ErrClosedPipe
	}
	s.dog.sleep()
	if s.from == nil {
		var err error
		if s.from, err = s.content.Open(); err != nil {
			return 0, err
		}
	}
	n, err := s.from.Read(p)
	if err == io.EOF {
		s.dog.wake(settle * s.idle)
	} else {
		s.dog.wake(s.idle)
	}
	return n, err
}

// Close implements io.Closer. It waits for a Read to end, which does as soon as
// the context of the exchange has.
func (s *sending) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.from == nil {
		return nil
	}
	return s.from.Close()
}
