// Package write changes what the federation holds: it stores, removes and
// moves on all endpoints concerned, and keeps what readers see true meanwhile.
//
// # One name, one content
//
// A file is stored on one endpoint: where it already is, else where the policy
// says. As soon as it is there, copies elsewhere that were not written over are
// out of sight of all front ends, and then removed. Until it is there, the old
// file stays whole. Of a file that a client sends to a storage itself it is looked
// for whether it is there, and whoever reads it first sees to it, too.
//
// # Nothing comes back
//
// Deletes and moves run on every endpoint that holds the path. What could not
// be done somewhere is told, as Failures, and the path is not reported gone.
// But it is buried: a grave hides an endpoint's copy from everybody until it has
// been removed, which is tried again as soon as the endpoint answers. Graves
// are in the ledger that front ends share, and survive them (package veil).
//
// # What is written is seen
//
// A path that is being written to is awaited: what endpoints say of it is told
// to those who ask and not remembered, by any front end, until the new file
// shows. That holds for uploads too that clients send to an endpoint
// themselves; their end is looked for.
//
// # Nothing is half there
//
// Where the storage would show a file while it arrives, it is put into the
// staging directory of the endpoint (plugins.Staging) and moved when whole.
// What is left there by a front end that died is swept away. Where a client sends
// a file to such a storage itself, readers do not see it before it is whole.
//
// # Copies
//
// Replicate makes a further copy of a file. It is buried until it is in its
// place and the file was found unchanged, so that it is never seen beside another
// content, and removed by whoever lives if its maker dies. Storages that can copy
// it by themselves (plugins.Copier) do; else the bytes come through here.
//
// # One after the other
//
// Changes of one path wait for each other, whichever front end was asked (Turns).
package write

import (
	"context"
	"fmt"
	"hash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"canopy/federator"
	"canopy/federator/place"
	"canopy/federator/veil"
	"canopy/plugins"
)

// Settings are what a reload may change.
type Settings struct {
	// Policy says where a new file goes.
	Policy place.Policy
	// MakeParents makes directories that exist nowhere when a file is to be
	// put into them.
	MakeParents bool
	// Cleanup is for how long a file in a staging directory may stand still
	// before it is taken for left behind.
	Cleanup time.Duration
	// Most bounds how many paths one delete or copy of a tree may touch.
	Most int
}

// Writer changes the federation. All methods may be called concurrently.
type Writer struct {
	f        *federator.Federator
	veil     *veil.Veil
	ledger   veil.Ledger
	log      *slog.Logger
	hash     func(algorithm string) hash.Hash
	stored   func(path string)
	settings atomic.Pointer[Settings]
	paths    paths
	turns    Turns
	carries  chan struct{} // holds a token for each copy that is carried by Replicate
	thirds   chan struct{} // and this one for each that storages make by themselves
	refused  sync.Map      // from pair to when it was
	news     chan struct{} // signalled when words of other front ends may have been missed

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	wg   sync.WaitGroup
}

// Outside is what a writer gets of the world.
type Outside struct {
	Log *slog.Logger
	// Hash returns the hash of an algorithm, nil where it is not known.
	Hash func(algorithm string) hash.Hash
	// Ledger is that of the veil; nil if it has none.
	Ledger veil.Ledger
	// Turns are those of all front ends; nil if there is no other.
	Turns Turns
	// Stored is told of every file that has come to be at a path. It must not
	// block; nil is nobody.
	Stored func(path string)
}

// New returns a writer for f, which was given the same veil.
func New(f *federator.Federator, v *veil.Veil, s Settings, out Outside) *Writer {
	w := &Writer{f: f, veil: v, log: out.Log, hash: out.Hash, ledger: out.Ledger, turns: out.Turns, stored: out.Stored, carries: make(chan struct{}, carriesAtOnce), thirds: make(chan struct{}, thirdsAtOnce), news: make(chan struct{}, 1)}
	if w.stored == nil {
		w.stored = func(string) {}
	}
	w.ctx, w.stop = context.WithCancel(context.Background())
	w.Configure(s)
	v.Attach(f, out.Log)
	w.wg.Go(w.bury)
	w.wg.Go(w.sweep)
	w.wg.Go(w.heed)
	return w
}

// Configure puts other settings in force for what begins from now on.
func (w *Writer) Configure(s Settings) { w.settings.Store(&s) }

// Reconnected says that words of other front ends may have been missed.
func (w *Writer) Reconnected() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// Close ends what the writer does by itself. What it was called for is ended by
// the contexts of the callers, before.
func (w *Writer) Close() {
	w.stop()
	w.wg.Wait()
}

// ReadOnly is the error for a change that would have to be made on an endpoint
// to which nothing is written.
type ReadOnly struct {
	Path string
	// Endpoint is the one that holds the path; "" if there is none for it.
	Endpoint string
}

func (e *ReadOnly) Error() string {
	if e.Endpoint == "" {
		return fmt.Sprintf("no endpoint takes %q", e.Path)
	}
	return fmt.Sprintf("%q is on %s, to which nothing is written", e.Path, e.Endpoint)
}

// Failure is what could not be done on one endpoint.
type Failure struct {
	Path     string
	Endpoint string
	Err      error
	// Pending is whether it will be done as soon as the endpoint answers.
	Pending bool
}

// mostFailures bounds how many of them are remembered of one request.
const mostFailures = 1000

// Failures are those of one request. It is the error of a change that was made
// in part only.
type Failures []Failure

func (e Failures) Error() string {
	if len(e) == 1 {
		return fmt.Sprintf("%q could not be changed on %s: %v", e[0].Path, e[0].Endpoint, e[0].Err)
	}
	return fmt.Sprintf("%q could not be changed on %s (and %d more): %v", e[0].Path, e[0].Endpoint, len(e)-1, e[0].Err)
}

// Unwrap returns the first cause, which stands for all.
func (e Failures) Unwrap() error { return e[0].Err }

// failure is an error of this package itself.
func failure(kind plugins.Kind, op, path string) error {
	return &plugins.Error{Kind: kind, Op: op, Path: path}
}
