package acceptance

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"canopy/federator/choice"
)

// TestOperationsPolicies: the policies that ?explain names are in the handbook,
// in the order in which they count, and no others are.
func TestOperationsPolicies(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	policies, ok := choice.Policies(choice.Names(), choice.Settings{})
	if !ok {
		t.Fatal("the policies do not know their own names")
	}
	var want []string
	for _, p := range policies {
		want = append(want, p.Name)
	}
	want = append(want, "random") // which is the absence of one
	section := regexp.MustCompile(`(?s)\n## Where a client is sent, and why\n.*?(\n## |$)`).Find(text)
	var got []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z]+)` \\|").FindAllSubmatch(section, -1) {
		got = append(got, string(m[1]))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the handbook has %q, want %q", got, want)
	}
}
