package download

import (
	"cmp"
	"slices"
)

// span is a part of a file: the bytes from From up to but not including To.
type span struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// spans are disjoint, not adjacent, not empty and in ascending order.
type spans []span

// add returns the spans with s.
func (all spans) add(s span) spans {
	if s.From >= s.To {
		return all
	}
	// The first that ends where s begins or later, and the first beyond s.
	i, _ := slices.BinarySearchFunc(all, s.From, func(x span, from int64) int { return cmp.Compare(x.To, from) })
	j := i
	for j < len(all) && all[j].From <= s.To {
		s.From, s.To = min(s.From, all[j].From), max(s.To, all[j].To)
		j++
	}
	return slices.Replace(all, i, j, s)
}

// total is how many bytes the spans cover.
func (all spans) total() int64 {
	var n int64
	for _, s := range all {
		n += s.To - s.From
	}
	return n
}

// gaps are what the spans lack of a file of size bytes.
func (all spans) gaps(size int64) spans {
	var gaps spans
	var at int64
	for _, s := range all {
		if s.From > at {
			gaps = append(gaps, span{at, s.From})
		}
		at = s.To
	}
	if at < size {
		gaps = append(gaps, span{at, size})
	}
	return gaps
}

// sound reports whether what was read from a file are spans of size bytes.
func (all spans) sound(size int64) bool {
	at := int64(-1)
	for _, s := range all {
		if s.From <= at || s.From >= s.To || s.To > size {
			return false
		}
		at = s.To
	}
	return true
}
