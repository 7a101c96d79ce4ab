package choice

import (
	"math/bits"
	"sync/atomic"
)

// Deck deals turns to equals at random and yet fairly, as from a pack of
// cards that is shuffled anew each time it is used up: after every full round
// each has had exactly its share. Nobody is owed anything from before, so one
// that joins later is not flooded. It is safe for concurrent use.
type Deck struct {
	seed    uint64
	dealt   atomic.Uint64
	slots   []uint8
	strides []uint64 // numbers below len(slots) that share no factor with it
}

// maxSlots bounds the size of a round.
const maxSlots = 200

// NewDeck returns a deck for equals of the given weights, at most 200 of them
// (more get no turn). Shares are in proportion to the weights as far as a
// round of at most 200 turns can express it, and nobody is left out.
func NewDeck(weights []float64, seed uint64) *Deck {
	weights = weights[:min(len(weights), maxSlots)]
	d := &Deck{seed: seed}
	least, sum := worst, 0.0
	for _, w := range weights {
		least, sum = min(least, w), sum+w
	}
	if !(least > 0) || len(weights) == 0 {
		for i := range weights {
			d.slots = append(d.slots, uint8(i))
		}
	} else {
		unit := max(least, sum/(maxSlots-float64(len(weights))+1))
		for i, w := range weights {
			for range max(1, int(w/unit+0.5)) {
				d.slots = append(d.slots, uint8(i))
			}
		}
	}
	n := uint64(len(d.slots))
	for s := uint64(1); s < n; s++ {
		if coprime(s, n) {
			d.strides = append(d.strides, s)
		}
	}
	if len(d.strides) == 0 {
		d.strides = []uint64{1}
	}
	return d
}

// Deal returns whose turn it is, as an index of the weights.
func (d *Deck) Deal() int {
	n := uint64(len(d.slots))
	if n < 2 {
		return 0
	}
	turn := d.dealt.Add(1) - 1
	h := mix(d.seed + turn/n)
	stride := d.strides[h%uint64(len(d.strides))]
	at, _ := bits.Mul64(mix(h), n)
	return int(d.slots[(at+turn%n*stride)%n])
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood, 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func coprime(a, b uint64) bool {
	for b != 0 {
		a, b = b, a%b
	}
	return a == 1
}
