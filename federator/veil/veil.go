// Package veil hides from all front ends what was deleted or written over and
// has not gone yet, and knows what is being written.
//
// What dies is buried: a Grave names one endpoint's copy of a path, and while
// it is there no answer shows that copy. Graves are told to the veils of other
// front ends at once (federator.Tell), and kept in the Ledger that they share,
// so that they outlive them all. A copy that is not the one that died, because
// its size or its time is another, is alive and shows.
//
// What is being written is awaited: what endpoints say of such a path is told
// to those who ask, and not remembered. A file that a client sends to an endpoint
// itself is Coming: what is smaller than it is to be is a part of it, which readers
// do not see; and when it has come, what it takes the place of is out of sight.
//
// The veil only knows and tells. Removing what is buried is for package write.
package veil

import (
	"context"
	"encoding/json"
	"log/slog"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"canopy/federator"
	"canopy/federator/record"
)

// Ledger keeps graves, and what else is still to be done, for all front ends
// that share it and beyond their lives. Its methods may be called concurrently.
type Ledger interface {
	// Put keeps value under key until Delete.
	Put(ctx context.Context, key string, value []byte) error
	Delete(ctx context.Context, key string) error
	// Has reports whether anything is kept under key.
	Has(ctx context.Context, key string) (bool, error)
	// All returns everything that is kept.
	All(ctx context.Context) (map[string][]byte, error)
}

// Veil hides what was deleted or written over and has not gone yet, and knows
// what is being written. It is made before the federator that looks through it.
type Veil struct {
	ledger Ledger // nil keeps graves in this process only
	f      *federator.Federator
	log    *slog.Logger

	busy atomic.Int64 // how many graves and awaited paths there are: mostly none

	mu      sync.RWMutex
	graves  map[string][]Grave
	awaited map[string][]awaited
	dirs    map[string]int // how many awaited are in a directory
	ended   ended
	news    chan string
	// filled are graves that are no more, by place, with when they were dug: an
	// old word, or an old look into the ledger, does not dig them again.
	filled map[string]int64
}

var _ federator.Veil = (*Veil)(nil)

// New returns a veil that hides nothing yet. ledger may be nil.
func New(ledger Ledger) *Veil {
	return &Veil{ledger: ledger, graves: make(map[string][]Grave), awaited: make(map[string][]awaited), dirs: make(map[string]int), filled: make(map[string]int64), news: make(chan string, mostNews)}
}

// mostNews is how many paths may wait for whoever hears the News.
const mostNews = 1000

// Attach gives the veil the federator that looks through it, by which it speaks
// to others. It is called once, before anything is buried or awaited.
func (v *Veil) Attach(f *federator.Federator, log *slog.Logger) { v.f, v.log = f, log }

// Hides implements federator.Veil.
func (v *Veil) Hides(p string, r *record.Replica) bool {
	return v.lies(p, func(g *Grave) bool { return g.Holds(p, r) })
}

// Buried implements federator.Veil.
func (v *Veil) Buried(p string, id record.ID) bool {
	return v.lies(p, func(g *Grave) bool { return g.Endpoint == id })
}

// lies reports whether is is true of a grave of p, or of a tree that p lies in.
func (v *Veil) lies(p string, is func(*Grave) bool) bool {
	if v.busy.Load() == 0 {
		return false
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	for at := p; ; at = path.Dir(at) {
		for i := range v.graves[at] {
			if g := &v.graves[at][i]; (at == p || g.Tree) && is(g) {
				return true
			}
		}
		if at == "/" || at == "." {
			return false
		}
	}
}

// The words by which veils tell each other what they know, before JSON, and by which
// they ask for it.
const (
	wordAwait  = "await "
	wordDone   = "done "
	wordAsk    = "ask"
	wordBury   = "bury "
	wordUnbury = "unbury "
)

// Heard implements federator.Veil. What it takes comes from outside.
func (v *Veil) Heard(word string) {
	switch {
	case word == wordAsk:
		v.repeat()
	case strings.HasPrefix(word, wordAwait):
		var a awaited
		if json.Unmarshal([]byte(word[len(wordAwait):]), &a) == nil && path.IsAbs(string(a.Path)) {
			v.expect(a)
		}
	case strings.HasPrefix(word, wordDone):
		var a awaited
		if json.Unmarshal([]byte(word[len(wordDone):]), &a) == nil {
			v.arrived(a)
		}
	case strings.HasPrefix(word, wordBury):
		var g Grave
		if json.Unmarshal([]byte(word[len(wordBury):]), &g) == nil && path.IsAbs(string(g.Path)) {
			g.heard = time.Now().UnixNano()
			v.dig(g)
		}
	case strings.HasPrefix(word, wordUnbury):
		var g Grave
		if json.Unmarshal([]byte(word[len(wordUnbury):]), &g) == nil {
			v.fill(g)
		}
	}
}

func (v *Veil) say(word string, x any) {
	b, err := json.Marshal(x)
	if err != nil {
		return // there is nothing in them that cannot be marshalled
	}
	v.f.Tell(word + string(b))
}

// Bury hides copies everywhere, and reports which of them that outlives the
// front ends that run now. Clocks of front ends may differ: what is buried now
// was dug after all that was dug there before, and graves tells so afterwards.
func (v *Veil) Bury(ctx context.Context, graves []Grave) (kept []bool) {
	kept = make([]bool, len(graves))
	before := make([][]Grave, len(graves))
	for i := range graves { // all at once, for whoever reads meanwhile
		g := &graves[i]
		v.mu.RLock()
		g.Dug = max(g.Dug, v.latest(g)+1)
		before[i] = slices.DeleteFunc(slices.Clone(v.graves[string(g.Path)]), func(old Grave) bool { return old.Endpoint != g.Endpoint })
		v.mu.RUnlock()
		v.dig(*g)
		v.say(wordBury, *g)
	}
	if v.ledger == nil {
		return kept
	}
	for i, g := range graves {
		if err := v.keep(ctx, g); err != nil {
			v.log.Warn("what is to be removed would be forgotten if all front ends stop before", "path", string(g.Path), "err", err)
			g.unkept = true
			v.dig(g)
			continue
		}
		kept[i] = true
		for _, old := range before[i] {
			// Who takes the new one out knows nothing of it.
			if err := v.ledger.Delete(ctx, old.Key()); err != nil {
				v.log.Info("a grave stays in the ledger for now", "path", string(g.Path), "err", err)
			}
		}
	}
	return kept
}

// Unbury forgets a grave whose copy has gone.
func (v *Veil) Unbury(ctx context.Context, g Grave) {
	if v.ledger != nil {
		if err := v.ledger.Delete(ctx, g.Key()); err != nil {
			v.log.Warn("a grave stays in the ledger", "path", string(g.Path), "err", err)
			return
		}
	}
	v.fill(g)
	v.say(wordUnbury, g)
}

// Left returns those graves that nobody has dug yet: of what was to be buried by
// whoever comes first, others may have seen to it.
func (v *Veil) Left(graves []Grave) []Grave {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.DeleteFunc(slices.Clone(graves), func(g Grave) bool { return g.Dug <= v.latest(&g) })
}

// latest is when the last grave of the same copy was dug that there is, or was. The
// lock is held.
func (v *Veil) latest(g *Grave) int64 {
	last := v.filled[g.place()]
	for i := range v.graves[string(g.Path)] {
		if old := &v.graves[string(g.Path)][i]; old.Endpoint == g.Endpoint {
			last = max(last, old.Dug)
		}
	}
	return last
}

func (v *Veil) dig(g Grave) {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := string(g.Path)
	if v.over(&g) {
		return
	}
	for i, old := range v.graves[p] {
		if old.Endpoint == g.Endpoint {
			if old.Dug <= g.Dug {
				if old.Dug == g.Dug { // told once more
					g.kept, g.unkept = max(g.kept, old.kept), g.unkept || old.unkept
				}
				if !old.Seen && !g.Seen {
					g.Since = max(g.Since, old.Since)
				}
				v.graves[p][i] = g
			}
			return
		}
	}
	v.graves[p] = append(v.graves[p], g)
	v.busy.Add(1)
}

// over reports whether a grave, or a later one of the same copy, is no more. The
// lock is held.
func (v *Veil) over(g *Grave) bool {
	since, ok := v.filled[g.place()]
	return ok && g.Dug <= since
}

// mostFilled bounds how many graves are remembered that are no more.
const mostFilled = 100_000

func (v *Veil) fill(g Grave) {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := string(g.Path)
	if len(v.filled) >= mostFilled {
		clear(v.filled)
	}
	v.filled[g.place()] = max(g.Dug, v.filled[g.place()])
	all := v.graves[p]
	for i, old := range all {
		if old.Endpoint == g.Endpoint && old.Dug <= g.Dug {
			kept := append(append([]Grave(nil), all[:i]...), all[i+1:]...)
			if len(kept) == 0 {
				delete(v.graves, p)
			} else {
				v.graves[p] = kept
			}
			v.busy.Add(-1)
			return
		}
	}
}

// Has reports whether a grave is still there.
func (v *Veil) Has(g Grave) bool {
	for _, is := range v.Graves(string(g.Path)) {
		if is.Endpoint == g.Endpoint && is.Dug == g.Dug {
			return true
		}
	}
	return false
}

// Lasts reports whether a grave is still there for all front ends: words of others
// come a little later than what they did, but what is no more is not in the ledger.
// Without one, and for a grave that could not be kept, it is what Has says.
func (v *Veil) Lasts(ctx context.Context, g Grave) (bool, error) {
	if v.ledger == nil || g.unkept {
		return v.Has(g), nil
	}
	kept, err := v.ledger.Has(ctx, g.Key())
	return kept && v.Has(g), err
}

// Graves returns the graves; those of one path if p is not "".
func (v *Veil) Graves(p string) []Grave {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if p != "" {
		return append([]Grave(nil), v.graves[p]...)
	}
	var all []Grave
	for _, g := range v.graves {
		all = append(all, g...)
	}
	return all
}

// Restore makes the graves those that the ledger has, and returns what else is
// in it, by key.
func (v *Veil) Restore(ctx context.Context) (others map[string][]byte, err error) {
	if v.ledger == nil {
		return nil, nil
	}
	began := time.Now().UnixNano()
	kept, err := v.ledger.All(ctx)
	if err != nil {
		return nil, err
	}
	others = make(map[string][]byte)
	for key, b := range kept {
		if !strings.HasPrefix(key, "/") {
			others[key] = b
			continue
		}
		var g Grave
		if json.Unmarshal(b, &g) != nil || !path.IsAbs(string(g.Path)) {
			continue
		}
		g.kept = began
		v.mu.RLock()
		known := g.Dug <= v.latest(&g)
		v.mu.RUnlock()
		v.dig(g)
		v.mu.RLock()
		over := v.over(&g)
		v.mu.RUnlock()
		if !known {
			v.f.Unlearn(string(g.Path), g.Tree) // it may remember what lies there
		}
		if over { // it was kept after it was no more, or while a later one was
			if err := v.ledger.Delete(ctx, key); err != nil {
				return nil, err
			}
		}
	}
	for _, g := range v.Graves("") {
		switch _, ok := kept[g.Key()]; {
		case ok || g.unkept:
		case g.kept != 0 && g.kept < began:
			v.fill(g) // somebody has, and we were not told
		case g.kept == 0 && g.heard < began-int64(keptWithin):
			// Who has dug it died before it was kept.
			if err := v.keep(ctx, g); err != nil {
				return nil, err
			}
		}
	}
	return others, nil
}

// keptWithin is how long a front end may take to keep a grave of which it has told.
const keptWithin = 5 * time.Second

// keep has the ledger keep a grave.
func (v *Veil) keep(ctx context.Context, g Grave) error {
	b, err := json.Marshal(g)
	if err == nil {
		err = v.ledger.Put(ctx, g.Key(), b)
	}
	if err == nil {
		g.kept = time.Now().UnixNano()
		v.dig(g)
	}
	return err
}
