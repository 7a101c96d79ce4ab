package cellar_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"canopy/cache/cellar"

	"pgregory.net/rapid"
)

// model is a cellar that keeps its order in a list.
type model struct {
	order  []string
	values map[string][]byte
}

func (m *model) put(key string, value []byte) {
	m.remove(key)
	m.order = append(m.order, key)
	m.values[key] = value
}

func (m *model) remove(key string) bool {
	_, ok := m.values[key]
	delete(m.values, key)
	m.order = slices.DeleteFunc(m.order, func(k string) bool { return k == key })
	return ok
}

// slack is what the first and the last segment may waste, and the largest value
// that the test puts.
const slack = 2*(1<<16) + 1<<17

func TestCellarAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, m := cellar.New(), model{values: make(map[string][]byte)}
		keys := rapid.SampledFrom([]int{3, 40, 2000}).Draw(t, "keys")
		key := rapid.Custom(func(t *rapid.T) string {
			n := rapid.IntRange(0, keys).Draw(t, "n")
			return fmt.Sprintf("%0*d", n%300, n)
		})
		put := func(k string, v []byte) {
			old, replaces := m.values[k]
			lostKey, lostValue, lost := c.Put(k, v)
			if lost != replaces || lost && (lostKey != len(k) || lostValue != len(old)) {
				t.Fatalf("lost %d and %d (%v), want those of %q", lostKey, lostValue, lost, k)
			}
			m.put(k, v)
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				size := rapid.SampledFrom([]int{0, 1, 50, 127, 128, 700, 70_000}).Draw(t, "size")
				put(key.Draw(t, "key"), bytes.Repeat([]byte{byte(size), 1}, size/2))
			},
			"put many": func(t *rapid.T) {
				from := rapid.IntRange(0, keys).Draw(t, "from")
				for i := range 100 {
					put(fmt.Sprintf("many %d", (from+i)%keys), fmt.Append(nil, "value", i))
				}
			},
			"get": func(t *rapid.T) {
				k := key.Draw(t, "key")
				got, ok := c.Get(k)
				want, is := m.values[k]
				if ok != is || !bytes.Equal(got, want) {
					t.Fatalf("%q: %q (%v), want %q (%v)", k, got, ok, want, is)
				}
			},
			"remove": func(t *rapid.T) {
				k := key.Draw(t, "key")
				if got, want := c.Remove(k), m.remove(k); got != want {
					t.Fatalf("removed %q: %v, want %v", k, got, want)
				}
			},
			"remove every third": func(t *rapid.T) {
				for i, k := range slices.Clone(m.order) {
					if i%3 == 0 && c.Remove(k) != m.remove(k) {
						t.Fatalf("%q was not there", k)
					}
				}
			},
			"remove the oldest": func(t *rapid.T) {
				for range rapid.IntRange(1, 50).Draw(t, "so many") {
					key, value, ok := c.RemoveOldest()
					if ok != (len(m.order) > 0) {
						t.Fatalf("oldest: %v of %d", ok, len(m.order))
					}
					if !ok {
						return
					}
					if k := m.order[0]; key != len(k) || value != len(m.values[k]) {
						t.Fatalf("the oldest is of %d and %d bytes, not %q", key, value, k)
					}
					m.remove(m.order[0])
				}
			},
			"": func(t *rapid.T) {
				if got := c.Keys(); !slices.Equal(got, m.order) || c.Len() != len(m.order) {
					t.Fatalf("%d keys\n%q, want\n%q", c.Len(), got, m.order)
				}
				var live int64
				for k, v := range m.values {
					if got, ok := c.Get(k); !ok || !bytes.Equal(got, v) {
						t.Fatalf("%q: %q (%v), want %q", k, got, ok, v)
					}
					live += int64(cellar.Size(len(k), len(v)))
				}
				if c.Bytes() > live*3/2+slack {
					t.Fatalf("%d bytes for %d", c.Bytes(), live)
				}
			},
		})
	})
}

// TestChurn puts and takes far more than is there at any time.
func TestChurn(t *testing.T) {
	c := cellar.New()
	value := make([]byte, 100)
	for i := range 200_000 {
		c.Put(fmt.Sprint(i), value)
		if i%3 == 0 {
			c.Remove(fmt.Sprint(i / 2))
		}
		for c.Len() > 5000 {
			c.RemoveOldest()
		}
	}
	if most := int64(5000*cellar.Size(6, 100)*3/2 + slack); c.Bytes() > most {
		t.Errorf("%d bytes, want at most %d", c.Bytes(), most)
	}
}

func BenchmarkPut(b *testing.B) {
	c, value := cellar.New(), make([]byte, 80)
	keys := make([]string, 1<<16)
	for i := range keys {
		keys[i] = fmt.Sprintf("/atlas/rucio/mc23_13p6TeV/%08d", i)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.Put(keys[i&(1<<16-1)], value)
		i++
	}
}
