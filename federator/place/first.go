package place

// first is the order of the configuration.
func first(_ string, candidates []Candidate) []int { return indices(len(candidates)) }
