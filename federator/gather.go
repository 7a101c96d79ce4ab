package federator

import (
	"slices"
	"time"

	"canopy/federator/health"
)

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// gather waits until the sources can be merged: each has ended, or keeps its
// order and has begun. A source that has begun is waited for as long as it
// goes on, one that has not until its limit; those beyond it are late. news is
// signalled whenever a source begins or ends.
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
		proved := slices.ContainsFunc(ready, func(s *source) bool { return !isClosed(s.ended) || s.reply == holds || s.some })
		var next time.Time // when somebody is given up
		waiting = slices.DeleteFunc(waiting, func(s *source) bool {
			if isClosed(s.begun) {
				return false
			}
			until := l.limit(s, now, start, lastReady, proved)
			if s.late = !now.Before(until); s.late {
				s.m.state.Overdue(now.UnixNano())
				late = append(late, s)
			} else if next.IsZero() || until.Before(next) {
				next = until
			}
			return s.late
		})
		if len(waiting) == 0 {
			// In the order of the configuration, so that merging is steady.
			order := func(a, b *source) int { return slices.Index(sources, a) - slices.Index(sources, b) }
			slices.SortFunc(ready, order)
			slices.SortFunc(late, order)
			return ready, late
		}
		var expired <-chan time.Time
		timer := (*time.Timer)(nil)
		if !next.IsZero() {
			timer = time.NewTimer(next.Sub(now))
			expired = timer.C
		}
		select {
		case <-news:
		case <-expired:
		}
		if timer != nil {
			timer.Stop()
		}
	}
}

// limit returns until when a source that has not begun is waited for; proved
// is whether anybody is known to have the directory.
//
// A listing that takes longer than is usual may be that of a large directory,
// or of an endpoint that is frozen. A probe tells them apart: it is given the
// time of a usual answer, and if the endpoint then shows no life it is not
// waited for, nor are others that are in the same doubt. Where nobody else
// has the directory, only an endpoint that hung the last time is given up.
func (l *lister) limit(s *source, now, start, lastReady time.Time, proved bool) time.Time {
	end := start.Add(l.g.Deadline)
	state := s.m.state
	slow := state.Condition() != health.Up
	switch {
	case !proved && slow && (state.Hung() || state.Condition() == health.Down):
		return earlier(lastReady.Add(l.g.Grace), end)
	case !proved:
		return end
	case !s.doubted.IsZero():
		if !slow {
			return end // it lives
		}
		return s.doubted
	case slow:
		return lastReady
	}
	patience := state.Patience(health.List)
	if patience == 0 {
		return end
	}
	until := start.Add(patience)
	if g := lastReady.Add(l.g.Grace); g.After(until) {
		until = g
	}
	if !now.Before(until) && now.Before(end) {
		state.Overdue(now.UnixNano())
		s.doubted = earlier(now.Add(max(state.Patience(health.Stat), l.g.Grace)), end)
		return s.doubted
	}
	return earlier(until, end)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
