package configs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"canopy/configs"
	"canopy/plugins"
	"canopy/plugins/all"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func compile(t *testing.T, types *plugins.Registry) *jsonschema.Schema {
	t.Helper()
	text, err := configs.Schema(types)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("canopy.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("canopy.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON returns what an editor makes of a YAML file.
func asJSON(t *testing.T, name string) any {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	v, err = jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchemaAcceptsGood(t *testing.T) {
	s := compile(t, registry())
	for _, name := range corpus(t, "*.good.yaml", 15) {
		if err := s.Validate(asJSON(t, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is wrong with a single key, an editor sees already.
func TestSchemaRefusesBad(t *testing.T) {
	s := compile(t, registry())
	for _, name := range []string{
		"unknown-top", "unknown-nested", "unknown-endpoint", "no-endpoints", "types", "types-endpoint", "durations",
		"size", "networks", "listen-form", "listen-url", "choices", "geo", "endpoint-missing", "endpoint-type", "access",
		"auth", "later", "no-value", "redis-scheme",
	} {
		var v *jsonschema.ValidationError
		if err := s.Validate(asJSON(t, filepath.Join("testdata", name+".bad.yaml"))); !errors.As(err, &v) {
			t.Errorf("%s is valid to the schema: %v", name, err)
		}
	}
}

// Editors show the comments.
func TestSchemaDescribes(t *testing.T) {
	text, err := configs.Schema(registry())
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Properties map[string]struct{ Description string }
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Properties) < 13 {
		t.Errorf("only the keys %v", slices.Sorted(maps.Keys(s.Properties)))
	}
	for key, p := range s.Properties {
		if len(p.Description) < 20 {
			t.Errorf("%s is described as %q", key, p.Description)
		}
	}
}

// Every example is a good file with the endpoint types there are, and valid.
func TestExamples(t *testing.T) {
	types := all.Registry()
	s := compile(t, types)
	names, err := filepath.Glob("examples/*.yaml")
	if err != nil || len(names) < 5 {
		t.Fatalf("%d examples, %v", len(names), err)
	}
	lookup := func(name string) (string, bool) {
		v, ok := map[string]string{"CANOPY_LISTEN": "10.0.0.5:8080", "CANOPY_NAME": "front1"}[name]
		return v, ok
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := configs.Parse(name, text, types, lookup)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(c.Endpoints) == 0 || c.Endpoints[0].Config == nil {
			t.Errorf("%s has no endpoints", name)
		}
		if err := s.Validate(asJSON(t, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if text, err := os.ReadFile("examples/minimal.yaml"); err != nil || strings.Count(string(text), "\n") != 5 {
		t.Errorf("the minimal example does not have five lines: %v", err)
	}
}

// The keys of a type must not hide, or be hidden by, those of all endpoints.
func TestNoClash(t *testing.T) {
	types := all.Registry()
	for _, name := range types.Names() {
		text := "endpoints: [{name: a, type: " + name + ", nonsense: 1}]\n"
		_, err := configs.Parse("canopy.yaml", []byte(text), types, environment)
		if err == nil {
			t.Fatalf("%s takes any key", name)
		}
		_, keys, _ := strings.Cut(err.Error(), "the keys here are ")
		keys, _, _ = strings.Cut(keys, "\n")
		sorted := strings.Split(keys, ", ")
		if len(slices.Compact(slices.Clone(sorted))) != len(sorted) {
			t.Errorf("%s has a key twice: %s", name, keys)
		}
	}
}
