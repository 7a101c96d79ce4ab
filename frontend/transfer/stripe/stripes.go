package stripe

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
)

// stripes reads blocks of a file at the same time, and delivers them in order.
type stripes struct {
	ctx     context.Context
	cancel  context.CancelFunc
	open    Open
	size    int64
	streams int

	wg    sync.WaitGroup
	begun bool
	// next is the block that the next idle stream takes. No stream takes one
	// without a buffer, of which there are as many as turns, so that the
	// blocks under way are always consecutive and no two share a turn.
	next  atomic.Int64
	free  chan []byte
	turns []chan part

	// block is the one being delivered, of which rest is left.
	block int64
	whole []byte
	rest  []byte
	err   error
}

// part is a block, or why there is none.
type part struct {
	data []byte
	err  error
}

func (s *stripes) Read(p []byte) (int, error) {
	if !s.begun {
		s.begun = true
		for range s.streams {
			s.wg.Go(s.run)
		}
	}
	for s.err == nil && len(s.rest) == 0 {
		s.err = s.turn()
	}
	if len(s.rest) == 0 {
		return 0, s.err
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// turn waits for the next block.
func (s *stripes) turn() error {
	if s.whole != nil {
		s.free <- s.whole
		s.whole = nil
		s.block++
	}
	if s.block*Block >= s.size {
		return io.EOF
	}
	select {
	case p := <-s.turns[s.block%int64(len(s.turns))]:
		if p.err != nil {
			s.cancel()
			return p.err
		}
		s.whole, s.rest = p.data[:cap(p.data)], p.data
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// run reads blocks until there are no more.
func (s *stripes) run() {
	for {
		var buffer []byte
		select {
		case buffer = <-s.free:
		case <-s.ctx.Done():
			return
		}
		i := s.next.Add(1) - 1
		if i*Block >= s.size {
			s.free <- buffer
			return
		}
		if buffer == nil {
			buffer = make([]byte, Block)
		}
		data := buffer[:min(Block, s.size-i*Block)]
		from := &stream{ctx: s.ctx, open: s.open, at: i * Block, end: i*Block + int64(len(data))}
		_, err := io.ReadFull(from, data)
		from.drop()
		s.turns[i%int64(len(s.turns))] <- part{data, err}
		if err != nil {
			return
		}
	}
}

// Close implements io.Closer.
func (s *stripes) Close() error {
	s.cancel()
	s.wg.Wait()
	return nil
}
