package acceptance

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// hostile would do harm if a page took it for anything but a name.
const hostile = "<img src=x onerror=alert(1)>.txt"

// A scientist opens the address, sees one tree, clicks a file and has it.
func TestBrowser(t *testing.T) {
	servers := start(t)
	for _, name := range []string{"apache", "nginx"} {
		write(t, filepath.Join(servers[name].Dir(), "two", hostile), content(hostile))
	}
	_, base := federate(t, servers)

	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is not installed; make parts installs it")
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)

	var mu sync.Mutex
	var complaints []string
	hear := func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			complaints = append(complaints, "log: "+e.Entry.Text)
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, "exception: "+e.ExceptionDetails.Text)
		case *page.EventJavascriptDialogOpening:
			complaints = append(complaints, "dialog: "+e.Message)
		}
	}
	if err := chromedp.Listen(ctx, hear); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	defer cancel()
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, steps...); err != nil {
			mu.Lock()
			defer mu.Unlock()
			t.Fatalf("%v; the browser said %q", err, complaints)
		}
	}
	text := func(of chromedp.Action[string]) string {
		t.Helper()
		s, err := chromedp.Run(ctx, of)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	do(chromedp.Navigate(base + "/"))
	title, names := text(chromedp.Title()), text(chromedp.Text("table"))
	do(chromedp.Click(`a[href="two/"]`), chromedp.WaitVisible(`a[href*="onerror"]`))
	row := text(chromedp.Text("table"))
	do(chromedp.Navigate(base+"/two/twice.txt"), chromedp.WaitVisible("pre"))
	body, address := text(chromedp.Text("pre")), text(chromedp.Location())
	do(chromedp.Navigate(base + "/two/none.txt"))
	missing := text(chromedp.Text("main"))
	for _, want := range []string{"apache", "nginx", "rclone", "xrootd", "all", "two"} {
		if !strings.Contains(names, want) {
			t.Errorf("%q is not in the tree:\n%s", want, names)
		}
	}
	if title == "" || !strings.Contains(row, hostile) || !strings.Contains(row, "apache") || !strings.Contains(row, "nginx") {
		t.Errorf("title %q, listing:\n%s", title, row)
	}
	if !strings.HasPrefix(body, "this is twice") || strings.HasPrefix(address, base) {
		t.Errorf("the file came from %s: %.40q", address, body)
	}
	if !strings.Contains(missing, "none.txt") {
		t.Errorf("the page of a missing file says:\n%s", missing)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, c := range complaints {
		// That a page answers 404 is what was asked for.
		if !strings.Contains(c, "404") {
			t.Error(c)
		}
	}
}
