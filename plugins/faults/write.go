package faults

import (
	"context"
	"errors"
	"io"
	"time"

	"canopy/plugins"
)

// Atomic implements plugins.Writer.
func (e *Endpoint) Atomic() bool { return e.able.Writer.Atomic() }

// Store implements plugins.Writer. A rule that strikes within the content is
// the end of it for the endpoint inside.
func (e *Endpoint) Store(ctx context.Context, path string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
	var stored plugins.Entry
	r := e.begin("store", path)
	err := r.around(ctx, "store", path, r.After > 0, func() (err error) {
		var cut *cutting
		if r.After > 0 && !r.Done {
			cut = &cutting{r: content, ctx: ctx, path: path, rule: r, left: r.After}
			content = cut
		}
		stored, err = e.able.Writer.Store(ctx, path, content, u)
		if cut != nil && cut.struck != nil {
			err = cut.struck // and not what the endpoint makes of it
		}
		return err
	})
	if err != nil {
		return plugins.Entry{}, err
	}
	return stored, nil
}

// around lets happen what is to happen before and after do. Within is whether
// do lets it happen itself.
func (r Rule) around(ctx context.Context, op, path string, within bool, do func() error) error {
	if err := r.delay(ctx, op, path); err != nil {
		return err
	}
	if !r.Done && !within {
		if err := r.strike(ctx, op, path); err != nil {
			return err
		}
	}
	if err := do(); err != nil || !r.Done {
		return err
	}
	return r.strike(ctx, op, path)
}

// cutting is content in which a rule strikes.
type cutting struct {
	r      io.Reader
	ctx    context.Context
	path   string
	rule   Rule
	left   int
	struck error
}

var errCut = errors.New("the fault that was asked for")

func (c *cutting) Read(p []byte) (int, error) {
	if c.left == 0 {
		if c.struck == nil {
			c.struck = c.rule.strike(c.ctx, "store", c.path)
		}
		if c.struck != nil {
			return 0, errCut
		}
		return c.r.Read(p)
	}
	n, err := c.r.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// Remove implements plugins.Remover.
func (e *Endpoint) Remove(ctx context.Context, path string) error {
	return e.begin("remove", path).around(ctx, "remove", path, false, func() error {
		return e.able.Remover.Remove(ctx, path)
	})
}

// MakeDirectory implements plugins.Maker.
func (e *Endpoint) MakeDirectory(ctx context.Context, path string) error {
	return e.begin("mkdir", path).around(ctx, "mkdir", path, false, func() error {
		return e.able.Maker.MakeDirectory(ctx, path)
	})
}

// Move implements plugins.Mover.
func (e *Endpoint) Move(ctx context.Context, from, to string, replace bool) error {
	return e.begin("move", from).around(ctx, "move", from, false, func() error {
		return e.able.Mover.Move(ctx, from, to, replace)
	})
}

// Sweep implements plugins.Sweeper. Its path is "/".
func (e *Endpoint) Sweep(ctx context.Context, age time.Duration) (int, error) {
	if err := e.trouble(ctx, "sweep", "/"); err != nil {
		return 0, err
	}
	return e.able.Sweeper.Sweep(ctx, age)
}
