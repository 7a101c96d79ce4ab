package listen

import (
	"crypto/tls"
	"io"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// portion is how much of an answer counts as progress.
const portion = 128 << 10

// socket is a listener with a bounded number of connections, each of which has
// a deadline for every portion that it sends. It can be put aside and taken up
// again, of which whoever accepts from it sees nothing.
type socket struct {
	port     *port
	addr     net.Addr
	room     chan struct{}
	closing  sync.Once
	closed   chan struct{}
	patience time.Duration

	mu    sync.Mutex
	inner net.Listener  // nil while it is put aside
	taken chan struct{} // closed when it is taken up again
}

// Addr returns the address with the port that was picked.
func (s *socket) Addr() net.Addr { return s.addr }

// Accept waits for room, then for a connection.
func (s *socket) Accept() (net.Conn, error) {
	select {
	case s.room <- struct{}{}:
	case <-s.closed:
		return nil, net.ErrClosed
	}
	c, err := s.accept()
	if err != nil {
		<-s.room
		return nil, err
	}
	guarded := &conn{Conn: c, leave: func() { <-s.room }, patience: s.patience}
	if secret := s.port.tls.Load(); secret != nil {
		return tls.Server(guarded, secret.config), nil
	}
	return guarded, nil
}

// accept waits for a connection.
func (s *socket) accept() (net.Conn, error) {
	for {
		inner, taken := s.current()
		if inner == nil {
			select {
			case <-taken:
				continue
			case <-s.closed:
				return nil, net.ErrClosed
			}
		}
		c, err := inner.Accept()
		if now, _ := s.current(); err == nil || now == inner {
			return c, err
		}
	}
}

func (s *socket) current() (inner net.Listener, taken <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inner, s.taken
}

// putAside frees the address. Connections that were accepted go on.
func (s *socket) putAside() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inner == nil {
		return nil
	}
	inner := s.inner
	s.inner, s.taken = nil, make(chan struct{})
	return inner.Close()
}

// takeUp goes on, after putAside, with another listener at the same address.
func (s *socket) takeUp(inner net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inner = inner
	close(s.taken)
}

// Close ends Accept, also while that waits for room.
func (s *socket) Close() error {
	s.closing.Do(func() { close(s.closed) })
	return s.putAside()
}

// conn is a connection that fails when the other end takes nothing.
type conn struct {
	net.Conn
	leave    func()
	left     sync.Once
	patience time.Duration
	granted  atomic.Int64 // the moment from which the deadline counts, Unix nanoseconds
	fixed    atomic.Bool  // a deadline was set from outside
}

// extend moves the deadline. So as not to do so for each small write, the
// patience may fall short by an eighth.
func (c *conn) extend() error {
	if c.fixed.Load() {
		return nil
	}
	now := time.Now()
	if now.UnixNano()-c.granted.Load() < int64(c.patience/8) {
		return nil
	}
	c.granted.Store(now.UnixNano())
	return c.Conn.SetWriteDeadline(now.Add(c.patience))
}

// Write sends p, each portion of which may take the patience.
func (c *conn) Write(p []byte) (int, error) {
	written := 0
	for {
		if err := c.extend(); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[:min(len(p), portion)])
		written += n
		if p = p[n:]; err != nil || len(p) == 0 {
			return written, err
		}
	}
}

// ReadFrom sends what r holds, by the kernel alone where it can: that takes a
// file or connection, or a single limit around one.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	limited, ok := r.(*io.LimitedReader)
	if !ok {
		limited = &io.LimitedReader{R: r, N: math.MaxInt64}
	}
	var written int64
	for limited.N > 0 {
		if err := c.extend(); err != nil {
			return written, err
		}
		want := min(limited.N, portion)
		n, err := io.Copy(c.Conn, &io.LimitedReader{R: limited.R, N: want})
		written += n
		limited.N -= n
		if err != nil || n < want {
			return written, err
		}
	}
	return written, nil
}

// SetDeadline and SetWriteDeadline give a deadline of their own to what is
// sent from now on, until they are called with the zero time.
func (c *conn) SetDeadline(t time.Time) error {
	c.fix(t)
	return c.Conn.SetDeadline(t)
}

// SetWriteDeadline is like SetDeadline. The HTTP server takes back the deadline
// between any two requests; where none of its own is in force, that changes
// nothing.
func (c *conn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() && !c.fixed.Load() {
		return nil
	}
	c.fix(t)
	return c.Conn.SetWriteDeadline(t)
}

func (c *conn) fix(t time.Time) {
	c.fixed.Store(!t.IsZero())
	c.granted.Store(0)
}

// CloseWrite tells the other end that nothing more will come. The HTTP server
// does so before it closes a connection on which unread bytes still arrive,
// lest they wipe out the answer.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close makes room for another connection.
func (c *conn) Close() error {
	c.left.Do(c.leave)
	return c.Conn.Close()
}
