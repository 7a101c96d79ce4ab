package soak

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"canopy/cmd/canopy/service"
	"canopy/configs"
	"canopy/plugins/all"
	"canopy/plugins/plugintest/rig"
)

func TestMain(m *testing.M) {
	if file := os.Getenv(frontConfig); file != "" {
		os.Exit(serveFront(file))
	}
	goleak.VerifyTestMain(m)
}

// TestNothingIsNoticed kills each server and Redis once, and reloads fifty
// times.
func TestNothingIsNoticed(t *testing.T) {
	storm{clients: 32, window: 1500 * time.Millisecond, rounds: 1, reloads: 50, pause: 150 * time.Millisecond}.run(t)
}

// files are how many each tree has. Each is on two of three servers, so that
// with one of them dead there is always another.
const files = 48

// federation is Canopy over three WebDAV servers and a Redis. Clients are
// redirected to them in the tree /sent; in the tree /carried, which has the
// same files, Canopy carries the bytes.
type federation struct {
	t       *testing.T
	servers []*rig.Server
	redis   *rig.Server
	service *service.Service
	content map[string][]byte // by name
}

func newFederation(t *testing.T) *federation {
	t.Helper()
	f := &federation{t: t, content: make(map[string][]byte)}
	var dirs []string
	for range 3 {
		dirs = append(dirs, rig.TempDir(t))
	}
	random := rand.NewChaCha8([32]byte{1})
	for n := range files {
		// A few are large enough to be cut in their middle.
		size := 1000 + 700*n
		if n%8 == 0 {
			size = 2 << 20
		}
		b := make([]byte, size)
		random.Read(b)
		name := fmt.Sprintf("f%02d & 100%%.bin", n)
		f.content[name] = b
		for _, i := range []int{n % 3, (n + 1) % 3} {
			if err := os.WriteFile(filepath.Join(dirs[i], name), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.servers = []*rig.Server{rig.Apache(t, dirs[0]), rig.Nginx(t, dirs[1]), rig.Rclone(t, dirs[2])}
	f.redis = rig.Redis(t)
	config, err := f.config(0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := service.Start(t.Context(), service.Options{
		Config: config,
		Log:    slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("the service does not end well: %v", err)
		}
	})
	f.service = s
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

// config returns a configuration; each differs from the one before in what
// concerns everybody, and in what makes endpoints open anew. What is learned
// is believed for a moment only, so that endpoints are asked all the time.
func (f *federation) config(generation int) (*configs.Config, error) {
	var c strings.Builder
	fmt.Fprintf(&c, "listen: 127.0.0.1:0\ntitle: generation %d\n", generation)
	fmt.Fprintf(&c, "cache: {redis: %q, ttl: {entry: %dms, listing: 300ms, absent: 100ms}, stale: %dms}\n",
		f.redis.URL(), 300+generation%5, 200*(generation%2))
	c.WriteString("endpoints:\n")
	for i, s := range f.servers {
		for _, tree := range []string{"sent", "carried"} {
			access := map[string]string{"sent": "redirect", "carried": "proxy"}[tree]
			fmt.Fprintf(&c, "  - {name: %s-%d, type: dav, url: \"%s/\", mount: /%s, access: %s, weight: %d, limits: {timeout: %dms}, health: {every: 500ms}}\n",
				tree, i, s.URL(), tree, access, 1+generation%3, 5000+generation%4)
		}
	}
	return configs.Parse("soak.yaml", []byte(c.String()), all.Registry(), os.LookupEnv)
}

// holds reports whether b is the content of the file called name.
func (f *federation) holds(name string, b []byte) bool { return bytes.Equal(f.content[name], b) }
