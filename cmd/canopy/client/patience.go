package client

import (
	"context"
	"errors"
	"time"

	"canopy/plugins"
)

const (
	// firstPause is the pause after the first failure, doubled each time, and
	// longestPause what a server may ask for.
	firstPause   = time.Second
	longestPause = time.Minute
)

// Patience is how often something is tried that a server fails at, and how long
// it is left alone in between.
type Patience struct {
	// Attempts is how often at most; less than 1 is once.
	Attempts int
	// Pause waits until ctx ends.
	Pause func(ctx context.Context, d time.Duration) error
}

// Again reports whether to try once more after err, the failed-th failure. It
// has waited when it says so.
func (p Patience) Again(ctx context.Context, failed int, err error) bool {
	kind := plugins.KindOf(err)
	if failed >= p.Attempts || ctx.Err() != nil || !kind.Silent() && kind != plugins.Busy {
		return false
	}
	pause := firstPause << (failed - 1)
	var e *plugins.Error
	if errors.As(err, &e) {
		pause = max(pause, e.RetryAfter)
	}
	return p.Pause(ctx, min(pause, longestPause)) == nil
}

// Try calls f until it succeeds, or makes no more sense.
func (p Patience) Try(ctx context.Context, f func() error) error {
	for failed := 1; ; failed++ {
		err := f()
		if err == nil || !p.Again(ctx, failed, err) {
			return err
		}
	}
}
