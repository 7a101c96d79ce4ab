package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// setting is what figures vary of a federation's configuration.
type setting struct {
	redis   string
	timeout time.Duration // of endpoints; 0 is the default
	choice  string        // select; "" is the default
	logging bool          // an access log is written
}

// configure writes the configuration of a federation of WebDAV storages and
// returns the file's name. What is not said here has its default.
func (b *bench) configure(storages []*storage, s setting) (string, error) {
	var c strings.Builder
	c.WriteString("listen: 127.0.0.1:0\n")
	if s.redis != "" {
		fmt.Fprintf(&c, "cache: {redis: %q}\n", s.redis)
	}
	if s.choice != "" {
		fmt.Fprintf(&c, "select: [%s]\n", s.choice)
	}
	c.WriteString("endpoints:\n")
	for _, st := range storages {
		fmt.Fprintf(&c, "  - {name: %s, type: dav, url: \"http://%s/\"", st.name, st.addr)
		if s.timeout > 0 {
			fmt.Fprintf(&c, ", limits: {timeout: %s}", s.timeout)
		}
		c.WriteString("}\n")
	}
	f, err := os.CreateTemp(b.dir, "*.yaml")
	if err != nil {
		return "", err
	}
	if _, err := f.WriteString(c.String()); err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

// federation starts Canopy in front of storages.
func (b *bench) federation(ctx context.Context, storages []*storage, s setting, procs int, flags ...string) (*process, error) {
	config, err := b.configure(storages, s)
	if err != nil {
		return nil, err
	}
	kind := "canopy"
	if s.logging {
		kind = "logging"
	}
	return b.start(ctx, kind, config, procs, flags...)
}

// keep writes what a server is to know into a file.
func (b *bench) keep(name string, content []byte) (string, error) {
	name = filepath.Join(b.dir, name)
	return name, os.WriteFile(name, content, 0o600)
}
