package federator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"canopy/cache"
	"canopy/federator/choice"
	"canopy/federator/health"
	"canopy/federator/record"
	"canopy/plugins"
)

// Found is what is known of a path that exists, or may.
type Found struct {
	*record.Record
	// Virtual is whether the path is a directory by configuration, whoever
	// has it.
	Virtual bool
	// Stale is whether the record has passed its time; Age is how long ago an
	// endpoint last said so.
	Stale bool
	Age   time.Duration
	// Missing are the endpoints whose word is not in the record.
	Missing []string
}

// Kind returns what the path is.
func (f *Found) Kind() plugins.EntryKind {
	if f.Virtual {
		return plugins.Directory
	}
	return f.Record.Kind()
}

// Absent is the error for a path that nobody has. Missing are those who could
// not be asked and are held not to matter.
type Absent struct {
	Path    string
	Missing []string
	// touched is whether the path was written to while it was asked for.
	touched bool
}

func (e *Absent) Error() string {
	if len(e.Missing) > 0 {
		return fmt.Sprintf("%q is on none of the endpoints that could be asked; silent: %s", e.Path, strings.Join(e.Missing, ", "))
	}
	return fmt.Sprintf("%q is on none of the endpoints", e.Path)
}

// Unknown is the error for a path of which nobody can say whether it exists,
// or where no live replica of it is.
type Unknown struct {
	Path    string
	Missing []string
	// RetryAfter is when asking again may help.
	RetryAfter time.Duration
}

func (e *Unknown) Error() string {
	return fmt.Sprintf("%q may be on an endpoint that cannot be asked: %s", e.Path, strings.Join(e.Missing, ", "))
}

// retryAfter is what clients are told to wait: about the time in which a
// probe finds an endpoint that has come back.
const retryAfter = 5 * time.Second

// Lookup finds out what path is. path is absolute and clean. The error is an
// *Absent, an *Unknown, or that of ctx.
func (f *Federator) Lookup(ctx context.Context, path string, need Need, c *choice.Client) (Found, error) {
	found, err := f.lookup(ctx, path, need, c)
	for range f.again(ctx, path, &err) {
		found, err = f.lookup(ctx, path, need, c)
	}
	return found, err
}

// again yields as long as it makes sense to ask for path once more after err, a
// little later each time.
func (f *Federator) again(ctx context.Context, path string, err *error) func(yield func() bool) {
	return func(yield func() bool) {
		if !f.promising(ctx, *err) && !f.elusive(path, *err) || !yield() {
			return
		}
		for pause := soonestAgain; pause <= latestAgain && f.elusive(path, *err); pause *= 2 {
			timer := time.NewTimer(pause)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return
			}
			if !yield() {
				return
			}
		}
	}
}

// How long is waited before an elusive path is asked for again: some storages
// have a file that is moved over another missing for a moment.
const soonestAgain, latestAgain = 10 * time.Millisecond, 40 * time.Millisecond

// elusive reports whether a path that nobody has may have slipped through: it is
// being written to, or has been since it was asked for, so one endpoint may have
// answered before the file came there, and another after it had gone from there.
func (f *Federator) elusive(path string, err error) bool {
	var absent *Absent
	return errors.As(err, &absent) && (absent.touched || f.outside.Veil.Awaited(path))
}

// Ask is Lookup for whoever is about to change path: all endpoints that can be
// asked are, now, whatever is known. What was known of the others still counts.
func (f *Federator) Ask(ctx context.Context, path string, c *choice.Client) (Found, error) {
	found, err := f.ask(ctx, path, c)
	if f.elusive(path, err) {
		return f.ask(ctx, path, c)
	}
	return found, err
}

func (f *Federator) ask(ctx context.Context, path string, c *choice.Client) (Found, error) {
	prior := f.known(f.gen.Load(), path, time.Now().UnixNano())
	if prior.Record != nil {
		prior.state = cache.Stale
	}
	f.flights.leave(path, (*flight).void) // one that began before may have had its answers
	f.counters.Misses.Add(1)
	fl := f.fly(path, prior, afresh)
	r, err := fl.wait(ctx, All, c)
	fl.part()
	if err != nil {
		return Found{}, err
	}
	return f.learned(fl, r)
}

// learned gives the verdict on what a flight has found.
func (f *Federator) learned(fl *flight, r *record.Record) (Found, error) {
	found, err := f.found(fl.g, fl.path, known{Record: r, learned: fl.began, state: cache.Fresh}, time.Now().UnixNano())
	var absent *Absent
	if errors.As(err, &absent) {
		fl.mu.Lock()
		absent.touched = fl.forgotten
		fl.mu.Unlock()
	}
	return found, err
}

func (f *Federator) lookup(ctx context.Context, path string, need Need, c *choice.Client) (Found, error) {
	g := f.gen.Load()
	now := time.Now().UnixNano()
	k := f.known(g, path, now)
	if f.outside.Veil.Awaited(path) {
		need = All // whoever answers first may be the one that is written over
	}
	switch {
	case k.state == cache.Fresh && f.settled(g, path, k.Record, now):
		f.counters.Hits.Add(1)
		return f.found(g, path, k, now)
	case k.state == cache.Stale && k.Exists() && g.offers(k.Record, now):
		f.counters.StaleHits.Add(1)
		f.fly(path, k, unattended)
		return f.found(g, path, k, now)
	}
	if _, ok := g.virtual(path); ok && need != All {
		return Found{Record: &record.Record{}, Virtual: true}, nil
	}
	f.counters.Misses.Add(1)
	fl := f.fly(path, k, attended)
	r, err := fl.wait(ctx, need, c)
	fl.part()
	if err != nil {
		return Found{}, err
	}
	return f.learned(fl, r)
}

// settled reports whether nobody is left who should be asked before a fresh
// record is believed.
func (f *Federator) settled(g *generation, path string, r *record.Record, now int64) bool {
	if r.Checked.Load() == g.number {
		return true
	}
	if !r.Asked && r.Kind() == plugins.File && r.Size() < 0 {
		return false // a listing without sizes; the endpoints know more
	}
	candidates := g.candidates(path)
	if !g.complete(candidates, r.Coverage, r.Silences, now) {
		return false
	}
	if len(missing(candidates, r.Coverage)) == 0 {
		r.Checked.Store(g.number)
	}
	return true
}

// found gives the verdict on what is known of path.
func (f *Federator) found(g *generation, path string, k known, now int64) (Found, error) {
	var candidates []*member
	var silent []string
	if k.Checked.Load() != g.number {
		candidates = g.candidates(path)
		silent = missing(candidates, k.Coverage)
	}
	if _, ok := g.virtual(path); ok {
		// Whatever endpoints have by this name, the tree below is reached.
		r := k.Record
		if r.Kind() != plugins.Directory {
			r = &record.Record{}
		}
		return Found{Record: r, Virtual: true, Missing: silent}, nil
	}
	if k.Exists() {
		// A record may be of now and yet rest on the word of an endpoint that
		// was silent when it was made.
		age := max(0, now-k.Confirmed())
		return Found{
			Record: k.Record, Missing: silent, Age: time.Duration(age),
			Stale: k.state == cache.Stale || age > int64(g.EntryTTL),
		}, nil
	}
	if len(silent) == 0 || g.Unknown == AlwaysAbsent {
		return Found{}, &Absent{Path: path, Missing: silent}
	}
	if g.Unknown == AlwaysUnavailable || f.evidence(g, path, candidates, k.Record, now) {
		return Found{}, &Unknown{Path: path, Missing: silent, RetryAfter: retryAfter}
	}
	return Found{}, &Absent{Path: path, Missing: silent}
}

// evidence reports whether anything suggests that one of the candidates who
// have not answered holds path.
func (f *Federator) evidence(g *generation, p string, candidates []*member, r *record.Record, now int64) bool {
	dir, name := split(p)
	listing := f.listed(dir, now)
	for _, m := range candidates {
		if r.Coverage.Has(m.ID) || f.outside.Veil.Buried(p, m.ID) {
			continue
		}
		if listing != nil {
			if child := listing.Find(name); child != nil {
				if _, ok := child.By(m.ID); ok {
					return true
				}
			}
		}
		if s, ok := r.Silent(m.ID); ok {
			switch s.Kind {
			case plugins.Denied, plugins.Unsupported, plugins.Invalid:
				continue // it lives, and will not speak of this path today or tomorrow
			}
			if m.state.Condition() != health.Down {
				return true
			}
		} else if m.state.Condition() != health.Down {
			return true // not waited for: it may answer any moment
		}
		if now-m.state.Since() < int64(g.DoubtFor) {
			return true
		}
	}
	return false
}
