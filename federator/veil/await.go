package veil

import (
	"crypto/rand"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"canopy/federator/record"
	"canopy/plugins"
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
	// Shown is that something else was put at that endpoint since: what is seen
	// there is no part of it.
	Shown bool `json:"shown,omitempty"`
	// overtaken is that something else has begun to be written to the path since.
	overtaken bool
}

// Coming is a file that is on its way to an endpoint.
type Coming struct {
	Endpoint record.ID `json:"endpoint"`
	// Size is in bytes, negative where that is not known: an endpoint may show the
	// file while it grows.
	Size int64 `json:"size"`
	// Old is what was there before, if anything was.
	Old *Grave `json:"old,omitempty"`
	// Graves are the copies elsewhere that it takes the place of.
	Graves []Grave `json:"graves"`
}

// Arrived reports whether the file is among the copies of its path.
func (c *Coming) Arrived(p string, all ...record.Replica) bool {
	return slices.ContainsFunc(all, func(r record.Replica) bool {
		return r.Endpoint == c.Endpoint && (c.Size < 0 || r.Size == c.Size) && (c.Old == nil || !c.Old.Holds(p, &r))
	})
}

// part reports whether a copy of the path is only the beginning of the file.
func (a *awaited) part(r *record.Replica) bool {
	c := a.Coming
	return c != nil && !a.Shown && r.Kind == plugins.File && r.Endpoint == c.Endpoint && 0 <= r.Size && r.Size < c.Size && (c.Old == nil || !c.Old.Holds(string(a.Path), r))
}

// Part implements federator.Veil.
func (v *Veil) Part(p string, r *record.Replica) (is, over bool) {
	if v.busy.Load() == 0 {
		return false, false
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, a := range v.awaited[p] {
		if a.part(r) {
			is, over = true, over || a.Coming.Old != nil
		}
	}
	return is, over
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
		return c != nil && !a.overtaken && slices.ContainsFunc(c.Graves, func(g Grave) bool { return g.Holds(p, r) }) && c.Arrived(p, all...)
	})
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

// Comings returns what clients are sending to p themselves, or below it, by path,
// and what it takes the place of. What was overtaken is not among it.
func (v *Veil) Comings(p string, tree bool) map[string][]Coming {
	if v.busy.Load() == 0 {
		return nil
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	all := make(map[string][]Coming)
	for at := range v.at(p, tree) {
		for _, a := range v.awaited[at] {
			if a.Coming != nil && !a.overtaken {
				all[at] = append(all[at], *a.Coming)
			}
		}
	}
	return all
}

// Show has all front ends know that something was put at an endpoint's p, and below
// it if tree, by others than the clients who are sending it files there: from now on
// what is there is no part of those.
func (v *Veil) Show(p string, id record.ID, tree bool) {
	if v.busy.Load() == 0 {
		return
	}
	var shown []awaited
	v.mu.Lock()
	for at := range v.at(p, tree) {
		for i := range v.awaited[at] {
			if a := &v.awaited[at][i]; a.Coming != nil && a.Coming.Endpoint == id && !a.Shown {
				a.Shown = true
				shown = append(shown, *a)
			}
		}
	}
	v.mu.Unlock()
	for _, a := range shown {
		v.say(wordAwait, a)
		v.f.Written(string(a.Path))
	}
}

// at yields p, and the awaited paths below it if tree. The lock is held.
func (v *Veil) at(p string, tree bool) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !yield(p) || !tree {
			return
		}
		below := strings.TrimSuffix(p, "/") + "/"
		for at := range v.awaited {
			if strings.HasPrefix(at, below) && !yield(at) {
				return
			}
		}
	}
}

// SentTo returns the children of dir to which clients are sending files themselves.
func (v *Veil) SentTo(dir string) (paths []string) {
	if !v.AwaitedIn(dir) {
		return nil
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	for p, all := range v.awaited {
		if path.Dir(p) == dir && slices.ContainsFunc(all, func(a awaited) bool { return a.Coming != nil }) {
			paths = append(paths, p)
		}
	}
	return paths
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
		a.Shown = a.Shown || v.awaited[p][i].Shown
		v.awaited[p][i] = a
		return
	}
	for i := range v.awaited[p] {
		old := &v.awaited[p][i]
		old.overtaken = true
		if c := a.Coming; c != nil && old.Coming != nil && old.Coming.Endpoint == c.Endpoint {
			old.Shown = true // what is there now is a part of the new one, or the whole of it
		}
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
