package place

import (
	"cmp"
	"slices"
)

// nearest is the order in which the client would be sent to them to read.
func nearest(_ string, candidates []Candidate) []int {
	order := indices(len(candidates))
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(candidates[a].Turn, candidates[b].Turn) })
	return order
}
