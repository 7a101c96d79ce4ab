package main

import (
	"canopy/cmd/canopy/client"
	"canopy/plugins"
)

// mkdir makes directories.
type mkdir struct {
	access
	URLs    []string `arg:"" name:"url" help:"The directories to make."`
	Parents bool     `short:"p" help:"Make those above as well, and do not complain of what is there."`
	JSON    bool     `help:"Print one JSON object a directory."`
}

// Examples are shown in the help.
func (mkdir) Examples() string {
	return `
canopy mkdir https://data.example.org/atlas/2026
canopy mkdir -p https://data.example.org/atlas/2026/06/01
`
}

// Run makes everything, and goes on with the rest where something fails.
func (m mkdir) Run(w *world) error {
	all, err := targets(m.URLs)
	if err != nil {
		return err
	}
	c, err := m.open(w, all...)
	if err != nil {
		return err
	}
	defer c.Close()
	var t toll
	for _, a := range all {
		if err := m.one(w, c, a); err != nil {
			t.fail(err)
		}
	}
	return t.verdict(w, &m.access, "mkdir", "directory", len(all))
}

func (m mkdir) one(w *world, c *client.Client, a client.Address) error {
	made := true
	err := patience().Try(w.ctx, func() (err error) {
		if m.Parents {
			made, err = c.MakeAll(w.ctx, a)
			return err
		}
		return c.MakeDirectory(w.ctx, a)
	})
	switch {
	case plugins.KindOf(err) == plugins.NoParent:
		return hinted{err, "; -p makes the directories above"}
	case err != nil || !m.JSON:
		return err
	}
	a.Collection = true
	return w.object(struct {
		URL  string `json:"url"`
		Made bool   `json:"made"`
	}{a.String(), made})
}

// hinted is an error with what to do about it.
type hinted struct {
	error
	hint string
}

func (h hinted) Error() string { return h.error.Error() + h.hint }
func (h hinted) Unwrap() error { return h.error }
