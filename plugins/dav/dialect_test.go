package dav

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"canopy/plugins"
	"canopy/plugins/plugintest/rig"
	"canopy/plugins/webclient"
)

func TestApacheIsKnownToBeAtomic(t *testing.T) {
	for name, c := range map[string]struct {
		run  func(testing.TB, string, ...rig.Option) *rig.Server
		want bool
	}{
		"apache": {rig.Apache, true}, "nginx": {rig.Nginx, false}, "rclone": {rig.Rclone, false}, "xrootd": {rig.XRootD, false},
	} {
		s := c.run(t, rig.TempDir(t))
		e := open(t, &Config{Config: webclient.Config{URL: s.URL() + "/"}}, plugins.Env{Name: name, Log: slog.New(slog.DiscardHandler), Timeout: 10 * time.Second})
		if e.Atomic() {
			t.Errorf("%s is atomic before anything is known of it", name)
		}
		wantKind(t, e.Probe(t.Context(), "/"), 0)
		if got := e.Atomic(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestLearning: a storage is asked until it has answered, and not again.
func TestLearning(t *testing.T) {
	for name, c := range map[string]struct {
		status      int
		server, dav string
		want        bool
		asked       int
	}{
		"mod_dav_fs":      {200, "Apache/2.4", "1,2, <http://apache.org/dav/propset/fs/1>", true, 1},
		"another":         {200, "Apache", "1, 2", false, 1},
		"by its name":     {200, "XrootD/v5.5.3", "1, <http://apache.org/dav/propset/fs/1>", false, 1},
		"almost":          {200, "Apache", "<http://apache.org/dav/propset/fs/10>", false, 1},
		"refuses OPTIONS": {405, "Apache", "", false, 1},
		"is busy":         {503, "Apache", "<http://apache.org/dav/propset/fs/1>", false, 3},
	} {
		asked := 0
		e := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodOptions {
				asked++
				w.Header().Set("DAV", c.dav)
				w.Header().Set("Server", c.server)
				w.Header().Add("Allow", "OPTIONS, GET")
				w.Header().Add("Allow", "PROPFIND, PROPPATCH")
				w.WriteHeader(c.status)
				return
			}
			w.WriteHeader(http.StatusNotFound)
		})
		for range 3 {
			wantKind(t, e.Probe(t.Context(), "/"), 0)
		}
		if e.Atomic() != c.want || asked != c.asked {
			t.Errorf("%s: %v after %d questions, want %v after %d", name, e.Atomic(), asked, c.want, c.asked)
		}
	}
}
