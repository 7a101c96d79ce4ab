package federator

import (
	"context"
	"encoding/binary"
	"slices"
	"sync/atomic"
	"time"

	"canopy/cache"
	"canopy/federator/choice"
	"canopy/federator/health"
	"canopy/federator/record"
	"canopy/plugins"
)

// Placed is one live replica in its place in the order.
type Placed struct {
	// Endpoint and Site name who holds it.
	Endpoint, Site string
	// URL is where the client finds it; "" when Canopy must carry the bytes.
	URL string
	// Country is the ISO 3166-1 code of where it is; "" when unknown.
	Country string
	// Group is equal for replicas that all policies leave equal.
	Group int
	// Size is in bytes, negative when unknown.
	Size    int64
	ModTime time.Time

	member *member
	own    string // the endpoint's own path
}

// Decision is the order of a file's live replicas for one client. It is
// shared by all clients for whom it is the same, and not to be changed.
type Decision struct {
	Found
	Path string
	// Replicas are live, of one content, best first; the first Equals of
	// them are equal. For a directory there are none.
	Replicas []Placed
	Equals   int

	// Memo is for whoever shows the decision of a file, to keep what was
	// derived from it as long as it is good: decisions that say the same share
	// it.
	Memo *atomic.Value

	deck    *choice.Deck
	epoch   uint64
	expires int64 // Unix nanoseconds
}

// Deal returns which of the equal first replicas it is this time, and counts
// the client as sent there.
func (d *Decision) Deal() int {
	i := d.deck.Deal()
	if m := d.Replicas[i].member; m != nil {
		m.sent.Add(1)
	}
	return i
}

// decisionKey says for whom and of what a decision is.
type decisionKey struct {
	record *record.Record
	cell   uint32
	kind   uint8 // bit 0: https; bits 1 and 2: address family
}

func keyOf(r *record.Record, c *choice.Client) decisionKey {
	k := decisionKey{record: r, cell: c.Place.Cell}
	if c.Secure {
		k.kind = 1
	}
	switch {
	case !c.Addr.IsValid():
	case c.Addr.Is4() || c.Addr.Is4In6():
		k.kind |= 2
	default:
		k.kind |= 4
	}
	return k
}

// Locate returns the live replicas of a file in order for the client, waiting
// as long as need says. The error is an *Absent, an *Unknown, or that of ctx.
// A file that is known, but of which no replica is live, comes with the
// *Unknown as a decision without replicas.
func (f *Federator) Locate(ctx context.Context, path string, need Need, c *choice.Client) (*Decision, error) {
	now := time.Now().UnixNano()
	if item, state := f.entries.Get(path, now); state == cache.Fresh && !c.Hinted() {
		// Those in use are made anew, and so kept, whenever the epoch changes.
		if d, ok := f.decisions.Peek(keyOf(item.Value, c)); ok && d.epoch == f.epoch.Load() && now < d.expires {
			f.counters.Hits.Add(1)
			return d, nil
		}
	}
	d, err := f.locate(ctx, path, need, c)
	for range f.again(ctx, path, &err) {
		d, err = f.locate(ctx, path, need, c)
	}
	return d, err
}

func (f *Federator) locate(ctx context.Context, path string, need Need, c *choice.Client) (*Decision, error) {
	epoch := f.epoch.Load()
	found, err := f.lookup(ctx, path, need, c)
	if err != nil {
		return nil, err
	}
	d := &Decision{Found: found, Path: path, Memo: new(atomic.Value), epoch: epoch}
	if found.Kind() == plugins.Directory {
		return d, nil
	}
	g := f.gen.Load()
	now := time.Now().UnixNano()
	f.place(d, g, c, now)
	if len(d.Replicas) == 0 {
		return d, f.dead(g, d)
	}
	if !found.Stale && !c.Hinted() && f.settled(g, path, found.Record, now) {
		key := keyOf(found.Record, c)
		if old, ok := f.decisions.Peek(key); ok && old.same(d) {
			d.Memo = old.Memo
		}
		f.decisions.Add(key, d)
	}
	return d, nil
}

// same reports whether d says what other says, and not only means it.
func (d *Decision) same(other *Decision) bool {
	return d.Record == other.Record && d.Path == other.Path && d.Stale == other.Stale && d.Equals == other.Equals &&
		slices.Equal(d.Replicas, other.Replicas)
}

// live returns how many of the agreed replicas come first that can be had now,
// in the record that is to be offered: where none of the agreed content is
// left, that is one in which what is left has come first.
func (g *generation) live(r *record.Record, now int64) (*record.Record, []record.Replica) {
	can := func(p *record.Replica) bool {
		m := g.byID[p.Endpoint]
		if m == nil || !m.Read || m.state.Condition() == health.Down || !m.redirects() && m.can.Reader == nil {
			return false
		}
		// What has just been answered is good however long the answer took;
		// what is only remembered of a silent endpoint has its time.
		return r.Coverage.Has(p.Endpoint) || now < g.oldest(p.Learned)
	}
	usable := make([]record.Replica, 0, len(r.Replicas))
	for i := range r.Replicas[:r.Agreed] {
		if can(&r.Replicas[i]) {
			usable = append(usable, r.Replicas[i])
		}
	}
	if len(usable) > 0 {
		return r, usable
	}
	facts := r.Only(can)
	other := &record.Record{Facts: record.Facts{Agreed: facts.Agreed}, Coverage: r.Coverage, Silences: r.Silences, Asked: r.Asked}
	other.Replicas = slices.Concat(facts.Replicas, r.Only(func(r *record.Replica) bool { return !can(r) }).Replicas)
	return other, facts.Replicas[:facts.Agreed]
}

// offers reports whether anything of what a record tells can be had now.
func (g *generation) offers(r *record.Record, now int64) bool {
	if r.Kind() == plugins.Directory {
		return true
	}
	_, live := g.live(r, now)
	return len(live) > 0
}

// place puts the live replicas in order.
func (f *Federator) place(d *Decision, g *generation, c *choice.Client, now int64) {
	var live []record.Replica
	d.Record, live = g.live(d.Record, now)
	d.expires = now + int64(g.EntryTTL)
	for _, s := range d.Silences {
		d.expires = min(d.expires, s.Until)
	}
	placed := make([]Placed, 0, len(live))
	targets := make([]choice.Target, 0, len(live))
	for i := range live {
		r := &live[i]
		m := g.byID[r.Endpoint]
		own := m.Names.Endpoint(d.Path)
		if int(r.Via) >= len(own) || r.Kind != plugins.File {
			continue
		}
		p := Placed{Endpoint: m.Name, Site: m.Site, Size: r.Size, member: m, own: own[r.Via]}
		if r.ModTime != 0 {
			p.ModTime = time.Unix(0, r.ModTime)
		}
		if m.redirects() {
			l, err := m.can.Locator.Locate(p.own, "GET")
			if err != nil {
				f.log.Warn("no URL for a replica", "endpoint", m.Name, "path", d.Path, "err", err)
				continue
			}
			p.URL = l.URL
			if !l.Expires.IsZero() {
				// Half of its life is left for the client to make use of it.
				d.expires = min(d.expires, now+(l.Expires.UnixNano()-now)/2)
			}
		} else if m.can.Reader == nil {
			continue
		}
		placed = append(placed, p)
		targets = append(targets, m.target(g.Atlas))
	}
	order, group := choice.Rank(c, targets, g.policies, false)
	d.Replicas = make([]Placed, 0, len(placed))
	for at, i := range order {
		p := placed[i]
		p.Group = group[at]
		if p.Group == 0 {
			d.Equals++
		}
		d.Replicas = append(d.Replicas, p)
	}
	if d.Equals > 0 {
		d.deck = f.deck(d.Replicas[:d.Equals])
	}
	f.further(d, live)
}

// further adds the places that endpoints named beside their own, which come
// last: nobody watches their health.
func (f *Federator) further(d *Decision, live []record.Replica) {
	if len(d.Replicas) == 0 {
		return
	}
	group := d.Replicas[len(d.Replicas)-1].Group + 1
	for i := range live {
		x := live[i].Extra
		if x == nil {
			continue
		}
		copies := slices.Clone(x.Copies)
		slices.SortStableFunc(copies, func(a, b plugins.Copy) int { return a.Priority - b.Priority })
		for _, c := range copies {
			if !slices.ContainsFunc(d.Replicas, func(p Placed) bool { return p.URL == c.URL }) {
				d.Replicas = append(d.Replicas, Placed{URL: c.URL, Country: c.Country, Group: group, Size: live[i].Size})
			}
		}
	}
}

// deck returns the deck from which these equals are dealt: always the same
// for the same endpoints, so that turns are fair over all files together.
func (f *Federator) deck(equals []Placed) *choice.Deck {
	// The order among equals is that of the record and means nothing; the
	// deck needs one of its own.
	slices.SortFunc(equals, func(a, b Placed) int {
		if a.member.ID < b.member.ID {
			return -1
		}
		return 1
	})
	key := make([]byte, 0, 64)
	weights := make([]float64, len(equals))
	for i, p := range equals {
		key = binary.LittleEndian.AppendUint64(key, uint64(p.member.ID))
		weights[i] = p.member.Weight
		key = append(key, p.member.Fingerprint...)
	}
	if d, ok := f.decks.Get(string(key)); ok {
		return d
	}
	d := choice.NewDeck(weights, f.outside.Seed)
	if other, ok, _ := f.decks.PeekOrAdd(string(key), d); ok {
		return other
	}
	return d
}
