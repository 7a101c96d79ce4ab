// Package splice carries the body of an answer from the connection of a storage
// to that of a client without a copy of it in this process: the kernel moves it
// from one socket to the other (splice(2)).
//
// What lies between the two, a transport, the limits of an endpoint, the change
// to another replica, knows nothing of it. A body is read as ever, into a buffer
// that belongs to a Pipe:
//
//	pipe := splice.New()
//	body := open(splice.With(ctx, pipe))
//	pipe.Lead(client)
//	rest, err := pipe.Read(body)
//
// A Conn that is asked to read into the beginning of that very buffer moves bytes
// to the client instead, and says how many; what the buffer holds there then means
// nothing. Whatever reads elsewhere, because the end is near, because bytes were
// read ahead, because the connection is encrypted, gets bytes, and so does the
// caller of Pipe.Read, for whom they are left to send.
//
// Nothing on the way may look at the bytes, or move them within the buffer.
package splice

import (
	"context"
	"fmt"
	"io"
	"sync"
)

// size is the length of a Pipe's buffer, and how many bytes one Read moves at
// most. It must be above that of the transport's read buffer, which is passed by
// only for the sake of a larger one.
const size = 256 << 10

// Pipe leads to a client. It must not be used by two goroutines at once.
type Pipe struct {
	to     io.ReaderFrom
	buffer *[size]byte
	// first tells the buffer from others, also to a connection on which another
	// goroutine waits after Close.
	first *byte
	// moved is how many bytes went to the client within one Read.
	moved int
	err   error
}

// New returns a Pipe that leads nowhere yet: all that is read are bytes.
func New() *Pipe {
	buffer := buffers.Get().(*[size]byte)
	return &Pipe{buffer: buffer, first: &buffer[0]}
}

var buffers = sync.Pool{New: func() any { return new([size]byte) }}

// Lead has the Pipe lead to a client from now on. Its ReadFrom should let the
// kernel move what a *net.TCPConn within an *io.LimitedReader holds, as that of
// *net.TCPConn does and that of an http.ResponseWriter over it.
func (p *Pipe) Lead(to io.ReaderFrom) { p.to = to }

// Close frees the buffer. All that has been read into it must be closed.
func (p *Pipe) Close() {
	buffers.Put(p.buffer)
	p.buffer, p.to = nil, nil
}

// Read reads once from body. Of what was read, rest has not been sent and is for
// the caller to send, before it reads on.
func (p *Pipe) Read(body io.Reader) (rest []byte, err error) {
	p.moved = 0
	n, err := body.Read(p.buffer[:])
	return p.buffer[p.moved:n], err
}

// Err is what the client's connection failed with, if that is why a Read failed.
func (p *Pipe) Err() error { return p.err }

// takes reports whether what is to be read into b is to be moved: b is the buffer,
// or its beginning, and there is a client.
func (p *Pipe) takes(b []byte) bool { return len(b) > 0 && &b[0] == p.first && p.to != nil }

// move sends n bytes that src has ready. What it fails with is a cancellation to
// whoever reads: the storage is not to be blamed.
func (p *Pipe) move(src io.Reader, n int) (int, error) {
	moved, err := p.to.ReadFrom(&io.LimitedReader{R: src, N: int64(n)})
	p.moved += int(moved)
	if err != nil {
		p.err = err
		err = fmt.Errorf("%w: the client takes no more", context.Canceled)
	}
	return int(moved), err
}

type key struct{}

// With returns a context whose requests may use p.
func With(ctx context.Context, p *Pipe) context.Context { return context.WithValue(ctx, key{}, p) }

// From returns the Pipe of ctx, nil if there is none.
func From(ctx context.Context) *Pipe {
	p, _ := ctx.Value(key{}).(*Pipe)
	return p
}
