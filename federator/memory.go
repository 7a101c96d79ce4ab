package federator

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"canopy/cache"
	"canopy/federator/record"
	"canopy/plugins"
)

// known is a record from the cache, with its age.
type known struct {
	*record.Record
	learned int64
	state   cache.State
}

func (k known) newer(than known) bool {
	return k.Record != nil && (than.Record == nil || k.learned > than.learned)
}

// split returns the directory of p, clean, and the name in it, "" for the
// root.
func split(p string) (dir, name string) {
	dir, name = path.Split(p)
	if dir != "/" {
		dir = dir[:len(dir)-1]
	}
	return dir, name
}

// known returns what the cache has for p: its record, or what the listing of
// its parent says.
func (f *Federator) known(g *generation, p string, now int64) known {
	item, state := f.entries.Get(p, now)
	if state == cache.Missing {
		return f.inherited(g, p, now)
	}
	k := known{item.Value, item.Learned, state}
	if k.Checked.Load() == g.number || !slices.ContainsFunc(k.Replicas, func(r record.Replica) bool { return !g.read(r.Endpoint) }) {
		return k
	}
	// Endpoints of another configuration held it: an older one of this front
	// end, or that of another one.
	k.Record = &record.Record{
		Facts:    k.Only(func(r *record.Replica) bool { return g.read(r.Endpoint) }),
		Coverage: f.among(k.Coverage, g.read), Silences: k.Silences, Asked: k.Asked,
	}
	f.remember(p, k.Record, g, k.learned)
	own := lifetime(k.Record, g, k.learned)
	k.state = own.State(now)
	return k
}

// inherited returns what the listing of the parent of p says of p.
func (f *Federator) inherited(g *generation, p string, now int64) known {
	mark := f.forgotten.Load()
	dir, name := split(p)
	if name == "" {
		return known{}
	}
	l, learned, state := f.listing(g, dir, now)
	if l == nil {
		return known{}
	}
	k := f.child(g, l, p, learned, state, now)
	if k.Record != nil && k.Exists() {
		f.remember(p, k.Record, g, learned)
		if f.forgotten.Load() != mark {
			f.entries.Delete(p) // the listing may just have been found to be wrong
		}
	}
	return k
}

// child returns what the listing l of the parent of p says of p, for those
// endpoints whose listings speak of it at all.
func (f *Federator) child(g *generation, l *record.Listing, p string, learned int64, state cache.State, now int64) known {
	dir, name := split(p)
	if virtual, _ := g.virtual(dir); len(virtual) > 0 {
		if _, ok := slices.BinarySearch(virtual, name); ok {
			return known{} // the listing speaks of another place by this name
		}
	}
	speaks := func(id record.ID) bool {
		m := g.byID[id]
		return m != nil && m.Read && m.parent(dir, p, name)
	}
	coverage := f.among(l.Coverage, speaks)
	found := l.Find(name)
	if found == nil {
		if state != cache.Fresh {
			return known{}
		}
		return known{&record.Record{Coverage: coverage}, learned, state}
	}
	r := &record.Record{Coverage: coverage, Silences: l.Silences}
	r.Facts = found.Only(func(r *record.Replica) bool { return speaks(r.Endpoint) })
	// The replicas of a listing lie side by side, and one would keep all of
	// its neighbours in memory.
	r.Replicas = slices.Clone(r.Replicas)
	own := lifetime(r, g, learned)
	return known{r, learned, own.State(now)}
}

// parent reports whether what the endpoint has at p is what it lists under
// name in dir. A translation can put it elsewhere.
func (m *member) parent(dir, p, name string) bool {
	above, own := m.Names.Listable(dir), m.Names.Endpoint(p)
	if len(above) != len(own) {
		return false
	}
	for i := range own {
		if d, n := split(own[i]); d != above[i] || n != name {
			return false
		}
	}
	return true
}

// listing returns the listing of dir in the cache, nil without one, and when
// it was learned.
func (f *Federator) listing(g *generation, dir string, now int64) (*record.Listing, int64, cache.State) {
	item, state := f.listings.Get(dir, now)
	if state == cache.Missing {
		return nil, 0, state
	}
	l := item.Value
	if l.Checked.Load() == g.number {
		return l, item.Learned, state
	}
	if own := f.only(l, g.read); own != l {
		f.exchange(dir, l, own)
		l = own
	}
	l.Checked.Store(g.number)
	return l, item.Learned, state
}

// among returns the part of a coverage that keep accepts.
func (f *Federator) among(c *record.Coverage, keep func(record.ID) bool) *record.Coverage {
	drop := func(id record.ID) bool { return !keep(id) }
	if !slices.ContainsFunc(c.IDs(), drop) {
		return c
	}
	return f.sets.Of(slices.DeleteFunc(slices.Clone(c.IDs()), drop))
}

// only returns the listing without what it says of endpoints that keep does
// not accept, neither that they have a name nor that they do not.
func (f *Federator) only(l *record.Listing, keep func(record.ID) bool) *record.Listing {
	own := l.Only(keep)
	if own != l {
		own.Coverage = f.among(l.Coverage, keep)
	}
	return own
}

// exchange puts another form of a listing in its place.
func (f *Federator) exchange(dir string, old, l *record.Listing) {
	f.listings.Update(dir, func(item cache.Item[*record.Listing], ok bool) (cache.Item[*record.Listing], bool) {
		if ok && item.Value == old {
			item.Value, item.Cost = l, l.Bytes()
		}
		return item, ok
	})
}

// remember keeps r in the cache unless something newer is there.
func (f *Federator) remember(path string, r *record.Record, g *generation, learned int64) {
	item := lifetime(r, g, learned)
	f.entries.Update(path, func(old cache.Item[*record.Record], ok bool) (cache.Item[*record.Record], bool) {
		if ok && old.Learned > learned {
			return old, true
		}
		return item, true
	})
}

// lifetime says how long r is good for. A path that exists is never believed
// for longer after an endpoint has last said so than it may be served stale.
func lifetime(r *record.Record, g *generation, learned int64) cache.Item[*record.Record] {
	item := cache.Item[*record.Record]{Value: r, Learned: learned, Cost: r.Bytes()}
	if r.Exists() {
		item.Stale = g.oldest(r.Confirmed())
		item.Fresh = min(learned+int64(g.EntryTTL), item.Stale)
	} else {
		item.Fresh = learned + int64(g.AbsentTTL)
	}
	return item
}

// oldest returns until when an entry that was confirmed at some time may be
// served.
func (g *generation) oldest(confirmed int64) int64 {
	return confirmed + int64(g.EntryTTL) + int64(g.Stale)
}

// hush is how long an endpoint that did not answer is not asked the same
// again: as long as an absence is believed where it is a matter of principle,
// else no longer than clients are told to wait.
func (g *generation) hush(kind plugins.Kind) time.Duration {
	switch kind {
	case plugins.Denied, plugins.Unsupported, plugins.Invalid:
		return g.AbsentTTL
	}
	return min(g.AbsentTTL, retryAfter)
}

func (f *Federator) rememberListing(path string, l *record.Listing, g *generation) {
	item := listingLifetime(l, g)
	f.listings.Update(path, func(old cache.Item[*record.Listing], ok bool) (cache.Item[*record.Listing], bool) {
		if ok && old.Learned > l.Learned {
			return old, true
		}
		return item, true
	})
}

func listingLifetime(l *record.Listing, g *generation) cache.Item[*record.Listing] {
	fresh := l.Learned + int64(g.ListingTTL)
	return cache.Item[*record.Listing]{Value: l, Learned: l.Learned, Fresh: fresh, Stale: fresh + int64(g.Stale), Cost: l.Bytes()}
}

// Forget drops what this front end has cached under keys of the shared
// cache, because another one says that it is no longer right. What is being
// asked right now was asked before that and is not remembered.
func (f *Federator) Forget(keys []string) {
	f.forgotten.Add(1)
	if f.shared != nil {
		f.lately.add(keys, time.Now().UnixNano())
	}
	for _, k := range keys {
		if kind, p, _ := cut(k); kind == listingKey {
			f.listers.leave(p, (*lister).void)
			f.outdate(p)
		}
	}
	for _, k := range keys {
		switch kind, p, _ := cut(k); kind {
		case entryKey:
			f.flights.leave(p, (*flight).void)
			f.entries.Delete(p)
			f.clear(p)
		case treeKey:
			f.forgetBelow(p)
		case healthKey:
			id, _ := strconv.ParseUint(p, 16, 64)
			if m := f.gen.Load().byID[record.ID(id)]; m != nil {
				m.state.Doubt()
			}
		case wordKey:
			f.outside.Veil.Heard(p)
		}
	}
}

// forgetBelow forgets all that lies below dir.
func (f *Federator) forgetBelow(dir string) {
	below := func(p string) bool { return within(p, dir) }
	f.flights.leaveIf(below, (*flight).void)
	f.listers.leaveIf(below, (*lister).void)
	f.entries.DeleteIf(below)
	f.listings.DeleteIf(func(p string) bool { return below(strings.TrimPrefix(p, outdated)) })
}

// within reports whether p is dir or lies below it.
func within(p, dir string) bool {
	return dir == "/" || p == dir || strings.HasPrefix(p, dir) && p[len(dir)] == '/'
}

// outdated stands before the path of a directory whose listing is not right
// any more in all names. It serves nobody, but is evidence of what endpoints
// hold that cannot be asked.
const outdated = "?"

// outdate keeps the listing of dir as evidence only.
func (f *Federator) outdate(dir string) {
	now := time.Now().UnixNano()
	if item, state := f.listings.Get(dir, now); state != cache.Missing {
		f.listings.Delete(dir)
		f.listings.Put(outdated+dir, item)
	}
}

// clear takes the name of p out of the outdated listing of its parent.
func (f *Federator) clear(p string) {
	dir, name := split(p)
	if name == "" {
		return
	}
	f.listings.Update(outdated+dir, func(item cache.Item[*record.Listing], ok bool) (cache.Item[*record.Listing], bool) {
		if ok && item.Value.Find(name) != nil {
			item.Value = item.Value.With(name, record.Facts{})
			item.Cost = item.Value.Bytes()
		}
		return item, ok
	})
}

// listed returns the last listing of dir, whether or not it is still served,
// nil without one.
func (f *Federator) listed(dir string, now int64) *record.Listing {
	for _, key := range [...]string{dir, outdated + dir} {
		if item, state := f.listings.Get(key, now); state != cache.Missing {
			return item.Value
		}
	}
	return nil
}

// ForgetAll drops the whole cache of this front end: messages of others may
// have been missed.
func (f *Federator) ForgetAll() {
	f.forgotten.Add(1)
	all := func(string) bool { return true }
	f.flights.leaveIf(all, (*flight).void)
	f.listers.leaveIf(all, (*lister).void)
	f.entries.DeleteIf(all)
	f.listings.DeleteIf(all)
}
