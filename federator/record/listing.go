package record

import (
	"iter"
	"sort"
	"strings"
)

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
	// Coverage is who has listed the directory to the end, or said that it
	// does not have it.
	Coverage *Coverage
	// Silences are those who were asked and did not get to the end.
	Silences []Silence
	// Learned is when the listing was begun, in Unix nanoseconds.
	Learned int64
	// Exists is whether any endpoint has the directory.
	Exists bool
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
		l.bytes += 48 + int64(len(chunk[i].Name)) + chunk[i].Facts.bytes()
	}
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
	c := sort.Search(len(l.chunks), func(i int) bool {
		chunk := l.chunks[i]
		return chunk[len(chunk)-1].Name >= name
	})
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

// Silent returns the silence of endpoint id, if it did not get to the end.
func (l *Listing) Silent(id ID) (Silence, bool) {
	for _, s := range l.Silences {
		if s.Endpoint == id {
			return s, true
		}
	}
	return Silence{}, false
}
