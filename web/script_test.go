package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// press is a key going down with what it types, as a keyboard sends it, so
// that a page can prevent the typing.
func press(key, typed string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for _, event := range []input.DispatchKeyEventParams{
			{Type: input.DispatchKeyEventTypeKeyDown, Key: key, Text: typed},
			{Type: input.DispatchKeyEventTypeKeyUp, Key: key},
		} {
			if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, event); err != nil {
				return err
			}
		}
		return nil
	})
}

// shown is an expression for the names in sight, in their order.
const shown = `[...document.querySelectorAll("#list tbody:not(.up) tr")].filter((r) => r.checkVisibility()).map((r) => r.querySelector("bdi").textContent)`

// TestComplaintsAreHeard makes sure that the other tests would notice: a page
// with an inline script breaks the policy.
func TestComplaintsAreHeard(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range Headers() {
			w.Header().Set(name, value)
		}
		_, _ = w.Write([]byte("<!DOCTYPE html><title>x</title><script>alert(1)</script>"))
	}))
	defer server.Close()
	b := browser(t)
	if err := chromedp.Do(b.ctx, chromedp.Navigate(server.URL+"/")); err != nil {
		t.Fatal(err)
	}
	heard := b.complain.take()
	if !slices.ContainsFunc(heard, func(c string) bool { return strings.Contains(c, "Content Security Policy") }) {
		t.Errorf("heard only %q", heard)
	}
}

// TestHostileLinks asks the browser where it would go.
func TestHostileLinks(t *testing.T) {
	base, b := site(t), browser(t)
	b.do(chromedp.Navigate(base + "/hostile/"))
	hrefs := eval[[]string](b, `[...document.querySelectorAll("#list tbody th > a")].map((a) => a.href)`)
	rows := hostileRows()
	if len(hrefs) != len(rows) {
		t.Fatalf("%d links, want %d", len(hrefs), len(rows))
	}
	for i, r := range rows {
		want := base + "/hostile/" + r.Name
		if r.Directory {
			want += "/"
		}
		if got, err := url.PathUnescape(hrefs[i]); err != nil || got != want {
			t.Errorf("%q leads to %q (%v)", r.Name, hrefs[i], err)
		}
	}
}

func TestSortInPlace(t *testing.T) {
	base, b := site(t), browser(t)
	b.do(chromedp.Navigate(base + "/atlas/"))
	served := eval[[]string](b, shown)
	click := func(column string) {
		b.do(chromedp.Click(chromedp.CSS(`#list thead a[data-column="` + column + `"]`)))
	}
	expect := func(column, order string, want func(a, b Row) int) {
		t.Helper()
		rows := sample()
		slices.SortStableFunc(rows, want)
		var names []string
		for _, r := range rows {
			names = append(names, r.Name)
		}
		if diff := cmp.Diff(names, eval[[]string](b, shown)); diff != "" {
			t.Errorf("%s %s (-want +got)\n%s", column, order, diff)
		}
		if got := eval[string](b, `[...document.querySelectorAll("[aria-sort]")].map((h) => h.firstElementChild.dataset.column + " " + h.ariaSort).join()`); got != column+" "+order {
			t.Errorf("marked as sorted: %q, want %s %s", got, column, order)
		}
		short := map[string]string{"ascending": "asc", "descending": "desc"}[order]
		if got, want := eval[string](b, `location.search`), "?sort="+column+"&order="+short; got != want {
			t.Errorf("address ends in %q, want %q", got, want)
		}
	}
	size := func(r Row) int64 {
		if r.Directory {
			return -1
		}
		return r.Size
	}

	click("size")
	expect("size", "descending", func(a, b Row) int { return int(max(-1, min(1, size(b)-size(a)))) })
	b.shoot("sorted")
	click("size")
	// Rows that are equal stay in the order that they were in.
	if got := eval[[]string](b, shown); got[len(got)-1] != "AOD.0001.root" {
		t.Errorf("ascending by size ends in %q", got[len(got)-1])
	}
	click("name")
	expect("name", "ascending", func(a, b Row) int { return strings.Compare(a.Name, b.Name) })
	click("time")
	expect("time", "descending", func(a, b Row) int {
		if c := b.ModTime.Compare(a.ModTime); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	click("name")
	click("name")
	expect("name", "descending", func(a, b Row) int { return strings.Compare(b.Name, a.Name) })
	if slices.Equal(served, eval[[]string](b, shown)) {
		t.Error("nothing moved")
	}
}

func TestFilter(t *testing.T) {
	base, b := site(t), browser(t)
	b.do(chromedp.Navigate(base + "/incomplete/"))
	all := eval[[]string](b, shown)
	if !eval[bool](b, `document.getElementById("missing").nextElementSibling.id === "list"`) {
		t.Error("the banner does not stand before the table")
	}

	b.do(press("/", "/"))
	if got := eval[string](b, `document.activeElement.id`); got != "filter-text" {
		t.Fatalf("the key / leads to %q", got)
	}
	b.do(chromedp.KeyEvent("ROOT aod"))
	want := []string{"AOD.0001.root", "AOD.0002.root", "AOD.0003.root", all[7]}
	if diff := cmp.Diff(want, eval[[]string](b, shown)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := eval[string](b, `document.getElementById("filter-count").value`); got != "4 of 11" {
		t.Errorf("counted %q", got)
	}
	b.shoot("filtered")

	focused := `document.activeElement.closest("tr")?.querySelector("bdi")?.textContent ?? document.activeElement.id`
	for _, step := range []struct{ key, want string }{
		{"ArrowDown", "AOD.0001.root"},
		{"ArrowDown", "AOD.0002.root"},
		{"ArrowUp", "AOD.0001.root"},
		{"ArrowUp", "filter-text"},
		{"Enter", "AOD.0001.root"},
		{"End", "AOD.0001.root"},
		{"/", "filter-text"},
	} {
		typed := ""
		if step.key == "/" {
			typed = "/"
		}
		b.do(press(step.key, typed))
		if got := eval[string](b, focused); got != step.want {
			t.Errorf("key %q leads to %q, want %q", step.key, got, step.want)
		}
	}
	b.do(chromedp.KeyEvent("no such name"))
	if got := eval[[]string](b, shown); len(got) != 0 {
		t.Errorf("still shown: %q", got)
	}
	b.do(press("Escape", ""))
	if diff := cmp.Diff(all, eval[[]string](b, shown)); diff != "" {
		t.Errorf("after Escape (-want +got)\n%s", diff)
	}
}

// TestLarge holds the script to a reaction that feels immediate at ten
// thousand rows. Measured is the time that the page's thread has the
// processor, so that a busy machine makes no difference.
func TestLarge(t *testing.T) {
	base, b := site(t), browser(t)
	b.do(countThreadTime, chromedp.Navigate(base+"/large/"))
	for _, test := range []struct {
		action, change string
		limit          float64 // in seconds
		shown          int
	}{
		{"first letter", `i.value = "4"; i.dispatchEvent(new Event("input"))`, 0.5, 10_000},
		{"filter", `i.value = "root AOD _00012"; i.dispatchEvent(new Event("input"))`, 0.5, 10},
		{"no match", `i.value = "zzz"; i.dispatchEvent(new Event("input"))`, 0.5, 0},
		{"all again", `i.value = ""; i.dispatchEvent(new Event("input"))`, 0.5, 10_000},
		{"sort by size", `document.querySelector("[data-column=size]").click()`, 1.5, 10_000},
		{"sort by name", `document.querySelector("[data-column=name]").click()`, 1.5, 10_000},
	} {
		from := b.threadTime()
		eval[float64](b, `(() => {
			const i = document.getElementById("filter-text");
			`+test.change+`;
			return document.body.offsetHeight;
		})()`)
		took := b.threadTime() - from
		t.Logf("%s: %.0f ms", test.action, took*1000)
		if took > test.limit || took <= 0 {
			t.Errorf("%s took %.3f s, want at most %.3f", test.action, took, test.limit)
		}
		if got := eval[int](b, `document.querySelectorAll("#list tbody:not([hidden], .up) tr:not([hidden])").length`); got != test.shown {
			t.Errorf("%s: %d rows shown, want %d", test.action, got, test.shown)
		}
	}
	// Chunks out of sight take the place that they would take in sight.
	want := 10_000 * 40.0
	if got := eval[float64](b, `document.getElementById("list").offsetHeight`); got < want*0.99 || got > want*1.02 {
		t.Errorf("the table is %.0f pixels high, want about %.0f", got, want)
	}
	b.shoot("large-sorted")
}

// countThreadTime makes the browser measure in processor time.
var countThreadTime = chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
	_, err := cdp.Call(ctx, t, performance.Enable, performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks})
	return err
})

// threadTime is how many seconds the page's thread has worked.
func (b *tab) threadTime() float64 {
	b.t.Helper()
	metrics, err := chromedp.Run(b.ctx, func(ctx context.Context, t *chromedp.Target) (performance.GetMetricsResult, error) {
		return cdp.Call(ctx, t, performance.GetMetrics, cdp.Empty{})
	})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, m := range metrics.Metrics {
		if m.Name == "TaskDuration" {
			return m.Value
		}
	}
	b.t.Fatal("the browser does not say how long it worked")
	return 0
}

// TestTableForScreenReaders looks at what assistive programs get: the rows
// are laid out as grids and must stay a table to them.
func TestTableForScreenReaders(t *testing.T) {
	base, b := site(t), browser(t)
	for _, width := range []int64{1280, 390} {
		b.do(chromedp.EmulateViewport(width, 900), chromedp.Navigate(base+"/atlas/"))
		tree, err := chromedp.Run(b.ctx, func(ctx context.Context, t *chromedp.Target) (accessibility.GetFullAXTreeResult, error) {
			return cdp.Call(ctx, t, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		})
		if err != nil {
			t.Fatal(err)
		}
		roles := make(map[string]int)
		for _, n := range tree.Nodes {
			if n.Role != nil && !n.Ignored {
				roles[strings.Trim(string(n.Role.Value), `"`)]++
			}
		}
		rows := len(sample())
		for role, want := range map[string]int{
			"table": 1, "caption": 1, "columnheader": 4, "rowheader": rows, "row": rows + 2,
			"main": 1, "banner": 1, "contentinfo": 1, "navigation": 1, "heading": 1, "searchbox": 1,
		} {
			if got := roles[role]; got != want {
				t.Errorf("at width %d, %d of role %s, want %d", width, got, role, want)
			}
		}
	}
}
