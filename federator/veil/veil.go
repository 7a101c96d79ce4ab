// Package veil hides from all front ends what was deleted or written over and
// Has not gone yet, and knows what is being written.
//
// What dies is buried: a Grave names one endpoint's copy of a path, and while
// it is there no answer shows that copy. Graves are told to the veils of other
// front ends at once (federator.Tell), and kept in the Ledger that they share,
// so that they outlive them all. A copy that is not the one that died, because
// its size or its time is another, is alive and shows.
//
// What is being written is awaited: what endpoints say of such a path is told
// to those who ask, and not remembered.
//
// The veil only knows and tells. Removing what is buried is for package write.
package veil

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strconv"
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
	// filled are graves that are no more, by place, with when they were dug: an
	// old word, or an old look into the ledger, does not dig them again.
	filled map[string]int64
}

var _ federator.Veil = (*Veil)(nil)

// New returns a veil that hides nothing yet. ledger may be nil.
func New(ledger Ledger) *Veil {
	return &Veil{ledger: ledger, graves: make(map[string][]Grave), awaited: make(map[string][]awaited), dirs: make(map[string]int), filled: make(map[string]int64)}
}

// Attach gives the veil the federator that looks through it, by which it speaks
// to others. It is called once, before anything is buried or awaited.
func (v *Veil) Attach(f *federator.Federator, log *slog.Logger) { v.f, v.log = f, log }

// Grave is an endpoint's copy of a path that is dead.
type Grave struct {
	Path     Name      `json:"path"`
	Endpoint record.ID `json:"endpoint"`
	// Size and ModTime are those of the copy when it was seen last, if Seen:
	// another one is alive.
	Seen    bool  `json:"seen,omitempty"`
	Size    int64 `json:"size,omitempty"`
	ModTime int64 `json:"mtime,omitempty"`
	// Unborn is that the copy is still to come, and its time not known yet.
	Unborn bool `json:"unborn,omitempty"`
	// Tree is that all below the path is dead too.
	Tree bool `json:"tree,omitempty"`
	// Since is when it died, in Unix nanoseconds. Of a copy that was not seen,
	// what is older is taken for it.
	Since int64 `json:"since"`
	// kept is when the ledger had it for certain, in Unix nanoseconds; 0 is not
	// known. Who has only heard of a grave does not know.
	kept int64
}

// Of returns the grave of a copy of path as it was seen.
func Of(path string, r *record.Replica) Grave {
	return Grave{Path: Name(path), Endpoint: r.Endpoint, Seen: true, Size: r.Size, ModTime: r.ModTime, Since: time.Now().UnixNano()}
}

// Holds reports whether r is the copy that lies in the grave, or, at a path
// below that of a Tree, in that.
func (g *Grave) Holds(p string, r *record.Replica) bool {
	switch {
	case g.Endpoint != r.Endpoint:
		return false
	case p == string(g.Path) && g.Unborn:
		return r.Size == g.Size
	case p == string(g.Path) && g.Seen:
		return r.Size == g.Size && r.ModTime == g.ModTime
	}
	// Many storages tell times to the second, and cut off what is less: of what
	// was written in that second, nothing is taken for dead.
	return r.ModTime < g.Since-g.Since%int64(time.Second)
}

// Certain reports whether nothing that came after the grave can be taken for what
// lies in it: by times told to the second, what is written in the second of a death
// is as old as what died.
func (g *Grave) Certain() bool {
	return !g.Seen || g.ModTime == 0 || g.ModTime < g.Since-g.Since%int64(time.Second)
}

// Key names the grave in the ledger. It begins with a slash. A later grave of the
// same copy has another: who takes one out of the ledger does not take the other.
func (g *Grave) Key() string {
	return g.place() + "\x00" + strconv.FormatInt(g.Since, 36)
}

// place names whose grave it is.
func (g *Grave) place() string {
	return string(g.Path) + "\x00" + strconv.FormatUint(uint64(g.Endpoint), 16)
}

// Name is a path as it travels in JSON, which cannot hold any byte as text.
type Name string

// MarshalText implements encoding.TextMarshaler.
func (n Name) MarshalText() ([]byte, error) {
	return base64.RawStdEncoding.AppendEncode(nil, []byte(n)), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *Name) UnmarshalText(text []byte) error {
	b, err := base64.RawStdEncoding.AppendDecode(nil, text)
	*n = Name(b)
	return err
}

// awaited is something that is being written to a path.
type awaited struct {
	Path Name `json:"path"`
	// ID tells it from others at the same path. What was Expected has none, and
	// is no longer awaited as soon as anything else is not.
	ID string `json:"id"`
	// Until is when it is no longer waited for, in Unix nanoseconds.
	Until int64 `json:"until"`
	// Coming is nil where the bytes come through the front end, which knows
	// when they are there.
	Coming *Coming `json:"coming,omitempty"`
	// overtaken is that something else has begun to be written there since.
	overtaken bool
}

// Coming is a file that a client sends to an endpoint itself.
type Coming struct {
	Endpoint record.ID `json:"endpoint"`
	// Size is in bytes.
	Size int64 `json:"size"`
	// Old is what was there before, if anything was.
	Old *Grave `json:"old,omitempty"`
	// Graves are the copies elsewhere that it takes the place of.
	Graves []Grave `json:"graves"`
}

// arrived reports whether the file is among the copies of its path.
func (c *Coming) arrived(p string, all []record.Replica) bool {
	return slices.ContainsFunc(all, func(r record.Replica) bool {
		return r.Endpoint == c.Endpoint && r.Size == c.Size && (c.Old == nil || !c.Old.Holds(p, &r))
	})
}

// Outdated implements federator.Veil.
func (v *Veil) Outdated(p string, r *record.Replica, all []record.Replica) bool {
	if v.busy.Load() == 0 {
		return false
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.ContainsFunc(v.awaited[p], func(a awaited) bool {
		c := a.Coming
		return c != nil && !a.overtaken && slices.ContainsFunc(c.Graves, func(g Grave) bool { return g.Holds(p, r) }) && c.arrived(p, all)
	})
}

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

// Awaited implements federator.Veil.
func (v *Veil) Awaited(p string) bool {
	if v.busy.Load() == 0 {
		return false
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	now := time.Now().UnixNano()
	return slices.ContainsFunc(v.awaited[p], func(a awaited) bool { return now < a.Until })
}

// AwaitedIn implements federator.Veil.
func (v *Veil) AwaitedIn(dir string) bool {
	if v.busy.Load() == 0 {
		return false
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.dirs[dir] > 0
}

// The words by which veils tell each other what they know, before JSON.
const (
	wordAwait  = "await "
	wordDone   = "done "
	wordBury   = "bury "
	wordUnbury = "unbury "
)

// Heard implements federator.Veil. What it takes comes from outside.
func (v *Veil) Heard(word string) {
	switch {
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

// Await has all front ends ask afresh for p until done is called, or for as
// long as a front end may be gone without word. When done returns, they have been
// told, unless the cache that they share is out of order.
func (v *Veil) Await(p string, atMost time.Duration) (done func()) {
	done, _ = v.AwaitComing(p, atMost, nil)
	return done
}

// AwaitComing is Await for a file that a client sends to an endpoint itself.
// coming, unless nil, is how front ends can tell that it is there, and what is no
// longer to be seen then. overtaken reports whether anything else has begun to be
// written to p since: then what was there before is no longer what it was.
func (v *Veil) AwaitComing(p string, atMost time.Duration, coming *Coming) (done func(), overtaken func() bool) {
	a := awaited{Path: Name(p), ID: rand.Text(), Until: time.Now().Add(atMost).UnixNano(), Coming: coming}
	v.expect(a)
	v.say(wordAwait, a)
	v.f.Written(p)
	done = sync.OnceFunc(func() {
		// First forgotten, so that nobody remembers what was before.
		v.f.Written(p)
		v.arrived(a)
		v.say(wordDone, awaited{Path: a.Path, ID: a.ID})
		v.f.Told()
	})
	return done, func() bool {
		v.mu.RLock()
		defer v.mu.RUnlock()
		// One that is not awaited any more has been for too long.
		i := slices.IndexFunc(v.awaited[p], func(b awaited) bool { return a.ID == b.ID })
		return i < 0 || v.awaited[p][i].overtaken
	}
}

// Comings returns what clients are sending to p themselves, or below it, by path,
// and what it takes the place of. What was overtaken is not among it.
func (v *Veil) Comings(p string, tree bool) map[string][]Coming {
	if v.busy.Load() == 0 {
		return nil
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	all := make(map[string][]Coming)
	for at, waits := range v.awaited {
		if at != p && !(tree && strings.HasPrefix(at, strings.TrimSuffix(p, "/")+"/")) {
			continue
		}
		for _, a := range waits {
			if a.Coming != nil && !a.overtaken {
				all[at] = append(all[at], *a.Coming)
			}
		}
	}
	return all
}

// Expect is Await for what another front end has said, unless that was heard.
func (v *Veil) Expect(p string, until int64, coming *Coming) {
	if !v.Awaited(p) {
		v.expect(awaited{Path: Name(p), Until: until, Coming: coming})
	}
}

func (v *Veil) expect(a awaited) {
	v.mu.Lock()
	defer v.mu.Unlock()
	p := string(a.Path)
	if i := slices.IndexFunc(v.awaited[p], func(b awaited) bool { return a.ID == b.ID }); i >= 0 {
		a.overtaken = v.awaited[p][i].overtaken
		v.awaited[p][i] = a
		return
	}
	for i := range v.awaited[p] {
		v.awaited[p][i].overtaken = true
	}
	v.dirs[path.Dir(p)]++
	v.busy.Add(1)
	v.awaited[p] = append(v.awaited[p], a)
}

// arrived takes back what was awaited, and what was Expected at its path.
func (v *Veil) arrived(gone awaited) {
	v.retire(string(gone.Path), func(a *awaited) bool { return a.ID == gone.ID || a.ID == "" })
}

// retire drops what is is true of, and reports whether it was of any.
func (v *Veil) retire(p string, is func(*awaited) bool) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	before := len(v.awaited[p])
	left := slices.DeleteFunc(v.awaited[p], func(a awaited) bool { return is(&a) })
	if len(left) == before {
		return false
	}
	if v.awaited[p] = left; len(left) == 0 {
		delete(v.awaited, p)
	}
	dir := path.Dir(p)
	if v.dirs[dir] -= before - len(left); v.dirs[dir] == 0 {
		delete(v.dirs, dir)
	}
	v.busy.Add(int64(len(left) - before))
	return true
}

// Expire drops what is no longer awaited.
func (v *Veil) Expire(now int64) {
	v.mu.RLock()
	paths := slices.Collect(maps.Keys(v.awaited))
	v.mu.RUnlock()
	for _, p := range paths {
		if v.retire(p, func(a *awaited) bool { return a.Until <= now }) {
			v.f.Written(p)
		}
	}
}

// Bury hides copies everywhere, and reports which of them that outlives the
// front ends that run now.
func (v *Veil) Bury(ctx context.Context, graves []Grave) (kept []bool) {
	kept = make([]bool, len(graves))
	for i, g := range graves {
		v.dig(g)
		v.say(wordBury, g)
		if v.ledger == nil {
			continue
		}
		b, err := json.Marshal(g)
		if err == nil {
			err = v.ledger.Put(ctx, g.Key(), b)
		}
		if err != nil {
			v.log.Warn("what is to be removed would be forgotten if all front ends stop before", "path", string(g.Path), "err", err)
			continue
		}
		kept[i] = true
		g.kept = time.Now().UnixNano()
		v.dig(g)
	}
	return kept
}

// Unbury forgets a Grave whose copy has gone.
func (v *Veil) Unbury(ctx context.Context, g Grave) {
	if v.ledger != nil {
		if err := v.ledger.Delete(ctx, g.Key()); err != nil {
			v.log.Warn("a Grave stays in the ledger", "path", string(g.Path), "err", err)
			return
		}
	}
	v.fill(g)
	v.say(wordUnbury, g)
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
			if old.Since <= g.Since {
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
	return ok && g.Since <= since
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
	v.filled[g.place()] = max(g.Since, v.filled[g.place()])
	all := v.graves[p]
	for i, old := range all {
		if old.Endpoint == g.Endpoint && old.Since <= g.Since {
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

// Has reports whether a Grave is still there.
func (v *Veil) Has(g Grave) bool {
	for _, is := range v.Graves(string(g.Path)) {
		if is.Endpoint == g.Endpoint && is.Since == g.Since {
			return true
		}
	}
	return false
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
		v.dig(g)
		v.mu.RLock()
		over := v.over(&g)
		v.mu.RUnlock()
		if over { // it was kept after it was no more, or while a later one was
			if err := v.ledger.Delete(ctx, key); err != nil {
				return nil, err
			}
		}
	}
	for _, g := range v.Graves("") {
		if _, ok := kept[g.Key()]; !ok && g.kept != 0 && g.kept < began {
			v.fill(g) // somebody has, and we were not told
		}
	}
	return others, nil
}
