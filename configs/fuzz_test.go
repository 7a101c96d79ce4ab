package configs_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"canopy/configs"
	"canopy/configs/source"
)

// Whatever the file says: it is refused with places within it, or what is
// understood can be written out and means the same again.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", "examples/*.yaml"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := configs.Parse("canopy.yaml", text, registry(), environment)
		if err != nil {
			var problems source.Problems
			if !errors.As(err, &problems) || len(problems) == 0 || c != nil {
				t.Fatalf("got %v, %v", c, err)
			}
			for _, p := range problems {
				if p.Line < 1 || p.Column < 1 || strings.ContainsAny(p.Error(), "\n\r\x00") {
					t.Fatalf("a bad problem: %+v", p)
				}
			}
			return
		}
		out := c.YAML()
		again, err := configs.Parse("canopy.yaml", out, registry(), environment)
		if err != nil {
			t.Fatalf("%v\nin the effective configuration\n%s", err, out)
		}
		if got := again.YAML(); string(got) != string(out) {
			t.Fatalf("not stable:\n%s\nthen\n%s", out, got)
		}
	})
}
