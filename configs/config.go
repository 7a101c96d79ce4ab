// Package configs is what can be configured: the types behind the YAML file,
// its loading, and its validation with line numbers.
//
// The types are the reference. Their field comments become docs/configuration.md
// and the descriptions in the JSON Schema, so they speak to the person who
// writes the file. A line "Example: VALUE" in a comment is shown as such.
//
// Load reads a file, gives every key that it lacks its default, and checks
// everything that can be checked without touching the network or another file.
// It reports all problems at once, each with its place, the key and what to do.
package configs

import (
	"bytes"
	"slices"
	"time"

	"canopy/configs/decode"

	"go.yaml.in/yaml/v3"
)

//go:generate go run ./internal/refgen

// Config is a whole configuration. It is not changed after Load; whoever gets
// one must not change it either.
type Config struct {
	// Where to listen for HTTP: an address HOST:PORT, or a list of listeners
	// with an address and perhaps TLS each. Without HOST, all interfaces.
	//
	// Example: ":8080"
	Listen Listeners `yaml:"listen"`
	// What people see as the name of this federation on every page.
	Title string `yaml:"title"`
	// Where the federation begins in URLs. With /data, the directory /atlas of
	// the federation is at https://HOST/data/atlas.
	Namespace string `yaml:"namespace"`
	// What was learned from endpoints and how long it is believed.
	Cache Cache `yaml:"cache"`
	// How long endpoints are waited for, and what a silence means.
	Lookup Lookup `yaml:"lookup"`
	// The order in which the replicas of a file are compared. The first
	// criterion that tells two apart decides; among equals it is random. geo
	// needs geo.database or sites with a location, and is left out of the
	// default where there is neither.
	//
	// Example: [site, geo, latency, load, random]
	Select []Criterion `yaml:"select"`
	// Where clients and endpoints are.
	Geo Geo `yaml:"geo"`
	// The storages that make up the federation; at least one.
	Endpoints []Endpoint `yaml:"endpoints" config:"required"`
	// Whether an upload makes the directories above it even if they exist
	// nowhere in the federation, as grid clients expect. If not, such an
	// upload fails (409 Conflict).
	MakeParents bool `yaml:"make_parents"`
	// Where new files go, and what becomes of uploads that do not end.
	Uploads Uploads `yaml:"uploads"`
	// Copies from and to other servers.
	Transfers Transfers `yaml:"transfers"`
	// What is known of the programs that come as clients.
	Clients Clients `yaml:"clients"`
	// Who a request comes from. Without it, everybody is anonymous.
	Auth Auth `yaml:"auth"`
	// Who may do what. Without it, anyone may read and list and nobody may
	// write. For every right, the rule with the longest path decides among
	// those that cover the request's path and name that right.
	Access []Rule `yaml:"access"`
	// What is written to standard error.
	Log Log `yaml:"log"`

	files []decode.File
}

// Default returns the configuration that an empty file stands for, if it were
// allowed to lack endpoints.
func Default() *Config {
	return &Config{
		Listen:    Listeners{{Address: ":8080"}},
		Title:     "Canopy",
		Namespace: "/",
		Cache:     defaultCache(),
		Lookup:    defaultLookup(),
		Select:    []Criterion{"site", "geo", "latency", "load", "random"},
		Geo:       Geo{Fuzz: 100_000},
		Uploads:   Uploads{Place: "nearest", Cleanup: time.Hour, SpoolSize: 100 << 30},
		Transfers: Transfers{Most: 32},
		Log:       Log{Level: "info", Format: "json"},
	}
}

// File is a file that a configuration depends on.
type File = decode.File

// Files returns the configuration file itself and the files it names, so that
// whoever watches for changes knows where to look. Names are relative to the
// working directory, or absolute.
func (c *Config) Files() []File { return slices.Clone(c.files) }

// YAML returns the configuration as a file that says everything, defaults
// included. Secrets are replaced by "***", so it is for reading only.
func (c *Config) YAML() []byte {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	// A tree that Encode built is always valid, and a buffer takes all.
	_ = e.Encode(decode.Encode(c, companion))
	return b.Bytes()
}

// companion returns what shares the section of target.
func companion(target any) any {
	if e, ok := target.(*Endpoint); ok && e.Config != nil {
		return e.Config
	}
	return nil
}
