package configs_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"canopy/configs"
	"canopy/configs/source"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

// environment is what the corpus finds there.
func environment(name string) (string, bool) {
	v, ok := map[string]string{
		"HOST":     "dav.example.org",
		"TOKEN":    "s3cr3t-token",
		"WEIGHT":   "2.5",
		"YES":      "true",
		"SITE":     "GENEVA",
		"EMPTY":    "",
		"INJECT":   "x\ntitle: injected",
		"PASSWORD": "p%40ss",
	}[name]
	return v, ok
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got; rewrite with -update):\n%s", name, diff)
	}
}

func corpus(t *testing.T, pattern string, least int) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < least {
		t.Fatalf("only %d files %s", len(names), pattern)
	}
	return names
}

func parse(t *testing.T, name string) (*configs.Config, error) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return configs.Parse(name, text, registry(), environment)
}

// Each bad file is refused with exactly the lines in the .err file beside it.
func TestBad(t *testing.T) {
	for _, name := range corpus(t, "*.bad.yaml", 60) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			c, err := parse(t, name)
			var problems source.Problems
			if c != nil || !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("got %v, %v; want problems", c, err)
			}
			for _, p := range problems {
				if strings.Count(p.Error(), "\n") > 0 || p.Line < 1 || p.Column < 1 {
					t.Errorf("%q is not one line with a place", p.Error())
				}
			}
			golden(t, strings.TrimSuffix(name, ".yaml")+".err", err.Error()+"\n")
		})
	}
}

// Each good file means exactly what the .out file beside it says, and that
// file means the same.
func TestGood(t *testing.T) {
	for _, name := range corpus(t, "*.good.yaml", 15) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			c, err := parse(t, name)
			if err != nil {
				t.Fatal(err)
			}
			out := string(c.YAML())
			golden(t, strings.TrimSuffix(name, ".yaml")+".out", out)
			if strings.Contains(out, "s3cr3t") {
				t.Error("a secret is printed")
			}
			again, err := configs.Parse("effective.yaml", []byte(out), registry(), environment)
			if err != nil {
				t.Fatalf("the effective configuration is refused: %v", err)
			}
			if diff := cmp.Diff(out, string(again.YAML())); diff != "" {
				t.Errorf("the effective configuration means something else:\n%s", diff)
			}
		})
	}
}
