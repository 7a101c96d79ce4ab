package web

import (
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var shots = flag.String("shots", "", "write screenshots of the pages into this `directory`")

// site serves the sample pages as the front end would.
func site(t *testing.T) string {
	p := newPages(t)
	pages := map[string]func(w http.ResponseWriter) error{
		"/atlas/": func(w http.ResponseWriter) error {
			return p.Listing(w, Listing{Page: samplePage("/atlas/"), Entries: slices.Values(sample()), Federated: true})
		},
		"/incomplete/": func(w http.ResponseWriter) error {
			return p.Listing(w, Listing{Page: samplePage("/incomplete/"), Entries: slices.Values(sample()), Missing: silent, Federated: true, Stale: 12 * time.Minute})
		},
		"/hostile/": func(w http.ResponseWriter) error {
			return p.Listing(w, Listing{Page: samplePage("/hostile/<script>alert(1)<\u202e/"), Entries: slices.Values(hostileRows()), Federated: true})
		},
		"/large/": func(w http.ResponseWriter) error {
			return p.Listing(w, Listing{Page: samplePage("/large/"), Entries: many(10_000), Federated: true})
		},
		"/share/": func(w http.ResponseWriter) error {
			return p.Listing(w, Listing{Page: Page{Base: "/", Path: "/"}, Entries: slices.Values(sample())})
		},
		"/writable/": func(w http.ResponseWriter) error {
			return p.Listing(w, Listing{Page: samplePage("/writable/"), Entries: slices.Values(sample()), Federated: true, Writable: true, Uploads: "/-/uploads/"})
		},
		"/empty/": func(w http.ResponseWriter) error {
			return p.Listing(w, Listing{Page: samplePage("/atlas/empty/"), Federated: true})
		},
		"/missing": func(w http.ResponseWriter) error {
			return p.Error(w, ErrorPage{Page: samplePage("/atlas/run-2026/AOD.0009.root"), Status: 404, Incomplete: true, Details: []string{"tokyo: timed out", "osaka: refused the connection"}, RetryAfter: 30 * time.Second})
		},
		"/explain":   func(w http.ResponseWriter) error { return p.Explain(w, sampleExplain()) },
		"/directory": func(w http.ResponseWriter) error { return p.Explain(w, sampleDirectory()) },
		"/index":     func(w http.ResponseWriter) error { return p.Index(w, sampleIndex()) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, ok := strings.CutPrefix(r.URL.Path, StaticPath); ok {
			content, kind, ok := p.Asset(name)
			if !ok {
				http.NotFound(w, r)
				return
			}
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Cache-Control", AssetCacheControl)
			_, _ = w.Write(content)
			return
		}
		render, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		for name, value := range Headers() {
			w.Header().Set(name, value)
		}
		if err := render(w); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// browser starts Chromium with nothing in it.
func browser(t *testing.T) *tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("the browser test needs chromium: install the Debian package \"chromium\"")
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.WindowSize(1280, 900))...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	complain := new(complaints)
	if err := chromedp.Listen(ctx, complain.hear); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return &tab{t, ctx, complain}
}

// tab is one page of a browser, and what it complained of.
type tab struct {
	t        *testing.T
	ctx      context.Context
	complain *complaints
}

// complaints are what a page logs, throws or asks in a dialog.
type complaints struct {
	mu   sync.Mutex
	list []string
}

func (c *complaints) hear(event any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		c.list = append(c.list, "console."+string(e.Type))
	case *runtime.EventExceptionThrown:
		c.list = append(c.list, "exception: "+e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		c.list = append(c.list, e.Entry.Text+" "+e.Entry.URL)
	case *page.EventJavascriptDialogOpening:
		c.list = append(c.list, "dialog: "+e.Message)
	}
}

// take returns the complaints so far and forgets them.
func (c *complaints) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = nil
	return list
}

// do runs actions; a complaint of the page fails the test.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.complain.take() {
		b.t.Error(c)
	}
}

// eval returns the value of an expression in the page.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// shoot keeps a picture of the page if that was asked for.
func (b *tab) shoot(name string) {
	b.t.Helper()
	if *shots == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*shots, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// scheme sets whether the reader prefers light or dark pages.
func scheme(value string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}},
		})
		return err
	})
}

// screens are the shapes in which every page is looked at.
var screens = []struct {
	name          string
	width, height int64
	scheme        string
}{
	{"light", 1280, 900, "light"},
	{"dark", 1280, 900, "dark"},
	{"phone", 390, 844, "light"},
	{"phone-dark", 390, 844, "dark"},
}

// TestScreens opens every page in every shape: nothing may be reported, and
// nothing may stick out at the side.
func TestScreens(t *testing.T) {
	base, b := site(t), browser(t)
	for _, path := range []string{"/atlas/", "/incomplete/", "/hostile/", "/share/", "/writable/", "/empty/", "/missing", "/explain", "/directory", "/index"} {
		for _, s := range screens {
			b.do(chromedp.EmulateViewport(s.width, s.height), scheme(s.scheme), chromedp.Navigate(base+path))
			if wide := eval[int64](b, `document.documentElement.scrollWidth`); wide > s.width {
				t.Errorf("%s, %s: the page is %d wide on a screen of %d", path, s.name, wide, s.width)
			}
			b.shoot(strings.ReplaceAll(strings.Trim(path, "/"), "/", "-") + "-" + s.name)
		}
	}
}
