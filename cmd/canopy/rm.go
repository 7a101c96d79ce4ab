package main

import (
	"errors"
	"fmt"

	"canopy/cmd/canopy/client"
	"canopy/cmd/canopy/client/removal"
)

// rm removes files.
type rm struct {
	access
	URLs      []string `arg:"" name:"url" help:"What to remove."`
	Recursive bool     `short:"r" help:"Remove directories with all that is in them."`
	Force     bool     `short:"f" help:"Do not complain of what is not there."`
	Jobs      int      `short:"j" default:"4" help:"How many files are removed at once."`
	Quiet     bool     `short:"q" help:"Show no progress."`
	JSON      bool     `help:"Print one JSON object for each file and directory that is gone."`
}

// Examples are shown in the help.
func (rm) Examples() string {
	return `
canopy rm https://data.example.org/atlas/run1.root
canopy rm -r https://data.example.org/atlas/2025/
canopy rm -f https://data.example.org/atlas/a https://data.example.org/atlas/b
`
}

// Run removes everything, and goes on with the rest where something fails.
func (r rm) Run(w *world) error {
	all, err := targets(r.URLs)
	if err != nil {
		return err
	}
	if r.Jobs < 1 || r.Jobs > 64 {
		return usage{errors.New("rm: --jobs must be from 1 to 64")}
	}
	c, err := r.open(w, all...)
	if err != nil {
		return err
	}
	defer c.Close()
	var t toll
	bars := newBars(w, r.Quiet)
	bar := bars.counter("removed")
	tried := 0
	with := &removal.Remover{
		Server: c, Patience: patience(), Recursive: r.Recursive, Force: r.Force,
		Slots: make(chan struct{}, r.Jobs),
		Failed: func(err error) {
			t.mu.Lock()
			tried++
			t.mu.Unlock()
			t.fail(err)
		},
		Removed: func(a client.Address) {
			bar.add(1)
			t.mu.Lock()
			defer t.mu.Unlock()
			tried++
			if !r.JSON {
				return
			}
			if err := w.object(map[string]string{"removed": a.String()}); err != nil {
				t.failed = append(t.failed, fmt.Errorf("standard output: %w", err))
			}
		},
	}
	for _, a := range all {
		if w.ctx.Err() != nil {
			t.fail(w.ctx.Err())
			break
		}
		with.Remove(w.ctx, a)
	}
	bar.end(errors.Join(t.failed...))
	bars.close()
	return t.verdict(w, &r.access, "rm", "path", tried)
}
