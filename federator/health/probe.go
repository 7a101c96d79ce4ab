package health

import (
	"context"
	"time"

	"canopy/plugins"
)

// Prober asks an endpoint for a sign of life until its context ends.
type Prober struct {
	State *State
	// Ask sends one probe.
	Ask func(context.Context) error
	// Every is the time between probes of an endpoint that is up, ten seconds
	// if not positive. One that is not up is probed more often at first, from
	// soonest, doubling.
	Every time.Duration
	// Timeout bounds one probe; it is five seconds if not positive.
	Timeout time.Duration
}

// What is done where nothing is configured.
const (
	everyDefault   = 10 * time.Second
	timeoutDefault = 5 * time.Second
)

// soonest is the shortest time between two probes, so that an endpoint in
// trouble is not hammered.
const soonest = 250 * time.Millisecond

// haste is the shortest time between two probes where a client waits for one.
const haste = 20 * time.Millisecond

// Run probes at once and then again and again. It returns when ctx ends.
func (p *Prober) Run(ctx context.Context) {
	every, timeout := p.Every, p.Timeout
	if every <= 0 {
		every = everyDefault
	}
	if timeout <= 0 {
		timeout = timeoutDefault
	}
	pause := soonest
	for {
		p.once(ctx, timeout)
		wait := every
		if p.State.Condition() == Up {
			pause = soonest
		} else {
			wait = min(pause, every)
			pause = min(2*pause, every)
		}
		timer := time.NewTimer(wait)
		least := time.NewTimer(min(soonest, every))
		hasty := time.NewTimer(min(haste, every))
		var early, urgent <-chan struct{}
	waiting:
		for {
			select {
			case <-ctx.Done():
				timer.Stop()
				least.Stop()
				hasty.Stop()
				return
			case <-hasty.C:
				urgent = p.State.urgent
			case <-least.C:
				early = p.State.wanted
			case <-urgent:
				break waiting
			case <-early:
				break waiting
			case <-timer.C:
				break waiting
			}
		}
		timer.Stop()
		least.Stop()
		hasty.Stop()
	}
}

func (p *Prober) once(ctx context.Context, timeout time.Duration) {
	probe, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	defer p.State.probing()()
	began := time.Now()
	err := p.Ask(probe)
	now := time.Now()
	if ctx.Err() != nil {
		return
	}
	kind := plugins.KindOf(err)
	if kind == plugins.Canceled && probe.Err() != nil {
		kind = plugins.Timeout
	}
	p.State.Probed(kind, now.Sub(began), now.UnixNano())
}
