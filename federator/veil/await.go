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
	// Shown is that something else was put at that endpoint since, and nobody
	// knows how it looks: what is seen there is not taken for a part.
	Shown bool `json:"shown,omitempty"`
	// come is that the file was seen where it was to come to. That may be silent since.
	come bool
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
	// Come is whether it was seen there by somebody who read the path (Comings).
	Come bool `json:"-"`
}

// Arrived reports whether the file is among the copies of its path.
func (c *Coming) Arrived(p string, all ...record.Replica) bool {
	return slices.ContainsFunc(all, func(r record.Replica) bool {
		return r.Endpoint == c.Endpoint && (c.Size < 0 || r.Size == c.Size) && (c.Old == nil || !c.Old.Holds(p, &r))
	})
}

// concerns reports whether a copy of the path may be what is coming, as far as it
// has come.
func (a *awaited) concerns(r *record.Replica) bool {
	c := a.Coming
	return c != nil && !a.Shown && r.Kind == plugins.File && r.Endpoint == c.Endpoint && 0 <= r.Size && r.Size <= c.Size && (c.Old == nil || !c.Old.Holds(string(a.Path), r))
}

// Part implements federator.Veil.
func (v *Veil) Part(p string, r *record.Replica) (is, over bool) {
	if v.busy.Load() == 0 {
		return false, false
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, a := range v.awaited[p] {
		if !a.concerns(r) {
			continue
		}
		if r.Size == a.Coming.Size {
			return false, false // it is the whole of it
		}
		is, over = true, over || a.Coming.Old != nil
	}
	return is, over
}

// Outdated implements federator.Veil.
func (v *Veil) Outdated(p string, r *record.Replica, all []record.Replica, doubtful func(record.ID) bool) bool {
	if v.busy.Load() == 0 {
		return false
	}
	outdated, come := v.outdated(p, r, all, doubtful)
	if come {
		v.come(p, all)
	}
	return outdated
}

// outdated is Outdated; come is that a file was seen of which that was not known.
func (v *Veil) outdated(p string, r *record.Replica, all []record.Replica, doubtful func(record.ID) bool) (is, come bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for i := range v.awaited[p] {
		a := &v.awaited[p][i]
		if a.Coming == nil || len(a.Coming.Graves) == 0 {
			continue
		}
		if arrived := !a.come && a.Coming.Arrived(p, all...); arrived {
			come = true
		} else if !a.come && !doubtful(a.Coming.Endpoint) {
			continue
		}
		is = is || slices.ContainsFunc(a.Coming.Graves, func(g Grave) bool { return g.Holds(p, r) })
	}
	return is, come
}

// come remembers that what is coming to p is among all.
func (v *Veil) come(p string, all []record.Replica) {
	v.mu.Lock()
	for i := range v.awaited[p] {
		a := &v.awaited[p][i]
		a.come = a.come || a.Coming != nil && a.Coming.Arrived(p, all...)
	}
	v.mu.Unlock()
	select {
	case v.news <- p:
	default: // whoever writes there next sees to it
	}
}

// News yields paths of which somebody has seen that the file has come that takes the
// place of others: they are to be buried before its endpoint may fall silent.
func (v *Veil) News() <-chan string { return v.news }

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
		v.forget(&g)
	}
	for _, a := range all {
		if a.ID != "" { // else it comes from the ledger, as it does to others
			v.say(wordAwait, a)
		}
	}
}

// Comings returns what clients are sending to p themselves, or below it, by path,
// and what it takes the place of.
func (v *Veil) Comings(p string, tree bool) map[string][]Coming {
	if v.busy.Load() == 0 {
		return nil
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	all := make(map[string][]Coming)
	for at := range v.at(p, tree) {
		for _, a := range v.awaited[at] {
			if a.Coming != nil {
				c := *a.Coming
				c.Come = a.come
				all[at] = append(all[at], c)
			}
		}
	}
	return all
}

// Show has all front ends know that something was put at an endpoint's p, and below
// it if tree, by others than the clients who are sending files to those paths
// themselves: it is no part of them, and nothing that they take the place of. r is
// how it looks, nil if nobody knows.
func (v *Veil) Show(p string, id record.ID, tree bool, r *record.Replica) {
	if v.busy.Load() == 0 {
		return
	}
	var again []awaited
	v.mu.Lock()
	for at := range v.at(p, tree) {
		for i := range v.awaited[at] {
			if a := &v.awaited[at][i]; a.touches(id) {
				a.show(id, r)
				again = append(again, *a)
			}
		}
	}
	v.mu.Unlock()
	for _, a := range again {
		v.say(wordAwait, a)
		v.f.Written(string(a.Path))
	}
}

// Sent reports whether a client is sending a file to p itself, or to a path below it
// if tree, which comes to an endpoint, or takes the place of what is there.
func (v *Veil) Sent(p string, id record.ID, tree bool) bool {
	if v.busy.Load() == 0 {
		return false
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	for at := range v.at(p, tree) {
		for i := range v.awaited[at] {
			if v.awaited[at][i].touches(id) {
				return true
			}
		}
	}
	return false
}

// touches reports whether what is at an endpoint matters.
func (a *awaited) touches(id record.ID) bool {
	c := a.Coming
	return c != nil && (c.Endpoint == id || slices.ContainsFunc(c.Graves, func(g Grave) bool { return g.Endpoint == id }))
}

// show is Veil.Show for one.
func (a *awaited) show(id record.ID, r *record.Replica) {
	c := *a.Coming
	a.Coming = &c // others may be reading the old one
	c.Graves = slices.DeleteFunc(slices.Clone(c.Graves), func(g Grave) bool {
		return g.Endpoint == id && (r == nil || g.Holds(string(a.Path), r))
	})
	if c.Endpoint != id {
		return
	}
	if a.Shown = r == nil; r != nil {
		old := Of(string(a.Path), r)
		c.Old = &old
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
	if v.ended.has(a.ID) {
		return // somebody has said it again who had not heard that
	}
	if i := slices.IndexFunc(v.awaited[p], func(b awaited) bool { return a.ID == b.ID }); i >= 0 {
		old := &v.awaited[p][i]
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
