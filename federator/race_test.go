//go:build race

package federator_test

// raceEnabled is whether the race detector is at work, which takes several
// times the memory.
const raceEnabled = true
