package choice

import (
	"fmt"
	"math"

	"canopy/federator/geo"
)

// distance prefers what is near on the great circle. Distances within fuzz
// kilometres of the nearest are equal, and so is what the uncertainty of the
// client's own place does not tell apart.
func distance(fuzz float64) Policy {
	return Policy{
		Name: "geo",
		Score: func(c *Client, t *Target) float64 {
			if !c.Place.Placed || !t.Placed {
				return worst
			}
			return geo.Distance(c.Place.Point, t.Point)
		},
		Band: func(c *Client) float64 { return max(fuzz, c.Place.Radius) },
		Say: func(c *Client, _ *Target, score float64) string {
			switch {
			case !c.Place.Placed:
				return "client's place is unknown"
			case math.IsInf(score, 1):
				return "endpoint's place is unknown"
			}
			return fmt.Sprintf("%.0f km", score)
		},
	}
}
