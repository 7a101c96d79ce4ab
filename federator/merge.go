package federator

import (
	"iter"
	"slices"
	"strings"

	"canopy/federator/record"
)

// chunkSize is how many children are published at a time.
const chunkSize = 512

// merge combines sources and the children known before, all in order of name,
// and publishes chunks of children until that returns false. Of what was known
// before, the replicas for which stands is true remain; it is asked when all
// sources have come to the name or past it.
func merge(sources []*source, learned int64, before *record.Listing, stands func(*record.Replica) bool, publish func([]record.Child) bool) {
	if before == nil {
		before = &record.Listing{}
	}
	old, stop := iter.Pull(before.Children())
	defer stop()
	known, _ := old()
	chunk := make([]record.Child, 0, chunkSize)
	slab := make([]record.Replica, 0, chunkSize)
	heads := make([]*item, len(sources))
	for {
		least, found := "", false
		for i, s := range sources {
			if heads[i] = s.head(learned); heads[i] != nil && (!found || heads[i].name < least) {
				least, found = heads[i].name, true
			}
		}
		if known != nil && (!found || known.Name < least) {
			least, found = known.Name, true
		}
		if !found {
			break
		}
		most := len(sources)
		if known != nil && known.Name == least {
			most += len(known.Replicas)
		}
		if cap(slab)-len(slab) < most {
			slab = make([]record.Replica, 0, max(chunkSize, most))
		}
		from := len(slab)
		for i, h := range heads {
			if h != nil && h.name == least {
				slab = oneEach(slab, from, &h.replica)
				sources[i].pass()
			}
		}
		if known != nil && known.Name == least {
			for i := range known.Replicas {
				if stands(&known.Replicas[i]) {
					slab = oneEach(slab, from, &known.Replicas[i])
				}
			}
			known, _ = old()
		}
		replicas := slab[from:len(slab):len(slab)]
		if len(replicas) == 0 {
			continue
		}
		// Cloned, for it may be a part of much more: of the endpoint's answer.
		chunk = append(chunk, record.Child{Name: strings.Clone(least), Facts: record.Agree(replicas)})
		if len(chunk) == chunkSize {
			if !publish(chunk) {
				return
			}
			chunk = make([]record.Child, 0, chunkSize)
			slab = make([]record.Replica, 0, max(chunkSize, len(sources)*chunkSize/2))
		}
	}
	if len(chunk) > 0 {
		publish(slices.Clip(chunk))
	}
}

// oneEach appends r to the replicas from the position from on, among which
// each endpoint stands once, with the first of its own paths.
func oneEach(slab []record.Replica, from int, r *record.Replica) []record.Replica {
	for i := range slab[from:] {
		if old := &slab[from+i]; old.Endpoint == r.Endpoint {
			if r.Via < old.Via {
				*old = *r
			}
			return slab
		}
	}
	return append(slab, *r)
}
