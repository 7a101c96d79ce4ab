package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"canopy/cmd/canopy/service"
	"canopy/configs"
	"canopy/plugins/all"
)

// demo starts a federation that can be tried at once.
type demo struct {
	Listen configs.Address `default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Where to listen; port 0 picks a free one."`
}

// Examples are shown in the help.
func (demo) Examples() string {
	return `
canopy demo
canopy demo --listen 127.0.0.1:0
`
}

// farAway is what is added to every answer of the share that is far.
const farAway = 80 * time.Millisecond

// sampleShare is one of the demonstration's storages.
type sampleShare struct {
	name, site, location string
	files                []string
}

// shares hold the sample files; what stands in several is the same in each.
var shares = []sampleShare{
	{"geneva", "GENEVA", "[46.2, 6.1]", []string{"both/hello.txt", "both/big.bin", "geneva/only-here.txt", "everywhere/readme.txt", "names/<b>bold<b> & \"quoted\".txt", "names/ünïcödé ☃.txt"}},
	{"lyon", "LYON", "[45.8, 4.8]", []string{"both/hello.txt", "both/big.bin", "lyon/only-here.txt", "everywhere/readme.txt", "names/100% of #hash?.txt"}},
	{"tokyo", "TOKYO", "[35.7, 139.7]", []string{"tokyo/far-away.txt", "tokyo/data/run-001.dat", "tokyo/data/run-002.dat", "everywhere/readme.txt"}},
}

// Run serves until it is interrupted.
func (d demo) Run(w *world) (err error) {
	root, err := os.MkdirTemp("", "canopy-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()

	config := strings.Builder{}
	fmt.Fprintf(&config, "listen: %q\ntitle: Canopy demonstration\ngeo:\n  sites:\n", d.Listen)
	for _, s := range shares {
		fmt.Fprintf(&config, "    - {name: %s, location: %s}\n", s.site, s.location)
	}
	config.WriteString("endpoints:\n")
	for _, s := range shares {
		url, stop, err := s.start(w.ctx, filepath.Join(root, s.name))
		if err != nil {
			return fmt.Errorf("demo: share %s: %w", s.name, err)
		}
		defer stop()
		fmt.Fprintf(&config, "  - {name: %s, type: dav, url: %q, site: %s}\n", s.name, url, s.site)
	}
	federation, err := launch(w.ctx, config.String(), nil)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer stop(federation)
	if err := federation.Ready(w.ctx); err != nil {
		return nil // interrupted
	}
	base := federation.URLs()[0]
	if _, err := fmt.Fprintf(w.stdout, introduction, base, self()); err != nil {
		return err
	}
	<-w.ctx.Done()
	return nil
}

// introduction is what the demonstration says of itself.
const introduction = `Canopy is at %[1]s/

Three shares on this machine make up one tree; tokyo answers 80 ms later than
the others. Open the address in a browser, or try:

  curl -L %[1]s/both/hello.txt                  # from the nearest of two copies
  curl -sI %[1]s/both/hello.txt                 # where else it is: Link headers
  curl '%[1]s/everywhere/readme.txt?explain'    # why you are sent where you are sent
  curl -X PROPFIND -H 'Depth: 1' %[1]s/         # the merged listing, as WebDAV
  %[2]s get %[1]s/both/big.bin                 # from both copies at once, verified

Ctrl-C ends it and leaves nothing behind.
`

// self is how the program can be called again while it runs: by its name where
// that leads here, else by its path.
func self() string {
	here, err := os.Executable()
	if err != nil {
		return "canopy"
	}
	found, err := exec.LookPath("canopy")
	a, errA := os.Stat(here)
	b, errB := os.Stat(found)
	if err == nil && errA == nil && errB == nil && os.SameFile(a, b) {
		return "canopy"
	}
	return here
}

// start fills the share's directory and serves it.
func (s sampleShare) start(ctx context.Context, root string) (url string, end func(), err error) {
	for _, name := range s.files {
		if err := sample(filepath.Join(root, filepath.FromSlash(name)), name); err != nil {
			return "", nil, err
		}
	}
	var around func(http.Handler) http.Handler
	if s.name == "tokyo" {
		around = far
	}
	config := fmt.Sprintf("listen: 127.0.0.1:0\ntitle: %s\nlookup: {grace: 0s}\nendpoints:\n  - {name: %s, type: local, root: %q}\n", s.name, s.name, root)
	served, err := launch(ctx, config, around)
	if err != nil {
		return "", nil, err
	}
	return served.URLs()[0], func() { stop(served) }, nil
}

// far makes every answer come as late as if it came from far away.
func far(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		timer := time.NewTimer(farAway)
		defer timer.Stop()
		select {
		case <-timer.C:
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	})
}

// sample writes a sample file: the same under the same name, wherever it is.
func sample(file, name string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if strings.HasSuffix(name, ".bin") || strings.HasSuffix(name, ".dat") {
		var seed [32]byte
		copy(seed[:], name)
		_, err = io.CopyN(f, rand.NewChaCha8(seed), 24<<20)
	} else {
		_, err = fmt.Fprintf(f, "This is %s, from the Canopy demonstration.\n", name)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	when := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	return os.Chtimes(file, when, when)
}

// launch starts a service from the text of a configuration.
func launch(ctx context.Context, text string, around func(http.Handler) http.Handler) (*service.Service, error) {
	config, err := configs.Parse("demo", []byte(text), all.Registry(), os.LookupEnv)
	if err != nil {
		return nil, err
	}
	return service.Start(context.WithoutCancel(ctx), service.Options{Config: config, Log: slog.New(slog.DiscardHandler), Build: build(), Around: around})
}

// stop ends a service without waiting long for its clients.
func stop(s *service.Service) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = s.Close(ctx) // nothing of the demonstration is worth keeping
}
