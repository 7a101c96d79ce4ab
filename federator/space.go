package federator

import (
	"context"
	"sync"
	"time"

	"canopy/cache"
	"canopy/federator/health"
	"canopy/federator/record"
	"canopy/plugins"
)

// Space sums the room of all endpoints that have a place for path. Endpoints
// that do not know theirs count for nothing; where none does, the values are
// negative. The sum of free room is what all of them together could take,
// not what one file could have.
func (f *Federator) Space(ctx context.Context, path string) plugins.Space {
	g := f.enter()
	defer f.leave(g)
	ctx, cancel := context.WithTimeout(ctx, g.Deadline)
	defer cancel()
	sum := plugins.Space{Used: -1, Free: -1}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, m := range g.candidates(path) {
		if m.can.Spacer == nil || m.state.Condition() != health.Up {
			continue
		}
		wg.Go(func() {
			s, err := m.can.Spacer.Space(ctx, m.Names.Endpoint(path)[0])
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			sum.Used, sum.Free = plus(sum.Used, s.Used), plus(sum.Free, s.Free)
		})
	}
	wg.Wait()
	return sum
}

// plus adds where negative is unknown.
func plus(a, b int64) int64 {
	if a < 0 || b < 0 {
		return max(a, b)
	}
	return a + b
}

// learnDigest keeps a checksum that was asked for with the record it is of.
func (f *Federator) learnDigest(d *Decision, id record.ID, digest plugins.Digest) {
	now := time.Now().UnixNano()
	f.entries.Update(d.Path, func(item cache.Item[*record.Record], ok bool) (cache.Item[*record.Record], bool) {
		if !ok || item.State(now) == cache.Missing || item.Value != d.Record {
			return item, ok
		}
		old := item.Value
		replicas := append([]record.Replica(nil), old.Replicas...)
		for i := range replicas {
			if r := &replicas[i]; r.Endpoint == id {
				extra := record.Extra{Digests: []plugins.Digest{digest}}
				if r.Extra != nil {
					extra.Digests = append(extra.Digests, r.Extra.Digests...)
					extra.Copies = r.Extra.Copies
				}
				r.Extra = &extra
			}
		}
		r := &record.Record{Facts: record.Agree(replicas), Coverage: old.Coverage, Silences: old.Silences, Asked: old.Asked}
		item.Value, item.Cost = r, r.Bytes()
		return item, true
	})
}
