package place

import (
	"cmp"
	"hash/fnv"
	"io"
	"math"
	"slices"
)

// spread is the same order for a path at every front end, each endpoint being
// first for a part of all paths as large as its weight, by weighted rendezvous
// hashing (Schindelhauer and Schomaker, "Weighted Distributed Hash Tables",
// 2005). An endpoint that comes or goes moves its own paths only.
func spread(path string, candidates []Candidate) []int {
	scores := make([]float64, len(candidates))
	for i, c := range candidates {
		h := fnv.New64a()
		io.WriteString(h, c.Name)
		h.Write([]byte{0})
		io.WriteString(h, path)
		scores[i] = -math.Log(uniform(h.Sum64())) / max(c.Weight, math.SmallestNonzeroFloat64)
	}
	order := indices(len(candidates))
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	return order
}

// uniform maps a hash, whose bits it mixes (splitmix64), to a number in (0, 1).
func uniform(z uint64) float64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return (float64(z>>11) + 0.5) / (1 << 53)
}
