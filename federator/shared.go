package federator

import (
	"context"
	"strings"
	"time"

	"canopy/cache"
	"canopy/federator/record"
)

// Keys of the shared cache: a letter for what it is, and the path. Under
// healthKey nothing is kept: front ends tell each other by it that the
// condition of an endpoint has changed, whose identity takes the place of the
// path, and each finds out for itself what that means from where it is. Under
// treeKey all below a path is to be forgotten, and wordKey carries a word from
// one Veil to the others.
const (
	entryKey   = "e:"
	listingKey = "l:"
	healthKey  = "h:"
	treeKey    = "t:"
	wordKey    = "w:"
)

// cut takes a key of the shared cache apart.
func cut(key string) (kind, path string, ok bool) {
	for _, kind := range [...]string{entryKey, listingKey, healthKey, treeKey, wordKey} {
		if p, ok := strings.CutPrefix(key, kind); ok {
			return kind, p, true
		}
	}
	return "", "", false
}

// sharedListing is the largest listing, in bytes, that is shared: beyond it
// asking the endpoints costs less than it does to carry it around.
const sharedListing = 16 << 20

// recall returns what the shared cache knows of p, by itself or from the
// listing of its parent.
func (f *Federator) recall(ctx context.Context, g *generation, p string) known {
	if f.shared == nil {
		return known{}
	}
	dir, _ := split(p)
	mark := f.forgotten.Load()
	values := f.shared.Get(ctx, entryKey+p, listingKey+dir)
	now := time.Now().UnixNano()
	if len(values) != 2 {
		return known{}
	}
	if r, learned, err := record.ParseRecord(values[0], &f.sets, now); err == nil && f.lately.believes(entryKey+p, learned) {
		r.Facts = r.Only(func(r *record.Replica) bool { return g.read(r.Endpoint) })
		r.Coverage = f.among(r.Coverage, g.read)
		item := lifetime(r, g, learned)
		return known{r, learned, item.State(now)}
	}
	if l := f.recalled(g, dir, values[1], now, mark); l != nil {
		item := listingLifetime(l, g)
		if state := item.State(now); state != cache.Missing {
			return f.child(g, l, p, l.Learned, state, now)
		}
	}
	return known{}
}

// recallListing returns a fresh listing of dir from the shared cache.
func (f *Federator) recallListing(ctx context.Context, g *generation, dir string) *record.Listing {
	if f.shared == nil {
		return nil
	}
	mark := f.forgotten.Load()
	values := f.shared.Get(ctx, listingKey+dir)
	now := time.Now().UnixNano()
	if len(values) != 1 {
		return nil
	}
	l := f.recalled(g, dir, values[0], now, mark)
	if l == nil {
		return nil
	}
	if item := listingLifetime(l, g); item.State(now) != cache.Fresh {
		return nil
	}
	return l
}

// recalled reads a listing from the shared cache and keeps it here, unless
// anything was forgotten since mark.
func (f *Federator) recalled(g *generation, dir string, value []byte, now int64, mark uint64) *record.Listing {
	l, err := record.ParseListing(value, &f.sets, now)
	if err != nil || !f.lately.believes(listingKey+dir, l.Learned) {
		return nil
	}
	l = f.only(l, g.read)
	f.rememberListing(dir, l, g)
	if f.forgotten.Load() != mark {
		f.listings.Delete(dir)
	}
	return l
}

// share gives other front ends what this one has learned of a path.
func (f *Federator) share(p string, r *record.Record, g *generation, learned int64) {
	if f.shared == nil || r.Coverage == nil {
		return
	}
	ttl := g.AbsentTTL
	if r.Exists() {
		ttl = g.EntryTTL + g.Stale
	}
	if ttl > 0 {
		f.shared.Set(entryKey+p, record.AppendRecord(nil, r, learned), ttl)
	}
}

func (f *Federator) shareListing(dir string, l *record.Listing, g *generation) {
	ttl := g.ListingTTL + g.Stale
	if f.shared == nil || l.Bytes() > sharedListing || ttl <= 0 {
		return
	}
	f.shared.Set(listingKey+dir, record.AppendListing(nil, l), ttl)
}
