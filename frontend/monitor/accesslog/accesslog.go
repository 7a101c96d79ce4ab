// Package accesslog writes one line for each request.
//
// A line is an object of JSON, or words of the form key=value. Whatever a
// client sent is escaped so that it can neither end the line nor pretend to be
// another field, nor talk to a terminal, and is cut at a length. The query of
// a URL is not written: it may hold a token.
//
// Write only appends to a buffer, in a format made by hand, and so costs a
// fraction of a microsecond. A goroutine writes the buffer out once a second,
// or sooner when much has gathered. If the disk cannot keep up, lines are
// dropped rather than requests held up, and a line says how many.
package accesslog

import (
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

const (
	// every is how long a line stays in the buffer at most.
	every = time.Second
	// enough is the buffer's length at which it is written out early, full
	// that at which lines are dropped, in bytes.
	enough = 256 << 10
	full   = 4 << 20
)

// Format is how a line is written.
type Format uint8

// The formats.
const (
	JSON Format = iota
	Text
)

// Entry is one request and what became of it. Strings may hold anything.
type Entry struct {
	Time time.Time
	// ID is the id of the request.
	ID string
	// Remote is the client's address; the zero Addr is unknown.
	Remote netip.Addr
	// User is who it was; "" is anonymous.
	User   string
	Method string
	// Path is decoded and without query.
	Path   string
	Status int
	// Bytes is the length of the answer's body.
	Bytes int64
	Took  time.Duration
	// Endpoint is whom the client was redirected to, or whose bytes were
	// carried if Proxied; "" is nobody.
	Endpoint string
	Proxied  bool
	// Agent is the client's User-Agent field.
	Agent string
}

// Log writes entries. Its methods may be called by any number of goroutines
// at once.
type Log struct {
	out    io.Writer
	format Format
	log    *slog.Logger

	mu      sync.Mutex
	buffer  []byte
	dropped int
	second  second
	closed  bool

	writing sync.Mutex // held while spare is written out
	spare   []byte
	failed  bool // the last time; guarded by writing

	wake chan struct{}
	stop chan struct{}
	done chan struct{}
}

// New returns a log that writes to out, which it does not close. log is told
// when that fails.
func New(out io.Writer, format Format, log *slog.Logger) *Log {
	l := &Log{
		out: out, format: format, log: log,
		buffer: make([]byte, 0, enough+maxEntry), spare: make([]byte, 0, enough+maxEntry),
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	go l.run()
	return l
}

// Write appends an entry. It does not wait for the disk.
func (l *Log) Write(e *Entry) {
	l.mu.Lock()
	if len(l.buffer) > full || l.closed {
		l.dropped++
		l.mu.Unlock()
		return
	}
	if l.format == Text {
		l.buffer = l.text(l.buffer, e)
	} else {
		l.buffer = l.json(l.buffer, e)
	}
	much := len(l.buffer) >= enough
	l.mu.Unlock()
	if much {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// run writes the buffer out from time to time.
func (l *Log) run() {
	defer close(l.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-l.wake:
		case <-l.stop:
			return
		}
		l.Flush()
	}
}

// Flush writes out what has gathered.
func (l *Log) Flush() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	if l.dropped > 0 {
		l.buffer = l.lost(l.buffer, l.dropped)
		l.dropped = 0
	}
	l.buffer, l.spare = l.spare[:0], l.buffer
	l.mu.Unlock()
	if len(l.spare) == 0 {
		return nil
	}
	_, err := l.out.Write(l.spare)
	if err != nil && !l.failed {
		l.log.Error("the access log cannot be written", "err", err)
	}
	l.failed = err != nil
	if cap(l.spare) > 2*enough {
		l.spare = make([]byte, 0, enough+maxEntry)
	}
	return err
}

// Close writes out what has gathered, and takes no more. It is called once.
func (l *Log) Close() error {
	close(l.stop)
	<-l.done
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	return l.Flush()
}
