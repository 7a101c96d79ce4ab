package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"canopy/plugins"
)

// local is an error on this side, which no replica can help.
type local struct{ error }

func (l local) Unwrap() error { return l.error }

// parallel fetches what is not in have into p, over several streams.
func (d *Downloader) parallel(ctx context.Context, c *crew, p *part, have spans) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := have.gaps(c.size)
	chunk := d.Chunk
	if chunk <= 0 {
		chunk = defaultChunk
	}
	// Some chunks for each stream, or else the first ones get all.
	chunk = min(chunk, max(smallestChunk, c.size/int64(4*d.Streams)))
	streams := min(int64(d.Streams), todo.total()/chunk+1)
	q := newQueue(todo, chunk)
	var wg sync.WaitGroup
	for range streams {
		wg.Go(func() {
			if err := d.work(ctx, c, q, p); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case q.left():
		return c.verdict()
	}
	return nil
}

// work does one task after the other until none, or no replica, is left. Its
// error concerns all streams.
func (d *Downloader) work(ctx context.Context, c *crew, q *queue, p *part) error {
	var m *member
	for t := q.take(); t != nil; t = q.take() {
		if m = c.pick(m); m == nil {
			q.drop(t)
			return nil
		}
		err := c.rest(ctx, m)
		if err == nil {
			err = d.slot(ctx, func() error { return d.transfer(ctx, c, m, q, t, p) })
		}
		q.drop(t)
		var ours local
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &ours):
			return err
		case err != nil:
			c.blame(m, err)
		}
	}
	if m != nil {
		c.release(m)
	}
	return nil
}

// slot calls f while it holds one of the slots.
func (d *Downloader) slot(ctx context.Context, f func() error) error {
	if d.Slots == nil {
		return f()
	}
	select {
	case d.Slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-d.Slots }()
	return f()
}

// transfer reads t from m into p.
func (d *Downloader) transfer(ctx context.Context, c *crew, m *member, q *queue, t *task, p *part) error {
	left := q.bounds(t)
	r := plugins.Range{Offset: left.From, Length: left.To - left.From}
	if left == (span{0, c.size}) {
		r = plugins.Whole
	}
	body, err := c.open(ctx, m, r)
	if err != nil {
		return err
	}
	defer body.Close()
	if body.Offset != left.From {
		return &plugins.Error{Kind: plugins.Unsupported, Err: errNoRanges}
	}
	buf := make([]byte, bufferSize)
	for left.From < left.To {
		n, err := body.Read(buf)
		n = int(min(int64(n), left.To-left.From))
		if n > 0 {
			if err := p.write(buf[:n], left.From); err != nil {
				return local{err}
			}
			c.credit(m, int64(n))
			left = q.advance(t, int64(n))
		}
		if err != nil && left.From < left.To {
			return early(err)
		}
	}
	return nil
}

// early is the error when a body ends before the range does.
func early(err error) error {
	if err == io.EOF {
		return &plugins.Error{Kind: plugins.Malformed, Err: errors.New("the answer ended early")}
	}
	return err
}

// sequential fetches the file into w in order and returns its size. With
// rewind, which empties w, it begins again after a failure; without, it goes
// on where it was.
func (d *Downloader) sequential(ctx context.Context, c *crew, w io.Writer, rewind func() error) (int64, error) {
	c.readmit()
	var at int64
	var m *member
	for {
		if m = c.pick(m); m == nil {
			return at, c.verdict()
		}
		err := c.rest(ctx, m)
		if err == nil {
			err = d.slot(ctx, func() error {
				n, err := d.pour(ctx, c, m, w, at)
				at += n
				return err
			})
		}
		var ours local
		switch {
		case err == nil:
			c.release(m)
			return at, nil
		case ctx.Err() != nil:
			return at, context.Cause(ctx)
		case errors.As(err, &ours):
			return at, err
		}
		c.blame(m, err)
		if rewind != nil && at > 0 {
			d.Progress(-at)
			if err := rewind(); err != nil {
				return at, err
			}
			at = 0
		}
	}
}

// pour reads from m, beginning at at, into w, and returns how much it wrote.
func (d *Downloader) pour(ctx context.Context, c *crew, m *member, w io.Writer, at int64) (int64, error) {
	body, err := c.open(ctx, m, plugins.Range{Offset: at, Length: -1})
	if err != nil {
		return 0, err
	}
	defer body.Close()
	if body.Offset != at {
		return 0, &plugins.Error{Kind: plugins.Unsupported, Err: errNoRanges}
	}
	buf := make([]byte, bufferSize)
	var sum int64
	for {
		n, err := body.Read(buf)
		if c.size >= 0 && at+sum+int64(n) > c.size {
			return sum, &plugins.Error{Kind: plugins.Malformed, Err: fmt.Errorf("it sent more than %d bytes", c.size)}
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return sum, local{err}
		}
		sum += int64(n)
		if n > 0 {
			c.credit(m, int64(n))
		}
		switch {
		case err == io.EOF && (c.size < 0 || at+sum == c.size):
			return sum, nil
		case err != nil:
			return sum, early(err)
		}
	}
}
