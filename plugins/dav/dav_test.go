package dav

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"canopy/plugins"
	"canopy/plugins/webclient"
)

// The example in the manual works.
func TestManual(t *testing.T) {
	source, err := os.ReadFile("dav.go")
	if err != nil {
		t.Fatal(err)
	}
	var example strings.Builder
	first := regexp.MustCompile(`(?m)(^//\t.*\n)+`).FindString(string(source))
	for line := range strings.Lines(first) {
		example.WriteString(strings.TrimPrefix(line, "//\t"))
	}
	var cfg struct {
		Endpoints []struct {
			Name, Type string
			Config     `yaml:",inline"`
		}
	}
	if err := yaml.Unmarshal([]byte(example.String()), &cfg); err != nil {
		t.Fatalf("%v in\n%s", err, example.String())
	}
	if len(cfg.Endpoints) != 1 {
		t.Fatalf("decoded %+v from\n%s", cfg, example.String())
	}
	e := cfg.Endpoints[0]
	if e.Name != "geneva" || e.Type != Type().Name || e.URL == "" || e.Credentials.BearerFile == "" {
		t.Errorf("decoded %+v", e)
	}
	if err := e.Validate(); err != nil {
		t.Error(err)
	}
}

func TestDefaultsAndAbilities(t *testing.T) {
	cfg := Type().New().(*Config)
	cfg.URL = "https://dav.example.org"
	for _, c := range []struct {
		checksums, quota bool
		want             []string
	}{
		{cfg.Checksums, cfg.Quota, []string{"stat", "list", "redirect", "read", "digest", "space", "write", "remove", "mkdir", "move", "properties"}},
		{false, false, []string{"stat", "list", "redirect", "read", "write", "remove", "mkdir", "move", "properties"}},
	} {
		cfg.Checksums, cfg.Quota = c.checksums, c.quota
		a := plugins.AbilitiesOf(open(t, cfg, plugins.Env{}))
		if got := a.Names(); !slices.Equal(got, c.want) || a.Prober == nil || a.Ordered {
			t.Errorf("abilities %v, want %v", got, c.want)
		}
	}
}

func TestThirdPartyModes(t *testing.T) {
	for _, c := range []struct {
		modes      []plugins.CopyMode
		pull, push bool
	}{
		{nil, false, false},
		{[]plugins.CopyMode{plugins.Pull}, true, false},
		{[]plugins.CopyMode{plugins.Push}, false, true},
		{[]plugins.CopyMode{plugins.Push, plugins.Pull}, true, true},
	} {
		e := open(t, &Config{Config: webclient.Config{URL: "https://h/base"}, ThirdParty: c.modes}, plugins.Env{})
		a := plugins.AbilitiesOf(e)
		l, err := a.Locator.Locate("/a b", "COPY")
		if len(c.modes) == 0 {
			if a.Copier != nil || plugins.KindOf(err) != plugins.Unsupported {
				t.Errorf("none: %v, %v", a.Names(), err)
			}
			continue
		}
		if err != nil || l.URL != "https://h/base/a%20b" || a.Copier.Copies(plugins.Pull) != c.pull || a.Copier.Copies(plugins.Push) != c.push {
			t.Errorf("%v: %v, %v", c.modes, l, err)
		}
	}
	for _, modes := range [][]plugins.CopyMode{{"both"}, {""}, {plugins.Pull, plugins.Pull}} {
		err := (&Config{Config: webclient.Config{URL: "https://h"}, ThirdParty: modes}).Validate()
		var field *plugins.FieldError
		if !errors.As(err, &field) || field.Key != "third_party" {
			t.Errorf("%q: %v", modes, err)
		}
	}
}

func TestOpenFailsForFilesThatCannotBeUsed(t *testing.T) {
	cfg := &Config{Config: webclient.Config{
		URL: "https://h", Credentials: webclient.Credentials{BearerFile: t.TempDir() + "/absent"},
	}}
	_, err := cfg.Open(t.Context(), plugins.Env{})
	var field *plugins.FieldError
	if !errors.As(err, &field) || field.Key != "credentials.bearer_file" {
		t.Errorf("error %v", err)
	}
}
