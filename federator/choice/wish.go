package choice

import "slices"

// wish puts what the client prefers first and what it avoids last. Both are
// wishes: where nothing else is left, an avoided replica is offered.
func wish() Policy {
	return Policy{
		Name: "wish",
		Score: func(c *Client, t *Target) float64 {
			switch {
			case slices.Contains(c.Avoid, t.Name) || t.Site != "" && slices.Contains(c.Avoid, t.Site):
				return 2
			case slices.Contains(c.Prefer, t.Name) || t.Site != "" && slices.Contains(c.Prefer, t.Site):
				return 0
			}
			return 1
		},
		Say: func(_ *Client, _ *Target, score float64) string {
			return [...]string{"preferred by the client", "no wish", "to be avoided, says the client"}[int(score)]
		},
	}
}
