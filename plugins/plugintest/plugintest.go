// Package plugintest is the conformance suite of package plugins: every
// endpoint type and every decorator passes it.
//
//	func TestConformance(t *testing.T) {
//		server := rig.Nginx(t, rig.TempDir(t))
//		plugintest.Run(t, plugintest.Subject{
//			Open: func(t testing.TB, env plugins.Env) plugins.Endpoint { return open(t, server.URL(), env) },
//			Seed: plugintest.SeedDir(server.Dir()),
//			Gaps: []plugintest.Gap{
//				{Lack: plugintest.NoSpace, Because: "nginx does not tell quotas"},
//			},
//		})
//	}
//
// The suite holds the endpoint to the prose of package plugins. What a type or
// its storage cannot do is a Gap with a reason. A gap excuses the checks it
// names and nothing else, and one that turns out not to be needed fails the
// test, so the list of gaps is also the truthful list of shortcomings.
//
// What an endpoint can write is tested as far as it can; Subject.Writable makes
// that all of it. Where Writer.Atomic says so, nothing of an unfinished file may
// show, and where it does not, failed uploads need only be errors. In any case
// the content is the caller's again when Store returns, and an error of the
// content is Canceled or Invalid, for the storage is not to blame.
//
// For types that speak to a network, Subject.OpenAt opens an endpoint whose
// storage is a server of the suite's that hangs, resets, lies or babbles.
// Subject.Addr puts a proxy in front of the real storage and breaks it midway.
package plugintest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"canopy/plugins"
)

// Subject is what is to be tested.
type Subject struct {
	// Open opens the endpoint over the same storage each time it is called.
	// The suite closes it.
	Open func(t testing.TB, env plugins.Env) plugins.Endpoint
	// Seed lays nodes down in the storage, making their parents, so that the
	// endpoint sees them at once. Paths are the endpoint's. A node that exists
	// is replaced.
	Seed func(t testing.TB, nodes []Node)
	// Writable is whether the endpoint must be able to write in all four ways,
	// unless a gap excuses it. What it can write is tested in any case.
	Writable bool
	// Gaps is what this endpoint may lack.
	Gaps []Gap
	// Secrets are texts that must show up in no URL, error or log record.
	Secrets []string
	// Client fetches what Locate has named; nil is a plain client.
	Client *http.Client
	// OpenAt opens an endpoint of this type at address, a host and port where
	// anything may listen. Nil is for types without a network.
	OpenAt func(t testing.TB, address string, env plugins.Env) plugins.Endpoint
	// Addr is the host and port of the storage behind Open. If set, OpenAt
	// must reach that storage through any proxy in front of it.
	Addr string
}

// Lack is something the contract offers and an endpoint may be excused from.
type Lack string

// The lacks there are.
const (
	NoList   Lack = "list"
	NoLocate Lack = "locate"
	NoRead   Lack = "read"
	NoDigest Lack = "digest"
	NoSpace  Lack = "space"
	// Of an endpoint that is Writable.
	NoWrite  Lack = "write"
	NoRemove Lack = "remove"
	NoMake   Lack = "mkdir"
	NoMove   Lack = "move"

	// NoTags: no entity tags, so that Range.IfMatch cannot be honoured.
	NoTags Lack = "entity tags"
	// NoTimes: Stat does not give the modification time that was seeded.
	NoTimes Lack = "modification times"
	// NoListSizes: List does not give exact sizes; it must then give none.
	NoListSizes Lack = "sizes in listings"
	// NoListTimes: List does not give modification times to the second.
	NoListTimes Lack = "modification times in listings"
	// NoEmptyDirectories: the storage cannot hold a directory without entries.
	NoEmptyDirectories Lack = "empty directories"
	// NoBelowFile: a path below a file is not reported as NotFound.
	NoBelowFile Lack = "denial of paths below a file"
	// NoBrokenStat: Stat can take a broken answer for a true one.
	NoBrokenStat Lack = "suspicion in stat"
	// NoLarge: a directory of 100,000 entries is more than the storage can do.
	NoLarge Lack = "large directories"

	// NoUnknownSize: Store needs to know the size beforehand.
	NoUnknownSize Lack = "uploads of unknown size"
	// NoStoreTimes: Store does not keep Upload.ModTime.
	NoStoreTimes Lack = "modification times of uploads"
	// NoWriteBelowFile: what would be below a file is not refused as NoParent.
	NoWriteBelowFile Lack = "refusal to write below a file"
	// NoExclusive: of two that store a new file at once, both may succeed. No
	// test can need this gap, nor the next two, each time.
	NoExclusive Lack = "exclusive creation"
	// NoOrder: files stored at one path at the same time can get mixed up.
	NoOrder Lack = "order among stores of one path"
	// NoSingleStep: Move over a file lets the path be seen with nothing there.
	NoSingleStep Lack = "moves in one step"

	// NoProperties: the storage turns out to keep no properties, or not in all
	// ways. An endpoint without the ability needs no gap.
	NoProperties Lack = "properties"

	// NoWriteNames: each of Gap.Names can be read and not written in each way.
	NoWriteNames Lack = "names to write"
	// NoNames: each of Gap.Names can be seeded and not used.
	NoNames Lack = "names"
	// NoStorableNames: each of Gap.Names cannot even be seeded; the endpoint
	// must then say Invalid or NotFound.
	NoStorableNames Lack = "storable names"
)

var lacks = [...]Lack{
	NoList, NoLocate, NoRead, NoDigest, NoSpace, NoWrite, NoRemove, NoMake, NoMove,
	NoTags, NoTimes, NoListSizes, NoListTimes, NoEmptyDirectories, NoBelowFile, NoBrokenStat, NoLarge,
	NoUnknownSize, NoStoreTimes, NoWriteBelowFile, NoExclusive, NoOrder, NoSingleStep, NoProperties,
	NoWriteNames, NoNames, NoStorableNames,
}

// The first of the lacks are those of abilities, and the first of these those
// of reading.
const (
	reading   = 5
	abilities = 9
)

// Gap excuses an endpoint from one thing.
type Gap struct {
	Lack Lack
	// Because is the reason, for people; it is required.
	Because string
	// Names are those that do not work, for NoWriteNames, NoNames and
	// NoStorableNames only.
	Names []string
}

// check is one demand of the suite.
type check struct {
	name string
	// needs is the ability without which the check means nothing.
	needs Lack
	// lack is what excuses from the check; "" if nothing does.
	lack Lack
	// chance is whether what lacks it may pass by luck.
	chance bool
	run    func(b *bench) error
}

func allChecks() []check {
	return slices.Concat(
		abilityChecks(), statChecks(), listChecks(), readChecks(), locateChecks(), digestChecks(), inspectChecks(),
		nameChecks(), cancelChecks(), concurrencyChecks(), brokenChecks(), brokenHTTPChecks(), faultyWireChecks(),
		storeChecks(), spoilChecks(), removeChecks(), makeChecks(), moveChecks(), writeNameChecks(), contendChecks(), propertyChecks(),
	)
}

// Run tests s, one subtest per demand.
func Run(t *testing.T, s Subject) {
	t.Helper()
	if problem := s.problem(); problem != "" {
		t.Fatalf("plugintest: %s", problem)
	}
	for _, c := range allChecks() {
		if c.lack == NoLarge && testing.Short() {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			if err := s.judge(t, c); err != nil {
				t.Error(err)
			}
		})
	}
}

// judge runs one check and weighs the outcome against the gaps.
func (s *Subject) judge(t testing.TB, c check) error {
	t.Helper()
	b := newBench(t, s, c.name)
	if !b.has(c.needs) {
		return nil // "abilities" has complained if that is not allowed
	}
	err := b.runIn(c)
	gap, excused := s.gap(c.lack)
	switch {
	case excused && c.chance:
		return nil
	case excused && err == nil:
		return fmt.Errorf("the gap %q (%s) is not needed: this works", gap.Lack, gap.Because)
	case excused:
		return nil
	}
	return err
}

// problem says what is wrong with the subject itself; "" if nothing.
func (s *Subject) problem() string {
	switch {
	case s.Open == nil || s.Seed == nil:
		return "a subject needs Open and Seed"
	case s.Addr != "" && s.OpenAt == nil:
		return "a subject with Addr needs OpenAt"
	}
	seen := map[Lack]bool{}
	for _, g := range s.Gaps {
		named := g.Lack == NoNames || g.Lack == NoStorableNames || g.Lack == NoWriteNames
		switch {
		case !slices.Contains(lacks[:], g.Lack):
			return fmt.Sprintf("there is no gap %q", g.Lack)
		case strings.TrimSpace(g.Because) == "":
			return fmt.Sprintf("the gap %q gives no reason", g.Lack)
		case named != (len(g.Names) > 0):
			return fmt.Sprintf("the gap %q and its names do not fit", g.Lack)
		case !named && seen[g.Lack]:
			return fmt.Sprintf("the gap %q is there twice", g.Lack)
		}
		seen[g.Lack] = true
		for _, name := range g.Names {
			if !slices.Contains(edgeNames(), name) {
				return fmt.Sprintf("the gap %q: %q is not a name that is tested", g.Lack, name)
			}
		}
	}
	return ""
}

// gap returns the gap for lack. Gaps of names excuse no check as a whole.
func (s *Subject) gap(lack Lack) (Gap, bool) {
	for _, g := range s.Gaps {
		if lack != "" && g.Lack == lack {
			return g, true
		}
	}
	return Gap{}, false
}

// excuses reports whether a gap of that lack lists name.
func (s *Subject) excuses(lack Lack, name string) bool {
	return slices.ContainsFunc(s.Gaps, func(g Gap) bool {
		return g.Lack == lack && slices.Contains(g.Names, name)
	})
}

func abilityChecks() []check {
	var checks []check
	for i, lack := range lacks[:abilities] {
		checks = append(checks, check{name: "abilities/" + string(lack), lack: lack, run: func(b *bench) error {
			if !b.has(lack) && (i < reading || b.s.Writable) {
				return fmt.Errorf("the endpoint cannot %s, and no gap says why", lack)
			}
			return nil
		}})
	}
	return append(checks, check{name: "abilities/stable", run: abilitiesAreStable})
}

// abilitiesAreStable demands that two endpoints opened alike can do the same.
func abilitiesAreStable(b *bench) error {
	other := plugins.AbilitiesOf(b.open(b.env()))
	if !slices.Equal(b.able.Names(), other.Names()) || b.able.Ordered != other.Ordered {
		return fmt.Errorf("abilities %v, then %v", b.able.Names(), other.Names())
	}
	if b.able.Ordered && b.able.Lister == nil {
		return fmt.Errorf("ordered without being able to list")
	}
	return nil
}
