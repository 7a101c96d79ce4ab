package federator

import (
	"sync/atomic"
	"time"

	"canopy/cache"
	"canopy/federator/choice"
	"canopy/federator/health"
	"canopy/federator/record"
	"canopy/plugins"
)

// Counters count what the federator does; they only grow.
type Counters struct {
	// Hits and StaleHits were answered from the cache, Misses were not.
	Hits, StaleHits, Misses atomic.Uint64
	// Flights and Listings are the rounds of questions that were begun.
	Flights, Listings atomic.Uint64
	// Failovers are changes of endpoint in the middle of a file.
	Failovers atomic.Uint64
}

// Counters returns the federator's counters, which go on counting.
func (f *Federator) Counters() *Counters { return &f.counters }

// CacheStats returns figures of the in-process cache: of paths, and of
// listings.
func (f *Federator) CacheStats() (entries, listings cache.Stats) {
	return f.entries.Stats(), f.listings.Stats()
}

// Status is how an endpoint is doing.
type Status struct {
	Name, Type, Mount, Site string
	Condition               health.Condition
	Draining                bool
	Since                   time.Time
	Reason                  string
	Latency                 time.Duration // 0 when not measured
	Load                    float64       // clients sent there per second, lately
	Sent                    uint64        // clients sent there, ever
	Read, List              bool
	Abilities               []string
}

// Endpoints returns the status of every endpoint, in the order of the
// configuration.
func (f *Federator) Endpoints() []Status {
	g := f.gen.Load()
	all := make([]Status, len(g.members))
	for i, m := range g.members {
		all[i] = Status{
			Name: m.Name, Type: m.Type, Mount: m.Mount, Site: m.Site,
			Condition: m.state.Condition(), Draining: m.state.Draining(),
			Since: time.Unix(0, m.state.Since()), Reason: m.state.Reason(),
			Latency: m.state.Latency(health.Stat),
			Load:    float64(m.loadShown.Load()) / 1000, Sent: m.sent.Load(),
			Read: m.Read, List: m.List, Abilities: m.can.Names(),
		}
	}
	return all
}

// Drain takes the endpoint called name out of the choice, or puts it back,
// until the endpoint's own configuration changes: a reload for another reason
// does not bring back what is being worked on. It reports whether there is such an endpoint.
func (f *Federator) Drain(name string, on bool) bool {
	for _, m := range f.gen.Load().members {
		if m.Name == name {
			m.state.Drain(on)
			return true
		}
	}
	return false
}

// Reason is why a replica stands where it does, or is not offered.
type Reason struct {
	Endpoint, Site string
	// URL is "" for a replica that Canopy carries or that is not offered.
	URL string
	// Place counts from 1; 0 is not offered, Refused saying why.
	Place   int
	Refused string
	// Equal is whether it is equal to the one before it.
	Equal bool
	Size  int64
	// Scores are what each policy says, in the order of the policies.
	Scores []Score
}

// Score is one policy's word on one replica.
type Score struct{ Policy, Says string }

// Explain tells for a decision why each replica stands where it does, and
// why others, and other endpoints, are not among them.
func (f *Federator) Explain(d *Decision, c *choice.Client) []Reason {
	g := f.gen.Load()
	var reasons []Reason
	offered := make(map[string]bool)
	for i, p := range d.Replicas {
		r := Reason{Endpoint: p.Endpoint, Site: p.Site, URL: p.URL, Place: i + 1, Size: p.Size}
		r.Equal = i > 0 && d.Replicas[i-1].Group == p.Group
		if p.member != nil {
			offered[p.Endpoint] = true
			t := p.member.target(g.Atlas)
			for _, policy := range g.policies {
				r.Scores = append(r.Scores, Score{policy.Name, policy.Say(c, &t, policy.Score(c, &t))})
			}
		} else {
			r.Scores = []Score{{"named", "named by an endpoint that holds the file"}}
		}
		reasons = append(reasons, r)
	}
	for _, m := range g.candidates(d.Path) {
		if offered[m.Name] {
			continue
		}
		r := Reason{Endpoint: m.Name, Site: m.Site, Size: -1}
		held, holds := d.By(m.ID)
		if holds {
			r.Size = held.Size
		}
		switch silence, silent := d.Silent(m.ID); {
		case m.state.Condition() == health.Down:
			r.Refused = "down: " + m.state.Reason()
		case holds && held.Kind != plugins.File:
			r.Refused = "diverged: it is a directory there"
		case holds:
			r.Refused = "diverged: size or checksum differ from the copies offered"
		case silent:
			r.Refused = "did not answer: " + silence.Kind.String()
		case d.Coverage.Has(m.ID):
			r.Refused = "does not have it"
		default:
			r.Refused = "has not answered yet"
		}
		reasons = append(reasons, r)
	}
	return reasons
}

// Holders appends to names those of the endpoints that hold what the facts are
// of, the agreed ones first.
func (f *Federator) Holders(names []string, facts *record.Facts) []string {
	g := f.gen.Load()
	for i := range facts.Replicas {
		if m := g.byID[facts.Replicas[i].Endpoint]; m != nil {
			names = append(names, m.Name)
		}
	}
	return names
}
