// Package choice puts the replicas of a file in order for one client.
//
// A Policy gives each endpoint a score; lower is better. Policies are applied
// in order, each splitting the groups that those before it left equal, so a
// later policy never overrules an earlier one. What all policies leave equal
// is shared fairly at random (Deck).
//
// Each policy is one file of this package. A policy compares against the best
// of its group and calls what lies within its Band equal, so that a distance
// of 99 km and one of 101 km are not worlds apart.
package choice

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"time"

	"canopy/federator/geo"
	"canopy/federator/record"
)

// Client is who asks.
type Client struct {
	Addr  netip.Addr
	Place *geo.Place
	// Secure is whether the client came by https.
	Secure bool
	// Prefer and Avoid are endpoint or site names that the client wants
	// first, or last.
	Prefer, Avoid []string
}

// Hinted reports whether the client states wishes of its own, so that what is
// chosen for it is of no use to others.
func (c *Client) Hinted() bool {
	return len(c.Prefer) > 0 || len(c.Avoid) > 0 || c.Place != nil && c.Place.Stated
}

// Target is an endpoint as the policies see it.
type Target struct {
	ID     record.ID
	Name   string
	Site   string
	Point  geo.Point
	Placed bool
	// Latency is the usual time of an answer to us; 0 when not yet measured.
	// LatencyBand and LoadBand are the steps by which policies compare, kept
	// steady by Bands.
	Latency     time.Duration
	LatencyBand int
	// Load is the number of requests sent there lately, per second.
	Load     float64
	LoadBand int
	Weight   float64
	Tier     string
	// IPv4 and IPv6 are whether its host has such an address; both false
	// when unknown.
	IPv4, IPv6 bool
	// Secure is whether clients reach it by https.
	Secure bool
	// Carried is whether the bytes go through the federator.
	Carried  bool
	Draining bool
	Slow     bool
}

// Policy is one rule for comparing endpoints.
type Policy struct {
	Name string
	// Score says how good t is for c; lower is better, +Inf is worst but
	// usable.
	Score func(c *Client, t *Target) float64
	// Band is how much worse than the best of a group still counts as equal;
	// nil is not at all.
	Band func(c *Client) float64
	// Drifts is whether the score changes by itself from moment to moment,
	// so that it is not worth waiting for an endpoint for its sake.
	Drifts bool
	// Say explains a score to people.
	Say func(c *Client, t *Target, score float64) string
}

// Settings are what policies need from the configuration.
type Settings struct {
	// Fuzz is the distance in kilometres within which places count as equal.
	Fuzz float64
}

// Names are the policies that can be configured, "random" being the last
// resort in any case.
func Names() []string {
	return []string{"site", "geo", "latency", "load", "weight", "tier", "random"}
}

// Policies returns the rules for the configured names, in order, behind those
// which always come first: the client's wishes, what can serve at all, what
// the client can reach. An unknown name is reported by ok.
func Policies(names []string, s Settings) (policies []Policy, ok bool) {
	policies = []Policy{wish(), state(), family(), scheme(), carry()}
	for _, n := range names {
		switch n {
		case "site":
			policies = append(policies, site())
		case "geo":
			policies = append(policies, distance(s.Fuzz))
		case "latency":
			policies = append(policies, latency())
		case "load":
			policies = append(policies, load())
		case "weight":
			policies = append(policies, weight())
		case "tier":
			policies = append(policies, tier())
		case "random":
			return policies, true
		default:
			return nil, false
		}
	}
	return policies, true
}

// Rank returns the order of targets for c: their indices, best first, and for
// each position the number of its group, from 0. Targets of one group are
// equal; they stand in the order in which they came. With steady, policies
// that drift are left out.
func Rank(c *Client, targets []Target, policies []Policy, steady bool) (order, group []int) {
	order = make([]int, len(targets))
	group = make([]int, len(targets))
	for i := range order {
		order[i] = i
	}
	scores := make([]float64, len(targets))
	for i := range policies {
		p := &policies[i]
		if steady && p.Drifts {
			continue
		}
		for t := range targets {
			scores[t] = p.Score(c, &targets[t])
		}
		band := 0.0
		if p.Band != nil {
			band = p.Band(c)
		}
		split(order, group, scores, band)
	}
	return order, group
}

// split sorts each group by score and divides it where the score exceeds that
// of the group's best by more than band.
func split(order, group []int, scores []float64, band float64) {
	next := 0
	for from := 0; from < len(order); {
		to := from + 1
		for to < len(order) && group[to] == group[from] {
			to++
		}
		part := order[from:to]
		slices.SortStableFunc(part, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
		best := scores[part[0]]
		for i := range part {
			if s := scores[part[i]]; i > 0 && s > best && !(s <= best+band) {
				next++
				best = s
			}
			group[from+i] = next
		}
		next++
		from = to
	}
}

func yes(b bool) float64 {
	if b {
		return 0
	}
	return 1
}

var worst = math.Inf(1)
