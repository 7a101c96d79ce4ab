package cache_test

import (
	"fmt"
	"strconv"
	"testing"

	"canopy/cache"

	"pgregory.net/rapid"
)

// model is a store without bounds of any kind.
type model map[string]cache.Item[int]

// decimal packs numbers as text.
type decimal struct{}

func (decimal) Pack(b []byte, v int) ([]byte, bool) { return strconv.AppendInt(b, int64(v), 10), true }

func (decimal) Unpack(b []byte) (int, bool) {
	v, err := strconv.Atoi(string(b))
	return v, err == nil
}

// TestStoreAgainstModel checks that no sequence of calls exceeds a bound, that
// whatever the store answers is what was last put there, and that an answer's
// state follows its deadlines exactly.
func TestStoreAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		opt := cache.Options{
			Entries: rapid.IntRange(0, 40).Draw(t, "entries"),
			Bytes:   rapid.SampledFrom([]int64{0, 3000, 20000}).Draw(t, "bytes"),
		}
		s, m := cache.New[int](opt), model{}
		if rapid.Bool().Draw(t, "packs") {
			opt.Ready = 1 // of each shard
			s = cache.NewPacked[int](opt, decimal{})
		}
		now := int64(1000)
		key := rapid.Custom(func(t *rapid.T) string { return fmt.Sprint("k", rapid.IntRange(0, 99).Draw(t, "n")) })
		item := rapid.Custom(func(t *rapid.T) cache.Item[int] {
			return cache.Item[int]{
				Value:   rapid.Int().Draw(t, "value"),
				Learned: now,
				Fresh:   now + rapid.Int64Range(-1, 5).Draw(t, "fresh"),
				Stale:   now + rapid.Int64Range(-1, 10).Draw(t, "stale"),
				Cost:    rapid.SampledFrom([]int64{-1, 0, 10, 500, 2000, 1 << 62}).Draw(t, "cost"),
			}
		})
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				k, i := key.Draw(t, "key"), item.Draw(t, "item")
				s.Put(k, i)
				m[k] = i
			},
			"get": func(t *rapid.T) {
				k := key.Draw(t, "key")
				got, state := s.Get(k, now)
				want, ok := m[k]
				switch {
				case state == cache.Missing && got != cache.Item[int]{}:
					t.Fatalf("a missing item has content: %+v", got)
				case state == cache.Missing:
				case !ok || got != want:
					t.Fatalf("got %+v, was put %+v (%v)", got, want, ok)
				case state != want.State(now):
					t.Fatalf("%v at %d for %+v", state, now, want)
				}
				if ok && want.State(now) == cache.Missing {
					delete(m, k)
				}
			},
			"update": func(t *rapid.T) {
				k, i, keep := key.Draw(t, "key"), item.Draw(t, "item"), rapid.Bool().Draw(t, "keep")
				s.Update(k, func(old cache.Item[int], ok bool) (cache.Item[int], bool) {
					if want := m[k]; ok && old != want {
						t.Fatalf("update sees %+v, was put %+v", old, want)
					}
					return i, keep
				})
				if delete(m, k); keep {
					m[k] = i
				}
			},
			"delete": func(t *rapid.T) {
				k := key.Draw(t, "key")
				s.Delete(k)
				delete(m, k)
			},
			"delete some": func(t *rapid.T) {
				odd := func(k string) bool { return k[len(k)-1]%2 != 0 }
				s.DeleteIf(odd)
				for k := range m {
					if odd(k) {
						delete(m, k)
					}
				}
			},
			"wait": func(t *rapid.T) { now += rapid.Int64Range(0, 4).Draw(t, "time") },
			"": func(t *rapid.T) {
				if opt.Entries > 0 && s.Len() > opt.Entries {
					t.Fatalf("%d entries, bound %d", s.Len(), opt.Entries)
				}
				if opt.Bytes > 0 && s.Bytes() > opt.Bytes {
					t.Fatalf("%d bytes, bound %d", s.Bytes(), opt.Bytes)
				}
				if s.Len() > len(m) || s.Bytes() < 0 || (s.Len() == 0) != (s.Bytes() == 0) {
					t.Fatalf("%d items of %d bytes, the model has %d", s.Len(), s.Bytes(), len(m))
				}
			},
		})
		if opt.Entries == 0 && opt.Bytes == 0 && s.Len() != len(m) {
			t.Fatalf("an unbounded store has %d of %d items", s.Len(), len(m))
		}
	})
}

// TestRecentSurvive checks that what makes room is what was used least
// recently: a store that may hold n small items keeps the one used last,
// whatever is put next to it.
func TestRecentSurvive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Each shard has several items on average, so that none is the only
		// one of its shard.
		const entries = 64 * 20
		s := cache.New[int](cache.Options{Entries: entries})
		for i := range entries {
			s.Put(fmt.Sprint("k", i), cache.Item[int]{Value: i, Fresh: 1})
		}
		used := rapid.SliceOfNDistinct(rapid.IntRange(0, entries-1), 1, 30, rapid.ID).Draw(t, "used")
		for _, i := range used {
			if _, state := s.Get(fmt.Sprint("k", i), 0); state != cache.Fresh {
				t.Fatalf("k%d is %v in a store that is just full", i, state)
			}
		}
		for i := range rapid.IntRange(1, 100).Draw(t, "new") {
			s.Put(fmt.Sprint("new", i), cache.Item[int]{Fresh: 1})
			// Using them again keeps them young, however uneven the shards.
			for _, i := range used {
				if _, state := s.Get(fmt.Sprint("k", i), 0); state != cache.Fresh {
					t.Fatalf("k%d was used last and is %v", i, state)
				}
			}
		}
		if s.Len() != entries {
			t.Fatalf("%d of %d entries in use", s.Len(), entries)
		}
	})
}

// TestPackedOrder checks that a store that packs forgets in the same order as
// one that does not.
func TestPackedOrder(t *testing.T) {
	const entries = 64 * 20
	s := cache.NewPacked[int](cache.Options{Entries: entries, Ready: 64 * 2}, decimal{})
	for i := range entries {
		s.Put(fmt.Sprint("k", i), cache.Item[int]{Value: i, Learned: 1, Fresh: 2, Stale: 3})
	}
	used := entries / 4
	for i := range used {
		if got, state := s.Get(fmt.Sprint("k", i), 1); state != cache.Fresh || got != (cache.Item[int]{Value: i, Learned: 1, Fresh: 2, Stale: 3}) {
			t.Fatalf("k%d is %v %+v", i, state, got)
		}
	}
	for i := range entries / 4 {
		s.Put(fmt.Sprint("new", i), cache.Item[int]{Fresh: 2})
	}
	lost := 0
	for i := range used {
		if _, state := s.Get(fmt.Sprint("k", i), 1); state != cache.Fresh {
			lost++
		}
	}
	// Shards are not all of one size.
	if s.Len() != entries || lost > used/20 {
		t.Errorf("%d of %d items, and %d lost of %d that were used", s.Len(), entries, lost, used)
	}
}
