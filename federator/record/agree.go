package record

import (
	"cmp"
	"slices"

	"canopy/plugins"
)

// Agree sorts replicas into Facts: the group of one content that has the most
// copies first, then the newest, then the larger, so that every front end
// decides alike. It takes over the slice.
//
// A directory is one content wherever it is. Files are of one content when
// their sizes are known and equal and no checksum that both state differs. A
// file whose checksum is unknown joins the only content of its size; where
// there are two of that size nobody can say which one it is, and it stays
// alone. A size that is unknown agrees with nothing but itself.
func Agree(replicas []Replica) Facts {
	if len(replicas) > maxReplicas {
		replicas = replicas[:maxReplicas]
	}
	f := Facts{Replicas: replicas, Agreed: uint16(len(replicas))}
	if uniform(replicas) {
		return f
	}
	groups := make([]int, len(replicas))
	var contents []*content
	assign := func(i int, named bool) {
		r := &replicas[i]
		fits := -1
		for g, c := range contents {
			if c.takes(r) {
				if fits >= 0 && !named {
					fits = -1
					break
				}
				fits = g
				if named {
					break
				}
			}
		}
		if fits < 0 {
			contents = append(contents, &content{kind: r.Kind, size: r.Size})
			fits = len(contents) - 1
		}
		contents[fits].add(r)
		groups[i] = fits
	}
	// Those with checksums first: they tell contents of one size apart, which
	// must be known before the others look for their place.
	for i := range replicas {
		if len(replicas[i].digests()) > 0 {
			assign(i, true)
		}
	}
	for i := range replicas {
		if len(replicas[i].digests()) == 0 {
			assign(i, false)
		}
	}
	order := make([]int, len(contents))
	for g := range order {
		order[g] = g
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := contents[a], contents[b]
		return cmp.Or(
			cmp.Compare(y.count, x.count),
			cmp.Compare(y.kind, x.kind), // a directory keeps the tree below it reachable
			cmp.Compare(y.newest, x.newest),
			cmp.Compare(y.size, x.size),
			cmp.Compare(x.least, y.least))
	})
	place := make([]int, len(contents))
	for at, g := range order {
		place[g] = at
	}
	sorted := make([]Replica, 0, len(replicas))
	for at := range order {
		for i := range replicas {
			if place[groups[i]] == at {
				sorted = append(sorted, replicas[i])
			}
		}
	}
	return Facts{Replicas: sorted, Agreed: uint16(contents[order[0]].count)}
}

// maxReplicas bounds what one path can cost, whatever the endpoints claim.
const maxReplicas = 4096

// uniform is the usual case, told without allocating: all directories, or all
// files of one known size without any checksum.
func uniform(replicas []Replica) bool {
	if len(replicas) < 2 {
		return true
	}
	first := &replicas[0]
	for i := range replicas {
		r := &replicas[i]
		if r.Kind != first.Kind {
			return false
		}
		if r.Kind == plugins.File && (r.Size != first.Size || r.Size < 0 || r.Extra != nil) {
			return false
		}
	}
	return true
}

// content is one group of replicas in the making.
type content struct {
	kind   plugins.EntryKind
	size   int64
	sums   []plugins.Digest
	count  int
	newest int64
	least  ID
}

func (c *content) takes(r *Replica) bool {
	if c.kind != r.Kind {
		return false
	}
	if r.Kind == plugins.Directory {
		return true
	}
	if c.size != r.Size || r.Size < 0 {
		return false
	}
	for _, d := range r.digests() {
		for _, s := range c.sums {
			if s.Algorithm == d.Algorithm && s.Sum != d.Sum {
				return false
			}
		}
	}
	return true
}

func (c *content) add(r *Replica) {
	c.sums = append(c.sums, r.digests()...)
	c.newest = max(c.newest, r.ModTime)
	if c.count == 0 || r.Endpoint < c.least {
		c.least = r.Endpoint
	}
	c.count++
}
