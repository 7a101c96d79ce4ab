package main

import (
	"errors"
	"fmt"
	"strconv"

	"canopy/cmd/canopy/client"
	"canopy/plugins"
)

// maxLevels bounds how deep a tree is followed: a server can make it endless.
const maxLevels = 128

// ls lists a directory.
type ls struct {
	access
	URL       string `arg:"" help:"The directory, or file."`
	Long      bool   `short:"l" help:"Print kind, size and time as well."`
	Recursive bool   `short:"r" help:"List what is in directories below, too."`
	JSON      bool   `help:"Print one JSON object a line."`
}

// Examples are shown in the help.
func (ls) Examples() string {
	return `
canopy ls -l https://data.example.org/atlas/
canopy ls -r --json https://data.example.org/atlas/ | jq -r 'select(.kind == "file") | .url'
canopy ls --bearer-file token davs://data.example.org/private/
`
}

// Run prints what is listed, as it arrives.
func (l ls) Run(w *world) error {
	a, err := address(l.URL)
	if err != nil {
		return err
	}
	c, err := l.open(w, a)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := l.list(w, c, a, "", 0); err != nil {
		return l.failure("ls", err)
	}
	return nil
}

// list prints the directory a, whose path below the first one is prefix.
func (l ls) list(w *world, c *client.Client, a client.Address, prefix string, level int) error {
	if level > maxLevels {
		return fmt.Errorf("%s: deeper than %d directories", shownURL(a), maxLevels)
	}
	var below []plugins.Entry
	listing, err := c.List(w.ctx, a, func(e plugins.Entry) error {
		if e.Kind == plugins.Directory && l.Recursive {
			below = append(below, e)
		}
		return l.print(w, a, prefix, e)
	})
	w.warnMissing(a, listing.Missing)
	if err != nil || listing.File {
		return err
	}
	var errs []error
	for _, e := range below {
		if err := l.list(w, c, a.Join(e.Name), prefix+e.Name+"/", level+1); err != nil {
			if w.ctx.Err() != nil {
				return err
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// print prints one entry of the directory a, or a itself.
func (l ls) print(w *world, a client.Address, prefix string, e plugins.Entry) error {
	at := a
	if a.Path == "/" || e.Name != a.Name() || e.Kind != plugins.File || a.Collection {
		at = a.Join(e.Name)
	}
	name := prefix + e.Name
	switch {
	case l.JSON:
		return w.object(describe(name, at, e))
	case !l.Long:
		_, err := fmt.Fprintln(w.stdout, shown(name))
		return err
	}
	letter, size, time := "?", "-", "-"
	switch e.Kind {
	case plugins.File:
		letter = "-"
	case plugins.Directory:
		letter = "d"
	}
	if e.Kind == plugins.File && e.Size >= 0 {
		size = strconv.FormatInt(e.Size, 10)
	}
	if !e.ModTime.IsZero() {
		time = e.ModTime.UTC().Format("2006-01-02T15:04:05Z")
	}
	_, err := fmt.Fprintf(w.stdout, "%s %14s %-20s %s\n", letter, size, time, shown(name))
	return err
}
