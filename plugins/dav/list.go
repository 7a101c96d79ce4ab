package dav

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"canopy/plugins"
	"canopy/plugins/webclient"
)

// List asks by PROPFIND with depth 1.
func (e *endpoint) List(ctx context.Context, path string) iter.Seq2[plugins.Entry, error] {
	return func(yield func(plugins.Entry, error) bool) {
		l := listing{endpoint: e, path: path, seen: make(map[string]struct{})}
		if err := l.run(ctx, yield); err != nil {
			yield(plugins.Entry{}, err)
		}
	}
}

// listing is one listing under way.
type listing struct {
	endpoint *endpoint
	path     string
	// self is whether the directory itself was among the responses.
	self bool
	seen map[string]struct{}
	// files is whether there was a file, sums whether one had a checksum.
	files, sums bool
	// untold is why the first child that cannot be yielded cannot.
	untold error
	// stopped is whether the caller has had enough.
	stopped bool
}

// run yields the children and returns why they are not all, nil if they are or
// the caller stopped.
func (l *listing) run(ctx context.Context, yield func(plugins.Entry, error) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// The client notices when nothing arrives; this notices when what arrives
	// makes no entry.
	var quiet *time.Timer
	limit := l.endpoint.timeout
	if limit > 0 {
		quiet = time.AfterFunc(limit, func() { cancel(webclient.Silence()) })
		defer quiet.Stop()
	}
	sums := l.endpoint.checksums && !l.endpoint.barren.Load()
	q := question{op: "list", path: l.path, depth: "1", body: properties(sums)}
	for r, err := range l.endpoint.responses(ctx, q) {
		if quiet != nil {
			quiet.Stop()
		}
		if err != nil {
			return l.reason(ctx, err)
		}
		if err := l.take(r, yield); err != nil || l.stopped {
			return err
		}
		// What is left in buffers would go on for a while.
		if ctx.Err() != nil {
			return plugins.Fail("list", l.path, cause(ctx))
		}
		if quiet != nil {
			quiet.Reset(limit)
		}
	}
	if sums && l.files && !l.sums {
		l.endpoint.barren.Store(true)
	}
	switch {
	case l.untold != nil:
		return l.untold
	case !l.self && len(l.seen) == 0:
		return l.endpoint.astray("list", l.path)
	}
	return nil
}

// take judges one response.
func (l *listing) take(r located, yield func(plugins.Entry, error) bool) error {
	fault := r.fault()
	switch len(r.below) {
	case 0:
		switch {
		case fault != nil:
			return plugins.Fail("list", l.path, fault)
		case r.kind() == plugins.File && !l.self:
			return l.fault(plugins.NotDirectory, nil)
		}
		l.self = true
		return nil
	case 1:
	default:
		return nil // the storage does not care for the depth
	}
	name := r.below[0]
	if _, twice := l.seen[name]; twice {
		return nil
	}
	kind := r.kind()
	switch {
	case fault != nil && fault.Kind == plugins.NotFound:
		return nil // it went away meanwhile
	case fault != nil:
		l.doubt(plugins.Fail("list", l.path, fault))
		return nil
	case kind == 0:
		l.doubt(l.fault(plugins.Malformed, fmt.Errorf("the storage does not say whether %q is a file or a directory", name)))
		return nil
	}
	l.seen[name] = struct{}{}
	entry := r.entry(name, kind)
	l.files = l.files || kind == plugins.File
	l.sums = l.sums || len(entry.Digests) > 0
	l.stopped = !yield(entry, nil)
	return nil
}

// doubt remembers that there is a child which cannot be yielded.
func (l *listing) doubt(err error) {
	if l.untold == nil {
		l.untold = err
	}
}

func (l *listing) fault(kind plugins.Kind, cause error) error {
	return l.endpoint.fault(kind, "list", l.path, cause)
}

// reason finds out whether a listing failed because path is a file or below
// one: asked for it with a slash, storages deny or refuse it in many ways.
func (l *listing) reason(ctx context.Context, err error) error {
	absent := plugins.KindOf(err) == plugins.NotFound
	if !odd(err) && !absent || l.self || len(l.seen) > 0 || l.path == "/" {
		return err
	}
	switch entry, again := l.endpoint.Stat(ctx, l.path); {
	case again == nil && entry.Kind == plugins.File:
		return l.fault(plugins.NotDirectory, err)
	case plugins.KindOf(again) == plugins.NotFound:
		return l.fault(plugins.NotFound, again)
	}
	return err
}

// cause returns why ctx has ended, in a form that tells its kind.
func cause(ctx context.Context) error {
	var e *plugins.Error
	if err := context.Cause(ctx); errors.As(err, &e) {
		return err
	}
	return ctx.Err()
}
