// Package cache remembers what was learned, with its age.
//
// # Two levels
//
// Store is the level inside one process: a bounded, least-recently-used map
// from a key to an Item, which carries the value, when it was learned and two
// deadlines. Until Fresh the value is good; from then until Stale it may be
// served while somebody asks again, or while nobody can be asked; after that it
// is gone. The store reads no clock: the caller passes the time in, once per
// request, because asking for it costs more than the look-up.
//
// Shared is the level that several front ends have in common. This package
// only says what is expected of it; package cache/redis fulfils it.
//
// # Bounds
//
// A store is bounded by entries and by bytes, over all its shards together.
// There is one account for the whole store, not a share for each shard, so
// that a large item needs no shard large enough for it and an uneven spread of
// keys wastes nothing. Room is made before an item is placed, so neither bound
// is ever exceeded, not even for a moment: the oldest item of the item's own
// shard goes first, then the oldest of the next shard, and so on around. A
// small item thus pushes out one old neighbour; a large one takes the oldest
// of every shard in turn, which is close to the oldest of the whole store, and
// leaves the recently used of all shards alone. No item may take more than
// an eighth of the bytes (Options.LargestShare): one huge listing costs the
// store at most that much of what it knew.
//
// The bytes are what an item costs in memory: the caller's figure for the
// value, the key, and what the store itself needs for it (about 170 bytes).
//
// # Packing
//
// A collector of garbage looks through all that has pointers in it, again and
// again, and of a million items that takes a second of everybody's time. A
// store that knows how to pack its values (Packer) keeps only those ready that
// were used last (Options.Ready). The others it keeps as bytes (package
// cellar), from which they are made again when they are asked for; they are
// smaller there, too. What was used least recently goes first all the same.
package cache

import (
	"hash/maphash"
	"reflect"
	"sync/atomic"
)

const (
	// shards divides the store so that many cores rarely meet at one lock.
	shards = 64
	// largestShare is the default of Options.LargestShare.
	largestShare = 8
	// ready is the default of Options.Ready.
	ready = 1 << 14
	// linkBytes is what golang-lru spends on one entry beside its key and
	// value: two links, the list, an unused deadline and its bucket, and
	// the header of the key.
	linkBytes = 72
	// slotBytes is one entry's part of the index: the key's header, a
	// pointer, the control byte, at the usual load of Go's map.
	slotBytes = 40
)

// Item is a value with its age. All times are Unix nanoseconds.
type Item[V any] struct {
	Value V
	// Learned is when the value was true: when the question was sent.
	Learned int64
	// Fresh is the first moment at which the value is no longer fresh.
	Fresh int64
	// Stale is the first moment at which the value is of no use at all. When
	// it is not after Fresh the item is never served stale.
	Stale int64
	// Cost is the memory that Value refers to beyond its own size, in bytes,
	// as the caller reckons it. A negative cost counts as none.
	Cost int64
}

// State is how good an item is at some moment.
type State uint8

// The states of an item.
const (
	// Missing: not there, or beyond its Stale deadline.
	Missing State = iota
	// Stale: beyond Fresh, before Stale.
	Stale
	// Fresh: before Fresh.
	Fresh
)

// String returns the state in a word.
func (s State) String() string {
	switch s {
	case Fresh:
		return "fresh"
	case Stale:
		return "stale"
	}
	return "missing"
}

// State tells how good the item is at now, in Unix nanoseconds.
func (i *Item[V]) State(now int64) State {
	switch {
	case now < i.Fresh:
		return Fresh
	case now < i.Stale:
		return Stale
	}
	return Missing
}

// Options bounds a Store.
type Options struct {
	// Entries is the largest number of items; 0 is no bound.
	Entries int
	// Bytes is the most memory that all items may take; 0 is no bound.
	Bytes int64
	// LargestShare is the divisor that bounds one item: it may take
	// Bytes/LargestShare, or is not kept. 0 is 8.
	LargestShare int64
	// Ready is how many items are kept unpacked by a store that packs; 0 is
	// 16,384.
	Ready int
}

// Store is a bounded map in memory. All methods may be called by any number
// of goroutines at once.
type Store[V any] struct {
	seed    maphash.Seed
	shards  [shards]shard[V]
	account account
	// overhead is what an item costs beside its key and Item.Cost.
	overhead int64
	// largest is the most that one item may cost; 0 is no bound.
	largest int64
	refused atomic.Uint64
	// packer is nil for a store that keeps all items ready; else each shard
	// keeps so many.
	packer Packer[V]
	ready  int
}

// New makes an empty store that keeps all values as they are.
func New[V any](opt Options) *Store[V] { return NewPacked[V](opt, nil) }

// NewPacked makes an empty store that packs what was not used lately.
func NewPacked[V any](opt Options, packer Packer[V]) *Store[V] {
	if opt.Ready <= 0 {
		opt.Ready = ready
	}
	s := &Store[V]{
		packer:   packer,
		ready:    max(1, opt.Ready/shards),
		seed:     maphash.MakeSeed(),
		overhead: int64(reflect.TypeFor[Item[V]]().Size()) + linkBytes + slotBytes,
	}
	s.account.maxEntries = int64(max(opt.Entries, 0))
	s.account.maxBytes = max(opt.Bytes, 0)
	if share := opt.LargestShare; s.account.maxBytes > 0 {
		if share <= 0 {
			share = largestShare
		}
		s.largest = max(1, s.account.maxBytes/share)
	}
	for i := range s.shards {
		s.shards[i].init(packer != nil)
	}
	return s
}

// Get returns the item of key and how good it is at now, in Unix nanoseconds.
// An item beyond its Stale deadline is removed and Missing. A hit makes the
// item the most recently used of its shard; unless it was packed, it allocates
// nothing.
func (s *Store[V]) Get(key string, now int64) (Item[V], State) {
	i := s.index(key)
	sh := &s.shards[i]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	item, ok := sh.lru.Get(key)
	if !ok {
		if item, ok = s.unpack(sh, key); !ok {
			sh.count.Misses++
			return Item[V]{}, Missing
		}
		if item.State(now) != Missing {
			s.place(i, key, item)
		}
	}
	state := item.State(now)
	switch state {
	case Fresh:
		sh.count.Hits++
	case Stale:
		sh.count.Stale++
	default:
		sh.count.Misses++
		s.remove(sh, key)
		return Item[V]{}, Missing
	}
	return item, state
}

// Put keeps item under key in place of what was there. An item that is too
// large is not kept, and then nothing is left under key, because what was
// there has been superseded.
func (s *Store[V]) Put(key string, item Item[V]) {
	i := s.index(key)
	sh := &s.shards[i]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s.place(i, key, item)
}

// Update calls change with the item of key, whatever its deadlines, and keeps
// what it returns; a false second result removes the item. Nobody else sees or
// changes the key in between, so that late answers can be merged. change must
// be quick and must not call the store.
func (s *Store[V]) Update(key string, change func(old Item[V], ok bool) (Item[V], bool)) {
	i := s.index(key)
	sh := &s.shards[i]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	item, ok := sh.lru.Peek(key)
	if !ok {
		item, ok = s.peekPacked(sh, key)
	}
	item, keep := change(item, ok)
	if keep {
		s.place(i, key, item)
		return
	}
	s.remove(sh, key)
}

// Delete forgets key.
func (s *Store[V]) Delete(key string) {
	sh := &s.shards[s.index(key)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s.remove(sh, key)
}

// deleteBatch is how many items DeleteIf looks at before it lets others have the
// shard.
const deleteBatch = 256

// DeleteIf forgets the item of every key for which drop returns true and returns
// how many those were. It holds a shard for as long as it takes to copy its
// keys; an item that is put while it runs may or may not be seen. drop must not
// call the store.
func (s *Store[V]) DeleteIf(drop func(key string) bool) int {
	dropped := 0
	for i := range s.shards {
		sh := &s.shards[i]
		for keys := sh.keys(); len(keys) > 0; {
			run := keys[:min(len(keys), deleteBatch)]
			keys = keys[len(run):]
			dropped += s.deleteRun(sh, run, drop)
		}
	}
	return dropped
}

func (s *Store[V]) deleteRun(sh *shard[V], keys []string, drop func(string) bool) int {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	dropped := 0
	for _, key := range keys {
		if drop(key) && s.remove(sh, key) {
			dropped++
		}
	}
	return dropped
}

// Len returns the number of items, those beyond their deadlines included.
func (s *Store[V]) Len() int { return int(s.account.entries.Load()) }

// Bytes returns what all items cost in memory.
func (s *Store[V]) Bytes() int64 { return s.account.bytes.Load() }

// Stats counts what a store did since it was made.
type Stats struct {
	// Hits, Stale and Misses are the results of Get.
	Hits, Stale, Misses uint64
	// Evictions are items pushed out to make room.
	Evictions uint64
	// Refused are items that were too large to be kept.
	Refused uint64
}

// Stats adds up the counters of all shards.
func (s *Store[V]) Stats() Stats {
	sum := Stats{Refused: s.refused.Load()}
	for i := range s.shards {
		c := s.shards[i].counted()
		sum.Hits += c.Hits
		sum.Stale += c.Stale
		sum.Misses += c.Misses
		sum.Evictions += c.Evictions
	}
	return sum
}

func (s *Store[V]) index(key string) int {
	return int(maphash.String(s.seed, key) % shards)
}

// costLimit keeps sums of nonsensical costs from overflowing: a tebibyte.
const costLimit = 1 << 40

func (s *Store[V]) cost(key string, item *Item[V]) int64 {
	return s.overhead + int64(len(key)) + min(max(item.Cost, 0), costLimit)
}
