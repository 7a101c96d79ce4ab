package veil

import (
	"crypto/rand"
	"maps"
	"path"
	"slices"
	"sync"
	"time"
)

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
	// Shown is that something else was put at that endpoint since, and nobody
	// knows how it looks: what is seen there is not taken for a part.
	Shown bool `json:"shown,omitempty"`
	// Braced is until when something else may be put there, in Unix nanoseconds, 0 if
	// nothing is: what is seen is a part or that, and afterwards that. Who has put it
	// may have died before it was Shown.
	Braced int64 `json:"braced,omitempty"`
	// Learned is when something was learned of it (Show, Brace), in Unix
	// nanoseconds: an older word is not heard.
	Learned int64 `json:"learned,omitempty"`
	// come is that the file was seen where it was to come to. That endpoint may have
	// fallen silent since.
	come bool
	// overtaken is that something else has begun to be written to the path since.
	overtaken bool
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

// Ask has other front ends say again what is known by word alone.
func (v *Veil) Ask() { v.f.Tell(wordAsk) }

// repeat says again what is awaited, by whoever, and which graves the ledger may not
// have. Those who have heard that it is over know better.
func (v *Veil) repeat() {
	var all []awaited
	var graves []Grave
	v.mu.RLock()
	for _, at := range v.awaited {
		all = append(all, at...)
	}
	for _, at := range v.graves {
		for _, g := range at {
			if g.kept == 0 {
				graves = append(graves, g)
			}
		}
	}
	v.mu.RUnlock()
	for _, g := range graves {
		v.say(wordBury, g)
		if g.Tree { // whoever did not know may remember what lies there
			v.f.TreeWritten(string(g.Path))
		} else {
			v.f.Written(string(g.Path))
		}
	}
	for _, a := range all {
		if a.ID != "" { // else it comes from the ledger, as it does to others
			v.say(wordAwait, a)
		}
	}
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
	if v.ended.has(a.ID) {
		return // somebody has said it again who had not heard that
	}
	if i := slices.IndexFunc(v.awaited[p], func(b awaited) bool { return a.ID == b.ID }); i >= 0 {
		old := &v.awaited[p][i]
		if a.Learned < old.Learned {
			return
		}
		a.overtaken, a.come = old.overtaken, old.come
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
	v.mu.Lock()
	v.ended.add(gone.ID)
	v.mu.Unlock()
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

// ended are the IDs of what is no longer awaited, as far back as words can be late.
type ended struct{ now, before map[string]bool }

// mostEnded is how many of them are kept twice.
const mostEnded = 5000

func (e *ended) add(id string) {
	if id == "" {
		return
	}
	if e.now == nil || len(e.now) >= mostEnded {
		e.now, e.before = make(map[string]bool), e.now
	}
	e.now[id] = true
}

func (e *ended) has(id string) bool { return e.now[id] || e.before[id] }
