package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"canopy/cmd/canopy/client"
	"canopy/plugins"
)

// mv gives files and directories another name.
type mv struct {
	access
	From      string `arg:"" help:"The file or directory."`
	To        string `arg:"" help:"Its new URL, or path at the same server; what is an existing directory, or ends in a slash, is where to put it."`
	NoClobber bool   `short:"n" help:"Do not replace a file that is there."`
	JSON      bool   `help:"Print a JSON object."`
}

// Examples are shown in the help.
func (mv) Examples() string {
	return `
canopy mv https://data.example.org/atlas/run1.tmp https://data.example.org/atlas/run1.root
canopy mv -n https://data.example.org/atlas/run1.root /atlas/2026/
`
}

// Run moves it.
func (m mv) Run(w *world) error {
	from, err := target(m.From)
	if err != nil {
		return err
	}
	to, err := beside(from, m.To)
	if err != nil {
		return err
	}
	if to.Origin != from.Origin {
		return usage{errors.New("mv: from one server to another only canopy cp leads; then remove the original")}
	}
	c, err := m.open(w, from)
	if err != nil {
		return err
	}
	defer c.Close()
	e, to, err := place(w.ctx, c, from, to)
	if err == nil {
		from.Collection = e.Kind == plugins.Directory
		if to.Collection = from.Collection; within(to, from) {
			err = fmt.Errorf("%s: a directory cannot be moved into itself", from)
		}
	}
	if err == nil {
		err = vacant(w.ctx, c, to, !m.NoClobber, "-n protects it")
	}
	if err == nil {
		err = c.Move(w.ctx, from, to, !m.NoClobber)
	}
	if err != nil {
		return single(w, &m.access, "mv", err)
	}
	return moved(w, m.JSON, from, to)
}

// beside reads the second argument of mv and cp: a URL, or a path at the server
// of from.
func beside(from client.Address, raw string) (client.Address, error) {
	if !strings.HasPrefix(raw, "/") {
		return target(raw)
	}
	a := client.Address{Origin: from.Origin, Path: raw}
	if a.Collection = strings.HasSuffix(raw, "/"); a.Collection {
		a.Path = strings.TrimRight(raw, "/")
	}
	if a.Path == "" {
		a.Path = "/"
	}
	// What is no path makes no URL either.
	return target(a.String())
}

// place returns what is at from, and the address that it is to have: to, or
// below it if that is a directory.
func place(ctx context.Context, c *client.Client, from, to client.Address) (plugins.Entry, client.Address, error) {
	e, err := c.Look(ctx, from)
	if err != nil {
		return e, to, err
	}
	inside := to.Collection
	if !inside {
		there, err := c.Look(ctx, to)
		if err != nil && plugins.KindOf(err) != plugins.NotFound && plugins.KindOf(err) != plugins.Denied {
			return e, to, err
		}
		inside = err == nil && there.Kind == plugins.Directory
	}
	if inside && to != from {
		if from.Path == "/" {
			return e, to, fmt.Errorf("%s: the root has no name", from)
		}
		to = to.Join(from.Name())
	}
	if to.Origin == from.Origin && to.Path == from.Path {
		return e, to, fmt.Errorf("%s: it has that name already", from)
	}
	return e, to, nil
}

// within reports whether a is below the directory above.
func within(a, above client.Address) bool {
	return above.Collection && a.Origin == above.Origin && strings.HasPrefix(a.Path, strings.TrimSuffix(above.Path, "/")+"/")
}

// vacant refuses what must not be replaced at a: a directory always, as servers
// would remove it with all that is in it.
func vacant(ctx context.Context, c *client.Client, a client.Address, replace bool, protection string) error {
	e, err := c.Look(ctx, a)
	switch kind := plugins.KindOf(err); {
	case kind == plugins.NotFound, kind == plugins.Denied, kind == plugins.Unsupported:
		return nil
	case err != nil:
		return err
	case e.Kind == plugins.Directory:
		return fmt.Errorf("%s: a directory of that name is there; remove it first", a)
	case !replace:
		return fmt.Errorf("%s: it exists already, and %s", a, protection)
	}
	return nil
}

// single is the error of a command that does one thing. What of it failed is
// printed line by line.
func single(w *world, a *access, command string, err error) error {
	var partial *client.Partial
	switch {
	case w.ctx.Err() != nil && errors.Is(err, client.ErrLeft):
		return stopped{fmt.Errorf("%s: interrupted; %w", command, err)}
	case w.ctx.Err() != nil:
		return stopped{fmt.Errorf("%s: interrupted", command)}
	case errors.As(err, &partial) && len(partial.Failures) > 1:
		for _, f := range partial.Failures {
			fmt.Fprintf(w.stderr, "canopy: %s: %v\n", command, f)
		}
	case plugins.KindOf(err) == plugins.NoParent:
		err = hinted{err, "; make it with canopy mkdir -p"}
	}
	return a.failure(command, err)
}

// moved prints what was done, as JSON.
func moved(w *world, object bool, from, to client.Address) error {
	if !object {
		return nil
	}
	return w.object(struct {
		From string `json:"from"`
		To   string `json:"to"`
	}{shownURL(from), shownURL(to)})
}
