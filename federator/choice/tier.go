package choice

// tier prefers disk to whatever else there is, and tape last.
func tier() Policy {
	return Policy{
		Name: "tier",
		Score: func(_ *Client, t *Target) float64 {
			switch t.Tier {
			case "", "disk":
				return 0
			case "tape":
				return 2
			}
			return 1
		},
		Say: func(_ *Client, t *Target, _ float64) string {
			if t.Tier == "" {
				return "tier not stated, taken for disk"
			}
			return "on " + t.Tier
		},
	}
}
