// Package cellar keeps values that are seldom asked for, by key, in memory in
// which a garbage collector finds nothing to look through.
//
// Keys and values lie one behind the other in large segments, in the order in
// which they were put; an index without pointers says where. A million of them
// are a few hundred objects to the collector, where a list and a map of them
// are millions.
//
// What is removed, or put again, leaves a hole. A segment of which more than a
// third is holes is written anew without them, in its place, so that the order
// stays and the memory taken is at most half as much again as what is in it.
// Only the segment that is being filled, and that from which the oldest are
// taken, may be emptier.
//
// The index knows keys by a hash of 64 bits. Of two keys with the same one,
// which a billion keys have once in forty such cellars, the younger is kept.
package cellar

import (
	"encoding/binary"
	"hash/maphash"
)

const (
	// smallest and largest are the sizes of segments, in bytes: each is twice
	// the last. A value that is larger has a segment of its own.
	smallest = 1 << 10
	largest  = 1 << 16
)

// Cellar keeps values by key. Make one with New. It is for one goroutine at a
// time.
type Cellar struct {
	seed  maphash.Seed
	index map[uint64]location
	// segments are numbered from first, and the first has something in it.
	segments []segment
	first    uint32
	passed   int // the offset in the first segment before which all are holes
}

// location is the number of a segment and an offset in it.
type location uint64

func at(segment uint32, offset int) location { return location(segment)<<32 | location(offset) }

func (l location) segment() uint32 { return uint32(l >> 32) }
func (l location) offset() int     { return int(uint32(l)) }

// segment is values one behind the other, each as the lengths of key and value
// (uvarint) and both of them.
type segment struct {
	b    []byte
	live int // bytes that are in use
}

// New returns an empty cellar.
func New() *Cellar {
	return &Cellar{seed: maphash.MakeSeed(), index: make(map[uint64]location)}
}

// Len returns how many values there are.
func (c *Cellar) Len() int { return len(c.index) }

// Bytes returns the memory that the segments take.
func (c *Cellar) Bytes() int64 {
	var n int64
	for i := range c.segments {
		n += int64(cap(c.segments[i].b))
	}
	return n
}

// Size returns the bytes that a key and a value of such lengths take in a
// segment.
func Size(key, value int) int { return lengths(key) + lengths(value) + key + value }

// lengths returns the bytes that a length takes.
func lengths(n int) int {
	size := 1
	for ; n >= 1<<7; n >>= 7 {
		size++
	}
	return size
}

// item is a value where it lies.
type item struct {
	key, value []byte
	size       int
}

// read returns what begins at an offset.
func (s *segment) read(offset int) item {
	b := s.b[offset:]
	key, n := binary.Uvarint(b)
	value, m := binary.Uvarint(b[n:])
	head := n + m
	end := head + int(key) + int(value)
	return item{key: b[head : head+int(key)], value: b[head+int(key) : end], size: end}
}

func (c *Cellar) find(key string) (hash uint64, l location, i item, ok bool) {
	hash = maphash.String(c.seed, key)
	if l, ok = c.index[hash]; !ok {
		return hash, 0, item{}, false
	}
	i = c.segments[l.segment()-c.first].read(l.offset())
	return hash, l, i, string(i.key) == key
}

// Get returns the value of key. It is good until the cellar is changed, and not
// to be changed itself.
func (c *Cellar) Get(key string) (value []byte, ok bool) {
	_, _, i, ok := c.find(key)
	return i.value, ok
}

// Put keeps value under key, as the youngest, in place of what was there.
// lost are the lengths of the key and the value that had to go, if any: those of
// key, or of another key with the same hash.
func (c *Cellar) Put(key string, value []byte) (lostKey, lostValue int, lost bool) {
	hash := maphash.String(c.seed, key)
	if l, ok := c.index[hash]; ok {
		i := c.segments[l.segment()-c.first].read(l.offset())
		lostKey, lostValue, lost = len(i.key), len(i.value), true
		c.drop(hash, l, i.size)
	}
	size := Size(len(key), len(value))
	tail := c.tail(size)
	s := &c.segments[tail-c.first]
	c.index[hash] = at(tail, len(s.b))
	s.b = binary.AppendUvarint(s.b, uint64(len(key)))
	s.b = binary.AppendUvarint(s.b, uint64(len(value)))
	s.b = append(append(s.b, key...), value...)
	s.live += size
	return lostKey, lostValue, lost
}

// tail returns the number of a segment at the end with room for size bytes.
func (c *Cellar) tail(size int) uint32 {
	room := smallest
	if n := len(c.segments); n > 0 {
		last := &c.segments[n-1]
		if len(last.b)+size <= cap(last.b) {
			return c.first + uint32(n-1)
		}
		room = min(max(room, 2*cap(last.b)), largest)
	}
	c.segments = append(c.segments, segment{b: make([]byte, 0, max(room, size))})
	c.trim()
	return c.first + uint32(len(c.segments)-1)
}

// Remove forgets key, and reports whether it was there.
func (c *Cellar) Remove(key string) bool {
	hash, l, i, ok := c.find(key)
	if ok {
		c.drop(hash, l, i.size)
	}
	return ok
}

// drop forgets the size bytes at l, of which hash is the key's.
func (c *Cellar) drop(hash uint64, l location, size int) {
	delete(c.index, hash)
	place := int(l.segment() - c.first)
	s := &c.segments[place]
	s.live -= size
	switch {
	case place == len(c.segments)-1:
		if s.live == 0 { // nothing is in the index that leads here
			s.b = s.b[:0]
			if place == 0 {
				c.passed = 0
			}
		}
	case place == 0:
		c.trim()
	case s.live == 0:
		s.b = nil
	case 3*(len(s.b)-s.live) > len(s.b):
		c.compact(l.segment())
	}
}

// trim gives up the segments at the beginning in which nothing is.
func (c *Cellar) trim() {
	n := 0
	for n < len(c.segments)-1 && c.segments[n].live == 0 {
		n++
	}
	if n == 0 {
		return
	}
	clear(c.segments[:n])
	c.segments = c.segments[n:]
	c.first += uint32(n)
	c.passed = 0
}

// each goes through what is in use of a segment, in order, from an offset on,
// until yield has had enough.
func (c *Cellar) each(number uint32, offset int, yield func(hash uint64, l location, i item) bool) {
	s := &c.segments[number-c.first]
	for b := s.b; offset < len(b); {
		i := (&segment{b: b}).read(offset)
		l := at(number, offset)
		offset += i.size
		hash := maphash.Bytes(c.seed, i.key)
		if is, ok := c.index[hash]; ok && is == l && !yield(hash, l, i) {
			return
		}
	}
}

// compact writes a segment anew without its holes.
func (c *Cellar) compact(number uint32) {
	s := &c.segments[number-c.first]
	b := make([]byte, 0, s.live)
	c.each(number, 0, func(hash uint64, l location, i item) bool {
		c.index[hash] = at(number, len(b))
		b = append(b, s.b[l.offset():l.offset()+i.size]...)
		return true
	})
	s.b = b
}

// RemoveOldest forgets what was put longest ago, and returns the lengths of
// its key and value; false if there is nothing.
func (c *Cellar) RemoveOldest() (key, value int, ok bool) {
	for n := range c.segments {
		number := c.first + uint32(n)
		from := 0
		if n == 0 {
			from = c.passed
		}
		c.each(number, from, func(hash uint64, l location, i item) bool {
			key, value, ok = len(i.key), len(i.value), true
			if n == 0 {
				c.passed = l.offset() + i.size
			}
			c.drop(hash, l, i.size)
			return false
		})
		if ok {
			return key, value, true
		}
	}
	return 0, 0, false
}

// Keys returns all keys, the oldest first.
func (c *Cellar) Keys() []string {
	keys := make([]string, 0, len(c.index))
	for n := range c.segments {
		c.each(c.first+uint32(n), 0, func(_ uint64, _ location, i item) bool {
			keys = append(keys, string(i.key))
			return true
		})
	}
	return keys
}
