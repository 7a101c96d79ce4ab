package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// running is `canopy serve` in this process.
type running struct {
	t     *testing.T
	lines *bufio.Scanner
	ended chan int
	stop  context.CancelFunc
}

func serving(t *testing.T, file string) *running {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	r, w := io.Pipe()
	s := &running{t: t, lines: bufio.NewScanner(r), ended: make(chan int, 1), stop: stop}
	go func() {
		s.ended <- run(ctx, []string{"serve", "-c", file}, io.Discard, w)
		w.Close()
	}()
	return s
}

// until reads the log up to a line that has the text, and returns it.
func (s *running) until(text string) string {
	s.t.Helper()
	var seen []string
	for s.lines.Scan() {
		if line := s.lines.Text(); strings.Contains(line, text) {
			return line
		}
		seen = append(seen, s.lines.Text())
	}
	s.t.Fatalf("the log never says %q:\n%s", text, strings.Join(seen, "\n"))
	return ""
}

// url waits until it serves, and returns where.
func (s *running) url() string {
	s.t.Helper()
	line := s.until("msg=serving")
	url, _, _ := strings.Cut(line[strings.Index(line, "url=")+len("url="):], " ")
	return url
}

// body returns what is at path.
func body(t *testing.T, url, path string) string {
	t.Helper()
	resp, err := http.Get(url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// end stops it as SIGTERM would and returns its status.
func (s *running) end() int {
	s.stop()
	for s.lines.Scan() {
	}
	return <-s.ended
}

func save(t *testing.T, file, text string, args ...any) {
	t.Helper()
	if err := os.WriteFile(file, fmt.Appendf(nil, text, args...), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestServe(t *testing.T) {
	dir := t.TempDir()
	save(t, filepath.Join(dir, "f.txt"), "content")
	file := filepath.Join(dir, "canopy.yaml")
	const config = "listen: 127.0.0.1:0\nlog: {format: text}\ntitle: %s\nendpoints:\n  - {name: here, type: local, root: %q}\n"
	save(t, file, config, "first", dir)
	s := serving(t, file)
	url := s.url()
	if got := body(t, url, "/f.txt"); got != "content" {
		t.Errorf("got %q", got)
	}
	// A change is taken up when the file is saved, without being told.
	save(t, file, config, "second", dir)
	s.until("the new configuration is in force")
	// One that is wrong is refused, and what is wrong with it is in the log.
	save(t, file, config+"colour: green\n", "third", dir)
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if line := s.until("is refused"); !strings.Contains(line, "colour") || !strings.Contains(line, ":6:") {
		t.Errorf("the log says: %s", line)
	}
	if got := body(t, url, "/f.txt"); got != "content" {
		t.Errorf("after it: %q", got)
	}
	http.DefaultClient.CloseIdleConnections()
	if status := s.end(); status != done {
		t.Errorf("ends with status %d", status)
	}
}

// TestServeBridge: what net/http has to complain of is seen on level debug, as
// one line of the log, and not at all on others.
func TestServeBridge(t *testing.T) {
	clumsy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.WriteHeader(http.StatusOK)
	}))
	defer clumsy.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "canopy.yaml")
	for level, want := range map[string]string{"debug": `level=DEBUG msg="http: superfluous`, "info": ""} {
		save(t, file, "listen: 127.0.0.1:0\nlog: {format: text, level: %s}\nendpoints:\n  - {name: here, type: local, root: %q}\n", level, dir)
		s := serving(t, file)
		s.until("msg=serving")
		asked := make(chan error, 1)
		go func() { // for the complaint waits to be read
			defer s.stop()
			resp, err := http.Get(clumsy.URL)
			if err == nil {
				err = resp.Body.Close()
			}
			asked <- err
		}()
		var complaint string
		for s.lines.Scan() {
			if strings.Contains(s.lines.Text(), "superfluous") {
				complaint = s.lines.Text()
			}
		}
		if err := <-asked; err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(complaint, want) || (complaint == "") != (want == "") {
			t.Errorf("level %s: the log says %q", level, complaint)
		}
		if status := <-s.ended; status != done {
			t.Errorf("ends with status %d", status)
		}
	}
}

// TestServeRelative: a root is relative to the configuration file, wherever
// that is and however it is named.
func TestServeRelative(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.MkdirAll("conf/data", 0o700); err != nil {
		t.Fatal(err)
	}
	save(t, "conf/data/f.txt", "content")
	save(t, "conf/canopy.yaml", "listen: 127.0.0.1:0\nlog: {format: text}\nendpoints:\n  - {name: here, type: local, root: data}\n")
	s := serving(t, "conf/canopy.yaml")
	if got := body(t, s.url(), "/f.txt"); got != "content" {
		t.Errorf("got %q", got)
	}
	http.DefaultClient.CloseIdleConnections()
	if status := s.end(); status != done {
		t.Errorf("ends with status %d", status)
	}
}

func TestServeRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text, want string
		status     int
	}{
		"unknown key":  {"endpionts: []\n", "canopy.yaml:1:1: endpionts", misuse},
		"no endpoints": {"title: x\n", "endpoints", misuse},
		"taken port":   {"", "address already in use", failed},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, "canopy.yaml")
			if c.status == failed {
				l := listen(t)
				c.text = fmt.Sprintf("listen: %q\nendpoints: [{name: a, type: local, root: %q}]\n", l, dir)
				c.want = l
			}
			save(t, file, "%s", c.text)
			var stderr strings.Builder
			if status := run(t.Context(), []string{"serve", "-c", file}, io.Discard, &stderr); status != c.status || !strings.Contains(stderr.String(), c.want) {
				t.Errorf("status %d: %s", status, stderr.String())
			}
		})
	}
	var stderr strings.Builder
	if status := run(t.Context(), []string{"serve", "-c", filepath.Join(dir, "none.yaml")}, io.Discard, &stderr); status != misuse || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("a missing file: status %d, %q", status, stderr.String())
	}
}

// listen returns an address that is taken.
func listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}
