package record

import (
	"encoding/binary"
	"slices"
	"sync"
)

// Coverage is a set of endpoints that have answered. It is never changed.
type Coverage struct{ ids []ID }

// Has reports whether id is in the set. A nil Coverage is empty.
func (c *Coverage) Has(id ID) bool {
	if c == nil {
		return false
	}
	_, ok := slices.BinarySearch(c.ids, id)
	return ok
}

// IDs returns the set in ascending order; it is not to be changed.
func (c *Coverage) IDs() []ID {
	if c == nil {
		return nil
	}
	return c.ids
}

// Coverages gives one pointer for one set, since most paths of a federation
// share a few sets. The zero value is ready and safe for concurrent use.
type Coverages struct {
	mu   sync.RWMutex
	sets map[string]*Coverage
}

// maxCoverages bounds the table; sets beyond it are right, only not shared.
const maxCoverages = 4096

// Of returns the set of ids, which may come in any order and repeat.
func (c *Coverages) Of(ids []ID) *Coverage {
	if len(ids) == 0 {
		return nil
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(ids)))
	key := make([]byte, 0, 64)
	for _, id := range sorted {
		key = binary.LittleEndian.AppendUint64(key, uint64(id))
	}
	c.mu.RLock()
	set := c.sets[string(key)]
	c.mu.RUnlock()
	if set != nil {
		return set
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if set := c.sets[string(key)]; set != nil {
		return set
	}
	set = &Coverage{ids: sorted}
	if len(c.sets) < maxCoverages {
		if c.sets == nil {
			c.sets = make(map[string]*Coverage)
		}
		c.sets[string(key)] = set
	}
	return set
}
