package choice

// carry puts endpoints that clients can fetch from themselves before those
// whose bytes Canopy would have to carry.
func carry() Policy {
	return Policy{
		Name:  "carry",
		Score: func(_ *Client, t *Target) float64 { return yes(!t.Carried) },
		Say: func(_ *Client, _ *Target, score float64) string {
			if score == 0 {
				return "clients fetch it themselves"
			}
			return "carried by the federator"
		},
	}
}
