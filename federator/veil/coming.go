package veil

import (
	"iter"
	"path"
	"slices"
	"strings"
	"time"

	"canopy/federator/record"
	"canopy/plugins"
)

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
	// Sender is who sends it; "" if that is not known.
	Sender string `json:"sender,omitempty"`
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
// has come. That is not known of what was Expected: others may have put something
// there since it was noted.
func (a *awaited) concerns(r *record.Replica) bool {
	c := a.Coming
	return c != nil && a.ID != "" && !a.Shown && r.Kind == plugins.File && r.Endpoint == c.Endpoint && 0 <= r.Size && r.Size <= c.Size && (c.Old == nil || !c.Old.Holds(string(a.Path), r))
}

// Part implements federator.Veil.
func (v *Veil) Part(p string, r *record.Replica) (is, over bool) {
	if v.busy.Load() == 0 {
		return false, false
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	now := time.Now().UnixNano()
	for _, a := range v.awaited[p] {
		if !a.concerns(r) {
			continue
		}
		switch {
		case r.Size == a.Coming.Size:
			return false, false // it is the whole of it
		case 0 < a.Braced && a.Braced <= now:
			continue
		}
		is, over = true, over || a.Coming.Old != nil || a.Braced > 0
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
		arrived := a.Coming.Arrived(p, all...)
		supersedes := arrived && !a.overtaken
		if a.ID != "" { // else nobody knows what became of it
			come = come || arrived && !a.come
			supersedes = arrived || a.come || doubtful(a.Coming.Endpoint)
		}
		is = is || supersedes && slices.ContainsFunc(a.Coming.Graves, func(g Grave) bool { return g.Holds(p, r) })
	}
	return is, come
}

// come remembers that what is coming to p is among all.
func (v *Veil) come(p string, all []record.Replica) {
	v.mu.Lock()
	for i := range v.awaited[p] {
		a := &v.awaited[p][i]
		a.come = a.come || a.ID != "" && a.Coming != nil && a.Coming.Arrived(p, all...)
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

// Comings returns what clients are sending to p themselves, or below it, by path,
// and what it takes the place of. What was Expected is not among it if anything else
// has begun to be written since.
func (v *Veil) Comings(p string, tree bool) map[string][]Coming {
	if v.busy.Load() == 0 {
		return nil
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	all := make(map[string][]Coming)
	for at := range v.at(p, tree) {
		for _, a := range v.awaited[at] {
			if a.Coming != nil && (a.ID != "" || !a.overtaken) {
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
	v.alter(p, tree, func(a *awaited) bool {
		if !a.touches(id) {
			return false
		}
		a.show(id, r)
		return true
	})
}

// Brace has all front ends know that something else is about to be put at an endpoint's
// p, and below it if tree, for so long at most: who does that may die before it is Shown.
// undo is for when nothing was put.
func (v *Veil) Brace(p string, id record.ID, tree bool, atMost time.Duration) (undo func()) {
	if v.busy.Load() == 0 {
		return func() {}
	}
	until := time.Now().Add(atMost).UnixNano()
	v.alter(p, tree, func(a *awaited) bool {
		if a.ID == "" || a.Coming == nil || a.Coming.Endpoint != id || a.Shown {
			return false
		}
		a.Braced = until
		return true
	})
	return func() {
		v.alter(p, tree, func(a *awaited) bool {
			if a.Braced != until {
				return false
			}
			a.Braced = 0
			return true
		})
	}
}

// alter changes what is awaited at p, and below it if tree, and has others know what
// was changed.
func (v *Veil) alter(p string, tree bool, change func(*awaited) bool) {
	var again []awaited
	v.mu.Lock()
	for at := range v.at(p, tree) {
		for i := range v.awaited[at] {
			if a := &v.awaited[at][i]; change(a) {
				a.Learned = max(time.Now().UnixNano(), a.Learned+1)
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

// SentBy reports whether a sender is sending a file to p.
func (v *Veil) SentBy(sender, p string) bool {
	if v.busy.Load() == 0 {
		return false
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.ContainsFunc(v.awaited[p], func(a awaited) bool { return a.Coming != nil && a.Coming.Sender == sender })
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
	a.Braced = 0
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
