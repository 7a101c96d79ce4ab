//go:build soak

package soak

import (
	"flag"
	"testing"
	"time"
)

var rounds = flag.Int("rounds", 10, "how often the mixture kills everybody; ten take some five minutes")

// TestSoakNothingIsLost goes on for some five minutes, unless -rounds says otherwise.
func TestSoakNothingIsLost(t *testing.T) {
	mixture{clients: 32, pause: 300 * time.Millisecond, window: 2 * time.Second, rounds: *rounds}.run(t)
}
