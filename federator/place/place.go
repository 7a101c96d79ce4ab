// Package place chooses where a new file goes.
//
// Who can take it at all is decided before: candidates are writable, answer,
// and have room as far as they say. A Policy puts them in order, best first;
// whoever stores the file goes on to the next when one refuses.
//
// Each policy is one file of this package.
package place

// Candidate is an endpoint that could take the file.
type Candidate struct {
	// Name is that of the configuration, unique.
	Name string
	// Group and Turn are where the endpoint stands for the client: endpoints
	// of one Group are equally near, and Turn is the place in the whole order.
	Group, Turn int
	// Free is its room in bytes, negative when unknown.
	Free int64
	// Weight is its share among equals.
	Weight float64
}

// Policy puts candidates in order for path: it returns their indices, best
// first. It changes nothing, and may be called concurrently.
type Policy func(path string, candidates []Candidate) []int

// Names are the policies that can be configured; the first is the default.
func Names() []string { return []string{"nearest", "most-free", "first", "spread"} }

// ByName returns the policy of that name.
func ByName(name string) (Policy, bool) {
	switch name {
	case "nearest":
		return nearest, true
	case "most-free":
		return mostFree, true
	case "first":
		return first, true
	case "spread":
		return spread, true
	}
	return nil, false
}

// Fit returns the candidates that have room for size bytes, which is negative
// when unknown. One that does not tell its room is given the benefit.
func Fit(candidates []Candidate, size int64) []Candidate {
	fit := make([]Candidate, 0, len(candidates))
	for _, c := range candidates {
		if c.Free < 0 || size < 0 || c.Free >= size {
			fit = append(fit, c)
		}
	}
	return fit
}

func indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}
