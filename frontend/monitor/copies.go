package monitor

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"canopy/federator/copies"
)

// Copies is what is read of who makes copies; *copies.Replicator is one.
type Copies interface{ Figures() copies.Figures }

// ShowCopies makes the figures of c be part of the others. Who was shown before
// is not any more.
func (m *Metrics) ShowCopies(c Copies) { m.copies.shown.Store(&c) }

// replications collects what a replicator counts itself.
type replications struct{ shown atomic.Pointer[Copies] }

var (
	copiesWanted = describe("canopy_copies_wanted", "Files that have fewer copies than wished for and wait for this front end to make them.")
	copiesMade   = describe("canopy_copies_made_total", "Copies made after an upload.")
	copiesFailed = describe("canopy_copies_failed_total", "Tries to make a copy that failed, or that found no endpoint for it.")
)

// Describe sends what Collect may send.
func (*replications) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{copiesWanted, copiesMade, copiesFailed} {
		ch <- d
	}
}

// Collect reads the figures.
func (rs *replications) Collect(ch chan<- prometheus.Metric) {
	shown := rs.shown.Load()
	if shown == nil {
		return
	}
	f := (*shown).Figures()
	ch <- prometheus.MustNewConstMetric(copiesWanted, prometheus.GaugeValue, float64(f.Waiting))
	ch <- prometheus.MustNewConstMetric(copiesMade, prometheus.CounterValue, float64(f.Made))
	ch <- prometheus.MustNewConstMetric(copiesFailed, prometheus.CounterValue, float64(f.Failed))
}
