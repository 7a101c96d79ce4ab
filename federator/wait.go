package federator

import (
	"context"
	"time"

	"canopy/federator/choice"
	"canopy/federator/health"
	"canopy/federator/record"
	"canopy/plugins"
)

// Need is what a caller wants of a lookup before it is answered.
type Need uint8

// The needs.
const (
	// First: one endpoint that has the path will do, to say what it is.
	First Need = iota
	// Best: the best replica for a client, or one that no outstanding answer
	// could better by more than is worth the grace.
	Best
	// All: everybody who can be asked should have answered.
	All
)

// wait returns a record as soon as the flight knows enough, or the error of
// ctx. The deadline passing is no error: the record says who has answered.
func (fl *flight) wait(ctx context.Context, need Need, c *choice.Client) (*record.Record, error) {
	var timer *time.Timer
	var expired <-chan time.Time
	var until int64
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	for {
		fl.mu.Lock()
		now := time.Now().UnixNano()
		left := fl.patience(need, c, now)
		if left <= 0 || fl.ended {
			r := fl.record()
			fl.served = true
			fl.mu.Unlock()
			return r, nil
		}
		changed := fl.changed
		fl.mu.Unlock()
		if expired == nil || now+left != until {
			if timer != nil {
				timer.Stop()
			}
			timer = time.NewTimer(time.Duration(left))
			expired, until = timer.C, now+left
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		case <-expired:
			expired = nil
		}
	}
}

// part is called by a waiter that has gone. A flight from which nobody had an
// answer and for which nobody waits is of no use to anybody.
func (fl *flight) part() {
	fl.mu.Lock()
	defer fl.mu.Unlock()
	fl.waiters--
	if fl.waiters == 0 && !fl.served {
		fl.stop()
	}
}

// patience returns how long, in nanoseconds, a caller with this need should
// still wait for more; 0 or less is not at all. fl.mu is held.
func (fl *flight) patience(need Need, c *choice.Client, now int64) int64 {
	if fl.pending == 0 {
		return 0
	}
	left := fl.began + int64(fl.g.Deadline) - now
	grace := func(from int64) int64 { return min(left, from+int64(fl.g.Grace)-now) }
	prompt := false // whether anybody is outstanding who is not overdue
	hope := false   // whether anybody is who did not hang just before
	held := false   // whether anybody has it who has not died since
	for i := range fl.asked {
		a := &fl.asked[i]
		c := a.state.Condition()
		switch a.reply {
		case pending:
			prompt = prompt || c == health.Up
			hope = hope || c == health.Up || c == health.Slow && !a.state.Hung()
		case holds:
			held = held || c != health.Down
		}
	}
	switch {
	case !held:
		// Nobody else has it. An endpoint whose answer is merely overdue may
		// be the one: a packet lost or a disk spun down is no reason to turn
		// the client away.
		if !hope {
			return grace(fl.last)
		}
		return left
	case need == First:
		return 0
	case !prompt:
		return 0
	case need == All:
		return left
	case fl.betterable(c):
		return grace(fl.holding)
	}
	return 0
}

// betterable reports whether an endpoint that has not answered yet would be
// chosen before all that hold the path. fl.mu is held.
func (fl *flight) betterable(c *choice.Client) bool {
	targets := make([]choice.Target, len(fl.asked))
	n, files := 0, false
	for i := range fl.asked {
		a := &fl.asked[i]
		file := a.reply == holds && a.replica.Kind == plugins.File
		files = files || file
		if a.reply == pending || file {
			targets[n] = a.target(fl.g.Atlas)
			targets[n].ID = record.ID(i)
			n++
		}
	}
	if !files {
		return false // one directory is as good as another
	}
	order, group := choice.Rank(c, targets[:n], fl.g.policies, true)
	for at, i := range order {
		if group[at] != 0 {
			return true // the first group is all outstanding
		}
		if fl.asked[targets[i].ID].reply == holds {
			return false
		}
	}
	return true
}
