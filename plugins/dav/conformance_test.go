package dav

import (
	"strings"
	"testing"

	"canopy/plugins"
	"canopy/plugins/plugintest"
	"canopy/plugins/plugintest/rig"
	"canopy/plugins/webclient"
)

// subject is a real server under the suite. Checksums and quota say what it is
// asked for.
func subject(s *rig.Server, checksums, quota bool, gaps ...plugintest.Gap) plugintest.Subject {
	open := func(t testing.TB, address string, env plugins.Env) plugins.Endpoint {
		t.Helper()
		cfg := &Config{Config: webclient.Config{URL: address}, Checksums: checksums, Quota: quota}
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		e, err := cfg.Open(t.Context(), env)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	return plugintest.Subject{
		Open: func(t testing.TB, env plugins.Env) plugins.Endpoint { return open(t, s.URL(), env) },
		Seed: plugintest.SeedDir(s.Dir()),
		OpenAt: func(t testing.TB, address string, env plugins.Env) plugins.Endpoint {
			return open(t, "http://"+address, env)
		},
		Addr: s.Addr(),
		Gaps: gaps,
	}
}

// Gaps that several storages share.
var (
	noDigest = plugintest.Gap{Lack: plugintest.NoDigest, Because: "it knows no checksums, and the configuration says so"}
	noSpace  = plugintest.Gap{Lack: plugintest.NoSpace, Because: "it tells no quota, and the configuration says so"}
	noTags   = plugintest.Gap{Lack: plugintest.NoTags, Because: "its PROPFIND gives no entity tags"}
)

func TestApache(t *testing.T) {
	plugintest.Run(t, subject(rig.Apache(t, rig.TempDir(t)), false, false, noDigest, noSpace))
}

func TestNginx(t *testing.T) {
	plugintest.Run(t, subject(rig.Nginx(t, rig.TempDir(t)), false, false, noDigest, noSpace, noTags, plugintest.Gap{
		Lack: plugintest.NoNames, Because: "dav-ext leaves names out of listings that begin with a dot",
		Names: []string{"...", "..a", ".hidden", "..%2f.."},
	}))
}

func TestRclone(t *testing.T) {
	plugintest.Run(t, subject(rig.Rclone(t, rig.TempDir(t)), false, false, noDigest, noSpace, plugintest.Gap{
		Lack: plugintest.NoNames, Because: "rclone shows control characters of local names as pictures of them",
		Names: []string{"tab\there", "new\nline", "carriage\rreturn", "\x01", "esc\x1b[31m", "\x7f"},
	}, plugintest.Gap{
		Lack: plugintest.NoLarge, Because: "without its cache, which hides what is seeded, rclone reads a directory anew for each entry",
	}))
}

func TestXRootD(t *testing.T) {
	plugintest.Run(t, subject(rig.XRootD(t, rig.TempDir(t)), false, false, noSpace, noTags, plugintest.Gap{
		Lack: plugintest.NoDigest, Because: "XRootD 5.5.3 hangs or crashes on some of the requests for a checksum that it has to compute first",
	}, plugintest.Gap{
		Lack: plugintest.NoNames, Because: "XRootD 5.5 does not encode hrefs, so these arrive as other names or with their end cut off",
		Names: []string{"trailing ", " ", "%41", "%2F", "%2e%2e", "%00", "%25", "..%2f..", "carriage\rreturn"},
	}, plugintest.Gap{
		Lack: plugintest.NoNames, Because: "XRootD 5.5 takes an encoded question mark in a request for the begin of a query",
		Names: []string{"a?b=c"},
	}, plugintest.Gap{
		Lack: plugintest.NoNames, Because: "XRootD 5.5 lists by lines, which these names break or are too long for",
		Names: []string{"new\nline", strings.Repeat("x", 255), strings.Repeat("é", 127) + "x", strings.Repeat("%", 255)},
	}))
}
