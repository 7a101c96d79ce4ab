package federator

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"canopy/federator/health"
	"canopy/federator/record"
	"canopy/plugins"
)

// item is one name from one endpoint, as small as can be: a merge may hold a
// million.
type item struct {
	name    string
	replica record.Replica
}

// batchSize is how many names travel from a source to the merge at once.
const batchSize = 256

// source is one endpoint's directory being listed, in order of name. Where
// the endpoint does not keep that order, the source waits for all names and
// sorts them.
type source struct {
	m   *member
	dir string // the endpoint's own path
	via uint8

	batches chan []item
	batch   []item // what the merge has of it
	// begun is closed when the first word has come: a name, or the end.
	begun chan struct{}
	// ended is closed when there is no more; what follows is then set.
	ended chan struct{}
	reply reply
	kind  plugins.Kind
	some  bool // any names came at all
	once  sync.Once
	// news is signalled after begun and after ended.
	news chan<- struct{}
}

func newSource(m *member, dir string, via uint8, news chan<- struct{}) *source {
	return &source{m: m, dir: dir, via: via, news: news, batches: make(chan []item, 4), begun: make(chan struct{}), ended: make(chan struct{})}
}

// ready reports whether merging can begin with the source.
func (s *source) ready() bool {
	return isClosed(s.ended) || s.m.can.Ordered && isClosed(s.begun)
}

func (s *source) tell() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// run lists the directory until its end or that of ctx.
func (s *source) run(ctx context.Context, learned int64) {
	began := time.Now()
	first := func() {
		s.once.Do(func() {
			took := time.Since(began)
			s.m.state.Answered(health.List, 0, took, time.Now().UnixNano())
			s.some = true
			close(s.begun)
			s.tell()
		})
	}
	var all []item
	batch := make([]item, 0, batchSize)
	send := func(b []item) bool {
		select {
		case s.batches <- b:
			return true
		case <-ctx.Done():
			return false
		}
	}
	var failed error
	sorted := true
	for e, err := range s.m.can.Lister.List(ctx, s.dir) {
		if err != nil {
			failed = err
			break
		}
		if !sound(&e) {
			failed = &plugins.Error{Kind: plugins.Malformed, Op: "list", Path: s.dir}
			break
		}
		first()
		it := item{e.Name, record.Of(s.m.ID, s.via, &e, learned)}
		if !s.m.can.Ordered {
			sorted = sorted && (len(all) == 0 || all[len(all)-1].name < it.name)
			all = append(all, it)
			continue
		}
		if batch = append(batch, it); len(batch) == batchSize {
			if !send(batch) {
				failed = ctx.Err()
				break
			}
			batch = make([]item, 0, batchSize)
		}
	}
	if !sorted {
		slices.SortStableFunc(all, func(a, b item) int { return cmp.Compare(a.name, b.name) })
		all = slices.CompactFunc(all, func(a, b item) bool { return a.name == b.name })
	}
	if !s.m.can.Ordered {
		batch = all
	}
	kind := plugins.KindOf(failed)
	if kind == plugins.Canceled && ctx.Err() == context.DeadlineExceeded {
		kind = plugins.Timeout
	}
	s.m.observed("list", failed, time.Since(began))
	switch {
	case failed == nil:
		s.reply = holds
	case kind == plugins.NotFound || kind == plugins.NotDirectory:
		s.reply = denies
		s.m.state.Answered(health.List, kind, time.Since(began), time.Now().UnixNano())
	default:
		s.reply, s.kind = silent, kind
		s.m.state.Answered(health.List, kind, time.Since(began), time.Now().UnixNano())
	}
	if len(batch) > 0 {
		send(batch)
	}
	close(s.batches)
	close(s.ended)
	s.once.Do(func() {
		if failed == nil { // an empty directory
			s.m.state.Answered(health.List, 0, time.Since(began), time.Now().UnixNano())
		}
		close(s.begun)
	})
	s.tell()
}

// sound reports whether an entry can be a child: endpoints are not trusted to
// keep to one component.
func sound(e *plugins.Entry) bool {
	return e.Name != "" && e.Name != "." && e.Name != ".." && !strings.ContainsAny(e.Name, "/\x00") &&
		(e.Kind == plugins.File || e.Kind == plugins.Directory)
}

// head returns the next name of the source, waiting for it, or nil at its end.
func (s *source) head() *item {
	for len(s.batch) == 0 {
		b, ok := <-s.batches
		if !ok {
			return nil
		}
		s.batch = b
	}
	return &s.batch[0]
}

func (s *source) next() { s.batch = s.batch[1:] }

// chunkSize is how many children are published at a time.
const chunkSize = 512

// merge combines sources and the children already known, all in order of
// name, and publishes chunks of children. What is known of an endpoint that
// is listed anew must not be in base.
func merge(sources []*source, base *record.Listing, publish func([]record.Child)) {
	var known []*record.Child
	if base != nil {
		known = slices.AppendSeq(make([]*record.Child, 0, base.Len()), base.Children())
	}
	chunk := make([]record.Child, 0, chunkSize)
	slab := make([]record.Replica, 0, chunkSize)
	heads := make([]*item, len(sources))
	for {
		least, found := "", false
		for i, s := range sources {
			if heads[i] = s.head(); heads[i] != nil && (!found || heads[i].name < least) {
				least, found = heads[i].name, true
			}
		}
		if len(known) > 0 && (!found || known[0].Name <= least) {
			least, found = known[0].Name, true
		}
		if !found {
			break
		}
		if cap(slab)-len(slab) < len(sources) {
			slab = make([]record.Replica, 0, max(chunkSize, len(sources)))
		}
		from := len(slab)
		for i, h := range heads {
			if h != nil && h.name == least {
				// An endpoint that is listed at several of its own paths has
				// the first of them count.
				if s := sources[i]; len(slab) == from || slab[len(slab)-1].Endpoint != s.m.ID {
					slab = append(slab, h.replica)
				}
				sources[i].next()
			}
		}
		replicas := slab[from:len(slab):len(slab)]
		if len(known) > 0 && known[0].Name == least {
			for _, r := range known[0].Replicas {
				if !slices.ContainsFunc(sources, func(s *source) bool { return s.m.ID == r.Endpoint }) {
					replicas = append(replicas, r)
				}
			}
			known = known[1:]
		}
		if len(replicas) == 0 {
			continue
		}
		chunk = append(chunk, record.Child{Name: least, Facts: record.Agree(replicas)})
		if len(chunk) == chunkSize {
			publish(chunk)
			chunk = make([]record.Child, 0, chunkSize)
		}
	}
	if len(chunk) > 0 {
		publish(slices.Clip(chunk))
	}
}
