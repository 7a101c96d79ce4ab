package place

import (
	"cmp"
	"slices"
)

// mostFree is by room, those that do not tell theirs last, and equals as
// nearest has them.
func mostFree(path string, candidates []Candidate) []int {
	order := nearest(path, candidates)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(candidates[b].Free, candidates[a].Free) })
	return order
}
