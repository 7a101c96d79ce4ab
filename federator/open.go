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
	at      int // the place among the replicas of the endpoint that delivers
	tried   map[int]bool
	read    int64
	broken  error // why the body ended too soon, to be dealt with next
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
	if c.Length < 0 && want.Length < 0 && c.Size >= c.Offset {
		c.Length = c.Size - c.Offset // so that a body that ends early is noticed
	}
	return c, nil
}

// Endpoint returns the name of the endpoint that delivers.
func (c *Content) Endpoint() string { return c.d.Replicas[c.at].Endpoint }

// open takes the best replica that was not tried yet, beginning with first.
func (c *Content) open(first int) error {
	var last error = &Unknown{Path: c.d.Path, Missing: c.d.Missing, RetryAfter: retryAfter}
	order := make([]int, 0, len(c.d.Replicas)+1)
	if first >= 0 && first < len(c.d.Replicas) {
		order = append(order, first)
	}
	for i := range c.d.Replicas {
		order = append(order, i)
	}
	for _, i := range order {
		r := &c.d.Replicas[i]
		m := c.g.same(r.member)
		if c.tried[i] || m == nil || m.can.Reader == nil {
			continue
		}
		c.tried[i] = true
		body, err := c.fetch(m, r.own)
		if err == nil {
			c.body, c.at = body, i
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

// fetch opens what is still wanted at one endpoint.
func (c *Content) fetch(m *member, own string) (*plugins.Body, error) {
	want := c.want
	want.IfMatch = "" // tags of different endpoints are not comparable
	want.Offset += c.read
	if want.Length >= 0 {
		want.Length -= c.read
	}
	if m.state.Condition() == health.Down {
		return nil, &plugins.Error{Kind: plugins.Unavailable, Op: "open", Endpoint: m.Name, Path: own}
	}
	began := time.Now()
	body, err := m.can.Reader.Open(c.ctx, own, want)
	kind := plugins.KindOf(err)
	if kind == plugins.Timeout && c.ctx.Err() != nil {
		kind = plugins.Canceled // the client's time was up, not the endpoint's
	}
	m.state.Answered(health.Open, kind, time.Since(began), time.Now().UnixNano())
	m.observed("open", err, time.Since(began))
	if err == nil {
		if size := c.d.Size(); size >= 0 && body.Entry.Size >= 0 && body.Entry.Size != size {
			err = errors.Join(&plugins.Error{Kind: plugins.Changed, Op: "open", Endpoint: m.Name, Path: own}, body.Close())
			kind = plugins.Changed
		}
	}
	if kind == plugins.NotFound || kind == plugins.IsDirectory || kind == plugins.Changed {
		// It was there when we last knew: what we know of the path is wrong.
		c.f.doubt(c.d.Path)
	}
	if err != nil {
		return nil, err
	}
	return body, nil
}

// doubt has everybody asked for path again, because what is known of it was
// found to be wrong.
func (f *Federator) doubt(path string) {
	f.entries.Delete(path)
	if f.shared != nil {
		f.shared.Invalidate(entryKey + path)
	}
	f.fly(path, known{}, anew)
}

// same returns the endpoint of g that is the same storage in the same place
// as m, which may be of an older generation and closed by now; nil is none.
func (g *generation) same(m *member) *member {
	if m == nil || !g.read(m.ID) {
		return nil
	}
	return g.byID[m.ID]
}

// Read reads on, at another replica if need be. An error other than io.EOF
// means that the part could not be delivered to its end.
func (c *Content) Read(p []byte) (int, error) {
	for {
		n, err := 0, c.broken
		if c.broken = nil; err == nil {
			n, err = c.body.Read(p)
			c.read += int64(n)
		}
		switch {
		case err == nil:
			return n, nil
		case c.Length >= 0 && c.read >= c.Length, c.Length < 0 && err == io.EOF:
			return n, io.EOF
		case n > 0:
			c.broken = err
			return n, nil
		case err == io.EOF:
			err = io.ErrUnexpectedEOF
		}
		if plugins.KindOf(err) == plugins.Canceled || c.ctx.Err() != nil || c.d.Size() < 0 {
			c.broken = err
			return 0, err
		}
		r := &c.d.Replicas[c.at]
		r.member.state.Broke()
		c.f.log.Info("a replica failed while being read", "endpoint", r.Endpoint, "path", c.d.Path, "read", c.read, "err", err)
		c.body.Close()
		if again := c.open(c.at); again != nil {
			c.body, c.broken = &plugins.Body{ReadCloser: io.NopCloser(nil)}, err
			return 0, err
		}
		c.f.counters.Failovers.Add(1)
	}
}

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
		m := g.same(r.member)
		if m == nil || m.can.Digester == nil || m.state.Condition() == health.Down {
			continue
		}
		began := time.Now()
		digest, err := m.can.Digester.Digest(ctx, r.own, algorithm)
		m.observed("digest", err, time.Since(began))
		if err == nil {
			f.learnDigest(d, m.ID, digest)
			return digest, nil
		}
		if ctx.Err() != nil {
			return plugins.Digest{}, err
		}
		last = err
	}
	return plugins.Digest{}, last
}
