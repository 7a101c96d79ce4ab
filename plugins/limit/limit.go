// Package limit keeps the demand on one endpoint within bounds. It is a
// decorator: it wraps an endpoint, can do what that can do, and sits between it
// and everybody who asks.
//
// At most Requests questions are with the storage at once. Further ones wait
// in the order they came, at most Queue of them; whoever comes when the queue
// is full is told Busy at once, for an endpoint that cannot keep up should be
// passed over, not waited for. The bodies of files being read are counted
// apart, so that long downloads do not starve questions: Bodies of them may be
// open, with a queue of the same length. A third-party copy counts as one.
//
// # Time
//
// Timeout bounds the whole of a Stat, Digest, Space, Inspect, Probe or
// Properties, and of a Remove, MakeDirectory, Move, Sweep or SetProperties, the
// wait in the queue included. A listing may take longer, but the first entry
// must come within Timeout, the wait included, and each further one within Timeout of
// being asked for; the time that the caller spends on an entry is its own.
// Opening a file is bounded up to the moment that the body is there; the bytes
// themselves are watched by the endpoint, which alone sees progress. Storing one
// takes a slot until it is done, however long that is, but the endpoint must ask
// for more of the content, or be done, within Timeout of having got some; the
// time that the content takes to come is not its own. A third-party copy waits for
// its turn that long at most; the copy itself is watched by the endpoint.
//
// # Errors
//
// All errors are *plugins.Error with operation and path. A crowd here must not
// be mistaken for a fault there. So it is Busy when the queue is full, and when
// Timeout passed wholly or for the greater part in the queue; it is Canceled
// when the caller's context ended there. Timeout means that the storage had at
// least half of the time and did not answer.
//
// # Probes
//
// Probe passes by the queue and takes no slot, so that the health of an
// endpoint can be seen however busy it is. For that reason a limited endpoint
// always has the ability; if the endpoint inside lacks it, Stat of the path is
// the probe, and any answer is life.
//
// Locate and Copies are computation and not limited.
package limit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"canopy/plugins"
)

// DefaultRequests is the number of questions in flight when none is
// configured.
const DefaultRequests = 64

// queuePerRequest is the length of the queue, per question in flight, when
// none is configured.
const queuePerRequest = 4

// Config is the limits section of an endpoint.
type Config struct {
	// Requests is how many questions the endpoint is asked at once; 0 is
	// DefaultRequests.
	Requests int `yaml:"requests,omitempty"`
	// Queue is how many more may wait for their turn; 0 is four times
	// Requests, -1 lets nobody wait.
	Queue int `yaml:"queue,omitempty"`
	// Bodies is how many files may be read through Canopy at once; 0 is the
	// same as Requests.
	Bodies int `yaml:"bodies,omitempty"`
	// Timeout bounds a question and the silence within a listing; 0 is no
	// bound.
	Timeout time.Duration `yaml:"timeout,omitempty"`
}

// Validate reports the first setting that cannot work, as a
// *plugins.FieldError whose key is relative to the section.
func (c Config) Validate() error {
	switch {
	case c.Requests < 0:
		return &plugins.FieldError{Key: "requests", Problem: "is negative; leave it out for the default"}
	case c.Queue < -1:
		return &plugins.FieldError{Key: "queue", Problem: "is negative; -1 lets nobody wait, 0 is the default"}
	case c.Bodies < 0:
		return &plugins.FieldError{Key: "bodies", Problem: "is negative; leave it out for the default"}
	case c.Timeout < 0:
		return &plugins.FieldError{Key: "timeout", Problem: "is negative; 0 is no bound"}
	}
	return nil
}

// withDefaults returns c with its zeros replaced.
func (c Config) withDefaults() Config {
	if c.Requests == 0 {
		c.Requests = DefaultRequests
	}
	switch c.Queue {
	case 0:
		c.Queue = queuePerRequest * c.Requests
	case -1:
		c.Queue = 0
	}
	if c.Bodies == 0 {
		c.Bodies = c.Requests
	}
	return c
}

// Endpoint is an endpoint within limits.
type Endpoint struct {
	inner     plugins.Endpoint
	can       plugins.Abilities // of inner
	questions gate
	bodies    gate
	timeout   time.Duration
}

// New puts limits around inner, which c must be valid for; Close closes inner
// too.
func New(inner plugins.Endpoint, c Config) *Endpoint {
	c = c.withDefaults()
	return &Endpoint{
		inner:     inner,
		can:       plugins.AbilitiesOf(inner),
		questions: gate{capacity: c.Requests, room: c.Queue},
		bodies:    gate{capacity: c.Bodies, room: c.Queue},
		timeout:   c.Timeout,
	}
}

// Load is how much of the limits is in use.
type Load struct {
	// InFlight is the number of questions that the endpoint is being asked,
	// listings included; Queued is how many wait behind them.
	InFlight, Queued int
	// Bodies is the number of files being read, BodiesQueued how many wait to
	// be opened.
	Bodies, BodiesQueued int
}

// Load returns how much of the limits is in use at this moment. It never
// blocks on the storage.
func (e *Endpoint) Load() Load {
	var l Load
	l.InFlight, l.Queued = e.questions.load()
	l.Bodies, l.BodiesQueued = e.bodies.load()
	return l
}

// Abilities returns those of the endpoint inside, within the limits, and
// Prober.
func (e *Endpoint) Abilities() plugins.Abilities {
	a := e.can
	a.Prober = prober{e}
	if a.Lister != nil {
		a.Lister = lister{e}
	}
	if a.Reader != nil {
		a.Reader = reader{e}
	}
	if a.Digester != nil {
		a.Digester = digester{e}
	}
	if a.Spacer != nil {
		a.Spacer = spacer{e}
	}
	if a.Inspector != nil {
		a.Inspector = inspector{e}
	}
	if a.Writer != nil {
		a.Writer = writer{e}
	}
	if a.Remover != nil {
		a.Remover = remover{e}
	}
	if a.Maker != nil {
		a.Maker = maker{e}
	}
	if a.Mover != nil {
		a.Mover = mover{e}
	}
	if a.Sweeper != nil {
		a.Sweeper = sweeper{e}
	}
	if a.Keeper != nil {
		a.Keeper = keeper{e}
	}
	if a.Copier != nil {
		a.Copier = copier{e.can.Copier, e}
	}
	return a
}

// Stat asks the endpoint inside.
func (e *Endpoint) Stat(ctx context.Context, path string) (entry plugins.Entry, err error) {
	err = e.ask(ctx, "stat", path, func(ctx context.Context) error {
		entry, err = e.inner.Stat(ctx, path)
		return err
	})
	return entry, err
}

// Close closes the endpoint inside.
func (e *Endpoint) Close() error { return e.inner.Close() }

type digester struct{ *Endpoint }

func (d digester) Digest(ctx context.Context, path, algorithm string) (digest plugins.Digest, err error) {
	err = d.ask(ctx, "digest", path, func(ctx context.Context) error {
		digest, err = d.can.Digester.Digest(ctx, path, algorithm)
		return err
	})
	return digest, err
}

type spacer struct{ *Endpoint }

func (s spacer) Space(ctx context.Context, path string) (space plugins.Space, err error) {
	err = s.ask(ctx, "space", path, func(ctx context.Context) error {
		space, err = s.can.Spacer.Space(ctx, path)
		return err
	})
	return space, err
}

type inspector struct{ *Endpoint }

func (i inspector) Inspect(ctx context.Context, path string) (found plugins.Inspection, err error) {
	err = i.ask(ctx, "inspect", path, func(ctx context.Context) error {
		found, err = i.can.Inspector.Inspect(ctx, path)
		return err
	})
	return found, err
}

type prober struct{ *Endpoint }

func (p prober) Probe(ctx context.Context, path string) error {
	probing, cancel := p.bounded(ctx)
	defer cancel()
	if p.can.Prober != nil {
		return p.failed(ctx, probing, 0, "probe", path, p.can.Prober.Probe(probing, path))
	}
	_, err := p.inner.Stat(probing, path)
	if kind := plugins.KindOf(err); !kind.Silent() && kind != plugins.Canceled {
		return nil
	}
	return p.failed(ctx, probing, 0, "probe", path, err)
}

// ask puts a question when its turn has come.
func (e *Endpoint) ask(ctx context.Context, op, path string, question func(context.Context) error) error {
	asking, cancel := e.bounded(ctx)
	defer cancel()
	waited, err := e.questions.enter(asking)
	if err != nil {
		return e.refused(ctx, op, path, err)
	}
	defer e.questions.leave()
	return e.failed(ctx, asking, waited, op, path, question(asking))
}

// bounded returns a context that ends with ctx or after the timeout.
func (e *Endpoint) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if e.timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, e.timeout)
}

// refused is the error for what the gate did not let in because of cause.
func (e *Endpoint) refused(ctx context.Context, op, path string, cause error) error {
	failure := &plugins.Error{Kind: plugins.Busy, Op: op, Path: path, Err: cause}
	switch {
	case ctx.Err() != nil:
		failure.Kind, failure.Err = plugins.Canceled, ctx.Err()
	case !errors.Is(cause, errFull):
		failure.Err = fmt.Errorf("no turn within %v", e.timeout)
	}
	return failure
}

// failed is the error for what the endpoint inside answered with err, after a
// wait in the queue. An endpoint whose context ended does not know why: when
// working, the one it was given, has ended and ctx, the caller's, has not, it
// was for the timeout.
func (e *Endpoint) failed(ctx, working context.Context, waited time.Duration, op, path string, err error) error {
	kind := plugins.KindOf(err)
	cut := kind == plugins.Canceled || kind == plugins.Timeout
	if cut && ctx.Err() == nil && working.Err() != nil {
		return e.late(waited, op, path, err)
	}
	return plugins.Fail(op, path, err)
}

// late is the error for an endpoint that did not answer in what the queue had
// left of the timeout; cause is what it said itself, kept as text, for it is
// often our own cancellation and nobody else's.
func (e *Endpoint) late(waited time.Duration, op, path string, cause error) error {
	failure := &plugins.Error{Kind: plugins.Timeout, Op: op, Path: path}
	if waited > e.timeout/2 {
		failure.Kind = plugins.Busy
	}
	failure.Err = fmt.Errorf("no answer within %v, of which %v in the queue: %v", e.timeout, waited, cause)
	return failure
}
