package all_test

import (
	"testing"

	"canopy/plugins/all"
)

// Every type introduces itself, and says what it lacks rather than fail.
func TestRegistry(t *testing.T) {
	types := all.Registry()
	for _, name := range []string{"dav", "http", "local"} {
		x, ok := types.Lookup(name)
		if !ok || x.Name != name || x.Summary == "" {
			t.Errorf("%s: %+v, %t", name, x, ok)
			continue
		}
		if err := x.New().Validate(); err == nil {
			t.Errorf("%s needs no settings at all", name)
		}
		if a, b := x.New(), x.New(); a == b {
			t.Errorf("two endpoints of type %s share their settings", name)
		}
	}
}
