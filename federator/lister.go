package federator

import (
	"context"
	"path"
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
	f    *Federator
	g    *generation
	path string
	// prior is what is known already. Where it is fresh, those whom it covers
	// are not asked. What it says of the others stands in for them as long as
	// they do not answer.
	prior *record.Listing
	fresh bool
	began int64
	ctx   context.Context
	stop  context.CancelFunc
	// result is the listing in the making; nil when it is too large to be
	// kept. Of run alone.
	result *record.Listing

	mu      sync.Mutex
	chunks  [][]record.Child
	heard   []record.ID // who has answered to the end
	exists  bool        // somebody has the directory
	merging bool        // from here on the chunks come
	final   bool        // heard will not grow any more
	ended   bool
	changed chan struct{}
	readers []*reader
	served  bool
	// forgotten is that the directory has changed since the listing began.
	forgotten bool
	// large is that the listing cannot be kept: the first gone chunks have
	// been dropped, and the merge waits for its readers.
	large bool
	gone  int
}

// reader is somebody who reads a listing as it comes.
type reader struct {
	at int // the chunk that is wanted next; guarded by lister.mu
}

// ahead is how many chunks a large listing may be ahead of its fastest reader.
const ahead = 8

// enlist joins the listing of path that is under way, or starts one. The
// reader, nil if unattended, is given back by part.
func (f *Federator) enlist(path string, prior *record.Listing, fresh bool, how manner) (*lister, *reader) {
	var r *reader
	if how == attended {
		r = &reader{}
	}
	add := func(l *lister) bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.ended || l.large || l.ctx.Err() != nil || l.g != f.gen.Load() {
			return false
		}
		l.attend(r)
		return true
	}
	return f.listers.join(path, add, (*lister).void, func() *lister {
		g := f.enter()
		now := time.Now().UnixNano()
		// The one that the caller would have joined may have ended a moment ago.
		if latest, _, state := f.listing(g, path, now); latest != nil {
			prior, fresh = latest, state == cache.Fresh
		} else if prior == nil {
			prior = f.listed(path, now)
		}
		l := &lister{f: f, g: g, path: path, prior: prior, fresh: fresh, began: now, changed: make(chan struct{})}
		l.attend(r)
		l.ctx, l.stop = context.WithCancel(f.ctx)
		f.counters.Listings.Add(1)
		f.wg.Go(l.run)
		return l
	}), r
}

// attend adds a reader; nil is one who does not wait. l.mu is held.
func (l *lister) attend(r *reader) {
	if r == nil {
		l.served = true
		return
	}
	l.readers = append(l.readers, r)
}

// part is called by a reader that has gone.
func (l *lister) part(r *reader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.readers = slices.DeleteFunc(l.readers, func(other *reader) bool { return other == r })
	if len(l.readers) == 0 && (l.large || !l.served) {
		l.stop()
	}
	l.news()
}

// void is called when what is known of the directory has become wrong.
func (l *lister) void() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forgotten = true
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
		if ready && !exists {
			l.served = true // that is an answer; who is late may go on
		}
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

// chunk waits for the chunk at position at; nil is the end. A large listing
// does not go back to what was read before.
func (l *lister) chunk(ctx context.Context, r *reader, at int) ([]record.Child, error) {
	for {
		l.mu.Lock()
		if at < l.gone {
			l.mu.Unlock()
			return nil, &plugins.Error{Kind: plugins.Unsupported, Op: "list", Path: l.path}
		}
		if r.at < at {
			r.at = at
			l.trim()
		}
		if i := at - l.gone; i < len(l.chunks) {
			defer l.mu.Unlock()
			return l.chunks[i], nil
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

// trim drops the chunks of a large listing that all have read. l.mu is held.
func (l *lister) trim() {
	if !l.large || len(l.readers) == 0 {
		return
	}
	read := slices.MinFunc(l.readers, func(a, b *reader) int { return a.at - b.at }).at
	for l.gone < read && len(l.chunks) > 0 {
		l.chunks[0] = nil
		l.chunks = l.chunks[1:]
		l.gone++
	}
	l.news()
}

// publish gives a chunk to the readers and reports whether more is wanted.
func (l *lister) publish(chunk []record.Child) bool {
	if l.f.outside.Veil.AwaitedIn(l.path) {
		for i := range chunk {
			c, p := &chunk[i], path.Join(l.path, chunk[i].Name)
			c.Facts = c.Only(func(r *record.Replica) bool { return l.shows(p, r, c.Replicas) })
		}
		chunk = slices.DeleteFunc(chunk, func(c record.Child) bool { return !c.Exists() })
	}
	if l.result != nil {
		l.result.Append(chunk)
	}
	large := l.result == nil || l.f.largest > 0 && l.result.Bytes() > l.f.largest
	l.mu.Lock()
	defer l.mu.Unlock()
	l.chunks = append(l.chunks, chunk)
	if large && !l.large {
		l.large, l.result = true, nil
		l.trim()
	}
	l.news()
	for l.large && l.ctx.Err() == nil {
		if len(l.readers) == 0 {
			l.stop() // nobody wants it, and it cannot be kept
			break
		}
		if slices.ContainsFunc(l.readers, func(r *reader) bool { return r.at+ahead > l.gone+len(l.chunks) }) {
			break
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-l.ctx.Done():
		}
		l.mu.Lock()
	}
	return l.ctx.Err() == nil
}

// run lists the directory at all candidates and merges what they send.
func (l *lister) run() {
	defer func() {
		l.stop()
		l.f.listers.land(l.path, func(other *lister) bool { return other == l })
		l.f.leave(l.g)
	}()
	if !l.fresh {
		if recalled := l.f.recallListing(l.ctx, l.g, l.path); recalled != nil {
			l.prior, l.fresh = recalled, true
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	var sources []*source
	news := make(chan struct{}, 1)
	members := l.g.listers(l.path)
	if l.prior != nil {
		l.prior = l.f.only(l.prior, func(id record.ID) bool {
			return slices.ContainsFunc(members, func(m *member) bool { return m.ID == id })
		})
	}
	for _, m := range members {
		if l.trusts(m.ID) || m.state.Condition() == health.Down {
			continue
		}
		for via, dir := range m.Names.Listable(l.path) {
			if via == maxVia {
				break
			}
			s := l.source(m, dir, uint8(via), news)
			sources = append(sources, s)
			wg.Go(func() { s.run(l.ctx, l.began) })
		}
	}
	ready, late := l.gather(sources, news)
	l.mu.Lock()
	l.final = true
	l.exists = l.fresh && l.prior.Exists
	for _, s := range ready {
		ended := isClosed(s.ended)
		l.exists = l.exists || !ended || s.reply == holds || s.some
		l.final = l.final && ended
	}
	if l.final {
		l.heard, _ = l.tally(sources)
	}
	l.merging = true
	l.news()
	l.mu.Unlock()

	learned := l.began
	if l.fresh {
		learned = l.prior.Learned
	}
	l.result = &record.Listing{Learned: learned}
	merge(ready, l.began, l.prior, func(r *record.Replica) bool { return l.stands(r, sources) }, l.publish)
	covered, silences := l.tally(sources)
	// Kept before it is said to have ended: who opens a file right after
	// listing its directory finds it.
	l.keep(l.result, covered, silences)
	l.mu.Lock()
	l.ended = true
	l.heard = covered
	l.news()
	l.mu.Unlock()

	// Those who were not waited for still fill the cache.
	before := l.result
	if len(late) == 0 || before == nil || l.ctx.Err() != nil {
		return
	}
	for _, s := range late {
		s.late = false
	}
	again := &record.Listing{Learned: learned}
	merge(late, l.began, before, func(r *record.Replica) bool { return l.stands(r, late) }, func(chunk []record.Child) bool {
		if again.Append(chunk); l.f.largest > 0 && again.Bytes() > l.f.largest {
			l.stop()
		}
		return l.ctx.Err() == nil
	})
	covered, silences = l.tally(sources)
	l.mu.Lock()
	l.exists = l.exists || slices.ContainsFunc(late, func(s *source) bool { return s.reply == holds || s.some })
	l.mu.Unlock()
	l.keep(again, covered, silences)
}

// shows reports whether a copy of what is being written is to be seen beside the
// others. That a file is written over does not make its name go.
func (l *lister) shows(p string, r *record.Replica, all []record.Replica) bool {
	part, over := l.f.outside.Veil.Part(p, r)
	return !(part && (!over || len(all) > 1)) && !l.f.outside.Veil.Outdated(p, r, all, sure)
}

// sure doubts no endpoint: a listing says itself whose word is not in it.
func sure(record.ID) bool { return false }

// hides reports whether a child that an endpoint has is not to be seen.
func (l *lister) hides(name string, r *record.Replica) bool {
	return name == plugins.Staging || l.f.outside.Veil.Hides(path.Join(l.path, name), r)
}

// trusts reports whether what prior says of an endpoint need not be asked.
func (l *lister) trusts(id record.ID) bool { return l.fresh && l.prior.Coverage.Has(id) }

// stands reports whether a replica that was known before is still held to be
// there, while sources are merged and have come past its name.
func (l *lister) stands(r *record.Replica, sources []*source) bool {
	if l.trusts(r.Endpoint) {
		return true
	}
	for _, s := range sources {
		if s.m.ID == r.Endpoint && s.via == r.Via {
			return (s.late || s.failed()) && l.g.oldest(r.Learned) > l.began
		}
	}
	// It was not asked: it is down, or was dealt with before.
	return l.g.oldest(r.Learned) > l.began
}

// tally says who has answered and who has not: an endpoint is covered when
// each of its paths was listed to the end or denied. It waits for all sources
// but the late ones.
func (l *lister) tally(sources []*source) (covered []record.ID, silences []record.Silence) {
	if l.fresh {
		covered = slices.Clone(l.prior.Coverage.IDs())
		silences = slices.DeleteFunc(slices.Clone(l.prior.Silences), func(q record.Silence) bool {
			return slices.ContainsFunc(sources, func(s *source) bool { return s.m.ID == q.Endpoint })
		})
	}
	now := time.Now().UnixNano()
	for len(sources) > 0 {
		m := sources[0].m
		var why plugins.Kind
		for len(sources) > 0 && sources[0].m == m {
			switch s := sources[0]; {
			case s.late:
				why = plugins.Timeout
			case s.silent():
				why = s.kind
			}
			sources = sources[1:]
		}
		if why == 0 {
			covered = append(covered, m.ID)
			continue
		}
		silences = append(silences, record.Silence{
			Endpoint: m.ID, Kind: why, Until: now + int64(l.g.hush(why)), Recovery: m.state.Recoveries(),
		})
	}
	return covered, silences
}

// keep puts the listing into the cache, unless nobody has the directory, it is
// too large, or it may be wrong already.
func (l *lister) keep(result *record.Listing, covered []record.ID, silences []record.Silence) {
	if result == nil || l.ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	result.Coverage = l.f.sets.Of(covered)
	result.Silences = silences
	result.Exists = l.exists
	if !result.Exists || l.forgotten || l.f.outside.Veil.AwaitedIn(l.path) {
		return
	}
	l.f.rememberListing(l.path, result, l.g)
	if slices.ContainsFunc(covered, func(id record.ID) bool { return !l.trusts(id) }) {
		l.f.shareListing(l.path, result, l.g)
	}
}
