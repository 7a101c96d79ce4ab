package main

import (
	"errors"
	"fmt"

	"canopy/configs"
	"canopy/plugins/all"
)

// check validates a configuration.
type check struct {
	Config string `short:"c" placeholder:"FILE" help:"The configuration file."`
	Probe  bool   `help:"Contact every endpoint, changing nothing, and print what it can do, how fast, and how its clock goes."`
	Schema bool   `help:"Print a JSON Schema of the configuration file, for editors, and do nothing else."`
}

// Examples are shown in the help.
func (check) Examples() string {
	return `
canopy check -c canopy.yaml
canopy check -c canopy.yaml --probe
canopy check --schema > canopy.schema.json
`
}

// Run prints what is wrong, or that nothing is.
func (c check) Run(w *world) error {
	if c.Schema {
		schema, err := configs.Schema(all.Registry())
		if err != nil {
			return err
		}
		_, err = w.stdout.Write(schema)
		return err
	}
	if c.Config == "" {
		return usage{errors.New("check: which file? say -c FILE, or --schema")}
	}
	config, err := configs.Load(c.Config, all.Registry())
	if err != nil {
		// A fault is what check is there to find: not wrong usage of it.
		return err
	}
	if err := config.CheckFiles(); err != nil {
		return err
	}
	if c.Probe {
		return probe(w, config)
	}
	_, err = fmt.Fprintf(w.stdout, "%s is fine: %d endpoints\n", c.Config, len(config.Endpoints))
	return err
}
