package federator

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"canopy/federator/record"
	"canopy/plugins"
)

// shelf holds what an endpoint lists in no order, until all of it is there and
// can be sorted. It takes some tens of bytes for a name, nothing of which the
// garbage collector has to look at, since there may be a million of them.
type shelf struct {
	blocks []*strings.Builder
	at     []uint32 // where each child stands: the block, and the place in it
	extras []*record.Extra
	sorted bool
	last   string
	common int // how many bytes all names begin with alike
}

const (
	// blockBits is the number of bits of a place within a block.
	blockBits  = 16
	blockSize  = 1 << blockBits
	firstBlock = 1 << 10
	// maxChildren bounds what one endpoint's directory can cost; what goes
	// beyond it makes the listing incomplete.
	maxChildren = 8 << 20
	maxBlocks   = 1 << (32 - blockBits)
)

// put adds a child and reports whether there was room for it.
func (s *shelf) put(name string, r *record.Replica) bool {
	// The name comes first, with its length; then the kind and three numbers.
	var head [6 * binary.MaxVarintLen64]byte
	b := binary.AppendUvarint(head[:0], uint64(len(name)))
	split := len(b)
	b = append(b, byte(r.Kind))
	b = binary.AppendVarint(b, r.Size)
	b = binary.AppendVarint(b, r.ModTime)
	extra := uint64(0) // or its number, from 1
	if r.Extra != nil {
		s.extras = append(s.extras, r.Extra)
		extra = uint64(len(s.extras))
	}
	b = binary.AppendUvarint(b, extra)
	need := len(b) + len(name)
	if len(s.at) == maxChildren {
		return false
	}
	size := firstBlock
	if n := len(s.blocks); n > 0 {
		block := s.blocks[n-1]
		size = min(2*block.Cap(), blockSize)
		if block.Cap()-block.Len() >= need {
			size = 0
		}
	}
	if size > 0 {
		if len(s.blocks) == maxBlocks {
			return false
		}
		block := &strings.Builder{}
		block.Grow(max(size, need))
		s.blocks = append(s.blocks, block)
	}
	block := s.blocks[len(s.blocks)-1]
	s.at = append(s.at, uint32(len(s.blocks)-1)<<blockBits|uint32(block.Len()))
	block.Write(b[:split])
	block.WriteString(name)
	block.Write(b[split:])
	if len(s.at) == 1 {
		s.sorted, s.common = true, len(name)
	} else {
		s.sorted = s.sorted && s.last < name
		s.common = alike(s.last[:min(s.common, len(s.last))], name)
	}
	s.last = name
	return true
}

// alike returns how many bytes a and b begin with alike.
func alike(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// sort puts the children in order of name, each once: the one that came first.
func (s *shelf) sort() {
	if s.sorted {
		return
	}
	// Compared are eight bytes behind what all names begin with, and only
	// where these are equal the names themselves, which lie far apart.
	type place struct {
		key uint64
		at  uint32
	}
	places := make([]place, len(s.at))
	for i, at := range s.at {
		var key [8]byte
		copy(key[:], s.name(at)[s.common:])
		places[i] = place{binary.BigEndian.Uint64(key[:]), at}
	}
	slices.SortFunc(places, func(a, b place) int {
		if a.key != b.key {
			return cmp.Compare(a.key, b.key)
		}
		return cmp.Or(strings.Compare(s.name(a.at), s.name(b.at)), cmp.Compare(a.at, b.at))
	})
	for i, p := range places {
		s.at[i] = p.at
	}
	s.at = slices.CompactFunc(s.at, func(a, b uint32) bool { return s.name(a) == s.name(b) })
}

func (s *shelf) text(at uint32) string {
	return s.blocks[at>>blockBits].String()[at&(blockSize-1):]
}

func (s *shelf) name(at uint32) string {
	name, _ := s.open(at)
	return name
}

// open takes the child at a place apart: its name, and what comes after it.
func (s *shelf) open(at uint32) (name, rest string) {
	n, text := uvarint(s.text(at))
	return text[:n], text[n:]
}

// child returns the child at position i. Its name is good as long as the shelf.
func (s *shelf) child(i int, id record.ID, via uint8, learned int64) item {
	name, rest := s.open(s.at[i])
	r := record.Replica{Endpoint: id, Via: via, Learned: learned, Kind: plugins.EntryKind(rest[0])}
	size, rest := uvarint(rest[1:])
	modified, rest := uvarint(rest)
	extra, _ := uvarint(rest)
	r.Size, r.ModTime = signed(size), signed(modified)
	if extra > 0 {
		r.Extra = s.extras[extra-1]
	}
	return item{name, r}
}

// uvarint reads a number as binary.Uvarint does, from a string.
func uvarint(s string) (v uint64, rest string) {
	for i, shift := 0, 0; ; i, shift = i+1, shift+7 {
		v |= uint64(s[i]&0x7f) << shift
		if s[i] < 0x80 {
			return v, s[i+1:]
		}
	}
}

// signed undoes the zigzag form of binary.AppendVarint.
func signed(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }
