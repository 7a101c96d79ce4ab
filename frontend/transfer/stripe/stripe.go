// Package stripe reads one file over several connections that may break, and
// delivers it in order as one stream.
//
// One stream reads the file from start to end. Several read blocks of it, a
// few of which are held until their turn has come, so that memory is bounded
// by MostMemory whatever the size of the file.
//
// What breaks is begun again from where it broke. That is given up after
// several attempts of which none has brought a byte, and at once after an error
// that is an answer, such as that the file is gone (plugins.Kind).
package stripe

import (
	"context"
	"io"
	"time"

	"canopy/plugins"
)

const (
	// Block is how much one request is for where there are several streams.
	Block = 4 << 20
	// MostMemory bounds what is held of one file, in bytes.
	MostMemory = mostBlocks * Block
	mostBlocks = 16
	// attempts is how often in a row a part may bring nothing.
	attempts = 5
	// firstPause and longestPause are how long is waited before another.
	firstPause   = 500 * time.Millisecond
	longestPause = 8 * time.Second
)

// Open begins to deliver length bytes of the file from offset; a negative
// length is to its end. What it returns ends early only with an error, or is
// taken to have broken off. It is called by several goroutines at once where
// there are several streams.
type Open func(ctx context.Context, offset, length int64) (io.ReadCloser, error)

// New returns the content of a file of that size, negative if unknown. Nothing
// is opened before the first Read, whose errors are those of open. Several
// streams need a size. The reader is for one goroutine; Close ends what is
// under way and waits for it.
func New(ctx context.Context, open Open, size int64, streams int) io.ReadCloser {
	streams = min(streams, mostBlocks, int((size+Block-1)/Block))
	if streams <= 1 {
		return &stream{ctx: ctx, open: open, end: size}
	}
	ctx, cancel := context.WithCancel(ctx)
	window := min(2*streams, mostBlocks)
	s := &stripes{
		ctx: ctx, cancel: cancel, open: open, size: size, streams: streams,
		free: make(chan []byte, window), turns: make([]chan part, window),
	}
	for i := range s.turns {
		s.free <- nil // made when it is first needed
		s.turns[i] = make(chan part, 1)
	}
	return s
}

// stream reads a part of a file in one go, as often as that takes.
type stream struct {
	ctx  context.Context
	open Open
	// at is where it is, end where the part ends; negative is unknown.
	at, end int64
	body    io.ReadCloser
	broke   error // why the next thing to do is another attempt
	idle    int   // attempts in a row that brought nothing
	err     error // final
}

func (s *stream) Read(p []byte) (int, error) {
	for len(p) > 0 && s.err == nil {
		n, err := s.attempt(p)
		s.at += int64(n)
		if n > 0 {
			s.idle = 0
		}
		switch {
		case s.end >= 0 && s.at == s.end, err == io.EOF && s.end < 0:
			s.err = io.EOF
		case err == io.EOF:
			s.broke = io.ErrUnexpectedEOF
		default:
			s.broke = err
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, s.err
}

// attempt reads once.
func (s *stream) attempt(p []byte) (int, error) {
	length := int64(-1)
	if s.end >= 0 {
		length = s.end - s.at
		p = p[:min(int64(len(p)), length)]
	}
	if length == 0 {
		return 0, nil
	}
	if s.broke != nil {
		if s.err = s.again(s.broke); s.err != nil {
			return 0, s.broke
		}
	}
	if s.body == nil {
		body, err := s.open(s.ctx, s.at, length)
		if err != nil {
			return 0, err
		}
		s.body = body
	}
	return s.body.Read(p)
}

// again gets ready for another attempt after err, or returns why there is none.
func (s *stream) again(err error) error {
	s.drop()
	kind := plugins.KindOf(err)
	switch {
	case s.ctx.Err() != nil:
		return s.ctx.Err()
	case !kind.Silent() && kind != plugins.Busy, s.end < 0 && s.at > 0:
		return err
	}
	if s.idle++; s.idle >= attempts {
		return err
	}
	pause := time.NewTimer(min(firstPause<<(s.idle-1), longestPause))
	defer pause.Stop()
	select {
	case <-pause.C:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// drop closes what was open; what it says to that is of no consequence.
func (s *stream) drop() {
	if s.body != nil {
		_ = s.body.Close()
		s.body = nil
	}
}

func (s *stream) Close() error {
	s.drop()
	return nil
}
