package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"canopy/configs"
	"canopy/plugins"
	"canopy/plugins/all"
)

// check validates a configuration.
type check struct {
	Config string `short:"c" placeholder:"FILE" help:"The configuration file."`
	Probe  bool   `help:"Contact every endpoint and print how it does."`
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

// health is what a probe found out about an endpoint.
type health struct {
	reachable, listable string
	latency             time.Duration
	space               plugins.Space
	able                []string
	bad                 bool
}

// probe contacts all endpoints at once and prints a table.
func probe(w *world, config *configs.Config) error {
	found := make([]health, len(config.Endpoints))
	var wg sync.WaitGroup
	for i := range config.Endpoints {
		wg.Go(func() { found[i] = examine(w.ctx, &config.Endpoints[i]) })
	}
	wg.Wait()
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"endpoint", "type", "reachable", "listable", "latency", "used", "free", "can"})
	bad := 0
	for i, h := range found {
		e := &config.Endpoints[i]
		if h.bad {
			bad++
		}
		t.AppendRow(table.Row{e.Name, e.Type, h.reachable, h.listable, h.latency.Round(10 * time.Microsecond), size(h.space.Used), size(h.space.Free), h.able})
	}
	if _, err := fmt.Fprintln(w.stdout, t.Render()); err != nil {
		return err
	}
	if bad > 0 {
		return fmt.Errorf("check: %d of %d endpoints cannot do what they are configured for", bad, len(found))
	}
	return nil
}

// examine asks one endpoint what the federation would ask it.
func examine(ctx context.Context, e *configs.Endpoint) (h health) {
	timeout := e.Limits.Timeout
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, 4*timeout)
	defer cancel()
	storage, err := e.Config.Open(ctx, plugins.Env{Name: e.Name, Log: slog.New(slog.DiscardHandler), Timeout: timeout})
	if err != nil {
		h.reachable, h.listable, h.bad = "no: "+err.Error(), "-", true
		return h
	}
	defer storage.Close()
	can := plugins.AbilitiesOf(storage)
	h.able, h.space, h.listable = can.Names(), plugins.Space{Used: -1, Free: -1}, "-"
	began := time.Now()
	if _, err := storage.Stat(ctx, e.Health.Path); err != nil && plugins.KindOf(err) != plugins.NotFound {
		h.reachable, h.bad = "no: "+plugins.KindOf(err).String(), true
		return h
	}
	h.reachable, h.latency = "yes", time.Since(began)
	if can.Lister != nil && e.List {
		h.listable = "yes"
		for _, err := range can.Lister.List(ctx, e.Health.Path) {
			if err != nil {
				h.listable, h.bad = "no: "+plugins.KindOf(err).String(), true
			}
			break
		}
	}
	if can.Spacer != nil {
		if s, err := can.Spacer.Space(ctx, e.Health.Path); err == nil {
			h.space = s
		}
	}
	return h
}

// size is a number of bytes for people.
func size(n int64) string {
	if n < 0 {
		return "unknown"
	}
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	x, u := float64(n), 0
	for x >= 1024 && u < len(units)-1 {
		x, u = x/1024, u+1
	}
	if u == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", x, units[u])
}
