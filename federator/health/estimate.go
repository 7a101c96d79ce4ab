package health

import "time"

// estimate follows how long answers take, by the rule of RFC 6298 section 2:
// a smoothed mean and a smoothed mean deviation.
type estimate struct {
	mean, deviation time.Duration
}

func (e *estimate) add(took time.Duration) {
	took = max(took, time.Microsecond)
	if e.mean == 0 {
		e.mean, e.deviation = took, took/2
		return
	}
	e.deviation += ((e.mean - took).Abs() - e.deviation) / 4
	e.mean += (took - e.mean) / 8
}

// leastPatience is what is granted on top to every answer, for schedulers,
// disks and garbage collectors.
const leastPatience = 50 * time.Millisecond

// patience is how long an answer may usually take; 0 when unknown.
func (e *estimate) patience() time.Duration {
	if e.mean == 0 {
		return 0
	}
	return e.mean + 4*e.deviation + leastPatience
}
