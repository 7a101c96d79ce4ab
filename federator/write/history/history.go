// Package history remembers what clients asked of the paths of a federation
// and what they were told, and knows from that what may be found there.
//
// Each path is a register, which holds a version of a file or nothing. An
// operation takes effect at one moment between the request and its answer. One
// that was answered by an error, or by nothing, has taken effect within its
// time or never; so of two that overlap either may have been the last. A
// version may be found at a path unless something that is known to have been
// done came wholly between the version and the look (Judge).
//
// A move is a delete at one path and a write at the other. Of one that was not
// acknowledged both may be missing, or the delete alone: a delete without the
// write has lost a file, whoever was told what.
//
// Times are counted from the begin of the history.
package history

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Version names the content of a file; no two writes have the same.
type Version string

const (
	// Absent is the version of what is not there.
	Absent Version = ""
	// Present is what a Read has found that has not looked which it is.
	Present Version = "any"
)

// Kind is what an operation does.
type Kind uint8

// The operations.
const (
	Put Kind = iota
	Delete
	Move
	Read // of a file, or of its absence
)

var kinds = [...]string{"PUT", "DELETE", "MOVE", "read"}

// Op is one request and what came of it.
type Op struct {
	Kind Kind
	Path string
	// To is where a Move leads.
	To string
	// Version is what a Put has sent, or a Read has found.
	Version Version
	// Began and Ended are when the request was sent and when its answer was
	// there, or until when what has no answer may still have an effect.
	Began, Ended time.Duration
	// Done is whether success was acknowledged. A Read is always.
	Done bool
	// Client has sent it; Front is who answered, and Said the answer.
	Client, Front, Said string
}

func (o *Op) String() string {
	what := kinds[o.Kind] + " " + o.Path
	if o.Kind == Move {
		what += " to " + o.To
	}
	if o.Version != Absent {
		what += " " + string(o.Version)
	}
	return fmt.Sprintf("%10.3f to %10.3f  %s by %s: %s", o.Began.Seconds(), o.Ended.Seconds(), what, o.Client+" at "+o.Front, o.Said)
}

// Log is a history. Its methods may be called concurrently.
type Log struct {
	mu    sync.Mutex
	reads map[string][]*Op
	// changes are the effects that operations have, by path.
	changes map[string][]*change
	notes   []note
}

// note is what happened to all paths.
type note struct {
	at   time.Duration
	text string
}

// change is an operation at one of its paths.
type change struct {
	*Op
	writes bool // else it deletes
	// certain is whether it is known to have been done.
	certain bool
}

// New returns a history without anything in it: all paths are absent.
func New() *Log {
	return &Log{reads: make(map[string][]*Op), changes: make(map[string][]*change)}
}

// Add takes an operation up.
func (l *Log) Add(o Op) {
	l.mu.Lock()
	defer l.mu.Unlock()
	add := func(path string, writes bool) {
		l.changes[path] = append(l.changes[path], &change{Op: &o, writes: writes, certain: o.Done})
	}
	switch o.Kind {
	case Read:
		l.reads[o.Path] = append(l.reads[o.Path], &o)
	case Put:
		add(o.Path, true)
	case Delete:
		add(o.Path, false)
	case Move:
		add(o.Path, false)
		add(o.To, true)
	}
}

// Note takes up what is to be told with every path.
func (l *Log) Note(at time.Duration, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notes = append(l.notes, note{at, text})
}

// Paths returns all that were named, in order.
func (l *Log) Paths() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for p := range l.changes {
		all = append(all, p)
	}
	for p := range l.reads {
		all = append(all, p)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// mostLines bounds what is printed of one path.
const mostLines = 150

// Tell returns all that concerns a path and began before a moment, one operation
// a line, in the order in which they began, the latest of them, and all notes
// of that time.
func (l *Log) Tell(path string, before time.Duration) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []note
	for _, c := range l.changes[path] {
		all = append(all, note{c.Began, c.String()})
	}
	for _, r := range l.reads[path] {
		all = append(all, note{r.Began, r.String()})
	}
	for _, n := range l.notes {
		all = append(all, note{n.at, fmt.Sprintf("%10.3f                %s", n.at.Seconds(), n.text)})
	}
	all = slices.DeleteFunc(all, func(n note) bool { return n.at > before })
	slices.SortStableFunc(all, func(a, b note) int { return cmp.Compare(a.at, b.at) })
	var b strings.Builder
	if more := len(all) - mostLines; more > 0 {
		fmt.Fprintf(&b, "  (%d earlier)\n", more)
		all = all[more:]
	}
	for _, n := range all {
		fmt.Fprintf(&b, "  %s\n", n.text)
	}
	return b.String()
}
