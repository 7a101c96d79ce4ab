package history

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Fault is a path at which something was found that cannot be there.
type Fault struct {
	Path, What string
	// At is when that was.
	At time.Duration
}

// End is the time by which everything has come to its end.
const End = time.Duration(1<<63 - 1)

// Candidates returns the versions that may be at a path from one moment to
// another, in order.
func (l *Log) Candidates(path string, from, to time.Duration) []Version {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.candidates(path, from, to)))
}

func (l *Log) candidates(path string, from, to time.Duration) map[Version]bool {
	all := make(map[Version]bool)
	if l.covered(path, -1, from) == nil {
		all[Absent] = true
	}
	passed := make(map[*change]bool)
	for _, c := range l.last(path, from, to) {
		l.leaves(c, all, passed)
	}
	return all
}

// last returns the changes that may have been the last at a path from one moment
// to another.
func (l *Log) last(path string, from, to time.Duration) (last []*change) {
	for _, c := range l.changes[path] {
		if c.Began <= to && l.covered(path, c.Ended, from) == nil {
			last = append(last, c)
		}
	}
	return last
}

// leaves adds to all what may be at a path after a change. Moves that were passed
// already tell nothing new.
func (l *Log) leaves(c *change, all map[Version]bool, passed map[*change]bool) {
	switch {
	case !c.writes:
		all[Absent] = true
	case c.Kind == Put:
		all[c.Version] = true
	case !passed[c]:
		passed[c] = true
		for _, before := range l.last(c.Path, c.Began, c.Ended) {
			if before.writes { // nothing is not moved
				l.leaves(before, all, passed)
			}
		}
	}
}

// covered returns a change that is known to have been done after one moment
// and before another, nil if there is none.
func (l *Log) covered(path string, after, before time.Duration) *change {
	for _, c := range l.changes[path] {
		if c.certain && c.Began > after && c.Ended < before {
			return c
		}
	}
	return nil
}

// Judge returns what is wrong: at the end with what was found, which has each
// path that is not absent, and before with what was read. A front end may be
// behind by lag in what was done at another, and not at all in what was done
// at itself.
func (l *Log) Judge(found map[string]Version, lag time.Duration) (faults []Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for path := range l.reads {
		faults = append(faults, l.judgeReads(path, lag)...)
	}
	l.promote(found)
	paths := make(map[string]bool)
	for p := range l.changes {
		paths[p] = true
	}
	for p := range found {
		paths[p] = true
	}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		may := l.candidates(path, End, End)
		if is := found[path]; !may[is] {
			faults = append(faults, Fault{path, fmt.Sprintf("in the end %s is there, and only %s may be", named(is), list(may)), End})
		}
	}
	return faults
}

// promote makes sure that what a move has taken from one path is at the other:
// where nothing else can have deleted the file, the move has been done, though
// nobody was told.
func (l *Log) promote(found map[string]Version) {
	for path, changes := range l.changes {
		if found[path] != Absent {
			continue
		}
		var last []*change
		for _, c := range changes {
			if !c.writes && l.covered(path, c.Ended, End) == nil {
				last = append(last, c)
			}
		}
		if len(last) != 1 || last[0].certain || last[0].Kind != Move || l.covered(path, -1, End) == nil {
			continue
		}
		for _, c := range l.changes[last[0].To] {
			if c.Op == last[0].Op {
				c.certain = true
			}
		}
	}
}

func (l *Log) judgeReads(path string, lag time.Duration) (faults []Fault) {
	for _, r := range l.reads[path] {
		possible := r.Version == Absent && l.covering(path, -1, r, lag) == nil
		var why *change
		for _, c := range l.changes[path] {
			if possible {
				break
			}
			if c.Began > r.Ended || !l.shows(c, r.Version) {
				continue
			}
			why = l.covering(path, c.Ended, r, lag)
			possible = why == nil
		}
		switch {
		case possible:
		case why != nil:
			faults = append(faults, Fault{path, fmt.Sprintf("read of what was changed before:\n  %v\n  after\n  %v", r, why.Op), r.Ended})
		default:
			faults = append(faults, Fault{path, fmt.Sprintf("read of what was never there or was changed before:\n  %v", r), r.Ended})
		}
	}
	return faults
}

// shows reports whether a reader may find a version after a change.
func (l *Log) shows(c *change, v Version) bool {
	switch {
	case !c.writes:
		return v == Absent
	case v == Absent:
		return false
	case v == Present:
		return true
	case c.Kind == Put:
		return v == c.Version
	}
	all := make(map[Version]bool)
	l.leaves(c, all, make(map[*change]bool))
	return all[v]
}

// covering returns a change that was done after a moment and of which the
// reader must have known.
func (l *Log) covering(path string, after time.Duration, r *Op, lag time.Duration) *change {
	for _, c := range l.changes[path] {
		late := lag
		if c.Front == r.Front {
			late = 0
		}
		if c.certain && c.Began > after && c.Ended+late < r.Began {
			return c
		}
	}
	return nil
}

func named(v Version) string {
	if v == Absent {
		return "nothing"
	}
	return string(v)
}

func list(all map[Version]bool) string {
	text := ""
	for i, v := range slices.Sorted(maps.Keys(all)) {
		if i > 0 {
			text += ", "
		}
		text += named(v)
	}
	return text
}
