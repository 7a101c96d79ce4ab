package frontend

import (
	"encoding/json"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"canopy/nametrans"
	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/plugintest/mem"
	"canopy/plugins/wire/multistatus"
)

func contains(t testing.TB, s string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(s, p) {
			t.Errorf("%q is not in\n%.2000s", p, s)
		}
	}
}

// tree returns a federation of two sites with a small tree.
func tree(t testing.TB) (*world, *site, *site) {
	a := newSite(t, "geneva", nil)
	b := newSite(t, "oslo", nil)
	a.put("/d/big", strings.Repeat("x", 2000), mem.File{})
	a.put("/d/both", "12345", mem.File{})
	b.put("/d/both", "12345", mem.File{})
	a.put("/d/diverged", "1", mem.File{})
	b.put("/d/diverged", "22", mem.File{})
	b.put("/d/zoo/x", "1", mem.File{})
	b.put("/d/a:b", "", mem.File{ModTime: day.AddDate(1, 0, 0)})
	return build(t, Options{Title: "Test"}, a, b), a, b
}

func TestListingJSON(t *testing.T) {
	w, _, _ := tree(t)
	r := w.ask("GET", "/d/", "Accept: application/json").status(t, 200).has(t, "Content-Type: application/json", "Vary: Accept", "Canopy-Incomplete:")
	golden(t, "listing.json", r.body)
	golden(t, "listing-size.json", w.ask("GET", "/d/?format=json&sort=size&order=desc").status(t, 200).body)
	golden(t, "listing-time.ndjson", w.ask("GET", "/d/?format=ndjson&sort=time").status(t, 200).has(t, "Content-Type: application/x-ndjson").body)
	golden(t, "listing-name.ndjson", w.ask("GET", "/d/?sort=name", "Accept: application/x-ndjson").status(t, 200).body)
	w.ask("GET", "/d/?format=xml").status(t, 400)
	var v map[string]any
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Error(err)
	}
}

// A directory that exists by configuration has no replicas to tell of, but for
// those of an endpoint that has it too.
func TestListingMounts(t *testing.T) {
	a := newSite(t, "geneva", map[string]string{"/f": "1"})
	names, err := nametrans.Compile("/lab/data", nil)
	if err != nil {
		t.Fatal(err)
	}
	a.config.Mount, a.config.Names = "/lab/data", names
	b := newSite(t, "oslo", map[string]string{"/lab/own/f": "1"})
	only := func(sites ...*site) *world { return build(t, Options{}, sites...) }
	for target, want := range map[string]string{
		"/":     `{"name":"lab","href":"lab/","kind":"directory"}`,
		"/lab/": `{"name":"data","href":"data/","kind":"directory"}`,
	} {
		w := only(a)
		contains(t, w.ask("GET", target+"?format=json").status(t, 200).body, want+"\n]")
		contains(t, w.ask("GET", target+"?format=ndjson").status(t, 200).body, want+"\n{")
		contains(t, w.ask("GET", target, "Accept: text/html").status(t, 200).body, "<td></td></tr>")
	}
	w := only(a, b)
	contains(t, w.ask("GET", "/?format=json").body, `{"name":"lab","href":"lab/","kind":"directory","replicas":["oslo"]}`)
	contains(t, w.ask("GET", "/lab/?format=json").body, `{"name":"data","href":"data/","kind":"directory"}`, `{"name":"own","href":"own/","kind":"directory","replicas":["oslo"]}`)
	contains(t, only(a).ask("GET", "/lab/?explain", "Accept: text/html").status(t, 200).body, "the configuration says so")
}

func TestListingConditional(t *testing.T) {
	w, _, _ := tree(t)
	w.ask("GET", "/d/") // the first one need not be settled when it begins
	tags := map[string]bool{}
	for _, target := range []string{"/d/", "/d/?format=json", "/d/?format=ndjson", "/d/?sort=size"} {
		tag := w.ask("GET", target).status(t, 200).Header.Get("Etag")
		if tag == "" || tags[tag] {
			t.Errorf("%s: %q", target, tag)
		}
		tags[tag] = true
		if r := w.ask("GET", target, "If-None-Match: "+tag).status(t, 304); r.body != "" {
			t.Error(r.body)
		}
	}
}

func TestListingPage(t *testing.T) {
	w, _, _ := tree(t)
	r := w.ask("GET", "/d/", "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8").status(t, 200).has(t,
		"Content-Type: text/html; charset=utf-8", "X-Content-Type-Options: nosniff")
	contains(t, r.Header.Get("Content-Security-Policy"), "default-src 'none'")
	contains(t, r.body, `href="zoo/"`, `href="a%3Ab"`, "copies differ", `href="both?explain"`, r.Header.Get("X-Request-Id"))
	// Directories come first.
	if strings.Index(r.body, `href="zoo/"`) > strings.Index(r.body, `href="big"`) {
		t.Error("a file before a directory")
	}
	// What the page refers to is served.
	asset := regexp.MustCompile(`/-/static/canopy\.[0-9a-f]+\.css`).FindString(r.body)
	w.ask("GET", asset).status(t, 200).has(t, "Content-Type: text/css; charset=utf-8", "Cache-Control: public, max-age=31536000, immutable")
	w.ask("GET", "/-/static/none").status(t, 404)
	w.ask("GET", "/none/").status(t, 404)
}

// A silent endpoint is told of in each form.
func TestListingIncomplete(t *testing.T) {
	w, _, b := tree(t)
	b.Inject(faults.Rule{Op: "list", Fail: plugins.Faulty})
	for _, target := range []string{"/d/", "/d/?format=json", "/d/?format=ndjson"} {
		r := w.ask("GET", target).status(t, 200).has(t, "Etag:")
		if r.Header.Get("Canopy-Incomplete")+r.Trailer.Get("Canopy-Incomplete") != "oslo" {
			t.Errorf("%s: %v %v", target, r.Header, r.Trailer)
		}
		contains(t, r.body, "oslo")
	}
	contains(t, w.ask("GET", "/d/?format=json").body, `"incomplete":["oslo"]`)
	r := w.ask("PROPFIND", "/d", "Depth: 1").status(t, 207)
	if r.Header.Get("Canopy-Incomplete")+r.Trailer.Get("Canopy-Incomplete") != "oslo" {
		t.Errorf("%v %v", r.Header, r.Trailer)
	}
}

// What breaks off in the middle is told by a trailer.
func TestListingTrailer(t *testing.T) {
	a := newSite(t, "geneva", nil)
	for i := range 2000 {
		a.put("/d/"+benchName(i), "x", mem.File{})
	}
	a.Inject(faults.Rule{Op: "list", After: 1500, Fail: plugins.Unavailable})
	w := build(t, Options{}, a)
	for _, ask := range []func() reply{
		func() reply { return w.ask("GET", "/d/?format=ndjson&sort=name") },
		func() reply { return w.ask("PROPFIND", "/d/", "Depth: 1") },
	} {
		r := ask()
		if r.Header.Get("Canopy-Incomplete")+r.Trailer.Get("Canopy-Incomplete") != "geneva" {
			t.Errorf("%v %v %d", r.Header, r.Trailer, len(r.body))
		}
	}
}

// hostile are names that somebody will find in a storage.
var hostile = []string{
	"plain", "with space", "per%cent", "%2e%2e", "a?b#c", "a&b;c=d", "<script>alert(1)", `"quoted"'`, "new\nline\r", "\x01\x7f",
	"caf\u00e9", "\xff\xfe", "\xc3", "a\\b", "a:b", "C:", "~", "+", "...", ".hidden", "-", "emoji\U0001F600", "\u202Eevil", "]]>", "$`{x}",
}

// Any byte makes its way through each form of listing and back to the file.
func TestHostileNames(t *testing.T) {
	s := newSite(t, "geneva", nil)
	for _, name := range hostile {
		s.put("/d/"+name, name, mem.File{})
	}
	w := build(t, Options{}, s)
	want := slices.Sorted(slices.Values(hostile))
	check := func(form string, hrefs []string) {
		t.Helper()
		var got []string
		for _, h := range hrefs {
			base, _ := url.Parse("http://example.com/d/")
			u, err := base.Parse(h)
			if err != nil {
				t.Errorf("%s: %q: %v", form, h, err)
				continue
			}
			got = append(got, path.Base(u.Path))
			// It leads to the file, whose address at the endpoint is that name.
			r := w.ask("GET", u.String()).status(t, 302)
			at, err := url.Parse(r.Header.Get("Location"))
			if err != nil || at.Path != "/data"+u.Path {
				t.Errorf("%s: %q leads to %q", form, u.Path, r.Header.Get("Location"))
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q", form, got)
		}
	}
	var listing struct{ Entries []struct{ Name, Href string } }
	if err := json.Unmarshal([]byte(w.ask("GET", "/d/?format=json").body), &listing); err != nil {
		t.Fatal(err)
	}
	var hrefs []string
	for _, e := range listing.Entries {
		hrefs = append(hrefs, e.Href)
		if decoded, _ := url.PathUnescape(strings.TrimPrefix(e.Href, "./")); strings.ToValidUTF8(decoded, "") == decoded && decoded != e.Name {
			t.Errorf("%q is called %q", e.Href, e.Name)
		}
	}
	check("json", hrefs)
	for _, agent := range []string{"curl", "libdavix/0.8.4"} {
		hrefs = nil
		body := w.ask("PROPFIND", "/d/", "Depth: 1", "User-Agent: "+agent).body
		for r, err := range multistatus.Scan(strings.NewReader(body), multistatus.Limits{}) {
			if err != nil {
				t.Fatal(err)
			}
			hrefs = append(hrefs, r.Href)
		}
		check(agent, hrefs[1:])
	}
	hrefs = nil
	for _, m := range regexp.MustCompile(`<th scope="row"><a href="([^"]*)"`).FindAllStringSubmatch(w.ask("GET", "/d/").body, -1) {
		hrefs = append(hrefs, m[1])
	}
	check("html", hrefs)
}

// What is written as JSON is what encoding/json reads, but for bytes that
// cannot stand in it, each of which is marked.
func FuzzJSON(f *testing.F) {
	for _, name := range hostile {
		f.Add(name)
	}
	f.Add("\u2028\u2029\x00</script>")
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		b := appendString(nil, s)
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if want := string([]rune(s)); got != want {
			t.Errorf("%q became %q", want, got)
		}
		if strings.ContainsAny(string(b), "<>&\n\u2028\u2029") {
			t.Errorf("%s", b)
		}
	})
}
