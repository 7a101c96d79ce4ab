package federator

import (
	"context"
	"iter"
	"net/netip"
	"slices"
	"time"

	"canopy/cache"
	"canopy/federator/choice"
	"canopy/federator/record"
	"canopy/plugins"
)

// Directory is a directory of the namespace being listed, or listed.
type Directory struct {
	Path string
	// Stale is whether the listing has passed its time; Age is how old it is.
	Stale bool
	Age   time.Duration

	l       *lister // nil when it came from the cache
	reader  *reader
	done    *record.Listing
	virtual []string
	ctx     context.Context
	members []*member
}

// Settled reports whether the listing is finished, so that Missing is known
// before the children are read.
func (d *Directory) Settled() bool {
	if d.done != nil {
		return true
	}
	d.l.mu.Lock()
	defer d.l.mu.Unlock()
	return d.l.ended || d.l.final
}

// Missing returns the endpoints whose children are not, or not all, in the
// listing. It is final only when the listing is settled or has been read.
func (d *Directory) Missing() []string {
	if d.done != nil {
		return missing(d.members, d.done.Coverage)
	}
	d.l.mu.Lock()
	defer d.l.mu.Unlock()
	var names []string
	for _, m := range d.members {
		if !slices.Contains(d.l.heard, m.ID) {
			names = append(names, m.Name)
		}
	}
	return names
}

// Len returns the number of children, or -1 while it is not known.
func (d *Directory) Len() int {
	if d.done == nil || len(d.virtual) > 0 {
		return -1
	}
	return d.done.Len()
}

// Children yields the children in ascending order of name, as they come. A
// child that exists by configuration alone has no replicas. The children are
// not to be changed. If the context of List ends first, its error comes last.
// A listing that is too large to be kept can be read once only.
func (d *Directory) Children() iter.Seq2[*record.Child, error] {
	return func(yield func(*record.Child, error) bool) {
		virtual := d.virtual
		for c, err := range d.proven() {
			if err != nil {
				yield(nil, err)
				return
			}
			for len(virtual) > 0 && virtual[0] <= c.Name {
				name := virtual[0]
				virtual = virtual[1:]
				if name == c.Name {
					if c.Kind() != plugins.Directory {
						c = &record.Child{Name: name} // a mount over a file
					}
					break // or over an endpoint's own directory
				}
				if !yield(&record.Child{Name: name}, nil) {
					return
				}
			}
			if !yield(c, nil) {
				return
			}
		}
		for _, name := range virtual {
			if !yield(&record.Child{Name: name}, nil) {
				return
			}
		}
	}
}

// proven yields the children that endpoints have.
func (d *Directory) proven() iter.Seq2[*record.Child, error] {
	return func(yield func(*record.Child, error) bool) {
		if d.done != nil {
			for c := range d.done.Children() {
				if !yield(c, nil) {
					return
				}
			}
			return
		}
		for at := 0; ; at++ {
			chunk, err := d.l.chunk(d.ctx, d.reader, at)
			if err != nil {
				yield(nil, err)
				return
			}
			if chunk == nil {
				return
			}
			for i := range chunk {
				if !yield(&chunk[i], nil) {
					return
				}
			}
		}
	}
}

// Close says that the directory is no longer read; what is missing stays
// known.
func (d *Directory) Close() {
	if d.l == nil {
		return
	}
	d.l.part(d.reader)
	d.l.mu.Lock()
	heard := d.l.heard
	d.l.mu.Unlock()
	d.done = &record.Listing{Coverage: d.l.f.sets.Of(heard)}
	d.l = nil
}

// List lists the directory path, which is absolute and clean. It returns as
// soon as it is known that the directory exists; the children come as they
// are merged. The caller closes the Directory. The error is an *Absent, an
// *Unknown, an *plugins.Error of Kind NotDirectory, or that of ctx.
func (f *Federator) List(ctx context.Context, path string) (*Directory, error) {
	g := f.gen.Load()
	now := time.Now().UnixNano()
	virtual, isVirtual := g.virtual(path)
	members := g.listers(path)
	item, learned, state := f.listing(g, path, now)
	age := max(0, time.Duration(now-learned))
	fresh := state == cache.Fresh
	switch {
	case fresh && g.complete(members, item.Coverage, item.Silences, now):
		f.counters.Hits.Add(1)
		return &Directory{Path: path, done: item, virtual: virtual, members: members, Age: age}, nil
	case state == cache.Stale:
		f.counters.StaleHits.Add(1)
		f.enlist(path, item, false, unattended)
		return &Directory{Path: path, done: item, virtual: virtual, members: members, Stale: true, Age: age}, nil
	}
	f.counters.Misses.Add(1)
	l, r := f.enlist(path, item, fresh, attended)
	exists, err := l.verdict(ctx)
	if err != nil {
		l.part(r)
		return nil, err
	}
	d := &Directory{Path: path, l: l, reader: r, virtual: virtual, ctx: ctx, members: members}
	if exists || isVirtual {
		return d, nil
	}
	d.Close()
	// Nobody lists it. What it is, if anything, only a lookup can tell: it
	// may be a file, be empty at an endpoint that cannot list, or be absent.
	anybody := &choice.Client{Place: g.Atlas.Locate(netip.Addr{})}
	found, err := f.Lookup(ctx, path, First, anybody)
	switch {
	case err != nil:
		return nil, err
	case found.Kind() == plugins.Directory:
		return d, nil
	}
	return nil, &plugins.Error{Kind: plugins.NotDirectory, Op: "list", Path: path}
}
