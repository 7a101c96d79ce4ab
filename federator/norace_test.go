//go:build !race

package federator_test

const raceEnabled = false
