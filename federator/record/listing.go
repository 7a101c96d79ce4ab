package record

import (
	"iter"
	"slices"
	"sort"
	"strings"
	"sync/atomic"
)

// MaxName is the longest name, in bytes, that a child can have.
const MaxName = 4096

// ValidName reports whether name can be that of a child. Endpoints are not
// trusted to keep to one component.
func ValidName(name string) bool {
	return name != "" && len(name) <= MaxName && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

// Child is one name of a directory and what is known of it.
type Child struct {
	Name string
	Facts
}

// Listing is what is known of a directory's children, in ascending order of
// name. It is kept in chunks, so that a million names need no copy to grow.
type Listing struct {
	chunks [][]Child
	length int
	bytes  int64
	// holders are the endpoints that occur among the replicas of children.
	holders []ID
	// Coverage is who has listed the directory to the end, or said that it
	// does not have it.
	Coverage *Coverage
	// Silences are those who were asked and did not get to the end.
	Silences []Silence
	// Learned is when the listing was begun, in Unix nanoseconds.
	Learned int64
	// Exists is whether any endpoint has the directory.
	Exists bool
	// Checked memoizes, for the federator, for which generation of its
	// endpoints all holders were found to be among them.
	Checked atomic.Uint64
}

// Append adds a chunk, which must continue the order of names and is taken
// over. Not for a Listing that is already shared.
func (l *Listing) Append(chunk []Child) {
	if len(chunk) == 0 {
		return
	}
	l.chunks = append(l.chunks, chunk)
	l.length += len(chunk)
	for i := range chunk {
		l.count(&chunk[i], 1)
	}
}

// count adds a child to what the listing takes, or subtracts it.
func (l *Listing) count(c *Child, sign int64) {
	l.bytes += sign * (48 + int64(len(c.Name)) + c.Facts.bytes())
	for i := range c.Replicas {
		if id := c.Replicas[i].Endpoint; !slices.Contains(l.holders, id) {
			l.holders = append(l.holders, id)
		}
	}
}

// Holders returns all endpoints that hold any child; it is not to be changed.
func (l *Listing) Holders() []ID { return l.holders }

// With returns the listing as it is with these facts of one child, which is
// not in it if the facts say that nobody holds it. All else is shared.
func (l *Listing) With(name string, facts Facts) *Listing {
	c := &Listing{
		chunks: slices.Clone(l.chunks), length: l.length, bytes: l.bytes, holders: slices.Clip(l.holders),
		Coverage: l.Coverage, Silences: l.Silences, Learned: l.Learned, Exists: l.Exists,
	}
	at := min(l.chunkOf(name), len(l.chunks)-1)
	if at < 0 {
		if facts.Exists() {
			c.Append([]Child{{Name: name, Facts: facts}})
		}
		return c
	}
	chunk := l.chunks[at]
	i, is := sort.Find(len(chunk), func(i int) int { return strings.Compare(name, chunk[i].Name) })
	end := i
	if is {
		end++
		c.count(&chunk[i], -1)
		c.length--
	}
	var child []Child
	if facts.Exists() {
		child = []Child{{Name: name, Facts: facts}}
		c.count(&child[0], 1)
		c.length++
	}
	c.chunks[at] = slices.Concat(chunk[:i], child, chunk[end:])
	if len(c.chunks[at]) == 0 {
		c.chunks = slices.Delete(c.chunks, at, at+1)
	}
	return c
}

// Only returns the listing with only the replicas of those holders that keep
// accepts; a child that loses all of its replicas is left out. It is l itself
// where all are accepted.
func (l *Listing) Only(keep func(ID) bool) *Listing {
	if !slices.ContainsFunc(l.holders, func(id ID) bool { return !keep(id) }) {
		return l
	}
	c := &Listing{Coverage: l.Coverage, Silences: l.Silences, Learned: l.Learned, Exists: l.Exists}
	for _, chunk := range l.chunks {
		kept := make([]Child, 0, len(chunk))
		for i := range chunk {
			if facts := chunk[i].Only(func(r *Replica) bool { return keep(r.Endpoint) }); facts.Exists() {
				kept = append(kept, Child{Name: chunk[i].Name, Facts: facts})
			}
		}
		c.Append(kept)
	}
	return c
}

// Len returns the number of children.
func (l *Listing) Len() int { return l.length }

// Bytes estimates the heap that the listing takes.
func (l *Listing) Bytes() int64 { return 128 + l.bytes + int64(len(l.Silences))*32 }

// Children yields the children in order. They are not to be changed.
func (l *Listing) Children() iter.Seq[*Child] {
	return func(yield func(*Child) bool) {
		for _, chunk := range l.chunks {
			for i := range chunk {
				if !yield(&chunk[i]) {
					return
				}
			}
		}
	}
}

// Find returns the child called name, or nil.
func (l *Listing) Find(name string) *Child {
	c := l.chunkOf(name)
	if c == len(l.chunks) {
		return nil
	}
	chunk := l.chunks[c]
	i, ok := sort.Find(len(chunk), func(i int) int { return strings.Compare(name, chunk[i].Name) })
	if !ok {
		return nil
	}
	return &chunk[i]
}

// chunkOf returns the first chunk that does not end before name; the number of
// chunks if all do.
func (l *Listing) chunkOf(name string) int {
	return sort.Search(len(l.chunks), func(i int) bool {
		chunk := l.chunks[i]
		return chunk[len(chunk)-1].Name >= name
	})
}

// Silent returns the silence of endpoint id, if it did not get to the end.
func (l *Listing) Silent(id ID) (Silence, bool) {
	for _, s := range l.Silences {
		if s.Endpoint == id {
			return s, true
		}
	}
	return Silence{}, false
}
