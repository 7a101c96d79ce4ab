package federator

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"canopy/federator/record"
	"canopy/plugins"
)

// TestShelf: what is put on the shelf comes back in order of name, each name
// once, as it came first.
func TestShelf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.SampledFrom([]string{"", "file-", strings.Repeat("long", 500)}).Draw(t, "prefix")
		var s shelf
		want := make(map[string]record.Replica)
		for range rapid.IntRange(0, 200).Draw(t, "children") {
			name := prefix + rapid.StringMatching(`[a-c\x00-\x02]{0,12}.`).Draw(t, "name")
			r := record.Replica{
				Endpoint: 7, Via: 2, Learned: 99, Kind: plugins.File,
				Size: rapid.Int64().Draw(t, "size"), ModTime: rapid.Int64().Draw(t, "modified"),
			}
			if rapid.IntRange(0, 3).Draw(t, "extra") == 0 {
				r.Extra = &record.Extra{Digests: []plugins.Digest{{Algorithm: "md5", Sum: name}}}
			}
			if !s.put(name, &r) {
				t.Fatal("no room")
			}
			if _, is := want[name]; !is {
				want[name] = r
			}
		}
		s.sort()
		if len(s.at) != len(want) {
			t.Fatalf("%d children, want %d", len(s.at), len(want))
		}
		last := ""
		for i := range s.at {
			got := s.child(i, 7, 2, 99)
			if i > 0 && got.name <= last {
				t.Fatalf("%q after %q", got.name, last)
			}
			if d := cmp.Diff(want[got.name], got.replica); d != "" {
				t.Fatalf("%q: %s", got.name, d)
			}
			last = got.name
		}
	})
}

func TestShelfOfLongNames(t *testing.T) {
	var s shelf
	var names []string
	for i := range 300 {
		names = append(names, strings.Repeat(string(rune('a'+i%26)), record.MaxName-i))
		if !s.put(names[i], &record.Replica{Kind: plugins.File}) {
			t.Fatal("no room")
		}
	}
	s.sort()
	slices.Sort(names)
	for i, want := range names {
		if got := s.child(i, 1, 0, 1).name; got != want {
			t.Fatalf("child %d is %.10q", i, got)
		}
	}
}
