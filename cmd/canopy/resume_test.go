package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"canopy/plugins"
)

// sharing is `canopy share` of a directory in a process of its own.
type sharing struct {
	*exec.Cmd
	address string
}

func share1(t *testing.T, dir string, args ...string) *sharing {
	t.Helper()
	s := &sharing{Cmd: exec.CommandContext(t.Context(), "canopy", append([]string{"share", "--quiet", "--listen", "127.0.0.1:0", dir}, args...)...)}
	out, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.Stderr = os.Stderr
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Process.Kill(); s.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, s.address, _ = strings.Cut(strings.TrimSpace(line), "http://")
	s.address = strings.TrimSuffix(s.address, "/")
	return s
}

// cutting forwards connections to the address that to says, until so many bytes
// have come from clients; then it calls cut, and breaks them.
type cutting struct {
	net.Listener
	to   atomic.Pointer[string]
	left atomic.Int64
	cut  func()
}

func newCutting(t *testing.T, to string, left int64, cut func()) *cutting {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c := &cutting{Listener: l, cut: cut}
	c.to.Store(&to)
	c.left.Store(left)
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go c.forward(client)
		}
	}()
	return c
}

func (c *cutting) forward(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", *c.to.Load())
	if err != nil {
		return
	}
	defer server.Close()
	go io.Copy(client, server)
	io.Copy(server, readerFunc(func(p []byte) (int, error) {
		n, err := client.Read(p)
		if left := c.left.Add(-int64(n)); left < 0 && left+int64(n) >= 0 {
			c.cut()
			return 0, io.ErrUnexpectedEOF
		}
		return n, err
	}))
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestPutResumes interrupts an upload to a share, kills the share, and lets the
// same command do the rest.
func TestPutResumes(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir, data := t.TempDir(), content(1, 48<<20)
	file := local(t, data)
	first := share1(t, dir)
	ctx, interrupt := context.WithCancel(t.Context())
	line := newCutting(t, first.address, 20<<20, interrupt)
	url := "http://" + line.Addr().String() + "/f"
	status, _, stderr := canopy(ctx, "put", file, url)
	if status != interrupted || !strings.Contains(stderr, "put: interrupted; the same command does the rest\n") {
		t.Fatalf("status %d, %q", status, stderr)
	}
	if left := names(t, dir); len(left) != 1 || left[0] != plugins.Staging {
		t.Errorf("the share shows %q", left)
	}
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.Wait()
	second := share1(t, dir)
	line.to.Store(&second.address)
	status, _, stderr = canopy(t.Context(), "put", file, url)
	if status != 0 || !strings.Contains(stderr, "canopy: "+url+": resuming at ") || !strings.Contains(stderr, "1 file stored, 50331648 bytes") {
		t.Errorf("status %d, %q", status, stderr)
	}
	whole(t, dir, data)
	if _, stdout, _ := canopy(t.Context(), "ls", "http://"+second.address+"/"); stdout != "f\n" {
		t.Errorf("the share lists %q", stdout)
	}
}

// TestPutRidesOut breaks the connection twice in one run.
func TestPutRidesOut(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir, data := t.TempDir(), content(2, 32<<20)
	var line *cutting
	line = newCutting(t, share1(t, dir).address, 10<<20, func() { line.left.CompareAndSwap(line.left.Load(), 10<<20) })
	status, _, stderr := canopy(t.Context(), "put", "--checksum", "sha-256", local(t, data), "http://"+line.Addr().String()+"/f")
	if status != 0 {
		t.Errorf("status %d, %q", status, stderr)
	}
	whole(t, dir, data)
}

// TestPutWhole sends a large file at once where that is asked for, or nothing
// else is offered.
func TestPutWhole(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir, data := t.TempDir(), content(3, 17<<20)
	s := share1(t, dir)
	if status, _, stderr := canopy(t.Context(), "put", "--no-resume", local(t, data), "http://"+s.address+"/f"); status != 0 {
		t.Errorf("status %d, %q", status, stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, plugins.Staging, "resumable")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it went in pieces: %v", err)
	}
	whole(t, dir, data)
}

// whole demands that the file f in dir is complete, and nothing is in a spool.
func whole(t *testing.T, dir string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(dir, "f"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes that are not the file's: %v", len(got), err)
	}
	left, err := os.ReadDir(filepath.Join(dir, plugins.Staging, "resumable"))
	if err != nil && !errors.Is(err, os.ErrNotExist) || len(left) > 0 {
		t.Errorf("in the spool: %v, %v", left, err)
	}
	notes, err := os.ReadDir(filepath.Join(os.Getenv("XDG_CACHE_HOME"), "canopy", "uploads"))
	if err != nil && !errors.Is(err, os.ErrNotExist) || len(notes) > 0 {
		t.Errorf("remembered: %v, %v", notes, err)
	}
}
