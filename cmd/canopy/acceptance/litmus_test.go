package acceptance

import (
	"fmt"
	"regexp"
	"testing"

	"canopy/plugins/plugintest/rig"
)

// less are the words by which litmus says of a test that it has not passed.
var less = regexp.MustCompile(`(?m)^.*(FAIL|WARNING|SKIPPED).*$`)

// TestLitmus has litmus try a federation of two Apache servers, and a directory
// of this machine.
func TestLitmus(t *testing.T) {
	two := fmt.Sprintf("  - {name: one, type: dav, url: %q, write: true}\n  - {name: two, type: dav, url: %q, write: true}\n",
		rig.Apache(t, rig.TempDir(t)).URL(), rig.Apache(t, rig.TempDir(t)).URL())
	for name, endpoints := range map[string]string{
		"two of apache": two,
		"local":         fmt.Sprintf("  - {name: here, type: local, root: %q, write: true}\n", rig.TempDir(t)),
	} {
		_, base := serve(t, everything+"endpoints:\n"+endpoints)
		for _, suite := range []string{"basic", "copymove", "http", "props", "locks"} {
			t.Run(name+"/"+suite, func(t *testing.T) {
				c := newClient(t)
				c.env = append(c.env, "TESTS="+suite)
				out := c.run("litmus", base+"/")
				c.says(out, "summary for `"+suite+"'", "100.0%")
				if not := less.FindAllString(out, -1); not != nil {
					t.Errorf("%q", not)
				}
			})
		}
	}
}
