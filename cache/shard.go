package cache

import (
	"math"
	"sync"
	"sync/atomic"

	"canopy/cache/cellar"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// shard is one part of a store. Its counters are plain numbers: whoever counts
// holds the lock anyway.
type shard[V any] struct {
	mu  sync.Mutex
	lru *simplelru.LRU[string, Item[V]]
	// packed are those that were used before all that are in lru; nil in a
	// store that does not pack.
	packed  *cellar.Cellar
	scratch []byte // what is being packed
	count   Stats
	// The padding keeps the locks of two shards out of one cache line.
	_ [64]byte
}

func (sh *shard[V]) init(packs bool) {
	if packs {
		sh.packed = cellar.New()
	}
	// The list itself has no bound, the account has. NewLRU only fails for
	// sizes below one.
	sh.lru, _ = simplelru.NewLRU[string, Item[V]](math.MaxInt, nil)
}

func (sh *shard[V]) keys() []string {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	keys := sh.lru.Keys()
	if sh.packed != nil {
		keys = append(keys, sh.packed.Keys()...)
	}
	return keys
}

func (sh *shard[V]) counted() Stats {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.count
}

// account is what all items of a store take, against what they may take.
type account struct {
	maxEntries, maxBytes int64 // 0 is no bound
	entries, bytes       atomic.Int64
}

// reserve takes room for so many more entries and bytes, or reports that there
// is none. A change that asks for nothing more always succeeds.
func (a *account) reserve(entries, bytes int64) bool {
	if !take(&a.entries, entries, a.maxEntries) {
		return false
	}
	if !take(&a.bytes, bytes, a.maxBytes) {
		a.entries.Add(-entries)
		return false
	}
	return true
}

// release gives back the room of one item.
func (a *account) release(bytes int64) {
	a.entries.Add(-1)
	a.bytes.Add(-bytes)
}

func take(used *atomic.Int64, n, bound int64) bool {
	if n <= 0 || bound == 0 {
		used.Add(n)
		return true
	}
	for {
		old := used.Load()
		if n > bound-old {
			return false
		}
		if used.CompareAndSwap(old, old+n) {
			return true
		}
	}
}

// remove forgets key, and reports whether it was there; the caller holds the
// shard.
func (s *Store[V]) remove(sh *shard[V], key string) bool {
	if item, ok := sh.lru.Peek(key); ok {
		sh.lru.Remove(key)
		s.account.release(s.cost(key, &item))
		return true
	}
	return s.removePacked(sh, key)
}

// place puts item under key, in shard i, which the caller holds. It makes room
// first, beginning with the shard itself.
func (s *Store[V]) place(i int, key string, item Item[V]) {
	sh := &s.shards[i]
	cost := s.cost(key, &item)
	if s.largest > 0 && cost > s.largest {
		s.remove(sh, key)
		s.refused.Add(1)
		return
	}
	s.removePacked(sh, key)
	entries, bytes := int64(1), cost
	// The look-up also makes what is replaced the youngest of its shard, so
	// that it is not itself chosen to make room.
	old, replaces := sh.lru.Get(key)
	if replaces {
		entries, bytes = 0, cost-s.cost(key, &old)
	}
	for turn := i; !s.account.reserve(entries, bytes); {
		var found bool
		if turn, found = s.evict(turn, i, replaces); !found {
			s.remove(sh, key)
			s.refused.Add(1)
			return
		}
	}
	sh.lru.Add(key, item)
	s.pack(sh)
}

// evict drops the oldest item of the first shard from turn onwards that has
// one, and returns whose turn is next. The caller holds shard own, whose
// youngest item is spared when asked. The other shards are only tried, never
// waited for: two goroutines that make room for each other's shards would
// block each other.
func (s *Store[V]) evict(turn, own int, spare bool) (next int, found bool) {
	// The second round forgives shards that were busy in the first.
	for range 2 * shards {
		sh := &s.shards[turn]
		mine := turn == own
		turn = (turn + 1) % shards
		if !mine && !sh.mu.TryLock() {
			continue
		}
		if found = s.evictOldest(sh, mine && spare); found {
			sh.count.Evictions++
		}
		if !mine {
			sh.mu.Unlock()
		}
		if found {
			return turn, true
		}
	}
	return turn, false
}
