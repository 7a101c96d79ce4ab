package dav

import (
	"testing"
	"time"

	"canopy/plugins"
	"canopy/plugins/plugintest/rig"
	"canopy/plugins/webclient"
)

// TestInspect: what real servers tell of themselves.
func TestInspect(t *testing.T) {
	for name, c := range map[string]struct {
		server   func(testing.TB, string, ...rig.Option) *rig.Server
		options  []rig.Option
		writable plugins.Verdict
		timed    bool
	}{
		"Apache":                     {rig.Apache, nil, plugins.Yes, true},
		"Apache without WebDAV":      {rig.Apache, []rig.Option{rig.Plain()}, plugins.No, true},
		"Apache with another's key":  {rig.Apache, []rig.Option{rig.Basic("somebody", "secret")}, plugins.Undecided, true},
		"nginx":                      {rig.Nginx, nil, plugins.Yes, true},
		"nginx without WebDAV":       {rig.Nginx, []rig.Option{rig.Plain()}, plugins.Undecided, true},
		"rclone":                     {rig.Rclone, nil, plugins.Yes, true},
		"lighttpd":                   {rig.Lighttpd, nil, plugins.No, true},
		"Caddy":                      {rig.Caddy, nil, plugins.Undecided, true},
		"XRootD, which has no clock": {rig.XRootD, nil, plugins.Yes, false},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := &Config{Config: webclient.Config{URL: c.server(t, rig.TempDir(t), c.options...).URL()}}
			e := open(t, cfg, plugins.Env{Timeout: time.Minute})
			got, err := e.Inspect(t.Context(), "/canopy-check")
			if err != nil || got.Writable != c.writable || got.Timed != c.timed || got.Skew.Abs() > 10*time.Second {
				t.Errorf("%+v, %v; want %v, timed %v", got, err, c.writable, c.timed)
			}
		})
	}
}
