package choice

// scheme keeps clients that came by https on https: browsers block a download
// from a secure page to an insecure one, and so do several clients.
func scheme() Policy {
	return Policy{
		Name:  "scheme",
		Score: func(c *Client, t *Target) float64 { return yes(!c.Secure || t.Secure) },
		Say: func(_ *Client, _ *Target, score float64) string {
			if score == 0 {
				return "as secure as the request"
			}
			return "http for a client that came by https"
		},
	}
}
