package monitor

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"canopy/cache"
	"canopy/federator"
	"canopy/federator/health"
)

// Federation is what is read of a federator; *federator.Federator is one.
type Federation interface {
	Counters() *federator.Counters
	CacheStats() (entries, listings cache.Stats)
	Endpoints() []federator.Status
}

// Show makes the figures of f be part of the others. A federation shown before
// is not any more.
func (m *Metrics) Show(f Federation) { m.federations.shown.Store(&f) }

// federations collects what a federator counts itself.
type federations struct{ shown atomic.Pointer[Federation] }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	lookups   = describe("canopy_lookups_total", "Paths looked up, by what the cache had: a fresh answer, a stale one, or none.", "result")
	rounds    = describe("canopy_rounds_total", "Rounds of questions to endpoints that were begun: to find a path, or to list a directory.", "kind")
	failovers = describe("canopy_failovers_total", "Changes of endpoint in the middle of a file.")

	cacheGets      = describe("canopy_cache_gets_total", "Look-ups in the cache in memory.", "cache", "result")
	cacheEvictions = describe("canopy_cache_evictions_total", "Items pushed out of the cache in memory to make room.", "cache")
	cacheRefused   = describe("canopy_cache_refused_total", "Items too large for the cache in memory.", "cache")

	condition = describe("canopy_endpoint_condition", "1 for the condition that the endpoint is in, 0 for the others.", "endpoint", "condition")
	draining  = describe("canopy_endpoint_draining", "Whether the endpoint is being drained.", "endpoint")
	latency   = describe("canopy_endpoint_latency_seconds", "What the endpoint usually takes to answer; 0 when not measured yet.", "endpoint")
	load      = describe("canopy_endpoint_load", "Clients sent to the endpoint in a second, lately.", "endpoint")
	sent      = describe("canopy_endpoint_chosen_total", "Clients for which the endpoint was the first choice.", "endpoint")
)

var conditions = [...]health.Condition{health.Up, health.Slow, health.Down}

// Describe sends what Collect may send.
func (*federations) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		lookups, rounds, failovers, cacheGets, cacheEvictions, cacheRefused,
		condition, draining, latency, load, sent,
	} {
		ch <- d
	}
}

// Collect reads the figures.
func (fs *federations) Collect(ch chan<- prometheus.Metric) {
	shown := fs.shown.Load()
	if shown == nil {
		return
	}
	f := *shown
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	c := f.Counters()
	count(lookups, c.Hits.Load(), "hit")
	count(lookups, c.StaleHits.Load(), "stale")
	count(lookups, c.Misses.Load(), "miss")
	count(rounds, c.Flights.Load(), "lookup")
	count(rounds, c.Listings.Load(), "listing")
	count(failovers, c.Failovers.Load())

	entries, listings := f.CacheStats()
	for _, of := range []struct {
		name  string
		stats cache.Stats
	}{{"entries", entries}, {"listings", listings}} {
		count(cacheGets, of.stats.Hits, of.name, "hit")
		count(cacheGets, of.stats.Stale, of.name, "stale")
		count(cacheGets, of.stats.Misses, of.name, "miss")
		count(cacheEvictions, of.stats.Evictions, of.name)
		count(cacheRefused, of.stats.Refused, of.name)
	}

	for _, e := range f.Endpoints() {
		for _, c := range conditions {
			gauge(condition, truth(e.Condition == c), e.Name, c.String())
		}
		gauge(draining, truth(e.Draining), e.Name)
		gauge(latency, e.Latency.Seconds(), e.Name)
		gauge(load, e.Load, e.Name)
		count(sent, e.Sent, e.Name)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
