package cache

import (
	"encoding/binary"

	"canopy/cache/cellar"
)

// Packer turns values into bytes and back. Its methods are called while a part
// of the store is locked, by several goroutines at once, and must not call it.
type Packer[V any] interface {
	// Pack appends the form of v to b; false if it has none, so that v is
	// forgotten when it has not been used for long.
	Pack(b []byte, v V) ([]byte, bool)
	// Unpack makes a value of what Pack has written; false if it cannot.
	Unpack(b []byte) (V, bool)
}

// packedSlot is what the index of a cellar takes for one item: its hash and its
// place, at the usual load of Go's map.
const packedSlot = 24

// largestScratch bounds what a shard keeps to pack into.
const largestScratch = 1 << 16

// packedCost is what a packed item costs, holes beside it included.
func packedCost(key, packed int) int64 {
	return packedSlot + int64(cellar.Size(key, packed))*3/2
}

// pack packs what was used least recently of the items that are ready, if they
// are too many. The caller holds the shard.
func (s *Store[V]) pack(sh *shard[V]) {
	if sh.packed == nil || sh.lru.Len() <= s.ready {
		return
	}
	key, item, _ := sh.lru.RemoveOldest()
	ready := s.cost(key, &item)
	b := sh.scratch[:0]
	for _, n := range [...]int64{item.Learned, item.Fresh, item.Stale, item.Cost} {
		b = binary.AppendVarint(b, n)
	}
	b, ok := s.packer.Pack(b, item.Value)
	if cap(b) <= largestScratch {
		sh.scratch = b
	}
	cost := packedCost(len(key), len(b))
	if !ok || cost > ready {
		s.account.release(ready)
		sh.count.Evictions++
		return
	}
	if k, v, lost := sh.packed.Put(key, b); lost {
		s.account.release(packedCost(k, v)) // another key with the same hash
	}
	s.account.bytes.Add(cost - ready)
}

// peekPacked returns the item of key if it is packed. The caller holds the
// shard.
func (s *Store[V]) peekPacked(sh *shard[V], key string) (item Item[V], ok bool) {
	if sh.packed == nil {
		return item, false
	}
	b, ok := sh.packed.Get(key)
	if !ok {
		return item, false
	}
	for _, n := range [...]*int64{&item.Learned, &item.Fresh, &item.Stale, &item.Cost} {
		v, size := binary.Varint(b)
		*n, b = v, b[size:]
	}
	item.Value, ok = s.packer.Unpack(b)
	return item, ok
}

// unpack is peekPacked and forgets what was packed. The caller holds the shard.
func (s *Store[V]) unpack(sh *shard[V], key string) (item Item[V], ok bool) {
	if item, ok = s.peekPacked(sh, key); ok {
		s.removePacked(sh, key)
	}
	return item, ok
}

// removePacked forgets key where it is packed, and reports whether it was. The
// caller holds the shard.
func (s *Store[V]) removePacked(sh *shard[V], key string) bool {
	if sh.packed == nil {
		return false
	}
	b, ok := sh.packed.Get(key)
	if ok {
		s.account.release(packedCost(len(key), len(b)))
		sh.packed.Remove(key)
	}
	return ok
}

// evictOldest drops what was used least recently of a shard, which the caller
// holds; where spare is set, not the last that is ready.
func (s *Store[V]) evictOldest(sh *shard[V], spare bool) bool {
	if sh.packed != nil {
		if key, packed, ok := sh.packed.RemoveOldest(); ok {
			s.account.release(packedCost(key, packed))
			return true
		}
	}
	if n := sh.lru.Len(); n == 0 || n == 1 && spare {
		return false
	}
	key, item, _ := sh.lru.RemoveOldest()
	s.account.release(s.cost(key, &item))
	return true
}
