package main

import (
	"fmt"
	"strings"

	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// stat prints what is known of a path.
type stat struct {
	access
	URL  string `arg:"" help:"The file or directory."`
	JSON bool   `help:"Print a JSON object."`
}

// Examples are shown in the help.
func (stat) Examples() string {
	return `
canopy stat https://data.example.org/atlas/run1.root
canopy stat --json https://data.example.org/atlas/run1.root | jq -r '.digests.adler32'
`
}

// Run prints kind, size, time, entity tag, checksums and number of replicas.
func (s stat) Run(w *world) error {
	a, err := address(s.URL)
	if err != nil {
		return err
	}
	c, err := s.open(w, a)
	if err != nil {
		return err
	}
	defer c.Close()
	e, err := c.Stat(w.ctx, a)
	if err != nil {
		return s.failure("stat", err)
	}
	if s.JSON {
		return w.object(describe(a.Name(), a, e))
	}
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%-9s %s\n", name, value) }
	line("url", shownURL(a))
	line("kind", kind(e))
	if e.Kind == plugins.File && e.Size >= 0 {
		line("size", fmt.Sprintf("%d (%s)", e.Size, size(e.Size)))
	}
	if !e.ModTime.IsZero() {
		line("modified", e.ModTime.UTC().Format("2006-01-02T15:04:05Z"))
	}
	if e.ETag != "" {
		line("etag", shown(e.ETag))
	}
	for _, d := range e.Digests {
		line(d.Algorithm, digest.Hex(d))
	}
	if n := len(e.Copies); n > 0 {
		line("replicas", fmt.Sprint(n))
	}
	_, err = fmt.Fprint(w.stdout, b.String())
	return err
}
