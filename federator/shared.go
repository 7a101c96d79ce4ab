package federator

import (
	"context"
	"path"
	"strings"
	"time"

	"canopy/cache"
	"canopy/federator/record"
)

// Keys of the shared cache: a letter for what it is, and the path.
const (
	entryKey   = "e:"
	listingKey = "l:"
)

// sharedListing is the largest listing, in bytes, that is shared: beyond it
// asking the endpoints costs less than it does to carry it around.
const sharedListing = 16 << 20

// recall returns what the shared cache knows of p, by itself or from the
// listing of its parent, and keeps it here.
func (f *Federator) recall(ctx context.Context, g *generation, p string) known {
	if f.shared == nil {
		return known{}
	}
	dir, _ := path.Split(p)
	values := f.shared.Get(ctx, entryKey+p, listingKey+clean(dir))
	now := time.Now().UnixNano()
	if len(values) != 2 {
		return known{}
	}
	if r, learned, err := record.ParseRecord(values[0], &f.sets); err == nil {
		learned = min(learned, now) // the clock of whoever wrote it may be ahead
		item := lifetime(r, g, learned)
		state := item.State(now)
		if state != cache.Missing {
			f.entries.Put(p, item)
		}
		return known{r, learned, state}
	}
	if f.keepShared(g, clean(dir), values[1], now) != nil {
		return f.known(g, p, now)
	}
	return known{}
}

// recallListing returns a fresh listing of dir from the shared cache.
func (f *Federator) recallListing(ctx context.Context, g *generation, dir string) *record.Listing {
	if f.shared == nil {
		return nil
	}
	now := time.Now().UnixNano()
	values := f.shared.Get(ctx, listingKey+dir)
	if len(values) != 1 {
		return nil
	}
	l := f.keepShared(g, dir, values[0], now)
	if l == nil {
		return nil
	}
	if item := listingLifetime(l, g); item.State(now) != cache.Fresh {
		return nil
	}
	return l
}

func (f *Federator) keepShared(g *generation, dir string, value []byte, now int64) *record.Listing {
	l, err := record.ParseListing(value, &f.sets)
	if err != nil {
		return nil
	}
	l.Learned = min(l.Learned, now)
	if _, state := f.listings.Get(dir, now); state != cache.Fresh {
		f.rememberListing(dir, l, g)
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
	f.shared.Set(entryKey+p, record.AppendRecord(nil, r, learned), ttl)
}

func (f *Federator) shareListing(dir string, l *record.Listing, g *generation) {
	if f.shared == nil || l.Bytes() > sharedListing {
		return
	}
	f.shared.Set(listingKey+dir, record.AppendListing(nil, l), g.ListingTTL+g.Stale)
}

// Forget drops what this front end has cached under keys of the shared
// cache, because another one says that it is no longer right.
func (f *Federator) Forget(keys []string) {
	for _, k := range keys {
		if p, ok := strings.CutPrefix(k, entryKey); ok {
			f.entries.Delete(p)
		} else if p, ok := strings.CutPrefix(k, listingKey); ok {
			f.listings.Delete(p)
		}
	}
}

// ForgetAll drops the whole cache of this front end: messages of others may
// have been missed.
func (f *Federator) ForgetAll() {
	f.entries.DeleteIf(func(string, cache.Item[*record.Record]) bool { return true })
	f.listings.DeleteIf(func(string, cache.Item[*record.Listing]) bool { return true })
}
