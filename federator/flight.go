package federator

import (
	"context"
	"sync"
	"time"

	"canopy/cache"
	"canopy/federator/choice"
	"canopy/federator/health"
	"canopy/federator/record"
	"canopy/plugins"
)

// flights holds what is under way, by path, so that nobody asks twice.
type flights[F any] struct {
	mu sync.Mutex
	m  map[string]F
}

// join returns the flight of path after adding to it, or starts one. Both
// functions run under the table's lock; add reports whether the flight can
// still be joined.
func (t *flights[F]) join(path string, add func(F) bool, start func() F) F {
	t.mu.Lock()
	defer t.mu.Unlock()
	if fl, ok := t.m[path]; ok && add(fl) {
		return fl
	}
	if t.m == nil {
		t.m = make(map[string]F)
	}
	fl := start()
	t.m[path] = fl
	return fl
}

// land removes the flight of path if gone says that it is this one.
func (t *flights[F]) land(path string, gone func(F) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if fl, ok := t.m[path]; ok && gone(fl) {
		delete(t.m, path)
	}
}

// reply is how far a candidate is with its answer.
type reply uint8

const (
	pending reply = iota
	holds         // it has the path
	denies        // it has not
	silent        // it could not be asked, or did not answer
)

// asked is one candidate of a flight.
type asked struct {
	*member
	reply   reply
	replica record.Replica
	kind    plugins.Kind // why silent
	down    bool         // not asked at all
}

// flight is one path being asked for.
type flight struct {
	f    *Federator
	g    *generation
	path string
	// began is when the flight did, in Unix nanoseconds: what it learns was
	// true no earlier.
	began int64
	ctx   context.Context
	stop  context.CancelFunc

	mu      sync.Mutex
	asked   []asked
	pending int
	changed chan struct{} // closed and replaced at every news
	// prior is what was known before, for those who do not answer now. Where
	// it is fresh its word also counts for those whom it covers, and learned
	// is when it was true.
	prior   known
	holding int64 // when the first was found to hold the path; 0 for nobody
	// waiters are waiting now; served is whether anybody got an answer, or
	// the flight goes on for the cache's sake.
	waiters int
	served  bool
	ended   bool
	last    int64 // when the last answer came
}

// fly joins the flight for path or starts one. The caller waits on it, and
// calls part when it no longer does. With background nobody waits.
func (f *Federator) fly(path string, prior known, background bool) *flight {
	add := func(fl *flight) bool {
		fl.mu.Lock()
		defer fl.mu.Unlock()
		if fl.ended || fl.ctx.Err() != nil || fl.g != f.gen.Load() {
			return false
		}
		if background {
			fl.served = true
		} else {
			fl.waiters++
		}
		return true
	}
	return f.flights.join(path, add, func() *flight {
		g := f.enter()
		fl := &flight{f: f, g: g, path: path, began: time.Now().UnixNano(), changed: make(chan struct{}), prior: prior, served: background}
		if !background {
			fl.waiters = 1
		}
		fl.last = fl.began
		fl.ctx, fl.stop = context.WithTimeout(f.ctx, g.Deadline)
		for _, m := range g.candidates(path) {
			fl.asked = append(fl.asked, asked{member: m})
		}
		fl.pending = len(fl.asked)
		f.counters.Flights.Add(1)
		f.wg.Go(fl.run)
		return fl
	})
}

// run asks everybody and ends when all have answered, or nobody cares.
func (fl *flight) run() {
	defer func() {
		fl.stop()
		fl.f.flights.land(fl.path, func(other *flight) bool { return other == fl })
		fl.f.leave(fl.g)
	}()
	if prior := fl.f.recall(fl.ctx, fl.g, fl.path); prior.newer(fl.prior) {
		fl.mu.Lock()
		fl.prior = prior
		fl.mu.Unlock()
	}
	var wg sync.WaitGroup
	fl.mu.Lock()
	for i := range fl.asked {
		a := &fl.asked[i]
		switch {
		case fl.told(a):
			fl.pending--
		case a.state.Condition() == health.Down:
			a.reply, a.down, a.kind = silent, true, plugins.Unavailable
			fl.pending--
		default:
			wg.Go(func() { fl.ask(i, a.member) })
		}
	}
	fl.news()
	fl.mu.Unlock()
	wg.Wait()
	fl.mu.Lock()
	fl.ended = true
	r, learned := fl.record(), fl.learned()
	fl.news()
	fl.mu.Unlock()
	if learned == fl.began { // else it is of the shared cache's own making
		fl.f.share(fl.path, r, fl.g, learned)
	}
}

// told fills in what prior, being fresh, already tells of a candidate.
func (fl *flight) told(a *asked) bool {
	p := fl.prior
	if p.state != cache.Fresh || !p.Coverage.Has(a.ID) {
		return false
	}
	r, ok := p.By(a.ID)
	if ok && r.Size < 0 && r.Kind == plugins.File && !p.Asked {
		return false
	}
	a.reply = denies
	if ok {
		a.reply, a.replica = holds, r
		fl.holding = fl.began
	}
	return true
}

// ask puts the question to one candidate and notes the answer.
func (fl *flight) ask(i int, m *member) {
	began := time.Now()
	var overdue *time.Timer
	if patience := m.state.Patience(health.Stat); patience > 0 {
		overdue = time.AfterFunc(patience, func() {
			m.state.Overdue(time.Now().UnixNano())
			fl.mu.Lock()
			fl.news()
			fl.mu.Unlock()
		})
	}
	replica, err := m.stat(fl.ctx, fl.path, fl.began)
	now := time.Now()
	if overdue != nil {
		overdue.Stop()
	}
	kind := plugins.KindOf(err)
	if kind == plugins.Canceled && fl.ctx.Err() == context.DeadlineExceeded {
		kind = plugins.Timeout
	}
	m.state.Answered(health.Stat, kind, now.Sub(began), now.UnixNano())
	m.observed("stat", err, now.Sub(began))
	if err != nil && kind.Unknown() && kind != plugins.Canceled {
		fl.f.log.Debug("no answer", "endpoint", m.Name, "path", fl.path, "err", err)
	}
	fl.mu.Lock()
	defer fl.mu.Unlock()
	a := &fl.asked[i]
	switch {
	case err == nil:
		a.reply, a.replica = holds, replica
		if fl.holding == 0 {
			fl.holding = now.UnixNano()
		}
	case kind == plugins.NotFound || kind == plugins.NotDirectory:
		a.reply = denies
	default:
		a.reply, a.kind = silent, kind
	}
	fl.pending--
	fl.last = now.UnixNano()
	if kind != plugins.Canceled {
		fl.f.remember(fl.path, fl.record(), fl.g, fl.learned(), fl.pending == 0)
	}
	fl.news()
}

// news wakes all waiters. fl.mu is held.
func (fl *flight) news() {
	close(fl.changed)
	fl.changed = make(chan struct{})
}

// learned returns when what the flight says was true: where it takes over the
// word of a prior record, when that was. fl.mu is held.
func (fl *flight) learned() int64 {
	if fl.prior.state == cache.Fresh {
		return min(fl.began, fl.prior.learned)
	}
	return fl.began
}

// record makes a record of the answers so far. fl.mu is held.
func (fl *flight) record() *record.Record {
	r := &record.Record{Asked: true}
	replicas := make([]record.Replica, 0, len(fl.asked))
	covered := make([]record.ID, 0, len(fl.asked))
	horizon := fl.began - int64(fl.g.Stale)
	for i := range fl.asked {
		a := &fl.asked[i]
		switch a.reply {
		case holds:
			replicas = append(replicas, a.replica)
			covered = append(covered, a.ID)
		case denies:
			covered = append(covered, a.ID)
		default:
			if fl.prior.Record != nil {
				if old, ok := fl.prior.By(a.ID); ok && old.Learned > horizon {
					replicas = append(replicas, old)
				}
			}
			if a.reply == silent && !a.down {
				r.Silences = append(r.Silences, record.Silence{
					Endpoint: a.ID, Kind: a.kind,
					Until: fl.last + int64(fl.g.AbsentTTL), Recovery: a.state.Recoveries(),
				})
			}
		}
	}
	r.Facts = record.Agree(replicas)
	r.Coverage = fl.f.sets.Of(covered)
	return r
}

// Need is what a caller wants of a lookup before it is answered.
type Need uint8

// The needs.
const (
	// First: one endpoint that has the path will do, to say what it is.
	First Need = iota
	// Best: the best replica for a client, or one that no outstanding answer
	// could better by more than is worth the grace.
	Best
	// All: everybody who can be asked should have answered.
	All
)

// wait returns a record as soon as the flight knows enough, or the error of
// ctx. The deadline passing is no error: the record says who has answered.
func (fl *flight) wait(ctx context.Context, need Need, c *choice.Client) (*record.Record, error) {
	var timer *time.Timer
	var expired <-chan time.Time
	var until int64
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	for {
		fl.mu.Lock()
		now := time.Now().UnixNano()
		left := fl.patience(need, c, now)
		if left <= 0 || fl.ended {
			r := fl.record()
			fl.served = true
			fl.mu.Unlock()
			return r, nil
		}
		changed := fl.changed
		fl.mu.Unlock()
		if expired == nil || now+left != until {
			if timer != nil {
				timer.Stop()
			}
			timer = time.NewTimer(time.Duration(left))
			expired, until = timer.C, now+left
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		case <-expired:
			expired = nil
		}
	}
}

// part is called by a waiter that has gone. A flight from which nobody had an
// answer and for which nobody waits is of no use to anybody.
func (fl *flight) part() {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	fl.waiters--
	if fl.waiters == 0 && !fl.served {
		fl.stop()
	}
}

// patience returns how long, in nanoseconds, a caller with this need should
// still wait for more; 0 or less is not at all. fl.mu is held.
func (fl *flight) patience(need Need, c *choice.Client, now int64) int64 {
	if fl.pending == 0 {
		return 0
	}
	left := fl.began + int64(fl.g.Deadline) - now
	grace := func(from int64) int64 { return min(left, from+int64(fl.g.Grace)-now) }
	prompt := false // whether anybody is outstanding who is not overdue
	for i := range fl.asked {
		if a := &fl.asked[i]; a.reply == pending && a.state.Condition() == health.Up {
			prompt = true
		}
	}
	switch {
	case fl.holding == 0:
		if !prompt {
			return grace(fl.last)
		}
		return left
	case need == First:
		return 0
	case !prompt:
		return 0
	case need == All:
		return left
	case fl.betterable(c):
		return grace(fl.holding)
	}
	return 0
}

// betterable reports whether an endpoint that has not answered yet would be
// chosen before all that hold the path. fl.mu is held.
func (fl *flight) betterable(c *choice.Client) bool {
	targets := make([]choice.Target, len(fl.asked))
	n := 0
	for i := range fl.asked {
		a := &fl.asked[i]
		if a.reply == pending || a.reply == holds && a.replica.Kind == plugins.File {
			targets[n] = a.target(fl.g.Atlas)
			targets[n].ID = record.ID(i)
			n++
		}
	}
	order, group := choice.Rank(c, targets[:n], fl.g.policies, true)
	for at, i := range order {
		if group[at] != 0 {
			return true // the first group is all outstanding
		}
		if fl.asked[targets[i].ID].reply == holds {
			return false
		}
	}
	return true
}

// stat asks the endpoint for path, at each of its own paths for it.
func (m *member) stat(ctx context.Context, path string, learned int64) (record.Replica, error) {
	own := m.Names.Endpoint(path)
	if len(own) == 1 {
		e, err := m.storage.Stat(ctx, own[0])
		if err != nil {
			return record.Replica{}, err
		}
		return record.Of(m.ID, 0, &e, learned), nil
	}
	own = own[:min(len(own), maxVia)]
	replicas := make([]record.Replica, len(own))
	errs := make([]error, len(own))
	var wg sync.WaitGroup
	for i, p := range own {
		wg.Go(func() {
			e, err := m.storage.Stat(ctx, p)
			if errs[i] = err; err == nil {
				replicas[i] = record.Of(m.ID, uint8(i), &e, learned)
			}
		})
	}
	wg.Wait()
	// The first that has it counts; without one, a doubt about any of them
	// is a doubt about all.
	var doubt error = &plugins.Error{Kind: plugins.NotFound, Op: "stat", Path: path}
	for i, err := range errs {
		if err == nil {
			return replicas[i], nil
		}
		if plugins.KindOf(err).Unknown() {
			doubt = err
		}
	}
	return record.Replica{}, doubt
}

// maxVia bounds how many of its own paths an endpoint is asked for.
const maxVia = 255
