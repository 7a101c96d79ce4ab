package redis

import (
	"testing"
	"time"

	"canopy/frontend/lock"
	"canopy/plugins/plugintest/rig"
)

// BenchmarkCheck is what a write waits for when nothing is locked.
func BenchmarkCheck(b *testing.B) {
	table := lock.New(lock.Options{Store: New(Options{Client: dial(b, rig.Redis(b).Addr())})})
	check := lock.Check{Touches: []lock.Touch{{Path: "/data/run1/file", Member: true}}}
	for b.Loop() {
		if err := table.Check(b.Context(), time.Now(), check); err != nil {
			b.Fatal(err)
		}
	}
}
