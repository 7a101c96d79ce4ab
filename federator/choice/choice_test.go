package choice_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"canopy/federator/choice"
	"canopy/federator/geo"
)

var (
	geneva  = geo.Point{Lat: 46.2, Lon: 6.1}
	chicago = geo.Point{Lat: 41.9, Lon: -87.6}
	tokyo   = geo.Point{Lat: 35.7, Lon: 139.7}
	lyon    = geo.Point{Lat: 45.8, Lon: 4.8}
)

func at(p geo.Point) *geo.Place { return &geo.Place{Point: p, Placed: true} }

func target(name string, p geo.Point) choice.Target {
	return choice.Target{Name: name, Site: strings.ToUpper(name), Point: p, Placed: true, Weight: 1}
}

// groups writes an order as "a b | c": groups apart, equals in order of name.
func groups(targets []choice.Target, order, group []int) string {
	var parts []string
	for from := 0; from < len(order); {
		to := from
		var names []string
		for to < len(order) && group[to] == group[from] {
			names = append(names, targets[order[to]].Name)
			to++
		}
		slices.Sort(names)
		parts = append(parts, strings.Join(names, " "))
		from = to
	}
	return strings.Join(parts, " | ")
}

func TestPolicies(t *testing.T) {
	unplaced := target("unplaced", geo.Point{})
	unplaced.Placed = false
	change := func(t choice.Target, f func(*choice.Target)) choice.Target { f(&t); return t }
	three := []choice.Target{target("tokyo", tokyo), target("chicago", chicago), target("geneva", geneva)}
	for _, c := range []struct {
		name    string
		client  choice.Client
		targets []choice.Target
		selects string
		want    string
	}{
		{"distance", choice.Client{Place: at(lyon)}, three, "geo", "geneva | chicago | tokyo"},
		{"distance the other way round", choice.Client{Place: at(tokyo)}, three, "geo", "tokyo | geneva | chicago"},
		{"within the fuzz of the nearest", choice.Client{Place: at(lyon)}, append(three, target("lyon", lyon)), "geo", "geneva lyon | chicago | tokyo"},
		{"an uncertain place tells less apart", choice.Client{Place: &geo.Place{Point: lyon, Placed: true, Radius: 900}}, append(three, target("london", geo.Point{Lat: 51.5})), "geo", "geneva london | chicago | tokyo"},
		{"an unknown endpoint is worst but usable", choice.Client{Place: at(lyon)}, append(three, unplaced), "geo", "geneva | chicago | tokyo | unplaced"},
		{"an unknown client finds all equal", choice.Client{Place: &geo.Place{}}, three, "geo", "chicago geneva tokyo"},
		{"site before distance", choice.Client{Place: &geo.Place{Site: "TOKYO", Point: lyon, Placed: true}}, three, "site geo", "tokyo | geneva | chicago"},
		{"wishes come first", choice.Client{Place: at(lyon), Prefer: []string{"tokyo"}, Avoid: []string{"GENEVA"}}, three, "geo", "tokyo | chicago | geneva"},
		{"across the date line", choice.Client{Place: at(geo.Point{Lat: 60, Lon: 179.5})}, []choice.Target{
			target("west", geo.Point{Lat: 60, Lon: -179.5}), target("far", geo.Point{Lat: 60, Lon: 170})}, "geo", "west | far"},
		{"slow, drained and carried stand back", choice.Client{Place: at(lyon)}, []choice.Target{
			change(target("drained", lyon), func(t *choice.Target) { t.Draining = true }),
			change(target("slow", lyon), func(t *choice.Target) { t.Slow = true }),
			change(target("carried", lyon), func(t *choice.Target) { t.Carried = true }),
			target("plain", tokyo)}, "geo", "plain | carried | slow | drained"},
		{"https stays https", choice.Client{Place: at(lyon), Secure: true}, []choice.Target{
			target("plain", lyon), change(target("secure", tokyo), func(t *choice.Target) { t.Secure = true })}, "geo", "secure | plain"},
		{"address family", choice.Client{Place: at(lyon), Addr: netip.MustParseAddr("192.0.2.1")}, []choice.Target{
			change(target("six", lyon), func(t *choice.Target) { t.IPv6 = true }),
			change(target("four", tokyo), func(t *choice.Target) { t.IPv4 = true }),
			target("unresolved", chicago)}, "geo", "unresolved | four | six"},
		{"latency by its step", choice.Client{Place: at(lyon)}, []choice.Target{
			change(target("quick", lyon), func(t *choice.Target) { t.Latency, t.LatencyBand = time.Millisecond, 0 }),
			change(target("quick2", lyon), func(t *choice.Target) { t.Latency, t.LatencyBand = 2*time.Millisecond, 0 }),
			change(target("slower", lyon), func(t *choice.Target) { t.Latency, t.LatencyBand = 9*time.Millisecond, 4 }),
			target("unmeasured", lyon)}, "latency", "quick quick2 | slower | unmeasured"},
		{"tier", choice.Client{Place: at(lyon)}, []choice.Target{
			change(target("tape", lyon), func(t *choice.Target) { t.Tier = "tape" }),
			change(target("nearline", lyon), func(t *choice.Target) { t.Tier = "nearline" }),
			change(target("disk", lyon), func(t *choice.Target) { t.Tier = "disk" }), target("plain", lyon)}, "tier", "disk plain | nearline | tape"},
		{"weight, strictly", choice.Client{Place: at(lyon)}, []choice.Target{
			change(target("two", lyon), func(t *choice.Target) { t.Weight = 2 }), target("one", lyon)}, "weight", "two | one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			policies, ok := choice.Policies(strings.Fields(c.selects), choice.Settings{Fuzz: 150})
			if !ok {
				t.Fatal("policies unknown")
			}
			order, group := choice.Rank(&c.client, c.targets, policies, false)
			if got := groups(c.targets, order, group); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			for i := range c.targets {
				for _, p := range policies {
					if p.Say(&c.client, &c.targets[i], p.Score(&c.client, &c.targets[i])) == "" {
						t.Errorf("%s says nothing", p.Name)
					}
				}
			}
		})
	}
	if _, ok := choice.Policies([]string{"nearest"}, choice.Settings{}); ok {
		t.Error("an unknown policy is taken")
	}
}

func TestSteadyLeavesOutTheLoad(t *testing.T) {
	busy, idle := target("busy", lyon), target("idle", lyon)
	busy.LoadBand = 3
	targets := []choice.Target{busy, idle}
	policies, _ := choice.Policies([]string{"load"}, choice.Settings{})
	c := choice.Client{Place: at(lyon)}
	order, group := choice.Rank(&c, targets, policies, false)
	if got := groups(targets, order, group); got != "idle | busy" {
		t.Error(got)
	}
	order, group = choice.Rank(&c, targets, policies, true)
	if got := groups(targets, order, group); got != "busy idle" {
		t.Error(got)
	}
}

func TestRankIsAnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		targets := make([]choice.Target, rapid.IntRange(0, 12).Draw(t, "n"))
		for i := range targets {
			targets[i] = choice.Target{
				Name:   fmt.Sprint(i),
				Point:  geo.Point{Lat: rapid.Float64Range(-90, 90).Draw(t, "lat"), Lon: rapid.Float64Range(-180, 180).Draw(t, "lon")},
				Placed: rapid.Bool().Draw(t, "placed"), Slow: rapid.Bool().Draw(t, "slow"), LoadBand: rapid.IntRange(0, 3).Draw(t, "load"),
			}
		}
		policies, _ := choice.Policies([]string{"site", "geo", "load"}, choice.Settings{Fuzz: 1000})
		c := choice.Client{Place: at(lyon)}
		order, group := choice.Rank(&c, targets, policies, false)
		if got := slices.Sorted(slices.Values(order)); len(got) > 0 && (got[0] != 0 || got[len(got)-1] != len(targets)-1) {
			t.Fatalf("not a permutation: %v", order)
		}
		for i := 1; i < len(group); i++ {
			if d := group[i] - group[i-1]; d != 0 && d != 1 {
				t.Fatalf("groups %v", group)
			}
		}
		// Who came in what order changes nothing.
		again := slices.Clone(targets)
		rand.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		order2, group2 := choice.Rank(&c, again, policies, false)
		if a, b := groups(targets, order, group), groups(again, order2, group2); a != b {
			t.Fatalf("%s, then %s", a, b)
		}
	})
}

func TestDeckIsFair(t *testing.T) {
	for n := 1; n <= 22; n++ {
		d := choice.NewDeck(slices.Repeat([]float64{1}, n), 7)
		counts := make([]int, n)
		for range 1000 {
			counts[d.Deal()]++
		}
		for i, c := range counts {
			if diff := c*n - 1000; diff > 100 || diff < -100 {
				t.Errorf("of %d equals number %d had %d of 1000 turns", n, i, c)
			}
		}
	}
}

func TestDeckDoesNotRepeatItself(t *testing.T) {
	d := choice.NewDeck(slices.Repeat([]float64{1}, 5), 7)
	rounds := make(map[string]int)
	for range 100 {
		var round string
		for range 5 {
			round += fmt.Sprint(d.Deal())
		}
		rounds[round]++
	}
	if len(rounds) < 10 {
		t.Errorf("only %d different rounds of 100", len(rounds))
	}
}

func TestDeckKeepsToWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Float64Range(0.1, 10), 1, 12).Draw(t, "weights")
		d := choice.NewDeck(weights, rapid.Uint64().Draw(t, "seed"))
		counts := make([]int, len(weights))
		const turns = 40_000
		sum := 0.0
		for _, w := range weights {
			sum += w
		}
		for range turns {
			counts[d.Deal()]++
		}
		for i, w := range weights {
			got, want := float64(counts[i])/turns, w/sum
			if counts[i] == 0 || got > want*1.6+0.01 || got < want*0.6-0.01 {
				t.Fatalf("weight %g of %g had a share of %g", w, sum, got)
			}
		}
	})
}

func TestBandDoesNotFlicker(t *testing.T) {
	b := choice.Band{Least: 2, Ratio: 1.5}
	for _, c := range []struct {
		value        float64
		before, want int
	}{
		{0, 3, 0}, {1, 0, 0}, {2.1, 0, 0}, {3, 0, 2}, {3.1, 1, 1}, {2.9, 2, 2}, {1000, 0, 16},
	} {
		if got := b.Step(c.value, c.before); got != c.want {
			t.Errorf("%g from %d is in step %d, want %d", c.value, c.before, got, c.want)
		}
	}
}
