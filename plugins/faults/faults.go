// Package faults makes any endpoint slow, broken, less able or talkative, for
// tests of what stands above endpoints.
//
//	e := faults.New(mem.New(base, tree))
//	e.Inject(faults.Rule{Op: "stat", Fail: plugins.Unavailable})
//	e.Inject(faults.Rule{Op: "list", After: 3, Hang: true})
//	e.Inject(faults.Rule{Path: faults.Below("/atlas"), Delay: 2 * time.Second})
//	…
//	e.Heal()
//	if n := e.Calls("stat"); n != 1 { … }
//
// Without rules the endpoint is exactly as the one inside: the decorator passes
// the conformance suite. Delays are timers and hanging waits for the context,
// so that both pass in no time under testing/synctest.
package faults

import (
	"context"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"canopy/plugins"
)

// Rule says what goes wrong with which questions. Of several that fit, the one
// injected last counts.
type Rule struct {
	// Op is the question: "stat", "list", "open", "locate", "digest", "space",
	// "inspect", "probe", "store", "remove", "mkdir", "move", "sweep",
	// "properties" or "proppatch"; "" is any.
	Op string
	// Path chooses the paths; nil is all. That of a move is where from.
	Path func(path string) bool
	// Times is how many questions the rule is good for; 0 is any number.
	Times int

	// Delay is how long the question takes before anything else happens.
	// Locate, which has no context, is not delayed.
	Delay time.Duration
	// After is how many entries of a listing or bytes of a body are delivered,
	// or bytes of what is stored are taken, before Hang and Fail take effect;
	// the other questions ignore it.
	After int
	// Done is whether what was to be written has been when Hang and Fail take
	// effect, so that the answer alone is lost.
	Done bool
	// Hang makes the question wait until its context ends.
	Hang bool
	// Fail is the kind of the error returned; 0 asks the endpoint inside.
	Fail plugins.Kind
	// RetryAfter goes into the error.
	RetryAfter time.Duration
}

// Exactly returns a Rule.Path for one path.
func Exactly(path string) func(string) bool {
	return func(p string) bool { return p == path }
}

// Below returns a Rule.Path for a directory and all that is in it.
func Below(dir string) func(string) bool {
	return func(p string) bool { return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/") }
}

// Call is one question that was asked.
type Call struct{ Op, Path string }

// Endpoint is an endpoint with faults. Its methods are safe for concurrent use.
type Endpoint struct {
	inner plugins.Endpoint
	able  plugins.Abilities

	mu    sync.Mutex
	rules []*Rule
	calls []Call
}

// New returns inner without the abilities called without ("list", "redirect",
// "read", "digest", "space", "inspect", "probe", "write", "remove", "mkdir",
// "move", "sweep", "properties", "third-party"; "order" leaves it able to list).
// Closing it closes inner.
func New(inner plugins.Endpoint, without ...string) *Endpoint {
	e := &Endpoint{inner: inner, able: plugins.AbilitiesOf(inner)}
	for _, ability := range without {
		switch ability {
		case "list":
			e.able.Lister, e.able.Ordered = nil, false
		case "order":
			e.able.Ordered = false
		case "redirect":
			e.able.Locator = nil
		case "third-party":
			e.able.Copier = nil
		case "read":
			e.able.Reader = nil
		case "digest":
			e.able.Digester = nil
		case "space":
			e.able.Spacer = nil
		case "inspect":
			e.able.Inspector = nil
		case "probe":
			e.able.Prober = nil
		case "write":
			e.able.Writer = nil
		case "remove":
			e.able.Remover = nil
		case "mkdir":
			e.able.Maker = nil
		case "move":
			e.able.Mover = nil
		case "sweep":
			e.able.Sweeper = nil
		case "properties":
			e.able.Keeper = nil
		}
	}
	return e
}

// Inject adds a rule, which may be switched off by Heal only.
func (e *Endpoint) Inject(r Rule) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rules = append(e.rules, &r)
}

// Heal drops all rules. Questions that hang already go on hanging.
func (e *Endpoint) Heal() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rules = nil
}

// Calls returns how many questions of kind op have been asked since the start
// or Forget; "" counts all but "locate", which asks nobody.
func (e *Endpoint) Calls(op string) int {
	n := 0
	for _, c := range e.Asked() {
		if c.Op == op || op == "" && c.Op != "locate" {
			n++
		}
	}
	return n
}

// Asked returns all calls in their order.
func (e *Endpoint) Asked() []Call {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.calls)
}

// Forget sets all counts to zero.
func (e *Endpoint) Forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = nil
}

// Abilities implements plugins.Able: those of the endpoint inside, less those
// taken from it.
func (e *Endpoint) Abilities() plugins.Abilities {
	a := plugins.Abilities{Ordered: e.able.Ordered}
	if e.able.Lister != nil {
		a.Lister = e
	}
	if e.able.Locator != nil {
		a.Locator = e
	}
	if e.able.Reader != nil {
		a.Reader = e
	}
	if e.able.Digester != nil {
		a.Digester = e
	}
	if e.able.Spacer != nil {
		a.Spacer = e
	}
	if e.able.Inspector != nil {
		a.Inspector = e
	}
	if e.able.Prober != nil {
		a.Prober = e
	}
	if e.able.Writer != nil {
		a.Writer = e
	}
	if e.able.Remover != nil {
		a.Remover = e
	}
	if e.able.Maker != nil {
		a.Maker = e
	}
	if e.able.Mover != nil {
		a.Mover = e
	}
	if e.able.Sweeper != nil {
		a.Sweeper = e
	}
	if e.able.Keeper != nil {
		a.Keeper = e
	}
	if e.able.Copier != nil {
		a.Copier = e
	}
	return a
}

// begin notes the call and returns what is to go wrong with it.
func (e *Endpoint) begin(op, path string) Rule {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, Call{op, path})
	for i, r := range slices.Backward(e.rules) {
		if r.Op != "" && r.Op != op || r.Path != nil && !r.Path(path) {
			continue
		}
		rule := *r
		if r.Times > 0 {
			if r.Times--; r.Times == 0 {
				e.rules = slices.Delete(e.rules, i, i+1)
			}
		}
		return rule
	}
	return Rule{}
}

// delay waits as long as the rule wants.
func (r Rule) delay(ctx context.Context, op, path string) error {
	if r.Delay <= 0 {
		return nil
	}
	t := time.NewTimer(r.Delay)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return plugins.Fail(op, path, ctx.Err())
	}
}

// strike hangs or fails as the rule wants.
func (r Rule) strike(ctx context.Context, op, path string) error {
	if r.Hang {
		<-ctx.Done()
		return plugins.Fail(op, path, ctx.Err())
	}
	if r.Fail != 0 {
		return &plugins.Error{Kind: r.Fail, Op: op, Path: path, RetryAfter: r.RetryAfter}
	}
	return nil
}

// trouble notes a question and lets happen what is to happen before it.
func (e *Endpoint) trouble(ctx context.Context, op, path string) error {
	r := e.begin(op, path)
	if err := r.delay(ctx, op, path); err != nil {
		return err
	}
	return r.strike(ctx, op, path)
}

// Stat implements plugins.Endpoint.
func (e *Endpoint) Stat(ctx context.Context, path string) (plugins.Entry, error) {
	if err := e.trouble(ctx, "stat", path); err != nil {
		return plugins.Entry{}, err
	}
	return e.inner.Stat(ctx, path)
}

// Close implements plugins.Endpoint.
func (e *Endpoint) Close() error { return e.inner.Close() }

// Ordered implements plugins.Ordered.
func (e *Endpoint) Ordered() bool { return e.able.Ordered }

// List implements plugins.Lister.
func (e *Endpoint) List(ctx context.Context, path string) iter.Seq2[plugins.Entry, error] {
	return func(yield func(plugins.Entry, error) bool) {
		r := e.begin("list", path)
		err := r.delay(ctx, "list", path)
		if err == nil && r.After == 0 {
			err = r.strike(ctx, "list", path)
		}
		if err != nil {
			yield(plugins.Entry{}, err)
			return
		}
		n := 0
		for entry, err := range e.able.Lister.List(ctx, path) {
			if !yield(entry, err) {
				return
			}
			if n++; n == r.After {
				if err := r.strike(ctx, "list", path); err != nil {
					yield(plugins.Entry{}, err)
					return
				}
			}
		}
	}
}

// Locate implements plugins.Locator.
func (e *Endpoint) Locate(path, method string) (plugins.Location, error) {
	if r := e.begin("locate", path); r.Fail != 0 {
		return plugins.Location{}, &plugins.Error{Kind: r.Fail, Op: "locate", Path: path}
	}
	return e.able.Locator.Locate(path, method)
}

// Copies implements plugins.Copier.
func (e *Endpoint) Copies(mode plugins.CopyMode) bool { return e.able.Copier.Copies(mode) }

// Copy implements plugins.Copier.
func (e *Endpoint) Copy(ctx context.Context, path string, other plugins.ThirdParty) error {
	if err := e.trouble(ctx, "copy", path); err != nil {
		return err
	}
	return e.able.Copier.Copy(ctx, path, other)
}

// Open implements plugins.Reader.
func (e *Endpoint) Open(ctx context.Context, path string, rng plugins.Range) (*plugins.Body, error) {
	r := e.begin("open", path)
	if err := r.delay(ctx, "open", path); err != nil {
		return nil, err
	}
	if r.After == 0 {
		if err := r.strike(ctx, "open", path); err != nil {
			return nil, err
		}
	}
	body, err := e.able.Reader.Open(ctx, path, rng)
	if err != nil || r.After == 0 {
		return body, err
	}
	broken := *body
	broken.ReadCloser = &faltering{ReadCloser: body.ReadCloser, ctx: ctx, path: path, rule: r, left: r.After}
	return &broken, nil
}

// faltering is a body in which a rule strikes.
type faltering struct {
	io.ReadCloser
	ctx  context.Context
	path string
	rule Rule
	left int
}

func (f *faltering) Read(p []byte) (int, error) {
	if f.left == 0 {
		if err := f.rule.strike(f.ctx, "read", f.path); err != nil {
			return 0, err
		}
		return f.ReadCloser.Read(p)
	}
	n, err := f.ReadCloser.Read(p[:min(len(p), f.left)])
	f.left -= n
	return n, err
}

// Digest implements plugins.Digester.
func (e *Endpoint) Digest(ctx context.Context, path, algorithm string) (plugins.Digest, error) {
	if err := e.trouble(ctx, "digest", path); err != nil {
		return plugins.Digest{}, err
	}
	return e.able.Digester.Digest(ctx, path, algorithm)
}

// Space implements plugins.Spacer.
func (e *Endpoint) Space(ctx context.Context, path string) (plugins.Space, error) {
	if err := e.trouble(ctx, "space", path); err != nil {
		return plugins.Space{}, err
	}
	return e.able.Spacer.Space(ctx, path)
}

// Inspect implements plugins.Inspector.
func (e *Endpoint) Inspect(ctx context.Context, path string) (plugins.Inspection, error) {
	if err := e.trouble(ctx, "inspect", path); err != nil {
		return plugins.Inspection{}, err
	}
	return e.able.Inspector.Inspect(ctx, path)
}

// Probe implements plugins.Prober.
func (e *Endpoint) Probe(ctx context.Context, path string) error {
	if err := e.trouble(ctx, "probe", path); err != nil {
		return err
	}
	return e.able.Prober.Probe(ctx, path)
}
