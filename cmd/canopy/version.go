package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"canopy/frontend/monitor"
)

// version prints what this binary is.
type version struct{}

// Run prints the version of the module, or of its last commit.
func (version) Run(w *world) error {
	_, err := fmt.Fprintln(w.stdout, versionLine())
	return err
}

func versionLine() string {
	return fmt.Sprintf("canopy %s %s %s/%s", revision(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// build is what metrics tell of this binary.
func build() monitor.Build {
	b := monitor.Build{Version: revision(), GoVersion: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Revision = s.Value
			}
		}
	}
	return b
}

// revision is the released version, else the commit, else "devel".
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "devel"
}
