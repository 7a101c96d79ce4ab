package configs

import (
	"time"

	"canopy/nametrans"
	"canopy/plugins"
)

// Endpoint is one storage of the federation. Besides the keys here, its
// section has those of its type.
type Endpoint struct {
	// The name of the endpoint in headers, metrics, logs and on the
	// dashboard: 1 to 63 letters, digits, dots, dashes and underscores.
	//
	// Example: geneva
	Name string `yaml:"name" config:"required"`
	// What kind of storage it is.
	//
	// Example: dav
	Type string `yaml:"type" config:"required"`
	// Where its tree appears in the federation. With translate and without
	// mount, only the paths that a rule covers are there.
	//
	// Default: /
	// Example: /atlas
	Mount string `yaml:"mount"`
	// The site it belongs to; one of geo.sites, if there are any.
	//
	// Example: GENEVA
	Site string `yaml:"site"`
	// How its bytes reach clients. redirect: clients are sent to the endpoint,
	// but for those known to be unable to follow. proxy: Canopy carries them,
	// so that clients need neither see the endpoint nor be trusted by it.
	// auto: redirect if the type has addresses for clients, else proxy.
	Access Delivery `yaml:"access"`
	// Whether files are read from it.
	Read bool `yaml:"read"`
	// Whether its directories are listed.
	List bool `yaml:"list"`
	// Whether files are written to it. This version supports false only.
	Write bool `yaml:"write"`
	// How much it is preferred; more than 0. With weight among the select
	// criteria the greater goes first, else it is the share that the endpoint
	// gets among equals.
	Weight float64 `yaml:"weight"`
	// What it is made of, for the tier criterion: disk goes first, tape last,
	// any other word between them.
	//
	// Example: disk
	Tier string `yaml:"tier"`
	// Rules from federation path to the endpoint's own path. The first that
	// matches a path decides; what none matches follows mount.
	Translate []nametrans.Rule `yaml:"translate"`
	// What is asked of it at most.
	Limits Limits `yaml:"limits"`
	// How it is found out whether it lives.
	Health Health `yaml:"health"`
	// Whether it is being emptied or maintained: what only it has is still
	// read from it, nothing else is.
	Draining bool `yaml:"draining"`

	// Config holds the keys of the type; it is never nil after Load.
	Config plugins.Config `yaml:"-"`
	// Identity tells this storage from others and stays the same while its
	// type, settings, mount and rules do: state and cached replicas that
	// belong to it may be kept under this name. Secrets have no part in it.
	Identity string `yaml:"-"`
}

// Limits is what is asked of an endpoint at most.
type Limits struct {
	// How many requests are under way at once.
	Requests int `yaml:"requests"`
	// How many more may wait for their turn; what exceeds that fails at once
	// as busy. 0 lets none wait.
	//
	// Default: four times requests
	Queue int `yaml:"queue"`
	// How long an answer may take, and how long a transfer may stand still.
	Timeout time.Duration `yaml:"timeout"`
}

// Health is how an endpoint is watched.
type Health struct {
	// The time between two probes.
	Every time.Duration `yaml:"every"`
	// The path that is asked for, as the endpoint knows it. Any answer but a
	// server error counts as life.
	Path string `yaml:"path"`
}

// SetDefaults sets what an endpoint has that says nothing. Its mount
// and its queue are set later, for they depend on other keys.
func (e *Endpoint) SetDefaults() {
	*e = Endpoint{
		Access: Auto,
		Read:   true,
		List:   true,
		Weight: 1,
		Tier:   "disk",
		Limits: Limits{Requests: 64, Timeout: 5 * time.Second},
		Health: Health{Every: 10 * time.Second, Path: "/"},
	}
}

// Translation returns the rules between federation paths and the endpoint's.
func (e *Endpoint) Translation() (*nametrans.Translation, error) {
	return nametrans.Compile(e.Mount, e.Translate)
}
