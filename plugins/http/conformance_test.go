package http

import (
	"context"
	"io"
	"testing"

	"go.uber.org/goleak"

	"canopy/plugins"
	"canopy/plugins/plugintest"
	"canopy/plugins/plugintest/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens an endpoint over url that lists.
func open(t testing.TB, url string, env plugins.Env) plugins.Endpoint {
	t.Helper()
	cfg := &Config{Listing: Index}
	cfg.URL = url
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	e, err := cfg.Open(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// subject is a server under the suite.
func subject(s *rig.Server, gaps ...plugintest.Gap) plugintest.Subject {
	return plugintest.Subject{
		Open: func(t testing.TB, env plugins.Env) plugins.Endpoint { return open(t, s.URL(), env) },
		Seed: plugintest.SeedDir(s.Dir()),
		Gaps: append(gaps,
			plugintest.Gap{Lack: plugintest.NoSpace, Because: "HTTP has no question for the room of a server"},
			plugintest.Gap{Lack: plugintest.NoDigest, Because: "the server sends no checksums"},
		),
	}
}

// Reasons that several servers share.
var (
	pageTimes = plugintest.Gap{Lack: plugintest.NoListTimes, Because: "the page gives times without seconds or without a time zone"}
	dotNames  = plugintest.Gap{
		Lack: plugintest.NoNames, Because: "nginx hides names that begin with a dot",
		Names: []string{"...", "..a", ".hidden", "..%2f.."},
	}
	indexHTML = plugintest.Gap{
		Lack: plugintest.NoNames, Because: "the server shows a file of that name in place of its own page",
		Names: []string{"index.html"},
	}
)

func TestApache(t *testing.T) {
	s := rig.Apache(t, rig.TempDir(t), rig.Plain(), rig.Extra("IndexIgnoreReset ON"))
	plugintest.Run(t, subject(s, pageTimes,
		plugintest.Gap{Lack: plugintest.NoListSizes, Because: "the page rounds sizes from 973 bytes on"}))
}

// finite is an endpoint whose files end. The suite reads what a broken server
// sends without end or length, and nothing tells that from a long file.
type finite struct{ plugins.Endpoint }

func (f finite) Abilities() plugins.Abilities {
	a := plugins.AbilitiesOf(f.Endpoint)
	a.Reader = finiteReader{a.Reader}
	return a
}

type finiteReader struct{ plugins.Reader }

func (f finiteReader) Open(ctx context.Context, path string, r plugins.Range) (*plugins.Body, error) {
	body, err := f.Reader.Open(ctx, path, r)
	if err == nil && body.Length < 0 {
		body.ReadCloser = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(body.ReadCloser, 64<<20), body.ReadCloser}
	}
	return body, err
}

// TestNginx also breaks the storage and the network, which is the same for all.
func TestNginx(t *testing.T) {
	s := rig.Nginx(t, rig.TempDir(t), rig.Plain(), rig.Extra("index no-such-index;"))
	sub := subject(s, pageTimes, dotNames,
		plugintest.Gap{Lack: plugintest.NoBrokenStat, Because: "an answer to HEAD has nothing that could be nonsense"})
	sub.Addr = s.Addr()
	sub.OpenAt = func(t testing.TB, address string, env plugins.Env) plugins.Endpoint {
		return finite{open(t, "http://"+address, env)}
	}
	plugintest.Run(t, sub)
}

func TestNginxJSON(t *testing.T) {
	s := rig.Nginx(t, rig.TempDir(t), rig.Plain(), rig.Extra("index no-such-index;", "autoindex_format json;"))
	plugintest.Run(t, subject(s, dotNames))
}

func TestLighttpd(t *testing.T) {
	s := rig.Lighttpd(t, rig.TempDir(t), rig.Extra(
		`dir-listing.hide-dotfiles = "disable"`,
		// A change shows at once.
		`server.stat-cache-engine = "disable"`,
		// Without a media type there are no tags and times.
		`mimetype.assign = ( "" => "application/octet-stream" )`,
	))
	plugintest.Run(t, subject(s, pageTimes,
		plugintest.Gap{Lack: plugintest.NoListSizes, Because: "the page rounds sizes"},
		plugintest.Gap{Lack: plugintest.NoBelowFile, Because: "lighttpd answers below a file with the file"},
		plugintest.Gap{
			Lack: plugintest.NoNames, Because: "lighttpd answers 400 to control characters and to what no UTF-8 text can hold",
			Names: []string{"\xff\xfe", "\xc0\xaf", "tab\there", "new\nline", "carriage\rreturn", "\x01", "esc\x1b[31m", "\x7f"},
		}))
}

func TestCaddy(t *testing.T) {
	s := rig.Caddy(t, rig.TempDir(t))
	plugintest.Run(t, subject(s, indexHTML,
		plugintest.Gap{Lack: plugintest.NoLarge, Because: "Caddy lists 10000 entries"},
		plugintest.Gap{Lack: plugintest.NoNames, Because: "Caddy 2.6 redirects to the name decoded twice", Names: []string{"%00"}}))
}

// rangeless is an endpoint of a server that knows no ranges, from which
// therefore nothing is read.
type rangeless struct{ plugins.Endpoint }

func (r rangeless) Abilities() plugins.Abilities {
	a := plugins.AbilitiesOf(r.Endpoint)
	a.Reader = nil
	return a
}

func TestPython(t *testing.T) {
	s := rig.Python(t, rig.TempDir(t))
	sub := subject(s, pageTimes, indexHTML,
		plugintest.Gap{Lack: plugintest.NoRead, Because: "Python sends the whole file whatever the range"},
		plugintest.Gap{Lack: plugintest.NoTags, Because: "Python sends no entity tags"},
		plugintest.Gap{Lack: plugintest.NoListSizes, Because: "the page has no sizes"},
		plugintest.Gap{
			Lack: plugintest.NoNames, Because: "Python writes names that are not UTF-8 in an encoding of its own",
			Names: []string{"\xff\xfe", "a\xc3", "\xc0\xaf", "latin1-\xe9"},
		})
	sub.Open = func(t testing.TB, env plugins.Env) plugins.Endpoint { return rangeless{open(t, s.URL(), env)} }
	plugintest.Run(t, sub)
}
