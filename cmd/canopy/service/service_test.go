package service_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"canopy/cmd/canopy/service"
	"canopy/configs"
	"canopy/plugins/all"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// folder makes a directory that holds files, by name.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func parse(t *testing.T, text string) *configs.Config {
	t.Helper()
	c, err := configs.Parse("test.yaml", []byte(text), all.Registry(), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func start(t *testing.T, text string, log io.Writer) *service.Service {
	t.Helper()
	s, err := service.Start(t.Context(), service.Options{Config: parse(t, text), AccessLog: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := s.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// get returns the status and the body of what is at path.
func get(t *testing.T, s *service.Service, path string) (int, string) {
	t.Helper()
	resp, err := http.Get(s.URLs()[0] + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func wants(t *testing.T, s *service.Service, path string, status int, part string) {
	t.Helper()
	if got, body := get(t, s, path); got != status || !strings.Contains(body, part) {
		t.Errorf("%s: %d, %.200q; want %d and %q", path, got, body, status, part)
	}
}

const minimal = "listen: 127.0.0.1:0\nendpoints:\n  - {name: one, type: local, root: %q}\n"

func TestServe(t *testing.T) {
	var log strings.Builder
	s := start(t, fmt.Sprintf(minimal, folder(t, map[string]string{"d/f.txt": "content"})), &log)
	wants(t, s, "/d/f.txt", 200, "content")
	wants(t, s, "/d/?format=json", 200, `"f.txt"`)
	wants(t, s, "/none", 404, "")
	wants(t, s, "/-/healthz", 200, "")
	wants(t, s, "/-/readyz", 200, "true")
	wants(t, s, "/-/metrics", 200, `canopy_endpoint_condition{condition="up",endpoint="one"} 1`)
	wants(t, s, "/-/api/v1/endpoints", 200, `"name":"one"`)
	http.DefaultClient.CloseIdleConnections()
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); strings.Count(got, "\n") != 7 || !strings.Contains(got, "/d/f.txt") {
		t.Errorf("access log:\n%s", got)
	}
}

func TestReload(t *testing.T) {
	one, two := folder(t, map[string]string{"f": "one"}), folder(t, map[string]string{"f": "two", "g": "two"})
	s := start(t, fmt.Sprintf(minimal, one), nil)
	wants(t, s, "/f", 200, "one")
	url := s.URLs()[0]
	if err := s.Reload(t.Context(), parse(t, fmt.Sprintf(minimal, two))); err != nil {
		t.Fatal(err)
	}
	if s.URLs()[0] != url {
		t.Errorf("it moved from %s to %s", url, s.URLs()[0])
	}
	wants(t, s, "/f", 200, "two")
	wants(t, s, "/g", 200, "two")

	// What cannot work changes nothing.
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for what, text := range map[string]string{
		"port":      strings.Replace(fmt.Sprintf(minimal, one), "127.0.0.1:0", taken.Addr().String(), 1),
		"htpasswd":  fmt.Sprintf(minimal, one) + "auth: {basic: {htpasswd: /does/not/exist}}\n",
		"endpoints": fmt.Sprintf(minimal, one) + "  - {name: b, type: dav, url: \"http://127.0.0.1:1\", credentials: {bearer_file: /does/not/exist}}\n",
	} {
		if err := s.Reload(t.Context(), parse(t, text)); err == nil {
			t.Errorf("%s: no error", what)
		}
		if s.URLs()[0] != url {
			t.Errorf("%s: it moved to %s", what, s.URLs()[0])
		}
		wants(t, s, "/f", 200, "two")
	}
	wants(t, s, "/-/metrics", 200, "canopy_config_last_reload_successful 0")
}

// A listener can move to another host with the same port, and is back where it
// was when something else of the new configuration does not work.
func TestReloadMoves(t *testing.T) {
	free, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(free.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	text := func(listen, more string) string {
		return strings.Replace(fmt.Sprintf(minimal, folder(t, map[string]string{"f": "content"})), "127.0.0.1:0", listen, 1) + more
	}
	everywhere, here := strconv.Quote(":"+port), "127.0.0.1:"+port
	s := start(t, text(everywhere, ""), nil)
	if err := s.Reload(t.Context(), parse(t, text(here, ""))); err != nil {
		t.Fatal(err)
	}
	if got := s.URLs()[0]; got != "http://"+here {
		t.Errorf("it is at %s", got)
	}
	wants(t, s, "/f", 200, "content")
	const wrong = "  - {name: b, type: dav, url: \"http://127.0.0.1:1\", credentials: {bearer_file: /does/not/exist}}\n"
	if err := s.Reload(t.Context(), parse(t, text(everywhere, wrong))); err == nil || strings.Contains(err.Error(), "listen") {
		t.Errorf("got %v", err)
	}
	if got := s.URLs()[0]; got != "http://"+here {
		t.Errorf("after a failure it is at %s", got)
	}
	http.DefaultClient.CloseIdleConnections()
	wants(t, s, "/f", 200, "content")
}

// What takes effect at the next start only is named.
func TestReloadWarns(t *testing.T) {
	password := filepath.Join(folder(t, map[string]string{"password": "secret"}), "password")
	var said bytes.Buffer
	text := fmt.Sprintf(minimal, folder(t, nil))
	s, err := service.Start(t.Context(), service.Options{Config: parse(t, text), Log: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ more, want string }{
		{"title: another\n", ""},
		{"cache: {entries: 5}\n", "keys=cache.entries"},
		{"cache: {entries: 5, redis: \"redis://127.0.0.1:1/0\"}\nlog: {format: text}\n", "keys=\"cache.entries, cache.redis, log.format\""},
		{"cache: {redis: \"redis://127.0.0.1:1/0\", redis_password_file: " + password + "}\n", "keys=\"cache.redis, cache.redis_password_file\""},
		{"", ""},
	} {
		said.Reset()
		if err := s.Reload(t.Context(), parse(t, text+c.more)); err != nil {
			t.Fatal(err)
		}
		if got := said.String(); !strings.Contains(got, c.want) || strings.Contains(got, "next start") != (c.want != "") {
			t.Errorf("%q: the log says %q, want %s", c.more, got, c.want)
		}
	}
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// Requests go on while the configuration changes under them, again and again.
func TestReloadUnderLoad(t *testing.T) {
	dir := folder(t, map[string]string{"f": "content"})
	s := start(t, fmt.Sprintf(minimal, dir), nil)
	address := s.URLs()[0] + "/f"
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				resp, err := http.Get(address)
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != 200 || string(body) != "content" {
					t.Errorf("%d %q %v", resp.StatusCode, body, err)
					return
				}
			}
		})
	}
	for i := range 50 {
		text := fmt.Sprintf(minimal, dir)
		if i%2 == 0 {
			text = strings.Replace(text, "name: one", "name: one, weight: 2", 1)
		}
		if err := s.Reload(t.Context(), parse(t, text)); err != nil {
			t.Error(err)
		}
	}
	stop()
	wg.Wait()
}

func TestDrain(t *testing.T) {
	dir := folder(t, map[string]string{"big": strings.Repeat("x", 32<<20)})
	s := start(t, fmt.Sprintf(minimal, dir), nil)
	resp, err := http.Get(s.URLs()[0] + "/big")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	address := strings.TrimPrefix(s.URLs()[0], "http://")
	closed := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		closed <- s.Close(ctx)
	}()
	for { // until it accepts nothing more
		c, err := net.Dial("tcp", address)
		if err != nil {
			break
		}
		c.Close()
	}
	if n, err := io.Copy(io.Discard, resp.Body); n != 32<<20 || err != nil {
		t.Errorf("a download that was running got %d bytes, %v", n, err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

func TestAccess(t *testing.T) {
	dir := folder(t, map[string]string{"open/f": "for all", "users/f": "for some"})
	// "secret", by htpasswd -nbB.
	users := filepath.Join(folder(t, map[string]string{"users": "alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n"}), "users")
	s := start(t, fmt.Sprintf(minimal, dir)+fmt.Sprintf("auth: {basic: {htpasswd: %q}}\naccess:\n  - {path: /users, read: [\"user:alice\"], list: [authenticated]}\n", users), nil)
	wants(t, s, "/open/f", 200, "for all")
	wants(t, s, "/users/f", 401, "")
	wants(t, s, "/users/", 401, "")
	for password, status := range map[string]int{"secret": 200, "guess": 401} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.URLs()[0]+"/users/f", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("alice", password)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != status {
			t.Errorf("with password %q: %d, want %d", password, resp.StatusCode, status)
		}
	}
}
