package main

import (
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
)

// bars shows how downloads get on, on a terminal; nil shows nothing.
type bars struct {
	writer progress.Writer
	ended  chan struct{}
}

// newBars shows bars on standard error if that is a terminal.
func newBars(w *world, quiet bool) *bars {
	if quiet || !isTerminal(w.stderr) {
		return nil
	}
	return draw(w.stderr)
}

// draw shows bars on out.
func draw(out io.Writer) *bars {
	b := &bars{writer: progress.NewWriter(), ended: make(chan struct{})}
	b.writer.SetOutputWriter(out)
	b.writer.SetUpdateFrequency(200 * time.Millisecond)
	b.writer.SetTrackerPosition(progress.PositionRight)
	b.writer.SetStyle(progress.StyleBlocks)
	b.writer.Style().Visibility.ETA = true
	b.writer.Style().Visibility.Speed = true
	go func() {
		defer close(b.ended)
		b.writer.Render()
	}()
	return b
}

// bar is the progress of one file; nil shows nothing.
type bar struct{ tracker *progress.Tracker }

// start shows a bar for the file name of so many bytes; negative is unknown.
func (b *bars) start(name string, size int64) *bar {
	if b == nil {
		return nil
	}
	t := &progress.Tracker{Message: shown(name), Total: max(size, 0), Units: progress.UnitsBytes, AutoStopDisabled: true}
	b.writer.AppendTracker(t)
	return &bar{t}
}

// add moves the bar by n bytes, backwards if that is negative.
func (b *bar) add(n int64) {
	if b != nil {
		b.tracker.Increment(n)
	}
}

// end leaves the bar as it is, done or failed.
func (b *bar) end(err error) {
	switch {
	case b == nil:
	case err != nil:
		b.tracker.MarkAsErrored()
	default:
		b.tracker.MarkAsDone()
	}
}

// log prints a line above the bars, and reports whether there are any.
func (b *bars) log(text string) bool {
	if b == nil {
		return false
	}
	b.writer.Log("%s", text)
	return true
}

// close ends the showing. The writer misses to be stopped before it has begun,
// so it is told again until it does.
func (b *bars) close() {
	if b == nil {
		return
	}
	for {
		b.writer.Stop()
		select {
		case <-b.ended:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}
