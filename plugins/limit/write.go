package limit

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"canopy/plugins"
)

type writer struct{ *Endpoint }

func (w writer) Atomic() bool { return w.can.Writer.Atomic() }

// Store holds its slot until the file is stored.
func (w writer) Store(ctx context.Context, path string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
	s := w.watch(ctx)
	defer s.end()
	waited, err := w.questions.enter(s.ctx)
	if err != nil {
		return plugins.Entry{}, w.refused(ctx, "store", path, err)
	}
	defer w.questions.leave()
	fed := &feed{r: content, stream: s}
	entry, err := w.can.Writer.Store(s.ctx, path, fed, u)
	if fed.begun.Load() {
		waited = 0 // it was for the first bytes only
	}
	return entry, w.failed(ctx, s.ctx, waited, "store", path, err)
}

// feed is content for an endpoint that is watched while it does not ask for
// more.
type feed struct {
	r      io.Reader
	stream *stream
	begun  atomic.Bool
}

func (f *feed) Read(p []byte) (int, error) {
	f.begun.Store(true)
	f.stream.pause()
	defer f.stream.resume()
	return f.r.Read(p)
}

type remover struct{ *Endpoint }

func (r remover) Remove(ctx context.Context, path string) error {
	return r.ask(ctx, "remove", path, func(ctx context.Context) error { return r.can.Remover.Remove(ctx, path) })
}

type maker struct{ *Endpoint }

func (m maker) MakeDirectory(ctx context.Context, path string) error {
	return m.ask(ctx, "mkdir", path, func(ctx context.Context) error { return m.can.Maker.MakeDirectory(ctx, path) })
}

type mover struct{ *Endpoint }

func (m mover) Move(ctx context.Context, from, to string, replace bool) error {
	return m.ask(ctx, "move", from, func(ctx context.Context) error { return m.can.Mover.Move(ctx, from, to, replace) })
}

type sweeper struct{ *Endpoint }

func (s sweeper) Sweep(ctx context.Context, age time.Duration) (removed int, err error) {
	err = s.ask(ctx, "sweep", "/", func(ctx context.Context) error {
		removed, err = s.can.Sweeper.Sweep(ctx, age)
		return err
	})
	return removed, err
}

type copier struct {
	plugins.Copier
	e *Endpoint
}

// Copy holds a slot for bodies until the copy is made.
func (c copier) Copy(ctx context.Context, path string, other plugins.ThirdParty) error {
	turn, cancel := c.e.bounded(ctx)
	defer cancel()
	if _, err := c.e.bodies.enter(turn); err != nil {
		return c.e.refused(ctx, "copy", path, err)
	}
	defer c.e.bodies.leave()
	return plugins.Fail("copy", path, c.Copier.Copy(ctx, path, other))
}
