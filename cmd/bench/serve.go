package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/pprof"
	"time"

	"golang.org/x/net/webdav"

	"canopy/cmd/canopy/service"
	"canopy/configs"
	"canopy/plugins/all"
)

// kinds are the servers that this program can be. Each gets the name of a file
// with what it needs to know, and returns where it serves.
var kinds = map[string]func(ctx context.Context, about string) (addr string, err error){
	"canopy":  canopy,
	"logging": logging,
	"instant": instant,
	"bare":    bare,
	"webdav":  memory,
}

// serve is the whole life of a server process: it ends with standard input.
func serve(kind, about, profile string) error {
	start, ok := kinds[kind]
	if !ok {
		return fmt.Errorf("no server of kind %q", kind)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	addr, err := start(ctx, about)
	if err != nil {
		return err
	}
	fmt.Println(addr)
	defer pprof.StopCPUProfile()
	return attend(os.Stdin, profile)
}

// attend does what it is told, a word a line, until there is no more.
func attend(in io.Reader, profile string) error {
	for words := bufio.NewScanner(in); words.Scan(); {
		switch words.Text() {
		case "heap":
			var m runtime.MemStats
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&m)
			fmt.Println(m.HeapAlloc)
		case "collect":
			go collect()
		case "profile":
			// The file stays open until the process ends.
			f, err := os.Create(profile)
			if err != nil {
				return err
			}
			if err := pprof.StartCPUProfile(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// collect collects garbage far more often than it gathers.
func collect() {
	for range time.Tick(4 * time.Second) {
		runtime.GC()
	}
}

// canopy is the federation that a configuration file describes.
func canopy(ctx context.Context, about string) (string, error) { return federate(ctx, about, nil) }

// logging is the same with an access log, which goes into a file.
func logging(ctx context.Context, about string) (string, error) {
	f, err := os.Create(about + ".log")
	if err != nil {
		return "", err
	}
	return federate(ctx, about, f)
}

func federate(ctx context.Context, about string, accessLog io.Writer) (string, error) {
	config, err := configs.Load(about, all.Registry())
	if err != nil {
		return "", err
	}
	s, err := service.Start(ctx, service.Options{
		Config: config, AccessLog: accessLog,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return "", err
	}
	if err := s.Ready(ctx); err != nil {
		return "", err
	}
	u, err := url.Parse(s.URLs()[0])
	if err != nil {
		return "", err
	}
	return u.Host, nil
}

// bare is a handler that answers the requests for hitPaths files with the
// answers in a file, one after the other, which it has in memory.
func bare(_ context.Context, about string) (string, error) {
	text, err := os.ReadFile(about)
	if err != nil {
		return "", err
	}
	in := bufio.NewReader(bytes.NewReader(text))
	answers := make(map[string]*http.Response, hitPaths)
	for i := range hitPaths {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return "", err
		}
		if n, err := io.Copy(io.Discard, resp.Body); err != nil || n > 0 {
			return "", fmt.Errorf("an answer has a body of %d bytes: %w", n, err)
		}
		resp.Header.Del("Date") // net/http puts it in anyway
		answers[file("d", i)] = resp
	}
	return listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp := answers[r.URL.Path]
		if resp == nil {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		for k, v := range resp.Header {
			h[k] = v
		}
		w.WriteHeader(resp.StatusCode)
	}))
}

// memory is x/net/webdav over a tree in memory: a directory with as many files
// as about says.
func memory(ctx context.Context, about string) (string, error) {
	var n int
	if _, err := fmt.Sscan(about, &n); err != nil {
		return "", err
	}
	fs := webdav.NewMemFS()
	if err := fs.Mkdir(ctx, "/d", 0o755); err != nil {
		return "", err
	}
	for i := range n {
		f, err := fs.OpenFile(ctx, file("d", i), os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return "", err
		}
		if _, err := f.Write([]byte("x")); err != nil {
			return "", err
		}
		f.Close()
	}
	return listen(&webdav.Handler{FileSystem: fs, LockSystem: webdav.NewMemLS()})
}

func listen(h http.Handler) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go http.Serve(l, h)
	return l.Addr().String(), nil
}
