package main

import (
	"fmt"
	"time"
)

const columns = "  %-60s %-32s %-15s %s\n"

func heading() { fmt.Printf(columns, "figure", "measured", "target", "") }

// section begins the rows of one figure.
func section(what string) { fmt.Printf("\n%s\n", what) }

// row prints one figure with its target, and counts it if it is missed.
func (b *bench) row(what, measured, target string, met bool) {
	verdict := "met"
	if !met {
		verdict = "MISSED"
		b.missed++
	}
	fmt.Printf(columns, what, measured, target, verdict)
}

// note prints what helps to read a figure and has no target of its own.
func note(what, measured string) { fmt.Printf(columns, what, measured, "", "") }

// least is a row for the median of s, which is to be target or more.
func (b *bench) least(what string, s sample, target float64) {
	b.row(what, s.String(), fmt.Sprintf(">= %.2f", target), s.median() >= target)
}

// most is a row for a time that is to be limit or less.
func (b *bench) most(what string, took, limit time.Duration) {
	b.row(what, show(took), "<= "+show(limit), took <= limit)
}

// right is a row for the wrong answers of a load, of which there should be
// none.
func (b *bench) right(what string, wrong, of int, first string) {
	b.none(what, wrong, of)
	if wrong > 0 {
		note("  the first of them", first)
	}
}

// none is a row for a number of things of which there should be none.
func (b *bench) none(what string, n, of int) {
	b.row(what, fmt.Sprintf("%d of %d", n, of), "0", n == 0)
}

// show is a duration with three digits at most.
func show(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	case d >= 100*time.Microsecond:
		return fmt.Sprintf("%.2f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.1f µs", float64(d)/1e3)
}
