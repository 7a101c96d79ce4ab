package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"canopy/plugins"
)

// valve forwards connections to an address, and holds what clients send back
// once so many bytes have come.
type valve struct {
	net.Listener
	mu          sync.Mutex
	opened      *sync.Cond
	most, total int64
	live        map[net.Conn]bool
}

func newValve(t *testing.T, to string) *valve {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &valve{Listener: l, most: 1 << 60, live: make(map[net.Conn]bool)}
	v.opened = sync.NewCond(&v.mu)
	t.Cleanup(func() { l.Close(); v.open(1 << 60) })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				server, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer server.Close()
				v.mu.Lock()
				v.live[client] = true
				v.mu.Unlock()
				go io.Copy(client, server)
				io.Copy(server, readerFunc(func(p []byte) (int, error) {
					n, err := client.Read(p[:min(len(p), 16<<10)])
					v.pass(n)
					return n, err
				}))
			}()
		}
	}()
	return v
}

// pass waits until n bytes more may come.
func (v *valve) pass(n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for v.total += int64(n); v.total > v.most; {
		v.opened.Wait()
	}
}

// open lets so many bytes come from now on, and returns how many have.
func (v *valve) open(more int64) int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.most = v.total + more
	v.opened.Broadcast()
	return v.total
}

// cut breaks all connections.
func (v *valve) cut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for c := range v.live {
		c.Close()
	}
	clear(v.live)
}

// visit is a browser with nothing in it, and what its pages complained of.
type visit struct {
	t    *testing.T
	ctx  context.Context
	mu   sync.Mutex
	said []string
}

func newVisit(t *testing.T) *visit {
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is not installed; make parts installs it")
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))...)
	t.Cleanup(cancel)
	v := &visit{t: t}
	v.ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Listen(v.ctx, v.hear); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	v.ctx, cancel = context.WithTimeout(v.ctx, 2*time.Minute)
	t.Cleanup(cancel)
	return v
}

func (v *visit) hear(event any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		v.said = append(v.said, "log: "+e.Entry.Text)
	case *runtime.EventExceptionThrown:
		v.said = append(v.said, "exception: "+e.ExceptionDetails.Text)
	case *page.EventJavascriptDialogOpening:
		v.said = append(v.said, "dialog: "+e.Message)
	}
}

// do acts as a user does.
func (v *visit) do(steps ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	if err := chromedp.Do(v.ctx, steps...); err != nil {
		text, _ := chromedp.Run(context.WithoutCancel(v.ctx), chromedp.TextContent("#upload"))
		v.t.Fatalf("%v; the page shows %q, the browser said %q", err, text, v.complaints())
	}
}

// until waits for an expression of the page to be true.
func (v *visit) until(expression string) {
	v.t.Helper()
	if _, err := chromedp.Run(v.ctx, chromedp.Poll[bool](expression)); err != nil {
		text, _ := chromedp.Run(v.ctx, chromedp.TextContent("#upload"))
		v.t.Fatalf("%s: %v; the page shows %q, the browser said %q", expression, err, text, v.complaints())
	}
}

func (v *visit) choose(files ...string) {
	v.t.Helper()
	v.do(chromedp.SetUploadFiles("#upload-files", files))
}

// complaints returns what was said since the last time.
func (v *visit) complaints() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	said := v.said
	v.said = nil
	return said
}

// row is an expression that is true when a line of the uploads has a class and a
// text.
func row(name, class, text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("#upload-list li")].some((r) => r.querySelector("bdi").textContent === %q && r.className === %q && r.textContent.includes(%q))`, name, class, text)
}

// button clicks one that has this label for people who cannot see.
func button(label string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(fmt.Sprintf("button[aria-label=%q]", label))
}

// TestPageUploads uses the page of a share as people do.
func TestPageUploads(t *testing.T) {
	dir, files := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "a b#\xff"), 0o777); err != nil {
		t.Fatal(err)
	}
	made := func(name string, b []byte) string {
		file := filepath.Join(files, name)
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	stored := func(name string, want []byte) {
		t.Helper()
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != string(want) {
			t.Errorf("%q: %d bytes that are not the file's: %v", name, len(got), err)
		}
	}
	v := newVisit(t)
	line := newValve(t, share1(t, dir).address)
	at := "http://" + line.Addr().String() + "/a%20b%23%FF/"

	// Two files, one of them empty, into a directory of an odd name.
	v.do(chromedp.Navigate(at), chromedp.WaitVisible("#upload"))
	v.choose(made("ünï <b>.txt", []byte("small")), made("empty", nil))
	v.until(row("ünï <b>.txt", "done", "uploaded"))
	v.until(row("empty", "done", "uploaded"))
	stored("a b#\xff/ünï <b>.txt", []byte("small"))
	stored("a b#\xff/empty", nil)
	if spoken, err := chromedp.Run(v.ctx, chromedp.TextContent("#upload-said")); err != nil || spoken != "empty: uploaded" {
		t.Errorf("%q is said, %v", spoken, err)
	}
	v.do(chromedp.Click("#upload-fresh a"), chromedp.WaitVisible(`#list a[href="empty"]`))
	if said := v.complaints(); len(said) > 0 {
		t.Errorf("the browser said %q", said)
	}

	// What is there is replaced when that is asked for.
	v.choose(made("empty", []byte("no longer")))
	v.until(row("empty", "failed", "there already"))
	stored("a b#\xff/empty", nil)
	v.do(button("Replace empty"))
	v.until(row("empty", "done", "uploaded"))
	stored("a b#\xff/empty", []byte("no longer"))
	v.complaints() // that of 412

	// The connection breaks in the middle.
	cut := content(5, 24<<20)
	line.open(10 << 20)
	v.choose(made("cut.bin", cut))
	v.until(`document.querySelector("#upload-list .running progress")?.value > 0`)
	line.open(1 << 60)
	line.cut()
	v.until(row("cut.bin", "done", "uploaded"))
	stored("a b#\xff/cut.bin", cut)
	v.complaints() // that of the connection

	// Paused, and resumed on another visit of the page.
	big := content(4, 48<<20)
	file := made("big.bin", big)
	before := line.open(30 << 20)
	v.choose(file)
	v.until(`document.querySelector("#upload-list .running progress")?.value > 16 * 1024 * 1024`)
	v.do(button("Pause big.bin"))
	v.until(row("big.bin", "paused", "paused"))
	line.open(1 << 60)
	v.do(chromedp.Navigate(at), chromedp.WaitVisible("#upload"))
	v.until(row("big.bin", "unfinished", "choose the same file again"))
	v.choose(file)
	v.until(row("big.bin", "done", "uploaded"))
	stored("a b#\xff/big.bin", big)
	if sent := line.open(1<<60) - before; sent > 60<<20 {
		t.Errorf("%d MiB were sent for a file of 48", sent>>20)
	}

	// Canceled: nothing is left, and nothing is offered to go on.
	line.open(1 << 20)
	v.choose(made("away.bin", big))
	v.until(`document.querySelector("#upload-list .running progress") !== null`)
	line.open(1 << 60)
	v.do(button("Cancel away.bin"))
	v.do(chromedp.Navigate(at), chromedp.WaitVisible("#upload"))
	if n, err := chromedp.Run(v.ctx, chromedp.Evaluate[int](`document.querySelectorAll("#upload-list li").length + localStorage.length`)); err != nil || n != 0 {
		t.Errorf("%d are left, %v", n, err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, plugins.Staging, "resumable")); err != nil || len(left) > 0 {
		t.Errorf("in the spool: %v, %v", left, err)
	}
	if said := v.complaints(); len(said) > 0 {
		t.Errorf("the browser said %q", said)
	}
}

// TestPageWithoutSpool sends each file at once.
func TestPageWithoutSpool(t *testing.T) {
	dir := t.TempDir()
	s, err := launch(t.Context(), fmt.Sprintf("listen: 127.0.0.1:0\nnamespace: /data\nendpoints:\n  - {name: here, type: local, root: %q, write: true}\naccess: [{path: /, read: [anyone], list: [anyone], write: [anyone]}]\n", dir), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(s) })
	v := newVisit(t)
	v.do(chromedp.Navigate(s.URLs()[0]+"/data/"), chromedp.WaitVisible("#upload"))
	file := local(t, []byte("content"))
	v.choose(file)
	v.until(row("f", "done", "uploaded"))
	whole(t, dir, []byte("content"))
	if said := v.complaints(); len(said) > 0 {
		t.Errorf("the browser said %q", said)
	}
	save(t, file, "another")
	v.choose(file)
	v.until(row("f", "failed", "there already"))
	v.do(button("Replace f"))
	v.until(row("f", "done", "uploaded"))
	whole(t, dir, []byte("another"))
}

// TestPageWithoutUploads shows nothing to those who may not write.
func TestPageWithoutUploads(t *testing.T) {
	v := newVisit(t)
	s := share1(t, t.TempDir(), "--read-only")
	v.do(chromedp.Navigate("http://"+s.address+"/"), chromedp.WaitVisible("#list"))
	if n, err := chromedp.Run(v.ctx, chromedp.Evaluate[int](`document.querySelectorAll("#upload, script[src*=upload]").length`)); err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
	if said := v.complaints(); slices.ContainsFunc(said, func(s string) bool { return !strings.Contains(s, "404") }) {
		t.Errorf("the browser said %q", said)
	}
}
