package choice

import (
	"fmt"
	"time"
)

// latency prefers endpoints that answer us quickly. One that was not measured
// yet is worst but usable.
func latency() Policy {
	return Policy{
		Name: "latency",
		Score: func(_ *Client, t *Target) float64 {
			if t.Latency == 0 {
				return worst
			}
			return float64(t.LatencyBand)
		},
		Say: func(_ *Client, t *Target, _ float64) string {
			if t.Latency == 0 {
				return "not measured yet"
			}
			return fmt.Sprintf("answers in %s", t.Latency.Round(100*time.Microsecond))
		},
	}
}
