package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"canopy/configs"
	"canopy/plugins"
)

const (
	// maxSkew is by how much clocks may differ before tokens and signed URLs
	// are taken for expired, or for not yet valid.
	maxSkew = 5 * time.Minute
	// anybody is the name of a file that need not exist. It is never made.
	anybody = "canopy-check"
	// questions is how many times an endpoint's timeout all of a probe may take.
	questions = 6
)

// health is what a probe found out about an endpoint.
type health struct {
	reachable, listable, writable, latency, skew string

	space  plugins.Space
	able   []string
	faults []string
}

// probe contacts all endpoints at once and prints a table, and below it what is
// wrong and what to do.
func probe(w *world, config *configs.Config) error {
	found := make([]health, len(config.Endpoints))
	var wg sync.WaitGroup
	for i := range config.Endpoints {
		wg.Go(func() { found[i] = examine(w.ctx, &config.Endpoints[i]) })
	}
	wg.Wait()
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"endpoint", "type", "reachable", "listable", "writable", "latency", "clock skew", "used", "free", "can"})
	for i, h := range found {
		e := &config.Endpoints[i]
		t.AppendRow(table.Row{
			e.Name, e.Type, h.reachable, h.listable, h.writable, h.latency, h.skew,
			size(h.space.Used), size(h.space.Free), strings.Join(h.able, " "),
		})
	}
	if _, err := fmt.Fprintln(w.stdout, t.Render()); err != nil {
		return err
	}
	bad := 0
	for i, h := range found {
		for _, fault := range h.faults {
			fmt.Fprintf(w.stderr, "canopy: check: %s: %s\n", config.Endpoints[i].Name, fault)
		}
		bad += min(len(h.faults), 1)
	}
	if bad > 0 {
		return fmt.Errorf("check: %d of %d endpoints cannot do what they are configured for", bad, len(found))
	}
	return nil
}

// examine asks one endpoint what the federation would ask it.
func examine(ctx context.Context, e *configs.Endpoint) health {
	h := health{reachable: "no", listable: "-", writable: "-", latency: "-", skew: "-", space: plugins.Space{Used: -1, Free: -1}}
	timeout := e.Limits.Timeout
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, questions*timeout)
	defer cancel()
	storage, err := e.Config.Open(ctx, plugins.Env{Name: e.Name, Log: slog.New(slog.DiscardHandler), Timeout: timeout})
	if err != nil {
		h.fault("cannot be opened: %v", err)
		return h
	}
	defer storage.Close()
	can := plugins.AbilitiesOf(storage)
	h.able = can.Names()
	began := time.Now()
	entry, err := storage.Stat(ctx, e.Health.Path)
	dir := e.Health.Path
	switch {
	case plugins.KindOf(err) == plugins.NotFound:
		dir = "/"
	case err != nil:
		h.reachable = "no: " + plugins.KindOf(err).String()
		h.fault("cannot be reached: %s", advised(err))
		return h
	case entry.Kind == plugins.File:
		dir = path.Dir(dir)
	}
	h.reachable, h.latency = "yes", time.Since(began).Round(10*time.Microsecond).String()
	h.list(ctx, e, can.Lister, dir)
	h.inspect(ctx, e, can.Inspector, path.Join(dir, anybody))
	if can.Spacer != nil {
		if s, err := can.Spacer.Space(ctx, dir); err == nil {
			h.space = s
		}
	}
	return h
}

func (h *health) fault(format string, args ...any) {
	h.faults = append(h.faults, fmt.Sprintf(format, args...))
}

// list finds out whether the endpoint's directories can be listed.
func (h *health) list(ctx context.Context, e *configs.Endpoint, lister plugins.Lister, dir string) {
	switch {
	case !e.List:
		h.listable = "not used"
		return
	case lister == nil:
		h.listable = "no"
		return
	}
	h.listable = "yes"
	for _, err := range lister.List(ctx, dir) {
		if err != nil {
			h.listable = "no: " + plugins.KindOf(err).String()
			h.fault("cannot be listed: %s", advised(err))
		}
		return
	}
}

// inspect finds out, without writing, whether the endpoint would take the file,
// and how its clock goes.
func (h *health) inspect(ctx context.Context, e *configs.Endpoint, inspector plugins.Inspector, file string) {
	var found plugins.Inspection
	if inspector != nil {
		// What cannot be found out so is unknown, and no fault.
		found, _ = inspector.Inspect(ctx, file)
	}
	h.writable = found.Writable.String()
	switch {
	case !e.Write:
		h.writable += " (not used)"
	case found.Writable == plugins.No:
		h.fault("takes no files, and is configured with write: true; set it to false, or give it credentials that may write")
	}
	if !found.Timed {
		return
	}
	h.skew = skew(found.Skew)
	if found.Skew.Abs() > maxSkew {
		h.fault("its clock differs from that of this machine by %s, so that tokens and signed URLs fail; set both by NTP", h.skew)
	}
}

// skew is the difference between clocks for people, + being ahead of ours.
func skew(d time.Duration) string {
	if d = d.Round(100 * time.Millisecond); d.Abs() < time.Minute {
		return fmt.Sprintf("%+.1fs", d.Seconds())
	}
	sign := "+"
	if d < 0 {
		sign = "-"
	}
	return sign + d.Abs().Round(time.Second).String()
}

// advised is the error of an endpoint with what to do about it.
func advised(err error) string {
	text := err.Error()
	var fault *plugins.Error
	if errors.As(err, &fault) {
		text = fault.Kind.String()
		if fault.Err != nil {
			text += ": " + fault.Err.Error()
		}
	}
	switch plugins.KindOf(err) {
	case plugins.Denied:
		return text + "; correct its credentials"
	case plugins.Unavailable:
		if unknownHost(err) {
			return text // which says what to do
		}
		return text + "; see that it runs, and that the file names it correctly"
	case plugins.Timeout:
		return text + "; see that it runs, or raise limits.timeout"
	case plugins.Faulty, plugins.Malformed:
		return text + "; its own log may say more"
	}
	return text
}
