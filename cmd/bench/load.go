package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// answer is what a client looks at of an answer. It is good until the next.
type answer struct {
	status   int
	location []byte
	body     int64
}

// client is one connection that is kept alive. It knows as much of HTTP/1.1 as
// the load needs, so that it costs little beside the server that it measures.
type client struct {
	conn net.Conn
	r    *bufio.Reader
	last answer
	// sink gets the bodies; nil discards them.
	sink io.Writer
}

// patience bounds the wait for an answer: whoever exceeds it is stuck.
const patience = 60 * time.Second

func dial(addr string) (*client, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}, nil
}

func (c *client) close() { c.conn.Close() }

// request returns the bytes of a request without a body.
func request(method, path string, header ...string) []byte {
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\n", method, path)
	for i := 0; i+1 < len(header); i += 2 {
		b = fmt.Appendf(b, "%s: %s\r\n", header[i], header[i+1])
	}
	return append(b, "\r\n"...)
}

// ask sends a request and reads the answer to its end.
func (c *client) ask(req []byte) (*answer, error) {
	if _, err := c.conn.Write(req); err != nil {
		return nil, err
	}
	a := &c.last
	*a = answer{location: a.location[:0]}
	length, err := c.head(a)
	if err != nil {
		return nil, err
	}
	if length >= 0 {
		a.body = length
		return a, c.drain(length)
	}
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 64)
		if err != nil {
			return nil, fmt.Errorf("a chunk of size %q", line)
		}
		if n == 0 {
			return a, c.trailer()
		}
		a.body += n
		if err := c.drain(n); err != nil {
			return nil, err
		}
		if _, err := c.r.Discard(2); err != nil {
			return nil, err
		}
	}
}

// head reads the status and the header; length is negative for chunks.
func (c *client) head(a *answer) (length int64, err error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, fmt.Errorf("a status line %q", line)
	}
	a.status = int(line[9]-'0')*100 + int(line[10]-'0')*10 + int(line[11]-'0')
	length = 0
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			return length, nil
		}
		switch {
		case field(line, "location:"):
			a.location = append(a.location, bytes.TrimSpace(line[len("location:"):])...)
		case field(line, "content-length:"):
			if length, err = strconv.ParseInt(string(bytes.TrimSpace(line[len("content-length:"):])), 10, 64); err != nil {
				return 0, err
			}
		case field(line, "transfer-encoding:"):
			length = -1
		}
	}
}

// field reports whether line begins with name, which is in lower case and ends
// in its colon.
func field(line []byte, name string) bool {
	if len(line) < len(name) || line[len(name)-1] != ':' {
		return false
	}
	for i := range len(name) - 1 {
		if line[i]|0x20 != name[i]|0x20 {
			return false
		}
	}
	return true
}

func (c *client) drain(n int64) error {
	if c.sink == nil {
		for n > 0 {
			d, err := c.r.Discard(int(min(n, 1<<20)))
			if err != nil {
				return err
			}
			n -= int64(d)
		}
		return nil
	}
	_, err := io.CopyN(c.sink, c.r, n)
	return err
}

func (c *client) trailer() error {
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil || len(line) <= 2 {
			return err
		}
	}
}

// load is requests that are sent over several connections, each going through
// all requests from a place of its own, the next when the last is answered.
type load struct {
	addr     string
	conns    int
	requests [][]byte
	// right reports whether a is the answer to request i.
	right func(i int, a *answer) bool
	// every is the time from one request of a connection to its next; 0 is
	// none, as soon as it is answered.
	every time.Duration
}

// tally is what became of a load.
type tally struct {
	histogram
	wrong int
	first string // the first wrong answer, for people
	took  time.Duration
}

func (t *tally) rate() float64 { return float64(t.n) / t.took.Seconds() }

// during sends requests for d, the first after the last.
func (l load) during(d time.Duration) (*tally, error) {
	var over atomic.Bool
	timer := time.AfterFunc(d, func() { over.Store(true) })
	defer timer.Stop()
	return l.run(func(at int) int {
		if over.Load() {
			return -1
		}
		return (at + 1) % len(l.requests)
	})
}

// times sends n requests, the first after the last.
func (l load) times(n int) (*tally, error) {
	var left atomic.Int64
	left.Store(int64(n))
	return l.run(func(at int) int {
		if left.Add(-1) < 0 {
			return -1
		}
		return (at + 1) % len(l.requests)
	})
}

// once sends each request once.
func (l load) once() (*tally, error) {
	var sent atomic.Int64
	return l.run(func(int) int {
		if n := int(sent.Add(1)); n <= len(l.requests) {
			return n - 1
		}
		return -1
	})
}

// run asks next, with the request before, which one each connection is to send;
// a negative number ends it.
func (l load) run(next func(at int) int) (*tally, error) {
	clients := make([]*client, l.conns)
	for i := range clients {
		c, err := dial(l.addr)
		if err != nil {
			return nil, err
		}
		defer c.close()
		clients[i] = c
	}
	tallies := make([]tally, l.conns)
	errs := make([]error, l.conns)
	var wg sync.WaitGroup
	began := time.Now()
	for i, c := range clients {
		wg.Go(func() { errs[i] = l.drive(c, i*len(l.requests)/l.conns, &tallies[i], next) })
	}
	wg.Wait()
	total := &tally{took: time.Since(began)}
	for i := range tallies {
		total.merge(&tallies[i].histogram)
		total.wrong += tallies[i].wrong
		if total.first == "" {
			total.first = tallies[i].first
		}
	}
	return total, errors.Join(errs...)
}

func (l load) drive(c *client, at int, t *tally, next func(int) int) error {
	before := time.Now()
	if err := c.conn.SetDeadline(before.Add(patience)); err != nil {
		return err
	}
	var turns <-chan time.Time
	if l.every > 0 {
		clock := time.NewTicker(l.every)
		defer clock.Stop()
		turns = clock.C
	}
	for {
		if at = next(at); at < 0 {
			return nil
		}
		a, err := c.ask(l.requests[at])
		if err != nil {
			return err
		}
		now := time.Now()
		t.add(now.Sub(before))
		if !l.right(at, a) {
			if t.wrong++; t.first == "" {
				t.first = fmt.Sprintf("%d %s with %d bytes to %.60q", a.status, a.location, a.body, l.requests[at])
			}
		}
		if before = now; l.every > 0 {
			before = <-turns
		}
		if t.n%1024 == 0 {
			if err := c.conn.SetDeadline(now.Add(patience)); err != nil {
				return err
			}
		}
	}
}
