package download

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestSpans compares spans with a set of bytes.
func TestSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const size = 40
		var all spans
		var set [size]bool
		for range rapid.IntRange(0, 20).Draw(t, "adds") {
			from := rapid.Int64Range(0, size).Draw(t, "from")
			to := rapid.Int64Range(from, size).Draw(t, "to")
			all = all.add(span{from, to})
			for i := from; i < to; i++ {
				set[i] = true
			}
		}
		if !all.sound(size) {
			t.Fatalf("unsound: %v", all)
		}
		var total int64
		for i, in := range set {
			at := int64(i)
			covers := func(s span) bool { return s.From <= at && at < s.To }
			if slices.ContainsFunc(all, covers) != in {
				t.Fatalf("byte %d: %v", i, all)
			}
			if slices.ContainsFunc(all.gaps(size), covers) == in {
				t.Fatalf("gap at %d: %v", i, all.gaps(size))
			}
			if in {
				total++
			}
		}
		if all.total() != total {
			t.Fatalf("total %d, want %d", all.total(), total)
		}
	})
}

func TestUnsoundSpans(t *testing.T) {
	for _, s := range []spans{
		{{-1, 2}}, {{2, 2}}, {{3, 2}}, {{0, 11}}, {{0, 2}, {2, 4}}, {{4, 6}, {0, 2}},
	} {
		if s.sound(10) {
			t.Errorf("%v passes", s)
		}
	}
}

func TestQueueDividesWork(t *testing.T) {
	const m = smallestChunk
	q := newQueue(spans{{0, 10 * m}}, 6*m)
	a, b := q.take(), q.take()
	if q.bounds(a) != (span{0, 6 * m}) || q.bounds(b) != (span{6 * m, 10 * m}) {
		t.Fatalf("%v %v", q.bounds(a), q.bounds(b))
	}
	q.advance(b, 3*m)
	c := q.take()
	if q.bounds(c) != (span{3 * m, 6 * m}) || q.bounds(a) != (span{0, 3 * m}) {
		t.Fatalf("half of the longest: %v %v", q.bounds(c), q.bounds(a))
	}
	q.drop(c)
	if !q.left() {
		t.Fatal("what a stream gives up is lost")
	}
	d := q.take()
	if q.bounds(d) != (span{3 * m, 6 * m}) {
		t.Fatalf("what was given up: %v", q.bounds(d))
	}
	q.advance(a, 2*m)
	q.advance(d, 2*m)
	if e := q.take(); e != nil {
		t.Fatalf("%v is too short to divide", q.bounds(e))
	}
}
