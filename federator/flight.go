package federator

import (
	"context"
	"slices"
	"sync"
	"time"

	"canopy/cache"
	"canopy/federator/health"
	"canopy/federator/record"
	"canopy/plugins"
)

// flights holds what is under way, by path, so that nobody asks twice.
type flights[F any] struct {
	mu sync.Mutex
	m  map[string]F
}

// join returns the flight of path after adding to it, or starts one. The
// functions run under the table's lock; add reports whether the flight can
// still be joined. If it cannot, it is left, and told so, for leave does not
// reach it any more.
func (t *flights[F]) join(path string, add func(F) bool, told func(F), start func() F) F {
	t.mu.Lock()
	defer t.mu.Unlock()
	if fl, ok := t.m[path]; ok {
		if add(fl) {
			return fl
		}
		told(fl)
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

// leave removes the flight of path, if there is one, and tells it so: whoever
// comes from now on starts another.
func (t *flights[F]) leave(path string, told func(F)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if fl, ok := t.m[path]; ok {
		delete(t.m, path)
		told(fl)
	}
}

// leaveIf does so for the flights of the paths that which accepts.
func (t *flights[F]) leaveIf(which func(path string) bool, told func(F)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for path, fl := range t.m {
		if which(path) {
			delete(t.m, path)
			told(fl)
		}
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
	partly  bool         // silent because there is only a part of it
	told    bool         // not asked, since its answer, or that it gives none, was known
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
	// changes is that whoever waits is about to change the path, and is to see
	// what is there only in part, too. Readers do not join.
	changes bool

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
	// forgotten is that the path has changed since the flight began, so that
	// what it learns must not be remembered.
	forgotten bool
	made      *record.Record // of the answers so far; nil when there are new ones
	kept      *record.Record // what was remembered last
}

// manner is for whom a flight is.
type manner uint8

const (
	attended   manner = iota // somebody waits for it
	unattended               // it is for the cache's sake
	// anew is unattended, and believes nothing that is known already.
	anew
	// afresh is attended, and asks all who can be asked.
	afresh
)

// waits reports whether somebody waits for the flight.
func (m manner) waits() bool { return m == attended || m == afresh }

// believes reports whether what is known is not asked for again.
func (m manner) believes() bool { return m == attended || m == unattended }

// fly joins the flight for path or starts one. An attending caller waits on
// it, and calls part when it no longer does.
func (f *Federator) fly(path string, prior known, how manner) *flight {
	// Of what is being written, each who asks is to be told what is there since he asked.
	alone := how.waits() && f.outside.Veil.Awaited(path)
	add := func(fl *flight) bool {
		fl.mu.Lock()
		defer fl.mu.Unlock()
		if alone || fl.ended || fl.ctx.Err() != nil || fl.g != f.gen.Load() || fl.changes != (how == afresh) {
			return false
		}
		if how.waits() {
			fl.waiters++
		} else {
			fl.served = true
		}
		return true
	}
	return f.flights.join(path, add, (*flight).void, func() *flight {
		g := f.enter()
		now := time.Now().UnixNano()
		if how.believes() {
			// The flight that the caller would have joined may have ended a
			// moment ago.
			if latest := f.known(g, path, now); latest.Record != nil && latest.learned >= prior.learned {
				prior = latest
			}
		}
		fl := &flight{f: f, g: g, path: path, began: now, changed: make(chan struct{}), prior: prior, changes: how == afresh, served: !how.waits()}
		if how.waits() {
			fl.waiters = 1
		}
		fl.last = fl.began
		fl.ctx, fl.stop = context.WithTimeout(f.ctx, g.Deadline)
		for _, m := range g.candidates(path) {
			fl.asked = append(fl.asked, asked{member: m})
		}
		fl.pending = len(fl.asked)
		f.counters.Flights.Add(1)
		f.wg.Go(func() { fl.run(how.believes()) })
		return fl
	})
}

// void is called when what is known of the path has become wrong.
func (fl *flight) void() {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	fl.forgotten = true
}

// run asks everybody and ends when all have answered, or nobody cares.
func (fl *flight) run(recall bool) {
	defer func() {
		fl.stop()
		fl.f.flights.land(fl.path, func(other *flight) bool { return other == fl })
		fl.f.leave(fl.g)
	}()
	if recall {
		if prior := fl.f.recall(fl.ctx, fl.g, fl.path); prior.newer(fl.prior) {
			fl.mu.Lock()
			fl.prior = prior
			fl.mu.Unlock()
		}
	}
	var wg sync.WaitGroup
	fl.mu.Lock()
	for i := range fl.asked {
		a := &fl.asked[i]
		switch {
		case fl.tells(a):
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
	defer fl.mu.Unlock()
	fl.keep(true)
	fl.ended = true
	fl.news()
}

// keep remembers what the flight has learned so far. An absence is remembered
// only when final, that is when nobody is left who may still say yes. fl.mu is
// held, so that nothing is kept after the path was forgotten.
func (fl *flight) keep(final bool) {
	if fl.forgotten || fl.ctx.Err() == context.Canceled || fl.f.outside.Veil.Awaited(fl.path) {
		return
	}
	r := fl.record()
	if !final && !r.Exists() {
		return
	}
	if r != fl.kept {
		// Else somebody may have learned more of it since.
		fl.f.remember(fl.path, r, fl.g, fl.learned())
		fl.kept = r
	}
	if !final {
		return
	}
	fl.correct()
	if slices.ContainsFunc(fl.asked, func(a asked) bool { return !a.told && !a.down }) {
		// Else it is of the shared cache's own making.
		fl.f.share(fl.path, r, fl.g, fl.learned())
	}
}

// correct brings the listing of the parent in line with what was answered,
// where that contradicts it. fl.mu is held.
func (fl *flight) correct() {
	dir, name := split(fl.path)
	l, _, state := fl.f.listing(fl.g, dir, fl.last)
	if name == "" || state == cache.Missing || l.Learned > fl.began {
		return
	}
	if virtual, _ := fl.g.virtual(dir); slices.Contains(virtual, name) {
		return
	}
	var facts record.Facts
	if child := l.Find(name); child != nil {
		facts = child.Facts
	}
	var wrong []record.ID
	var right []record.Replica
	for i := range fl.asked {
		a := &fl.asked[i]
		if a.told || a.reply != holds && a.reply != denies || !a.parent(dir, fl.path, name) {
			continue
		}
		listed, is := facts.By(a.ID)
		if is == (a.reply == holds) && (!is || listed.Kind == a.replica.Kind && listed.Size == a.replica.Size) {
			continue
		}
		wrong = append(wrong, a.ID)
		if a.reply == holds {
			right = append(right, a.replica)
		}
	}
	if wrong == nil {
		return
	}
	for _, r := range facts.Replicas {
		if !slices.Contains(wrong, r.Endpoint) {
			right = append(right, r)
		}
	}
	fl.f.exchange(dir, l, l.With(name, record.Agree(right)))
}

// tells fills in what prior, being fresh, already tells of a candidate.
func (fl *flight) tells(a *asked) bool {
	p := fl.prior
	if p.state != cache.Fresh {
		return false
	}
	if !p.Coverage.Has(a.ID) {
		// Nor is it asked again what it left unanswered a moment ago.
		if !hushed(a.member, p.Silences, fl.began) {
			return false
		}
		s, _ := p.Silent(a.ID)
		a.reply, a.kind, a.told = silent, s.Kind, true
		return true
	}
	r, ok := p.By(a.ID)
	if ok && r.Size < 0 && r.Kind == plugins.File && !p.Asked {
		return false
	}
	a.reply, a.told = denies, true
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
	if err == nil {
		kind = fl.veiled(&replica)
	}
	if err != nil && kind.Unknown() && kind != plugins.Canceled {
		fl.f.log.Debug("no answer", "endpoint", m.Name, "path", fl.path, "err", err)
	}
	fl.mu.Lock()
	defer fl.mu.Unlock()
	a := &fl.asked[i]
	switch {
	case kind == 0:
		a.reply, a.replica = holds, replica
		if fl.holding == 0 {
			fl.holding = now.UnixNano()
		}
	case kind == plugins.NotFound || kind == plugins.NotDirectory:
		a.reply = denies
	default:
		a.reply, a.kind, a.partly = silent, kind, err == nil
	}
	fl.pending--
	fl.last = now.UnixNano()
	fl.made = nil
	if kind == 0 {
		fl.keep(false)
	}
	fl.news()
}

// veiled returns 0 for a copy that is to be seen, else how its endpoint is taken to
// have answered.
func (fl *flight) veiled(r *record.Replica) plugins.Kind {
	veil := fl.f.outside.Veil
	if veil.Hides(fl.path, r) {
		return plugins.NotFound
	}
	switch part, over := veil.Part(fl.path, r); {
	case !part || fl.changes:
		return 0
	case over:
		return plugins.Unavailable // neither the old file nor the new one
	default:
		return plugins.NotFound
	}
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

// record returns a record of the answers so far. fl.mu is held.
func (fl *flight) record() *record.Record {
	if fl.made == nil {
		fl.made = fl.make()
	}
	return fl.made
}

func (fl *flight) make() *record.Record {
	r := &record.Record{Asked: true}
	replicas := make([]record.Replica, 0, len(fl.asked))
	covered := make([]record.ID, 0, len(fl.asked))
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
				if old, ok := fl.prior.By(a.ID); ok && fl.g.oldest(old.Learned) > fl.began && !fl.f.outside.Veil.Hides(fl.path, &old) {
					replicas = append(replicas, old)
				}
			}
			switch {
			case a.reply != silent || a.down:
			case a.told:
				s, _ := fl.prior.Silent(a.ID)
				r.Silences = append(r.Silences, s)
			default:
				r.Silences = append(r.Silences, record.Silence{
					Endpoint: a.ID, Kind: a.kind,
					Until: fl.last + int64(fl.g.hush(a.kind)), Recovery: a.state.Recoveries(),
				})
			}
		}
	}
	if len(replicas) > 0 && fl.f.outside.Veil.Awaited(fl.path) {
		all := replicas
		replicas = slices.DeleteFunc(slices.Clone(all), func(r record.Replica) bool { return fl.f.outside.Veil.Outdated(fl.path, &r, all, fl.doubtful) })
	}
	// Of many candidates few hold a path, and the record is there to stay.
	r.Facts = record.Agree(slices.Clone(replicas))
	r.Silences = slices.Clip(r.Silences)
	r.Coverage = fl.f.sets.Of(covered)
	return r
}

// doubtful reports whether an endpoint has not answered, and may have the path for all
// that is known. To who changes the path, what others have is no less there for that.
// fl.mu is held.
func (fl *flight) doubtful(id record.ID) bool {
	i := slices.IndexFunc(fl.asked, func(a asked) bool { return a.ID == id })
	if i < 0 || fl.changes || fl.asked[i].reply != silent || fl.asked[i].partly {
		return false
	}
	s := fl.asked[i].state
	return s.Condition() != health.Down || fl.last-s.Since() < int64(fl.g.DoubtFor)
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
