package choice

// family puts endpoints last that the client's kind of address cannot reach.
// A client that came by IPv6 may have IPv4 as well, so an IPv4-only endpoint
// is merely worse for it; so is an IPv6-only one for a client that came by
// IPv4, which may only have preferred it.
func family() Policy {
	return Policy{
		Name: "family",
		Score: func(c *Client, t *Target) float64 {
			if !c.Addr.IsValid() || !t.IPv4 && !t.IPv6 {
				return 0
			}
			if c.Addr.Unmap().Is4() {
				return yes(t.IPv4)
			}
			return yes(t.IPv6)
		},
		Say: func(_ *Client, _ *Target, score float64) string {
			if score == 0 {
				return "reachable"
			}
			return "no address of the client's family"
		},
	}
}
