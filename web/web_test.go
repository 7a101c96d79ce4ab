package web

import (
	"bytes"
	"encoding/hex"
	"flag"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// hashes are the changing parts of the static files' names.
var hashes = regexp.MustCompile(`\.[0-9a-f]{12}\.`)

// golden compares got with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	got = hashes.ReplaceAll(got, []byte(".HASH."))
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (go test ./web -update writes it)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got); go test ./web -update accepts it\n%s", file, diff)
	}
}

// void are the elements without an end tag that the pages use.
var void = []string{"meta", "link", "input"}

// wellFormed checks that every element is closed in its place, that no id is
// used twice, and that nothing is there that the policy forbids.
func wellFormed(t *testing.T, page []byte) {
	t.Helper()
	var open []string
	ids := make(map[string]bool)
	z := html.NewTokenizer(bytes.NewReader(page))
	for z.Next() != html.ErrorToken {
		token := z.Token()
		switch token.Type {
		case html.StartTagToken:
			if !slices.Contains(void, token.Data) {
				open = append(open, token.Data)
			}
			if token.Data == "style" || token.Data == "script" && !slices.ContainsFunc(token.Attr, func(a html.Attribute) bool { return a.Key == "src" }) {
				t.Errorf("inline <%s>", token.Data)
			}
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != token.Data {
				t.Fatalf("</%s> closes %v", token.Data, open)
			}
			open = open[:len(open)-1]
		}
		for _, a := range token.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") || strings.HasPrefix(strings.TrimSpace(strings.ToLower(a.Val)), "javascript:") {
				t.Errorf("<%s> has %s=%q", token.Data, a.Key, a.Val)
			}
			if a.Key == "id" {
				if ids[a.Val] {
					t.Errorf("id %q twice", a.Val)
				}
				ids[a.Val] = true
			}
		}
	}
	if len(open) > 0 {
		t.Errorf("left open: %v", open)
	}
}

// elements returns the descendants of n of one tag, in order.
func elements(n *html.Node, tag string) []*html.Node {
	var found []*html.Node
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && d.Data == tag {
			found = append(found, d)
		}
	}
	return found
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// text is what textContent is in a browser.
func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	p := newPages(t)
	for name, render := range map[string]func(*bytes.Buffer) error{
		"listing.html": func(b *bytes.Buffer) error {
			return p.Listing(b, Listing{Page: samplePage("/atlas/run 1/"), Entries: slices.Values(sample()), Federated: true, Sort: BySize, Descending: true})
		},
		"incomplete.html": func(b *bytes.Buffer) error {
			return p.Listing(b, Listing{Page: samplePage("/"), Entries: slices.Values(sample()[:2]), Missing: silent, Stale: time.Hour})
		},
		"empty.html": func(b *bytes.Buffer) error {
			return p.Listing(b, Listing{Page: Page{Base: "/data", Path: "/x/"}, Entries: slices.Values([]Row(nil))})
		},
		"hostile.html": func(b *bytes.Buffer) error {
			page := samplePage("/<b>/\xff\u202e\"'/")
			page.Title, page.User, page.RequestID = `<i>&"'`, "\x1b<u>", "</code>"
			return p.Listing(b, Listing{Page: page, Entries: slices.Values(hostileRows()), Federated: true, Missing: func() []Missing { return []Missing{{"</b>", "<i>"}} }})
		},
		"writable.html": func(b *bytes.Buffer) error {
			return p.Listing(b, Listing{Page: samplePage("/atlas/"), Entries: slices.Values(sample()[:1]), Writable: true, Uploads: "/-/uploads/"})
		},
		"error.html": func(b *bytes.Buffer) error {
			return p.Error(b, ErrorPage{Page: samplePage("/a/<b>/c"), Status: 503, Details: []string{"tokyo: <timed out>"}, RetryAfter: 90 * time.Second})
		},
		"explain.html":   func(b *bytes.Buffer) error { return p.Explain(b, sampleExplain()) },
		"directory.html": func(b *bytes.Buffer) error { return p.Explain(b, sampleDirectory()) },
		"mount.html": func(b *bytes.Buffer) error {
			return p.Explain(b, ExplainPage{Page: samplePage("/atlas/"), Directory: true, Columns: []string{"Endpoint"}})
		},
		"index.html": func(b *bytes.Buffer) error { return p.Index(b, sampleIndex()) },
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := render(&b); err != nil {
				t.Fatal(err)
			}
			wellFormed(t, b.Bytes())
			golden(t, name, b.Bytes())
		})
	}
}

// TestUnsafeLinks holds for all links given from outside.
func TestUnsafeLinks(t *testing.T) {
	p := newPages(t)
	var b bytes.Buffer
	page := samplePage("/x")
	page.Alternates = []Link{{"alternate", "javascript:alert(1)", "text/html"}}
	err := p.Error(&b, ErrorPage{Page: page, Status: 500, Links: []Link{{Text: "link", Href: "data:text/html,x"}}})
	if err != nil {
		t.Fatal(err)
	}
	explain := sampleExplain()
	explain.Download = "vbscript:x"
	if err := p.Explain(&b, explain); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"javascript:", "data:", "vbscript:"} {
		if bytes.Contains(b.Bytes(), []byte(scheme)) {
			t.Errorf("%s is in the page", scheme)
		}
	}
}

func TestAssets(t *testing.T) {
	p := newPages(t)
	var b bytes.Buffer
	if err := p.Listing(&b, Listing{Page: samplePage("/")}); err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".js": "text/javascript; charset=utf-8"}
	for _, n := range append(elements(doc, "link"), elements(doc, "script")...) {
		name, ok := strings.CutPrefix(attribute(n, "href")+attribute(n, "src"), StaticPath)
		if !ok {
			continue
		}
		content, kind, ok := p.Asset(name)
		if !ok || len(content) == 0 {
			t.Errorf("no file %q", name)
		}
		if kind != want[filepath.Ext(name)] {
			t.Errorf("%s is %q", name, kind)
		}
		delete(want, filepath.Ext(name))
	}
	if len(want) > 0 {
		t.Errorf("the page does not refer to %v", want)
	}
	for _, name := range []string{"", "canopy.css", "../web.go", "canopy.000000000000.css"} {
		if _, _, ok := p.Asset(name); ok {
			t.Errorf("Asset(%q) found something", name)
		}
	}
}

func TestHeaders(t *testing.T) {
	got := make(map[string]string)
	for name, value := range Headers() {
		got[name] = value
	}
	if got["Content-Security-Policy"] != ContentSecurityPolicy || got["X-Content-Type-Options"] != "nosniff" || got["Content-Type"] != "text/html; charset=utf-8" {
		t.Errorf("Headers() = %v", got)
	}
	if strings.Contains(ContentSecurityPolicy, "unsafe") {
		t.Error("the policy allows something unsafe")
	}
	for range Headers() {
		break
	}
}

func TestCrumbs(t *testing.T) {
	for _, test := range []struct {
		base, path string
		want       []crumb
	}{
		{"/", "/", []crumb{{"T", "/", true}}},
		{"", "", []crumb{{"T", "/", true}}},
		{"/data", "/a b/:c/", []crumb{{"T", "/data/", false}, {"a b", "/data/a%20b/", false}, {":c", "/data/a%20b/%3Ac/", true}}},
		{"/", "/a/file\xff?", []crumb{{"T", "/", false}, {"a", "/a/", false}, {"file⟨0xFF⟩?", "/a/file%FF%3F", true}}},
	} {
		page := Page{Title: "T", Base: test.base, Path: test.path}
		if diff := cmp.Diff(test.want, page.crumbs()); diff != "" {
			t.Errorf("base %q, path %q (-want +got)\n%s", test.base, test.path, diff)
		}
	}
}

func TestErrorTexts(t *testing.T) {
	p := newPages(t)
	seen := make(map[string]int)
	for _, status := range []int{400, 401, 403, 404, -404, 405, 500, 502, 503, 504} {
		e := ErrorPage{Page: Page{Path: "/a/b"}, Status: max(status, -status), Incomplete: status < 0}
		var b bytes.Buffer
		if err := p.Error(&b, e); err != nil {
			t.Fatal(err)
		}
		wellFormed(t, b.Bytes())
		own := wordsFor(e.Status, e.Incomplete)
		for _, s := range []string{own.heading, own.sentence, own.advice} {
			if seen[s]++; s == "" || seen[s] > 1 {
				t.Errorf("%d: %q is empty or said twice", status, s)
			}
			if !strings.Contains(html.UnescapeString(b.String()), s) {
				t.Errorf("%d: the page does not say %q", status, s)
			}
		}
		if again := strings.Contains(b.String(), "Try again</a>"); again != own.again {
			t.Errorf("%d: link to try again is %t", status, again)
		}
		if !strings.Contains(b.String(), `<a href="/a/">Up to a</a>`) {
			t.Errorf("%d: no link to the directory above", status)
		}
	}
	for status, want := range map[int]string{418: "could not be fulfilled as it was made", 507: "The server could not"} {
		var b bytes.Buffer
		if err := p.Error(&b, ErrorPage{Status: status}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), want) {
			t.Errorf("%d: the page does not say %q", status, want)
		}
	}
}

// TestContrast holds the colours to level AA of the Web Content Accessibility
// Guidelines: 4.5 for text, 3 for the edge of what can be typed into.
func TestContrast(t *testing.T) {
	css, err := static.ReadFile("static/canopy.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, ok := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("no dark colours")
	}
	for scheme, part := range map[string]string{"light": light, "dark": dark} {
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"text", "ground", 4.5}, {"text", "raised", 4.5},
			{"quiet", "ground", 4.5}, {"quiet", "raised", 4.5},
			{"green", "ground", 4.5}, {"green", "raised", 4.5},
			{"ground", "green", 4.5}, {"warn-text", "warn-ground", 4.5}, {"warn-text", "ground", 4.5},
			{"edge", "ground", 3},
		} {
			a, b := luminance(t, part, pair.front), luminance(t, part, pair.back)
			if got := (max(a, b) + 0.05) / (min(a, b) + 0.05); got < pair.least {
				t.Errorf("%s: %s on %s has a contrast of %.2f, want %.1f", scheme, pair.front, pair.back, got, pair.least)
			}
		}
	}
}

// luminance is the relative luminance of a colour of the style sheet.
func luminance(t *testing.T, css, name string) float64 {
	t.Helper()
	_, after, ok := strings.Cut(css, "--"+name+": #")
	if !ok {
		t.Fatalf("no colour %q", name)
	}
	rgb, err := hex.DecodeString(after[:6])
	if err != nil {
		t.Fatalf("colour %q: %v", name, err)
	}
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := float64(rgb[i]) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
