// Package transfer carries out third-party copies over HTTP as the active party
// (WLCG HTTP-TPC): a client sends COPY, the bytes go between this server and
// another one, and the client is told how far they have come.
//
//	order, err := transfer.Parse(r.Header)       // where transfer.Asked
//	t, err := agent.Pull(ctx, order, sink)       // or Push, with a file
//	err = t.Run(w)                               // answers 202 and waits
//
// Parse, Pull and Push fail with what can be answered with a status: a *Refusal
// for what concerns the request or the other party, or the error of the sink
// itself. Pull and Push return once bytes are about to flow, so that a file that
// is not there, no room or a missing right is told before an answer has begun.
// After that the last line of the answer tells how it ended.
//
// # Pull
//
// The source is asked for size and checksums, then read: a file of more than
// 64 MiB over several connections, if the source gives ranges. What breaks is
// begun again from where it broke. Two contents are never mixed: the size, and
// the entity tag or time where the same host tells it, must stay what they
// were. The sink gets the last bytes only if size and all checksums that the
// source told are right; a source that must first compute them is given the
// time of the copy for it.
//
// # Push
//
// The file is sent by one PUT, which redirects may take elsewhere, and verified
// by its size and checksum there. After a failure the destination is deleted,
// if it was seen not to exist before and part of the file was sent.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"canopy/frontend/transfer/firefly"
	"canopy/frontend/transfer/guard"
	"canopy/plugins"
)

// Refusal is a request that is not carried out.
type Refusal struct {
	// Status is the answer's.
	Status int
	// Sentence is for the client, and holds no secret.
	Sentence string
	// Err is the cause, for the log.
	Err error
}

func (e *Refusal) Error() string {
	if e.Err != nil {
		return e.Sentence + " " + e.Err.Error()
	}
	return e.Sentence
}

// Unwrap returns the cause.
func (e *Refusal) Unwrap() error { return e.Err }

// Sink stores a file that is pulled, of size bytes, or negative where the source
// did not say. It reads content to its end; an error other than io.EOF means
// that nothing may be kept. The digests are what the source says, and are
// verified by content itself.
type Sink func(ctx context.Context, content io.Reader, size int64, digests []plugins.Digest) error

// File is what is pushed.
type File struct {
	// Size is in bytes, not negative.
	Size int64
	// Digests are what is known; the content is checked against them.
	Digests []plugins.Digest
	// Open begins to read it, from an offset to its end. It is called again
	// when what it returned has broken off, or the file must be sent to
	// somebody else. What it returned fails when ctx ends.
	Open func(ctx context.Context, offset int64) (io.ReadCloser, error)
}

// Options are how an Agent works.
type Options struct {
	// Most is how many copies may be under way at once; 0 is 32. Each takes up
	// to stripe.MostMemory.
	Most int
	// Longest bounds one copy, 0 is a day.
	Longest time.Duration
	// Beacon tells of flows that have a SciTag; nil tells nobody.
	Beacon *firefly.Beacon
}

// Agent carries out copies. It is safe for concurrent use.
type Agent struct {
	client  *guard.Client
	longest time.Duration
	large   int64 // the size above which a file is read over several connections
	quick   time.Duration
	slots   chan struct{}
	beacon  *firefly.Beacon
}

// New returns an agent that reaches other parties by client.
func New(client *guard.Client, o Options) *Agent {
	if o.Most <= 0 {
		o.Most = 32
	}
	if o.Longest <= 0 {
		o.Longest = 24 * time.Hour
	}
	return &Agent{client: client, longest: o.Longest, large: large, quick: quick, slots: make(chan struct{}, o.Most), beacon: o.Beacon}
}

// Transfer is a copy under way. It must be Run, or the context be ended that it
// was begun with.
type Transfer struct {
	order  *Order
	ctx    context.Context
	cancel context.CancelFunc

	// flowing is closed when bytes are about to flow, done when all is over.
	flowing, done chan struct{}
	once          sync.Once
	err           error // of the whole, once done
	left          error // why part of a file had to be left behind, once done

	bytes   atomic.Int64
	mu      sync.Mutex
	remotes []netip.AddrPort
	beacon  *firefly.Beacon
	flows   map[firefly.Flow]func(bytes int64) // that are to be said to have ended
}

// settled bounds how long Pull and Push wait for bytes to flow: a client that
// hears nothing at all gives up.
const settled = 30 * time.Second

// begin has work done in the background, and returns when bytes are about to
// flow or it has failed. It holds a slot until all is over.
func (a *Agent) begin(ctx context.Context, o *Order, prepare func(*Transfer) (work func() error, err error)) (*Transfer, error) {
	select {
	case a.slots <- struct{}{}:
	default:
		return nil, &Refusal{Status: http.StatusServiceUnavailable, Sentence: "Too many copies are under way. Try again later."}
	}
	t := &Transfer{order: o, beacon: a.beacon, flows: make(map[firefly.Flow]func(int64)), flowing: make(chan struct{}), done: make(chan struct{})}
	t.ctx, t.cancel = context.WithTimeoutCause(ctx, a.longest, errLong)
	end := func() {
		t.cancel()
		t.ended()
		<-a.slots
	}
	if err := a.client.Check(o.Remote); err != nil {
		end()
		return nil, t.refuse(err)
	}
	work, err := prepare(t)
	if err != nil {
		end()
		return nil, t.refuse(err)
	}
	go func() {
		defer close(t.done)
		defer end()
		t.err = work()
	}()
	patience := time.NewTimer(settled)
	defer patience.Stop()
	select {
	case <-t.flowing:
	case <-patience.C:
	case <-t.done:
		select {
		case <-t.flowing: // and over already
		default:
			if t.err != nil {
				return nil, t.refuse(t.err)
			}
		}
	}
	return t, nil
}

// flow says that bytes are about to flow.
func (t *Transfer) flow() { t.once.Do(func() { close(t.flowing) }) }

// mostRemotes is how many connections are told at most.
const mostRemotes = 2 * maxStreams

// connected notes a connection to the other party.
func (t *Transfer) connected(local, remote netip.AddrPort) {
	a := netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
	t.mu.Lock()
	defer t.mu.Unlock()
	f := firefly.Flow{Local: local, Remote: a, Sends: t.order.Mode == Push, Tag: t.order.SciTag}
	if t.beacon != nil && f.Tag >= firefly.Least && t.flows[f] == nil && len(t.flows) < mostRemotes {
		t.flows[f] = t.beacon.Begin(f)
	}
	if !slices.Contains(t.remotes, a) && len(t.remotes) < mostRemotes {
		t.remotes = append(t.remotes, a)
	}
}

// ended says that all flows have. What each has carried is known if there was but
// one.
func (t *Transfer) ended() {
	t.mu.Lock()
	defer t.mu.Unlock()
	bytes := int64(-1)
	if len(t.flows) == 1 {
		bytes = t.Bytes()
	}
	for _, end := range t.flows {
		end(bytes)
	}
}

// Bytes is how many have been copied so far.
func (t *Transfer) Bytes() int64 { return t.bytes.Load() }

// other is an error of the other party, as opposed to one at our end.
type other struct{ err error }

func (e *other) Error() string { return e.err.Error() }
func (e *other) Unwrap() error { return e.err }

var (
	// errSum is that what passed is not what was announced.
	errSum = errors.New("the checksum of what passed is not the one that was stated")
	// errUnsure is that a checksum was required, and there is none.
	errUnsure = errors.New("there is no checksum to verify the copy by, and one is required")
	// errChanged is that the source was written to meanwhile.
	errChanged = errors.New("the source has changed while it was read")
	// errLong is that a copy is never done.
	errLong = errors.New("the copy has taken longer than is allowed")
)

// refuse returns what an error comes to that was met before bytes flowed. What
// went wrong at our end is not for this package to judge.
func (t *Transfer) refuse(err error) error {
	var refusal *Refusal
	var refused *guard.Refused
	var remote *other
	name := "source"
	if t.order.Mode == Push {
		name = "destination"
	}
	r := &Refusal{Status: http.StatusBadGateway, Err: err}
	switch {
	case errors.As(err, &refusal):
		return err
	case errors.As(err, &refused):
		r.Status, r.Sentence = http.StatusForbidden, fmt.Sprintf("The %s is in a network from and to which nothing is copied.", name)
		return r
	case errors.Is(err, errUnsure):
		r.Status, r.Sentence = http.StatusNotImplemented, fmt.Sprintf("The %s tells no checksum, so that a copy cannot be verified.", name)
		return r
	case !errors.As(err, &remote):
		return err
	}
	kind := plugins.KindOf(err)
	r.Sentence = fmt.Sprintf("The %s: %s.", name, kind)
	switch kind {
	case plugins.NotFound:
		r.Status = http.StatusNotFound
	case plugins.Denied:
		r.Status = http.StatusForbidden
	case plugins.NoParent:
		r.Status = http.StatusConflict
	case plugins.Exists:
		r.Status = http.StatusPreconditionFailed
	case plugins.Full:
		r.Status = http.StatusInsufficientStorage
	case plugins.Timeout:
		r.Status = http.StatusGatewayTimeout
	case plugins.Canceled:
		return err
	}
	return r
}
