package soak

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"canopy/cmd/canopy/service"
	"canopy/configs"
	"canopy/plugins/all"
)

// frontConfig is the variable that makes this program a front end: it names
// the file of the configuration.
const frontConfig = "CANOPY_SOAK_FRONT"

// serveFront serves until it is killed, or its standard input ends.
func serveFront(file string) int {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	config, err := configs.Load(file, all.Registry())
	if err != nil {
		return fail(err)
	}
	s, err := service.Start(context.Background(), service.Options{
		Config: config, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})),
	})
	if err != nil {
		return fail(err)
	}
	fmt.Println(s.URLs()[0])
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return fail(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		return fail(err)
	}
	return 0
}

// front is a front end in a process of its own, so that it can be killed.
type front struct {
	t      *testing.T
	name   string
	config string // its file
	log    string // its file, of all lives
	base   atomic.Pointer[string]
	lives  atomic.Int32

	cmd *exec.Cmd
	in  io.Closer
}

// newFront starts a front end that serves the configuration.
func newFront(t *testing.T, name, config string) *front {
	t.Helper()
	dir := t.TempDir()
	f := &front{t: t, name: name, config: filepath.Join(dir, "canopy.yaml"), log: filepath.Join(dir, "log")}
	if err := os.WriteFile(f.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	f.start()
	t.Cleanup(f.finish)
	return f
}

// url is where it serves, without a slash at the end.
func (f *front) url() string { return *f.base.Load() }

// life is its name and a number, for it remembers nothing of earlier lives.
func (f *front) life() string { return fmt.Sprint(f.name, "-", f.lives.Load()) }

// start returns when it serves.
func (f *front) start() {
	f.t.Helper()
	self, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	log, err := os.OpenFile(f.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer log.Close()
	f.cmd = exec.Command(self)
	f.cmd.Env = append(os.Environ(), frontConfig+"="+f.config)
	f.cmd.Stderr = log
	if f.in, err = f.cmd.StdinPipe(); err != nil {
		f.t.Fatal(err)
	}
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		f.t.Fatalf("front end %s does not start: %v\n%s", f.name, err, f.said())
	}
	base := strings.TrimSuffix(strings.TrimSpace(line), "/")
	f.lives.Add(1)
	f.base.Store(&base)
}

// kill ends it by SIGKILL.
func (f *front) kill() {
	f.t.Helper()
	if err := f.cmd.Process.Kill(); err != nil {
		f.t.Errorf("front end %s has died by itself: %v", f.name, err)
	}
	f.wait()
}

func (f *front) wait() error {
	err := f.cmd.Wait()
	f.in.Close()
	f.cmd = nil
	return err
}

// finish lets it end by itself, which it must be able to.
func (f *front) finish() {
	if f.cmd != nil {
		f.in.Close()
		if err := f.wait(); err != nil {
			f.t.Errorf("front end %s does not end well: %v", f.name, err)
		}
	}
	b, err := os.ReadFile(f.log)
	if err != nil || bytes.Contains(b, []byte("DATA RACE")) || bytes.Contains(b, []byte("panic")) {
		f.t.Errorf("front end %s: %v\n%s", f.name, err, b)
	} else if f.t.Failed() {
		f.t.Logf("log of front end %s:\n%s", f.name, f.said())
	}
}

// said returns the end of its log.
func (f *front) said() []byte {
	b, err := os.ReadFile(f.log)
	if err != nil {
		return []byte(err.Error())
	}
	const most = 8 << 10
	return b[max(0, len(b)-most):]
}
