package main

import (
	"fmt"
	"math/bits"
	"slices"
	"time"
)

// sample is what several turns of one measurement gave.
type sample []float64

// quantile returns the value below which the share q of the sample lies.
func (s sample) quantile(q float64) float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func (s sample) median() float64 { return s.quantile(0.5) }

// String returns the median and the range.
func (s sample) String() string {
	return fmt.Sprintf("%.2f (%.2f-%.2f, n=%d)", s.median(), s.quantile(0), s.quantile(1), len(s))
}

// times is a sample of durations.
type times []time.Duration

// quantile returns the duration below which the share q of the sample lies.
func (t times) quantile(q float64) time.Duration {
	if len(t) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// spread is the middle and the upper end of the sample, for a row.
func (t times) spread() string {
	return fmt.Sprintf("p50 %s, p99 %s", show(t.quantile(0.5)), show(t.quantile(0.99)))
}

// histogram counts durations in steps of 3 %, however many there are.
type histogram struct {
	steps [64 * steps]uint32
	n     int
	max   time.Duration
}

const steps = 32 // per power of two

func (h *histogram) add(d time.Duration) {
	h.n++
	h.max = max(h.max, d)
	ns := uint64(max(d, 0))
	if ns < steps {
		h.steps[ns]++
		return
	}
	e := bits.Len64(ns) - bits.Len(steps)
	h.steps[(e+1)*steps+int(ns>>e)%steps]++
}

func (h *histogram) merge(o *histogram) {
	for i, n := range o.steps {
		h.steps[i] += n
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}

// quantile returns the duration below which the share q lies.
func (h *histogram) quantile(q float64) time.Duration {
	left := int(q * float64(h.n))
	for i, n := range h.steps {
		if left -= int(n); left < 0 {
			if i < steps {
				return time.Duration(i)
			}
			return time.Duration(uint64(steps+i%steps) << (i/steps - 1))
		}
	}
	return h.max
}
