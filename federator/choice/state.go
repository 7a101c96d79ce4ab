package choice

// state puts endpoints that answer before those with overdue answers, and
// those before the ones an operator drains.
func state() Policy {
	return Policy{
		Name: "state",
		Score: func(_ *Client, t *Target) float64 {
			switch {
			case t.Draining:
				return 2
			case t.Slow:
				return 1
			}
			return 0
		},
		Say: func(_ *Client, _ *Target, score float64) string {
			return [...]string{"up", "answers are overdue", "being drained"}[int(score)]
		},
	}
}
