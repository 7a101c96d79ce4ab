package choice

import "fmt"

// load prefers endpoints to which fewer requests were sent lately.
func load() Policy {
	return Policy{
		Name:   "load",
		Drifts: true,
		Score:  func(_ *Client, t *Target) float64 { return float64(t.LoadBand) },
		Say: func(_ *Client, t *Target, _ float64) string {
			return fmt.Sprintf("%.1f requests per second lately", t.Load)
		},
	}
}
