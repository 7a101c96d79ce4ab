package choice

// site prefers the client's own site.
func site() Policy {
	return Policy{
		Name: "site",
		Score: func(c *Client, t *Target) float64 {
			return yes(c.Place.Site != "" && c.Place.Site == t.Site)
		},
		Say: func(c *Client, t *Target, score float64) string {
			switch {
			case score == 0:
				return "same site, " + t.Site
			case c.Place.Site == "":
				return "client belongs to no site"
			case t.Site == "":
				return "endpoint belongs to no site"
			}
			return c.Place.Site + " is not " + t.Site
		},
	}
}
