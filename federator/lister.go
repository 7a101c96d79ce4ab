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

// lister is one directory being listed, for all who want it.
type lister struct {
	f     *Federator
	g     *generation
	path  string
	base  *record.Listing // what is known already and need not be asked for
	began int64
	ctx   context.Context
	stop  context.CancelFunc

	mu      sync.Mutex
	chunks  [][]record.Child
	heard   []record.ID // who has answered to the end
	exists  bool        // somebody has the directory
	merging bool        // from here on the chunks come
	final   bool        // heard will not grow any more
	ended   bool
	changed chan struct{}
	waiters int
	served  bool
}

// enlist joins the listing of path that is under way, or starts one.
func (f *Federator) enlist(path string, base *record.Listing, background bool) *lister {
	add := func(l *lister) bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.ended || l.ctx.Err() != nil || l.g != f.gen.Load() {
			return false
		}
		if background {
			l.served = true
		} else {
			l.waiters++
		}
		return true
	}
	return f.listers.join(path, add, func() *lister {
		g := f.enter()
		l := &lister{f: f, g: g, path: path, base: base, began: time.Now().UnixNano(), changed: make(chan struct{}), served: background}
		if !background {
			l.waiters = 1
		}
		l.ctx, l.stop = context.WithCancel(f.ctx)
		f.counters.Listings.Add(1)
		f.wg.Go(l.run)
		return l
	})
}

func (l *lister) part() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiters--
	if l.waiters == 0 && !l.served {
		l.stop()
	}
}

func (l *lister) news() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// verdict waits until it is known whether anybody has the directory.
func (l *lister) verdict(ctx context.Context) (exists bool, err error) {
	for {
		l.mu.Lock()
		exists, ready, changed := l.exists, l.merging, l.changed
		l.mu.Unlock()
		if ready {
			return exists, nil
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-changed:
		}
	}
}

// chunk waits for the chunk at position at; nil is the end.
func (l *lister) chunk(ctx context.Context, at int) ([]record.Child, error) {
	for {
		l.mu.Lock()
		if at < len(l.chunks) {
			defer l.mu.Unlock()
			return l.chunks[at], nil
		}
		ended, changed := l.ended, l.changed
		if ended {
			l.served = true
		}
		l.mu.Unlock()
		if ended {
			return nil, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

// run lists the directory at all candidates and merges what they send.
func (l *lister) run() {
	defer func() {
		l.stop()
		l.f.listers.land(l.path, func(other *lister) bool { return other == l })
		l.f.leave(l.g)
	}()
	if l.base == nil {
		l.base = l.f.recallListing(l.ctx, l.g, l.path)
	}
	var covered []record.ID
	var silences []record.Silence
	if l.base != nil {
		covered = slices.Clone(l.base.Coverage.IDs())
	}
	var sources []*source
	news := make(chan struct{}, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, m := range l.g.listers(l.path) {
		if slices.Contains(covered, m.ID) || m.state.Condition() == health.Down {
			continue
		}
		for via, dir := range m.Names.Listable(l.path) {
			if via == maxVia {
				break
			}
			s := newSource(m, dir, uint8(via), news)
			sources = append(sources, s)
			wg.Go(func() { s.run(l.ctx, l.began) })
		}
	}
	ready, late := l.gather(sources, news)
	l.mu.Lock()
	l.heard = slices.Clone(covered)
	l.exists = l.base != nil && l.base.Exists
	l.final = true
	for _, s := range ready {
		switch {
		case !isClosed(s.ended):
			l.exists, l.final = true, false // it has begun to send names
		case s.reply == holds || s.some:
			l.exists = true
		}
	}
	if l.final {
		l.heard, _ = l.tally(ready, l.heard, nil)
	}
	l.merging = true
	l.news()
	l.mu.Unlock()

	result := &record.Listing{Learned: l.began}
	if l.base != nil {
		result.Learned = l.base.Learned
	}
	merge(ready, l.base, func(chunk []record.Child) {
		result.Append(chunk)
		l.mu.Lock()
		l.chunks = append(l.chunks, chunk)
		l.news()
		l.mu.Unlock()
	})
	covered, silences = l.tally(ready, covered, silences)
	l.finish(result, covered, silences, late)

	// Those who were not waited for still fill the cache.
	if len(late) > 0 && l.ctx.Err() == nil {
		before := result
		again := &record.Listing{Learned: result.Learned}
		merge(late, before, again.Append)
		covered, silences = l.tally(late, covered, silences)
		l.keep(again, covered, silences)
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// tally adds what the sources, having ended, said: an endpoint is covered
// when each of its paths was listed to the end or denied.
func (l *lister) tally(sources []*source, covered []record.ID, silences []record.Silence) ([]record.ID, []record.Silence) {
	quiet := make(map[record.ID]plugins.Kind)
	for _, s := range sources {
		<-s.ended
		if s.reply == silent {
			quiet[s.m.ID] = s.kind
		}
	}
	now := time.Now().UnixNano()
	for _, s := range sources {
		kind, is := quiet[s.m.ID]
		switch {
		case !is && !slices.Contains(covered, s.m.ID):
			covered = append(covered, s.m.ID)
		case is && !slices.ContainsFunc(silences, func(q record.Silence) bool { return q.Endpoint == s.m.ID }):
			silences = append(silences, record.Silence{
				Endpoint: s.m.ID, Kind: kind,
				Until: now + int64(l.g.AbsentTTL), Recovery: s.m.state.Recoveries(),
			})
		}
	}
	return covered, silences
}

// finish settles the listing for those who read it, and keeps it.
func (l *lister) finish(result *record.Listing, covered []record.ID, silences []record.Silence, late []*source) {
	for _, s := range late {
		silences = append(silences, record.Silence{
			Endpoint: s.m.ID, Kind: plugins.Timeout,
			Until: time.Now().UnixNano() + int64(l.g.AbsentTTL), Recovery: s.m.state.Recoveries(),
		})
	}
	// Kept before it is said to have ended: who opens a file right after
	// listing its directory finds it.
	l.keep(result, covered, silences)
	l.mu.Lock()
	l.ended = true
	l.heard = covered
	l.news()
	l.mu.Unlock()
}

// keep puts the listing into the cache, unless nobody has the directory.
func (l *lister) keep(result *record.Listing, covered []record.ID, silences []record.Silence) {
	if l.ctx.Err() != nil {
		return
	}
	result.Coverage = l.f.sets.Of(covered)
	result.Silences = silences
	l.mu.Lock()
	result.Exists = l.exists
	l.mu.Unlock()
	if !result.Exists {
		return
	}
	l.f.rememberListing(l.path, result, l.g)
	if result.Learned == l.began {
		l.f.shareListing(l.path, result, l.g)
	}
}

func (f *Federator) rememberListing(path string, l *record.Listing, g *generation) {
	f.listings.Put(path, listingLifetime(l, g))
}

func listingLifetime(l *record.Listing, g *generation) cache.Item[*record.Listing] {
	fresh := l.Learned + int64(g.ListingTTL)
	return cache.Item[*record.Listing]{Value: l, Learned: l.Learned, Fresh: fresh, Stale: fresh + int64(g.Stale), Cost: l.Bytes()}
}

// gather waits until the sources can be merged: each has ended, or keeps its
// order and has begun. A source that has not begun although all others are
// ready is waited for as long as its endpoint usually takes and the grace, or
// until the deadline where that is not known; one that is known to be slow is
// not waited for at all. A source that has begun is waited for as long as it
// goes on. news is signalled whenever a source begins or ends.
func (l *lister) gather(sources []*source, news <-chan struct{}) (ready, late []*source) {
	start := time.Unix(0, l.began)
	lastReady := start
	waiting := slices.Clone(sources)
	for {
		now := time.Now()
		before := len(waiting)
		waiting = slices.DeleteFunc(waiting, func(s *source) bool {
			done := s.ready()
			if done {
				ready = append(ready, s)
			}
			return done
		})
		if len(waiting) < before {
			lastReady = now
		}
		var next time.Time // when somebody is given up
		waiting = slices.DeleteFunc(waiting, func(s *source) bool {
			if isClosed(s.begun) {
				return false
			}
			until := l.limit(s, start, lastReady, len(ready) == 0)
			if !now.Before(until) {
				s.m.state.Overdue(now.UnixNano())
				late = append(late, s)
				return true
			}
			if next.IsZero() || until.Before(next) {
				next = until
			}
			return false
		})
		if len(waiting) == 0 {
			// In the order of the configuration, so that merging is steady.
			order := func(a, b *source) int { return slices.Index(sources, a) - slices.Index(sources, b) }
			slices.SortFunc(ready, order)
			slices.SortFunc(late, order)
			return ready, late
		}
		var expired <-chan time.Time
		if !next.IsZero() {
			timer := time.NewTimer(next.Sub(now))
			expired = timer.C
		}
		select {
		case <-news:
		case <-expired:
		}
	}
}

// limit returns until when a source that has not begun is waited for. alone
// is whether nobody else has answered.
func (l *lister) limit(s *source, start, lastReady time.Time, alone bool) time.Time {
	end := start.Add(l.g.Deadline)
	if s.m.state.Condition() != health.Up {
		if alone {
			return lastReady.Add(l.g.Grace)
		}
		return lastReady
	}
	patience := s.m.state.Patience(health.List)
	if patience == 0 {
		return end
	}
	until := start.Add(patience)
	if g := lastReady.Add(l.g.Grace); g.After(until) {
		until = g
	}
	if until.After(end) {
		return end
	}
	return until
}
