package choice

import "math"

// Band sorts measured values into steps that do not flicker: a value must
// leave its step by a margin before it counts as being in another.
type Band struct {
	// Least is the value below which all are in step 0.
	Least float64
	// Ratio is the quotient of neighbouring steps, above 1.
	Ratio float64
}

// margin is the part of a step by which it must be left.
const margin = 0.25

// Step returns the step of value, given the one it was in before.
func (b Band) Step(value float64, before int) int {
	if value <= 0 {
		return 0
	}
	x := math.Log(value/b.Least)/math.Log(b.Ratio) + 1
	if x > float64(before)-margin && x < float64(before)+1+margin {
		return before
	}
	return max(0, int(math.Floor(x)))
}
