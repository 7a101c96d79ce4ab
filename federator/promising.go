package federator

import (
	"context"
	"errors"
	"slices"
	"time"

	"canopy/federator/health"
)

// dead is the error for a file that exists and of which no replica is live:
// besides its holders, those who were not asked may have it.
func (f *Federator) dead(g *generation, d *Decision) error {
	var names []string
	for i := range d.Record.Replicas {
		if m := g.byID[d.Record.Replicas[i].Endpoint]; m != nil {
			names = append(names, m.Name)
		}
	}
	return &Unknown{Path: d.Path, Missing: append(names, d.Missing...), RetryAfter: retryAfter}
}

// promising reports whether it is worth asking once more before err is told to
// a client: an endpoint that it names was merely not waited for, because
// another had answered that has died since; or one that was believed to be
// down turns out to be back. The latter are given a last chance here, and
// nobody waits for that longer than for a better replica.
func (f *Federator) promising(ctx context.Context, err error) bool {
	var unknown *Unknown
	if !errors.As(err, &unknown) {
		return false
	}
	g := f.gen.Load()
	var down []*member
	for _, m := range g.members {
		if !slices.Contains(unknown.Missing, m.Name) {
			continue
		}
		if m.state.Condition() != health.Down {
			return true
		}
		down = append(down, m)
	}
	expired := time.NewTimer(g.Grace)
	defer expired.Stop()
	var probed []<-chan struct{}
	for _, m := range down {
		probed = append(probed, m.state.Recheck())
	}
	for _, c := range probed {
		select {
		case <-c:
			continue
		case <-expired.C:
		case <-ctx.Done():
		}
		break
	}
	return slices.ContainsFunc(down, func(m *member) bool { return m.state.Condition() != health.Down })
}
