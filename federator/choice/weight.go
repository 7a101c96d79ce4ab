package choice

import "fmt"

// weight prefers the greater configured weight, strictly. Without it in the
// configured order, weight decides the share among equals (Deck).
func weight() Policy {
	return Policy{
		Name:  "weight",
		Score: func(_ *Client, t *Target) float64 { return -t.Weight },
		Say:   func(_ *Client, t *Target, _ float64) string { return fmt.Sprintf("weight %g", t.Weight) },
	}
}
