package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/webdav"

	"canopy/plugins/plugintest/rig"
)

// local makes a file with b for uploads.
func local(t *testing.T, b []byte) string {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// interrupting is a WebDAV server of dir that calls interrupt when half of an
// upload has arrived, and shows what has come.
func interrupting(t *testing.T, dir string, interrupt func()) string {
	plain := &webdav.Handler{FileSystem: webdav.Dir(dir), LockSystem: webdav.NewMemLS()}
	return site(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			r.Body = &trap{ReadCloser: r.Body, left: r.ContentLength / 2, spring: interrupt}
		}
		plain.ServeHTTP(w, r)
	})
}

// trap calls spring once so many bytes have been read.
type trap struct {
	io.ReadCloser
	left   int64
	spring func()
}

func (t *trap) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if t.left > 0 && int64(n) >= t.left {
		t.spring()
	}
	t.left -= int64(n)
	return n, err
}

// TestPutInterrupted leaves nothing half-done at a server that shows files while
// they are being sent.
func TestPutInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	dir := t.TempDir()
	status, stdout, stderr := canopy(ctx, "put", "-q", local(t, content(1, 32<<20)), interrupting(t, dir, interrupt)+"/f")
	if status != interrupted || stdout != "" || stderr != "canopy: put: interrupted; the same command does the rest\n" {
		t.Errorf("status %d, %q, %q", status, stdout, stderr)
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestLeft tells what is left at a server that lets nothing be removed.
func TestLeft(t *testing.T) {
	for _, command := range []string{"put", "cp"} {
		ctx, interrupt := context.WithCancel(t.Context())
		to, err := http.NewRequest(http.MethodGet, interrupting(t, t.TempDir(), interrupt), nil)
		if err != nil {
			t.Fatal(err)
		}
		server := site(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodDelete {
				http.Error(w, "no", http.StatusForbidden)
				return
			}
			(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(to.URL) }, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}).ServeHTTP(w, r)
		})
		args := []string{"put", "-q", local(t, content(1, 32<<20)), server + "/f"}
		if command == "cp" {
			source := t.TempDir()
			if err := os.WriteFile(filepath.Join(source, "f"), content(1, 32<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			args = []string{"cp", "-q", "--stream", interrupting(t, source, interrupt) + "/f", server + "/f"}
		}
		status, _, stderr := canopy(ctx, args...)
		if status != interrupted || !strings.Contains(stderr, "what was begun there could not be removed (") || !strings.Contains(stderr, "remove it with canopy rm") {
			t.Errorf("%s: status %d, %q", command, status, stderr)
		}
	}
}

// TestCopyInterrupted does the same for a copy through this machine.
func TestCopyInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	dir := t.TempDir()
	serve := replica(content(1, 32<<20))
	from := site(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PROPFIND" {
			http.Error(w, "no", http.StatusMethodNotAllowed)
			return
		}
		serve(w, r)
	})
	status, _, stderr := canopy(ctx, "cp", "--stream", from+"/f", interrupting(t, dir, interrupt)+"/f")
	if status != interrupted || stderr != "canopy: cp: interrupted\n" {
		t.Errorf("status %d, %q", status, stderr)
	}
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestRemoveInterrupted tells that it was not done.
func TestRemoveInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	dir := t.TempDir()
	for i := range 10 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	plain := &webdav.Handler{FileSystem: webdav.Dir(filepath.Dir(dir)), LockSystem: webdav.NewMemLS()}
	var removals atomic.Int64
	url := site(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete && removals.Add(1) == 3 {
			interrupt()
			<-r.Context().Done()
			return
		}
		plain.ServeHTTP(w, r)
	})
	status, _, stderr := canopy(ctx, "rm", "-r", "-j", "1", url+"/"+filepath.Base(dir))
	if status != interrupted || stderr != "canopy: rm: interrupted; the same command does the rest\n" {
		t.Errorf("status %d, %q", status, stderr)
	}
	if left := names(t, dir); len(left) != 8 {
		t.Errorf("left: %q", left)
	}
}

// TestPutServers uploads a tree to the servers that people run, and again.
func TestPutServers(t *testing.T) {
	tree := t.TempDir()
	for i := range 20 {
		name := filepath.Join(tree, fmt.Sprintf("d%d", i%3), fmt.Sprintf("file %d#%%", i))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, content(byte(i), 1000*i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, launch := range map[string]func(testing.TB, string, ...rig.Option) *rig.Server{
		"apache": rig.Apache, "nginx": rig.Nginx, "rclone": rig.Rclone, "xrootd": rig.XRootD,
	} {
		t.Run(name, func(t *testing.T) {
			dir := rig.TempDir(t)
			url := launch(t, dir).URL()
			status, _, stderr := canopy(t.Context(), "put", "-r", tree+"/.", url+"/in/to")
			if status != done || stderr != "20 files stored, 190000 bytes\n" {
				t.Errorf("status %d, %s", status, stderr)
			}
			for i := range 20 {
				got, err := os.ReadFile(filepath.Join(dir, "in", "to", fmt.Sprintf("d%d", i%3), fmt.Sprintf("file %d#%%", i)))
				if err != nil || !bytes.Equal(got, content(byte(i), 1000*i)) {
					t.Errorf("file %d: %d bytes, %v", i, len(got), err)
				}
			}
			status, _, stderr = canopy(t.Context(), "put", "--update", "-r", tree+"/.", url+"/in/to")
			if status != done || stderr != "0 files stored, 0 bytes; 20 there already\n" {
				t.Errorf("again: status %d, %s", status, stderr)
			}
			status, stdout, stderr := canopy(t.Context(), "put", "--json", filepath.Join(tree, "d1", "file 1#%"), url+"/sum")
			if verified := strings.Contains(stdout, `"verified":{"adler32":`); status != done || verified != (name == "xrootd") {
				t.Errorf("status %d, %s, %s", status, stdout, stderr)
			}
		})
	}
}

// TestPutCut sends again what the network has broken, to a server that keeps
// what had come.
func TestPutCut(t *testing.T) {
	dir := t.TempDir()
	plain := &webdav.Handler{FileSystem: webdav.Dir(dir), LockSystem: webdav.NewMemLS()}
	var proxy *rig.Proxy
	var sends, removals atomic.Int64
	server := site(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut && sends.Add(1) == 1:
			r.Body = &trap{ReadCloser: r.Body, left: 1 << 20, spring: proxy.Reset}
			defer proxy.Heal()
		case r.Method == http.MethodDelete:
			removals.Add(1)
		}
		plain.ServeHTTP(w, r)
	})
	proxy = rig.Toxic(t, server)
	b := content(1, 8<<20)
	status, _, stderr := canopy(t.Context(), "put", local(t, b), proxy.URL()+"/f")
	got, err := os.ReadFile(filepath.Join(dir, "f"))
	if status != done || err != nil || !bytes.Equal(got, b) || !strings.HasSuffix(stderr, "; sending it again\n1 file stored, 8388608 bytes\n") {
		t.Errorf("status %d, %d bytes, %v, %s", status, len(got), err, stderr)
	}
	if sends.Load() != 2 || removals.Load() != 1 {
		t.Errorf("sent %d times, removed %d times", sends.Load(), removals.Load())
	}
}

// TestCounter shows how many things are done, on a terminal.
func TestCounter(t *testing.T) {
	var out bytes.Buffer
	b := draw(&out)
	c := b.counter("removed")
	c.add(3)
	c.end(nil)
	b.close()
	if !strings.Contains(out.String(), "removed") || !strings.Contains(out.String(), "3") || !strings.Contains(out.String(), "done!") {
		t.Errorf("%q", out.String())
	}
	var none *bars
	none.counter("x").add(1)
}

func TestCount(t *testing.T) {
	for want, got := range map[string]string{
		"1 file": count(1, "file"), "2 files": count(2, "file"), "0 directories": count(0, "directory"),
	} {
		if got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
