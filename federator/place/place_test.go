package place_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"canopy/federator/place"
)

func order(t *testing.T, policy, path string, candidates []place.Candidate) []string {
	t.Helper()
	p, ok := place.ByName(policy)
	if !ok {
		t.Fatalf("there is no policy %q", policy)
	}
	var names []string
	for _, i := range p(path, candidates) {
		names = append(names, candidates[i].Name)
	}
	return names
}

func TestPolicies(t *testing.T) {
	candidates := []place.Candidate{
		{Name: "far", Turn: 2, Group: 1, Free: 500, Weight: 1},
		{Name: "near", Turn: 0, Group: 0, Free: 100, Weight: 1},
		{Name: "silent", Turn: 1, Group: 0, Free: -1, Weight: 1},
		{Name: "roomy", Turn: 3, Group: 2, Free: 500, Weight: 1},
	}
	for policy, want := range map[string][]string{
		"nearest":   {"near", "silent", "far", "roomy"},
		"most-free": {"far", "roomy", "near", "silent"},
		"first":     {"far", "near", "silent", "roomy"},
	} {
		if got := order(t, policy, "/f", candidates); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", policy, got, want)
		}
	}
	if _, ok := place.ByName("best"); ok {
		t.Error("there is a policy that does not exist")
	}
	for _, name := range place.Names() {
		if _, ok := place.ByName(name); !ok {
			t.Errorf("%s is named and does not exist", name)
		}
	}
	for _, c := range []struct {
		size int64
		want int
	}{{-1, 4}, {0, 4}, {100, 4}, {101, 3}, {501, 1}} {
		if got := place.Fit(candidates, c.size); len(got) != c.want {
			t.Errorf("%d bytes fit into %v", c.size, got)
		}
	}
}

// TestSpreadIsFair: the parts are as large as the weights, whoever else there
// is, and leaving moves nobody else's paths.
func TestSpreadIsFair(t *testing.T) {
	all := []place.Candidate{{Name: "a", Weight: 1}, {Name: "b", Weight: 2}, {Name: "c", Weight: 5}}
	const paths = 20000
	won := make(map[string]int)
	for n := range paths {
		path := fmt.Sprintf("/d/%d", n)
		o := order(t, "spread", path, all)
		won[o[0]]++
		without := order(t, "spread", path, all[:2])
		if rest := slices.DeleteFunc(o, func(s string) bool { return s == "c" }); !slices.Equal(rest, without) {
			t.Fatalf("%s: %v, and without c %v", path, o, without)
		}
	}
	for i, c := range all {
		want := []float64{0.125, 0.25, 0.625}[i]
		if got := float64(won[c.Name]) / paths; math.Abs(got-want) > 0.015 {
			t.Errorf("%s is first for %.3f of all, want %.3f", c.Name, got, want)
		}
	}
}

// TestOrdersAreComplete: whatever the candidates, each policy has each of them
// once.
func TestOrdersAreComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 12).Draw(t, "n")
		candidates := make([]place.Candidate, n)
		for i := range candidates {
			candidates[i] = place.Candidate{
				Name: fmt.Sprint(i), Turn: rapid.IntRange(0, n).Draw(t, "turn"), Free: rapid.Int64Range(-1, 9).Draw(t, "free"),
				Weight: rapid.Float64Range(0, 3).Draw(t, "weight"),
			}
		}
		for _, name := range place.Names() {
			p, _ := place.ByName(name)
			got := slices.Sorted(slices.Values(p("/x", candidates)))
			for i := range n {
				if len(got) != n || got[i] != i {
					t.Fatalf("%s: %v of %d", name, got, n)
				}
			}
		}
	})
}
