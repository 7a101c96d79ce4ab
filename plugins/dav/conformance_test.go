package dav

import (
	"os"
	"strings"
	"testing"

	"canopy/plugins"
	"canopy/plugins/plugintest"
	"canopy/plugins/plugintest/rig"
	"canopy/plugins/webclient"
)

// subject is a real server under the suite, atomic if nobody can see there what
// has not been stored in full. None is asked for checksums or space.
func subject(s *rig.Server, atomic bool, gaps ...plugintest.Gap) plugintest.Subject {
	open := func(t testing.TB, address string, env plugins.Env) plugins.Endpoint {
		t.Helper()
		cfg := &Config{Config: webclient.Config{URL: address}, Atomic: atomic}
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
		Seed: func(t testing.TB, nodes []plugintest.Node) {
			plugintest.SeedDir(s.Dir())(t, nodes)
			share(t, s.Dir(), nodes)
		},
		Writable: true,
		OpenAt: func(t testing.TB, address string, env plugins.Env) plugins.Endpoint {
			return open(t, "http://"+address, env)
		},
		Addr: s.Addr(),
		Gaps: gaps,
	}
}

// share lets everybody change what was seeded and the directories above it:
// servers run as users of their own.
func share(t testing.TB, root string, nodes []plugintest.Node) {
	t.Helper()
	if len(nodes) > 1000 {
		return // these are only listed
	}
	modes := map[string]os.FileMode{}
	for _, n := range nodes {
		modes[n.Path] = 0o666
		if n.Directory {
			modes[n.Path] = 0o777
		}
		for p := n.Path; p != ""; {
			p = p[:strings.LastIndexByte(p, '/')]
			modes[p] = 0o777
		}
	}
	for p, mode := range modes {
		if err := os.Chmod(root+p, mode); err != nil {
			t.Fatal(err)
		}
	}
}

// Gaps that several storages share.
var (
	noDigest = plugintest.Gap{Lack: plugintest.NoDigest, Because: "it knows no checksums, and the configuration says so"}
	noSpace  = plugintest.Gap{Lack: plugintest.NoSpace, Because: "it tells no quota, and the configuration says so"}
	noMtime  = plugintest.Gap{Lack: plugintest.NoStoreTimes, Because: "its PUT knows no header for it"}
	noTurns  = plugintest.Gap{Lack: plugintest.NoExclusive, Because: "it looks whether a file is there before it takes the upload of a new one, if at all"}
	noNotes  = plugintest.Gap{Lack: plugintest.NoProperties, Because: "it keeps no properties of clients"}
	noTags   = plugintest.Gap{Lack: plugintest.NoTags, Because: "its PROPFIND gives no entity tags"}
)

func TestApache(t *testing.T) {
	plugintest.Run(t, subject(rig.Apache(t, rig.TempDir(t)), true, noDigest, noSpace, noMtime, noTurns, plugintest.Gap{
		Lack: plugintest.NoOrder, Because: "while a file is replaced, Apache may answer GET with the size of the old one and the bytes of the new one",
	}, plugintest.Gap{
		Lack: plugintest.NoSingleStep, Because: "Apache removes what is to be replaced before it moves",
	}))
}

func TestNginx(t *testing.T) {
	plugintest.Run(t, subject(rig.Nginx(t, rig.TempDir(t)), true, noNotes, noDigest, noSpace, noTags, noMtime, noTurns, plugintest.Gap{
		Lack: plugintest.NoNames, Because: "dav-ext leaves names out of listings that begin with a dot",
		Names: []string{"...", "..a", ".hidden", "..%2f.."},
	}))
}

func TestRclone(t *testing.T) {
	plugintest.Run(t, subject(rig.Rclone(t, rig.TempDir(t)), false, noNotes, noDigest, noSpace, noMtime, noTurns, plugintest.Gap{
		Lack: plugintest.NoOrder, Because: "rclone refuses all but one of several uploads to a path as locked",
	}, plugintest.Gap{
		Lack: plugintest.NoSingleStep, Because: "rclone removes what is to be replaced before it moves",
	}, plugintest.Gap{
		Lack: plugintest.NoNames, Because: "rclone shows control characters of local names as pictures of them",
		Names: []string{"tab\there", "new\nline", "carriage\rreturn", "\x01", "esc\x1b[31m", "\x7f"},
	}, plugintest.Gap{
		Lack: plugintest.NoLarge, Because: "without its cache, which hides what is seeded, rclone reads a directory anew for each entry",
	}))
}

func TestXRootD(t *testing.T) {
	plugintest.Run(t, subject(rig.XRootD(t, rig.TempDir(t)), false, noNotes, noSpace, noTags, noMtime, noTurns, plugintest.Gap{
		Lack: plugintest.NoOrder, Because: "XRootD refuses all but one of several uploads to a path as locked",
	}, plugintest.Gap{
		Lack: plugintest.NoUnknownSize, Because: "XRootD before 5.6.3 loses its way in chunks that arrive in pieces",
	}, plugintest.Gap{
		Lack: plugintest.NoWriteNames, Because: "XRootD 5.5 takes the destination of a move literally, where a header field cannot hold these",
		Names: []string{"\x01", "esc\x1b[31m", "\x7f"},
	}, plugintest.Gap{
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
