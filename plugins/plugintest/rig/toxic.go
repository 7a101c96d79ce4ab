package rig

import (
	"context"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Proxy is a TCP proxy that can be told to misbehave while it runs. Each of
// its orders replaces the one before and reaches open connections too, unless
// it says otherwise. Methods may be called by any goroutine.
type Proxy struct {
	t        testing.TB
	target   string
	original *url.URL
	addr     string

	mu       sync.Mutex
	order    order
	listener net.Listener
	conns    map[*link]struct{}
	closed   bool

	accepted atomic.Int64
	passed   atomic.Int64
	wg       sync.WaitGroup
}

// order is how to treat connections until changed is closed.
type order struct {
	up, down time.Duration
	hang     bool
	reset    bool
	refuse   bool
	cut      bool
	limit    int64
	changed  chan struct{}
}

// Toxic puts a proxy in front of target, which is a URL or a host and port. It
// is faithful until told otherwise, and ends with the test.
func Toxic(t testing.TB, target string) *Proxy {
	t.Helper()
	p := &Proxy{t: t, target: target, conns: make(map[*link]struct{})}
	p.order.changed = make(chan struct{})
	if strings.Contains(target, "://") {
		u, err := url.Parse(target)
		if err != nil {
			t.Fatalf("rig: %v", err)
		}
		p.original, p.target = u, u.Host
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("rig: %v", err)
	}
	p.addr = l.Addr().String()
	p.listen(l)
	t.Cleanup(p.close)
	return p
}

// Addr returns the proxy's host and port.
func (p *Proxy) Addr() string { return p.addr }

// URL returns the target's URL with the proxy's host and port; a target that
// was no URL is taken for an HTTP server.
func (p *Proxy) URL() string {
	if p.original == nil {
		return "http://" + p.addr
	}
	u := *p.original
	u.Host = p.addr
	return u.String()
}

// Accepted returns how many connections have been accepted so far.
func (p *Proxy) Accepted() int { return int(p.accepted.Load()) }

// Passed returns how many bytes went through so far, both ways together.
func (p *Proxy) Passed() int64 { return p.passed.Load() }

// Heal makes the proxy faithful again. What was held back by Hang goes on.
func (p *Proxy) Heal() { p.set(order{}) }

// Latency delays every byte to the target by up and every byte from it by
// down. Bandwidth is not affected.
func (p *Proxy) Latency(up, down time.Duration) { p.set(order{up: up, down: down}) }

// Hang accepts connections and passes nothing on, in either direction.
func (p *Proxy) Hang() { p.set(order{hang: true}) }

// Reset resets all open connections, and new ones as soon as they are
// accepted.
func (p *Proxy) Reset() { p.set(order{reset: true}) }

// Cut ends every connection made from now on after n bytes from the target.
func (p *Proxy) Cut(n int64) { p.set(order{cut: true, limit: n}) }

// Refuse resets all open connections and refuses new ones.
func (p *Proxy) Refuse() { p.set(order{refuse: true}) }

func (p *Proxy) set(o order) {
	p.t.Helper()
	o.changed = make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	close(p.order.changed)
	p.order = o
	if o.reset || o.refuse {
		for c := range p.conns {
			c.reset()
		}
	}
	switch {
	case o.refuse && p.listener != nil:
		p.listener.Close()
		p.listener = nil
	case !o.refuse && p.listener == nil:
		l, err := net.Listen("tcp", p.addr)
		if err != nil {
			p.t.Errorf("rig: the proxy cannot come back: %v", err)
			return
		}
		p.listen(l)
	}
}

// listen is called with p.mu held or before p is shared.
func (p *Proxy) listen(l net.Listener) {
	p.listener = l
	p.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.accepted.Add(1)
			p.accept(c)
		}
	})
}

func (p *Proxy) accept(client net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	c := &link{proxy: p, client: client, ctx: ctx, cancel: cancel, limit: -1}
	if p.order.cut {
		c.limit = p.order.limit
	}
	if p.closed || p.order.reset || p.order.refuse {
		c.reset()
		return
	}
	p.conns[c] = struct{}{}
	p.wg.Go(c.serve)
}

func (p *Proxy) current() order {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.order
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	if p.listener != nil {
		p.listener.Close()
	}
	for c := range p.conns {
		c.reset()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// link is one proxied connection.
type link struct {
	proxy  *Proxy
	client net.Conn
	limit  int64 // bytes still to pass to the client; negative is no limit
	ctx    context.Context
	cancel context.CancelFunc
}

// reset ends the connection with a RST instead of a FIN.
func (c *link) reset() {
	if tcp, ok := c.client.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.cancel()
	c.client.Close()
}

func (c *link) serve() {
	p := c.proxy
	defer func() {
		c.cancel()
		c.client.Close()
		p.mu.Lock()
		delete(p.conns, c)
		p.mu.Unlock()
	}()
	if !c.pass() {
		return
	}
	server, err := (&net.Dialer{}).DialContext(c.ctx, "tcp", p.target)
	if err != nil {
		c.reset()
		return
	}
	stop := context.AfterFunc(c.ctx, func() { server.Close() })
	defer stop()
	defer server.Close()
	var both sync.WaitGroup
	both.Go(func() {
		c.copy(server, c.client, func(o order) time.Duration { return o.up }, nil)
	})
	both.Go(func() {
		c.copy(c.client, server, func(o order) time.Duration { return o.down }, &c.limit)
	})
	both.Wait()
}

// pass waits while the proxy hangs; it reports false once the connection is
// over.
func (c *link) pass() bool {
	for {
		o := c.proxy.current()
		if !o.hang {
			return c.ctx.Err() == nil
		}
		select {
		case <-o.changed:
		case <-c.ctx.Done():
			return false
		}
	}
}

// parcel is some bytes and when they may go on.
type parcel struct {
	data []byte
	due  time.Time
}

// copy passes bytes from src to dst, each chunk not before its time, so that a
// delay is a longer wire and not a slower one.
func (c *link) copy(dst, src net.Conn, delay func(order) time.Duration, limit *int64) {
	queue := make(chan parcel, 256)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(queue)
		for {
			buf := make([]byte, 16<<10)
			n, err := src.Read(buf)
			if n > 0 {
				select {
				case queue <- parcel{buf[:n], time.Now().Add(delay(c.proxy.current()))}:
				case <-c.ctx.Done():
					return
				}
			}
			if err != nil {
				if err != io.EOF {
					c.reset()
				}
				return
			}
		}
	})
	defer reader.Wait()
	for q := range queue {
		if !c.wait(time.Until(q.due)) || !c.pass() {
			return
		}
		if limit != nil && *limit >= 0 {
			q.data = q.data[:min(int64(len(q.data)), *limit)]
			*limit -= int64(len(q.data))
		}
		n, err := dst.Write(q.data)
		c.proxy.passed.Add(int64(n))
		if err != nil {
			c.reset()
			return
		}
		if limit != nil && *limit == 0 {
			c.client.Close()
			c.cancel()
			return
		}
	}
	// The other half stays open: a client may well end its request first.
	if tcp, ok := dst.(*net.TCPConn); ok {
		tcp.CloseWrite()
	}
}

// wait waits for d; it reports false if the connection ended first.
func (c *link) wait(d time.Duration) bool {
	if d <= 0 {
		return c.ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}
