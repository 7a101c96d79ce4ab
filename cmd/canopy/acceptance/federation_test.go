package acceptance

import (
	"context"
	"fmt"
	"hash/adler32"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"canopy/cmd/canopy/service"
	"canopy/configs"
	"canopy/plugins/all"
	"canopy/plugins/plugintest/rig"
)

// storages are the servers of the federation by name; each holds files below
// a directory of its own name, and what is below /all.
type storages map[string]*rig.Server

// awkward are names that somebody will use, by the storage that can hold them.
// XRootD 5.5 does not encode the names in its listings, and takes an encoded
// question mark for the begin of a query.
var awkward = map[string][]string{
	"apache": everyName, "nginx": everyName, "rclone": everyName,
	"xrootd": {"with space.txt", "a+b&c=d;e.txt", "ünïcödé.txt", "quote'.txt", "hash#mark.txt", "co:lon.txt"},
}

var everyName = []string{"with space.txt", "per%cent.txt", "a+b&c=d;e.txt", "ünïcödé.txt", "quote'\".txt", "hash#mark.txt", "question?.txt", "<b>bold.txt", "co:lon.txt"}

// content is what a file holds: enough to notice a mix-up.
func content(name string) string {
	return strings.Repeat("this is "+name+"\n", 1000)
}

// start runs one of each server.
func start(t *testing.T) storages {
	t.Helper()
	s := make(storages)
	for name, run := range map[string]func(testing.TB, string, ...rig.Option) *rig.Server{
		"apache": rig.Apache, "nginx": rig.Nginx, "rclone": rig.Rclone, "xrootd": rig.XRootD,
	} {
		dir := rig.TempDir(t)
		write(t, filepath.Join(dir, name, "file.txt"), content(name))
		write(t, filepath.Join(dir, name, "sub", "deeper.txt"), content(name+"/sub"))
		write(t, filepath.Join(dir, name, "empty.txt"), "")
		for _, a := range awkward[name] {
			write(t, filepath.Join(dir, name, a), content(a))
		}
		write(t, filepath.Join(dir, "all", "shared.txt"), content("shared"))
		if name == "apache" || name == "nginx" {
			write(t, filepath.Join(dir, "two", "twice.txt"), content("twice"))
		}
		s[name] = run(t, dir)
	}
	return s
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	when := time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)
	if err := os.Chtimes(file, when, when); err != nil {
		t.Fatal(err)
	}
}

// federate serves a federation of the storages; more is put at the end of the
// configuration. It returns the address, without a slash at the end.
func federate(t *testing.T, s storages, more ...string) (*service.Service, string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("listen: 127.0.0.1:0\nendpoints:\n")
	for _, name := range []string{"apache", "nginx", "rclone", "xrootd"} {
		if server, ok := s[name]; ok {
			fmt.Fprintf(&b, "  - {name: %s, type: dav, url: %q, weight: %d}\n", name, server.URL(), map[string]int{"apache": 2}[name]+1)
		}
	}
	b.WriteString(strings.Join(more, "\n"))
	return serve(t, b.String())
}

func serve(t *testing.T, text string) (*service.Service, string) {
	t.Helper()
	config, err := configs.Parse("test.yaml", []byte(text), all.Registry(), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
	f, err := service.Start(t.Context(), service.Options{Config: config, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := f.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := f.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f, f.URLs()[0]
}

// client is a program run in a directory of its own.
type client struct {
	t   *testing.T
	dir string
	env []string
}

func newClient(t *testing.T) *client {
	t.Helper()
	dir := t.TempDir()
	return &client{t: t, dir: dir, env: append(os.Environ(),
		"HOME="+dir, "XDG_CONFIG_HOME="+dir, "LC_ALL=C.UTF-8",
		// gfal2's scripts want the Python that it was packaged for.
		"GFAL_PYTHONBIN=/usr/bin/python3",
		"RCLONE_CONFIG="+filepath.Join(dir, "rclone.conf"))}
}

// try runs a program and returns all it printed.
func (c *client) try(name string, args ...string) (string, error) {
	c.t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		c.t.Fatalf("%s is not installed; make parts installs it", name)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run is try for what must succeed.
func (c *client) run(name string, args ...string) string {
	c.t.Helper()
	out, err := c.try(name, args...)
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// holds checks a downloaded file.
func (c *client) holds(file, want string) {
	c.t.Helper()
	got, err := os.ReadFile(filepath.Join(c.dir, file))
	if err != nil {
		c.t.Fatal(err)
	}
	if string(got) != want {
		c.t.Errorf("%s has %d bytes, not the %d that it should", file, len(got), len(want))
	}
}

// says checks that the output contains each of the texts.
func (c *client) says(out string, texts ...string) {
	c.t.Helper()
	for _, x := range texts {
		if !strings.Contains(out, x) {
			c.t.Errorf("%q is not in:\n%s", x, out)
		}
	}
}

func adler(s string) string { return fmt.Sprintf("%08x", adler32.Checksum([]byte(s))) }
