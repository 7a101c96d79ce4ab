package federator

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"canopy/federator/health"
	"canopy/plugins"
)

// Content is a part of a file that Canopy carries to a client. When the
// endpoint that delivers it fails, the rest comes from another replica of the
// same content.
type Content struct {
	f    *Federator
	g    *generation
	d    *Decision
	ctx  context.Context
	want plugins.Range

	// Offset, Length and Size describe the part and the whole, in bytes;
	// Length is negative where the whole's size is unknown.
	Offset, Length, Size int64

	body    *plugins.Body
	etag    string // of the endpoint that delivers now
	at      int    // its place among the replicas
	tried   map[int]bool
	read    int64
	closing sync.Once
}

// Open begins to read a part of the decided file, at replica first if it can
// be carried, else at the next best that can. The error is that of the last
// endpoint tried, or an *Unknown if none could be.
func (f *Federator) Open(ctx context.Context, d *Decision, first int, want plugins.Range) (*Content, error) {
	c := &Content{f: f, g: f.enter(), d: d, ctx: ctx, want: want, tried: make(map[int]bool)}
	if err := c.open(first); err != nil {
		f.leave(c.g)
		return nil, err
	}
	c.Offset, c.Length, c.Size = c.body.Offset, c.body.Length, d.Size()
	if c.Size < 0 {
		c.Size = c.body.Entry.Size
	}
	return c, nil
}

// Endpoint returns the name of the endpoint that delivers.
func (c *Content) Endpoint() string { return c.d.Replicas[c.at].Endpoint }

// open takes the best replica that was not tried yet, beginning with first.
func (c *Content) open(first int) error {
	var last error = &Unknown{Path: c.d.Path, Missing: c.d.Missing, RetryAfter: retryAfter}
	order := make([]int, 0, len(c.d.Replicas)+1)
	order = append(order, first)
	for i := range c.d.Replicas {
		order = append(order, i)
	}
	for _, i := range order {
		r := &c.d.Replicas[i]
		if c.tried[i] || r.member == nil || r.member.can.Reader == nil {
			continue
		}
		c.tried[i] = true
		body, err := c.fetch(r)
		if err == nil {
			c.body, c.at, c.etag = body, i, body.Entry.ETag
			return nil
		}
		if k := plugins.KindOf(err); k == plugins.Canceled || k == plugins.OutOfRange {
			return err
		}
		c.f.log.Info("a replica could not be read", "endpoint", r.Endpoint, "path", c.d.Path, "err", err)
		last = err
	}
	return last
}

// fetch opens what is still wanted at one replica.
func (c *Content) fetch(r *Placed) (*plugins.Body, error) {
	want := c.want
	want.IfMatch = "" // tags of different endpoints are not comparable
	want.Offset += c.read
	if want.Length >= 0 {
		want.Length -= c.read
	}
	m := r.member
	if m.state.Condition() == health.Down {
		return nil, &plugins.Error{Kind: plugins.Unavailable, Op: "open", Endpoint: m.Name, Path: r.own}
	}
	began := time.Now()
	body, err := m.can.Reader.Open(c.ctx, r.own, want)
	kind := plugins.KindOf(err)
	m.state.Answered(health.Stat, kind, time.Since(began), time.Now().UnixNano())
	m.observed("open", err, time.Since(began))
	if kind == plugins.NotFound {
		// It was there when we last knew: what we know of the path is wrong.
		c.f.entries.Delete(c.d.Path)
	}
	if err != nil {
		return nil, err
	}
	if size := c.d.Size(); size >= 0 && body.Entry.Size >= 0 && body.Entry.Size != size {
		c.f.entries.Delete(c.d.Path)
		err := &plugins.Error{Kind: plugins.Changed, Op: "open", Endpoint: m.Name, Path: r.own}
		return nil, errors.Join(err, body.Close())
	}
	return body, nil
}

// Read reads on, at another replica if need be. An error other than io.EOF
// means that the part could not be delivered to its end.
func (c *Content) Read(p []byte) (int, error) {
	for {
		n, err := c.body.Read(p)
		c.read += int64(n)
		if err == nil || err == io.EOF && (c.Length < 0 || c.read >= c.Length) {
			return n, err
		}
		if n > 0 {
			return n, nil // the error comes again, or the stream goes on
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		kind := plugins.KindOf(err)
		if kind == plugins.Canceled || c.ctx.Err() != nil || c.d.Size() < 0 {
			return 0, err
		}
		m := c.d.Replicas[c.at].member
		m.state.Answered(health.Stat, kind, 0, time.Now().UnixNano())
		c.f.log.Info("a replica failed while being read", "endpoint", m.Name, "path", c.d.Path, "read", c.read, "err", err)
		c.body.Close()
		if again := c.open(c.at); again != nil {
			c.body = &plugins.Body{ReadCloser: io.NopCloser(failed{err})}
			return 0, err
		}
		c.f.counters.Failovers.Add(1)
	}
}

// failed is a body of which nothing can be read.
type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }

// Close ends the reading. It may be called more than once.
func (c *Content) Close() error {
	var err error
	c.closing.Do(func() {
		err = c.body.Close()
		c.f.leave(c.g)
	})
	return err
}

// Digest returns the checksum of the decided file by algorithm: from what is
// known, else from the first of its endpoints that can tell. Unsupported is
// the Kind of the error where nobody can.
func (f *Federator) Digest(ctx context.Context, d *Decision, algorithm string) (plugins.Digest, error) {
	for _, k := range d.Digests() {
		if k.Algorithm == algorithm {
			return k, nil
		}
	}
	g := f.enter()
	defer f.leave(g)
	var last error = &plugins.Error{Kind: plugins.Unsupported, Op: "digest", Path: d.Path}
	for i := range d.Replicas {
		r := &d.Replicas[i]
		if r.member == nil || r.member.can.Digester == nil || r.member.state.Condition() == health.Down {
			continue
		}
		began := time.Now()
		digest, err := r.member.can.Digester.Digest(ctx, r.own, algorithm)
		r.member.observed("digest", err, time.Since(began))
		if err == nil {
			f.learnDigest(d, r.member.ID, digest)
			return digest, nil
		}
		if ctx.Err() != nil {
			return plugins.Digest{}, err
		}
		last = err
	}
	return plugins.Digest{}, last
}
