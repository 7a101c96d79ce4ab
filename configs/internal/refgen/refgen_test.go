package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"canopy/configs"
	"canopy/configs/outline"
	"canopy/plugins/all"

	"github.com/google/go-cmp/cmp"
)

// The generated files in the checkout are those that would be generated now.
func TestCurrent(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	files, err := generate(root, all.Registry())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Errorf("%v; run go generate ./configs", err)
			continue
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is stale; run go generate ./configs:\n%s", name, diff)
		}
	}
}

// No key goes without documentation.
func TestDocumented(t *testing.T) {
	var walk func(path string, s outline.Shape)
	keys := func(path string, all []outline.Key) {
		for _, k := range all {
			at := path + "." + k.Name
			if len(strings.Fields(k.Doc)) < 2 {
				t.Errorf("%s has no comment in the source", at)
			}
			walk(at, k.Shape)
		}
	}
	walk = func(path string, s outline.Shape) {
		if s.Item != nil {
			walk(path, *s.Item)
		}
		keys(path, s.Keys)
		for _, v := range s.Variants {
			keys(path+"("+v.Name+")", v.Keys)
		}
	}
	walk("", configs.Outline(all.Registry(), outline.Published()))
}
