package federator

import (
	"context"
	"fmt"
	"sync"
	"time"

	"canopy/federator/health"
	"canopy/federator/record"
	"canopy/plugins"
)

// item is one name from one endpoint.
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
	// hides is asked for every child whether it is not to be seen.
	hides func(name string, r *record.Replica) bool

	batches chan []item
	batch   []item // what the merge has of it
	shelf   shelf  // of an endpoint without order
	next    int    // on the shelf
	now     item   // what head returned from it
	empty   bool   // the merge has had all

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

	// late is that it was not waited for, doubted until when a sign of life
	// is; both are of the lister.
	late    bool
	doubted time.Time
}

func (l *lister) source(m *member, dir string, via uint8, news chan<- struct{}) *source {
	return &source{m: m, dir: dir, via: via, hides: l.hides, news: news, batches: make(chan []item, 4), begun: make(chan struct{}), ended: make(chan struct{})}
}

// ready reports whether merging can begin with the source.
func (s *source) ready() bool {
	return isClosed(s.ended) || s.m.can.Ordered && isClosed(s.begun)
}

// silent waits for the end of the source and reports whether it was too soon.
func (s *source) silent() bool {
	<-s.ended
	return s.reply == silent
}

// failed reports whether the source, all of which was merged, ended too soon.
func (s *source) failed() bool { return s.empty && s.silent() }

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
			s.m.state.Answered(health.List, 0, time.Since(began), time.Now().UnixNano())
			s.some = true
			close(s.begun)
			s.tell()
		})
	}
	failed := s.list(ctx, learned, first)
	kind := plugins.KindOf(failed)
	s.m.observed("list", failed, time.Since(began))
	switch {
	case failed == nil:
		s.reply = holds
		s.once.Do(func() { // an empty directory
			s.m.state.Answered(health.List, 0, time.Since(began), time.Now().UnixNano())
			close(s.begun)
		})
	case kind == plugins.NotFound || kind == plugins.NotDirectory:
		s.reply = denies
		s.m.state.Answered(health.List, kind, time.Since(began), time.Now().UnixNano())
	default:
		s.reply, s.kind = silent, kind
		if s.some && kind != plugins.Canceled { // it may be a matter of this directory alone
			s.m.state.Broke()
		} else {
			s.m.state.Answered(health.List, kind, time.Since(began), time.Now().UnixNano())
		}
	}
	close(s.batches)
	close(s.ended)
	s.once.Do(func() { close(s.begun) })
	s.tell()
}

// list passes on, or puts on the shelf, what the endpoint has.
func (s *source) list(ctx context.Context, learned int64, first func()) error {
	malformed := func(why string, name string) error {
		return &plugins.Error{Kind: plugins.Malformed, Op: "list", Path: s.dir, Err: fmt.Errorf("%s: %.100q", why, name)}
	}
	var batch []item
	last := ""
	send := func() error {
		if len(batch) == 0 {
			return nil
		}
		select {
		case s.batches <- batch:
			batch = nil
			return nil
		case <-ctx.Done():
			return plugins.Fail("list", s.dir, ctx.Err())
		}
	}
	for e, err := range s.m.can.Lister.List(ctx, s.dir) {
		if err == nil && !sound(&e) {
			err = malformed("this cannot be the name of a child", e.Name)
		}
		if err == nil && s.m.can.Ordered && e.Name <= last {
			// A listing out of order would hide names from those who look
			// for them in it.
			err = malformed("this name is out of order", e.Name)
		}
		if err != nil {
			send()
			s.shelf.sort()
			return err
		}
		first()
		last = e.Name
		r := record.Of(s.m.ID, s.via, &e, learned)
		if s.hides(e.Name, &r) {
			continue
		}
		if !s.m.can.Ordered {
			if !s.shelf.put(e.Name, &r) {
				s.shelf.sort()
				return malformed("the directory is too large, from", e.Name)
			}
			continue
		}
		if batch == nil {
			batch = make([]item, 0, batchSize)
		}
		if batch = append(batch, item{e.Name, r}); len(batch) == batchSize {
			if err := send(); err != nil {
				return err
			}
		}
	}
	s.shelf.sort()
	return send()
}

// sound reports whether an entry can be a child.
func sound(e *plugins.Entry) bool {
	return record.ValidName(e.Name) && (e.Kind == plugins.File || e.Kind == plugins.Directory)
}

// head returns the next name of the source, waiting for it, or nil at its end.
// An endpoint without order must have ended.
func (s *source) head(learned int64) *item {
	if s.empty {
		return nil
	}
	if s.now.name != "" {
		return &s.now
	}
	for len(s.batch) == 0 {
		b, ok := <-s.batches
		if ok {
			s.batch = b
			continue
		}
		if s.next < len(s.shelf.at) {
			s.now = s.shelf.child(s.next, s.m.ID, s.via, learned)
			s.next++
			return &s.now
		}
		s.empty, s.shelf = true, shelf{}
		return nil
	}
	return &s.batch[0]
}

// pass goes on to the name after the head.
func (s *source) pass() {
	if s.now.name != "" {
		s.now.name = ""
		return
	}
	s.batch = s.batch[1:]
}
