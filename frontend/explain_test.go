package frontend

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"canopy/federator/geo"
	"canopy/plugins"
	"canopy/plugins/faults"
)

func TestReplicas(t *testing.T) {
	w := two(t, Options{})
	golden(t, "replicas.json", indent(t, w.ask("GET", "/d/f?replicas").status(t, 200).has(t, "Content-Type: application/json").body))
	golden(t, "replicas-directory.json", indent(t, w.ask("GET", "/d/?replicas").status(t, 200).body))
	golden(t, "replicas-directory.json", indent(t, w.ask("GET", "/d?replicas").status(t, 200).body))
	contains(t, w.ask("GET", "/d/f?replicas&prefer=oslo").body, `"replicas":[{"endpoint":"oslo"`)
	w.ask("GET", "/none?replicas", "Accept: application/json").status(t, 404).has(t, "Content-Type: application/json")
}

func indent(t testing.TB, s string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}

func TestExplain(t *testing.T) {
	atlas, err := geo.New([]geo.Site{{Name: "CERN", Point: geo.Point{Lat: 46.2, Lon: 6.1}, Placed: true, Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}, "")
	if err != nil {
		t.Fatal(err)
	}
	a := newSite(t, "geneva", map[string]string{"/f": "1"})
	b := newSite(t, "oslo", map[string]string{"/f": "22"})
	c := newSite(t, "paris", nil)
	w := build(t, Options{Atlas: atlas}, a, b, c)
	golden(t, "explain.json", indent(t, w.ask("GET", "/f?explain").status(t, 200).body))
	contains(t, w.ask("GET", "/f?explain&from=2001:db8::1").body, `"address":"2001:db8::1"`, `"source":"unknown"`)
	contains(t, w.ask("GET", "/f?explain&from=2001:db8::1&near=CERN").body, `"site":"CERN"`)
	contains(t, w.ask("GET", "/f?explain&near=59.91,10.75").body, `"location":[60,11]`, `"source":"stated"`)
	r := w.ask("GET", "/f?explain", "Accept: text/html").status(t, 200).has(t, "Content-Type: text/html; charset=utf-8", "Cache-Control: no-store")
	contains(t, r.body, "geneva", "diverged", "does not have it", "192.0.2.1", "at CERN", `href="?explain=&amp;format=json"`)
	w.ask("GET", "/f?explain&format=json&from=192.0.2.9", "Accept: text/html").status(t, 200).has(t, "Content-Type: application/json")
	contains(t, w.ask("GET", "/f?explain", "Accept: text/html,application/json;q=2").body, "<!DOCTYPE html>")
}

// wishes are how many copies there are to be of each path.
type wishes map[string]int

func (w wishes) Wish(path string) (int, bool) {
	return max(w[path], 1), path == "/d/f" || path == "/late"
}

func TestExplainCopies(t *testing.T) {
	files := map[string]string{"/d/f": "1", "/idle": "1", "/late": "1"}
	a, b := newSite(t, "geneva", files), newSite(t, "oslo", map[string]string{"/late": "1"})
	w := build(t, Options{Copies: wishes{"/d/f": 2, "/idle": 3, "/late": 2}}, a, b)
	for path, want := range map[string][2]string{
		"/d/f":  {`"copies":{"have":1,"wanted":2,"making":true}`, "1 of 2; another is being made"},
		"/idle": {`"copies":{"have":1,"wanted":3,"making":false}`, "1 of 3; none is being made now"},
		"/late": {`"copies":{"have":2,"wanted":2,"making":true}`, "2 of 2<"},
	} {
		contains(t, w.ask("GET", path+"?explain").status(t, 200).body, want[0])
		contains(t, w.ask("GET", path+"?explain", "Accept: text/html").status(t, 200).body, want[1])
	}
	for _, w := range []*world{w, two(t, Options{})} {
		if got := w.ask("GET", "/d?explain").status(t, 200).body; strings.Contains(got, "copies") {
			t.Error(got)
		}
	}
}

// A browser gets a page of whatever it is, a program JSON.
func TestExplainToBrowsers(t *testing.T) {
	w := two(t, Options{})
	const browser = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	for _, target := range []string{"/d/?explain", "/d?explain", "/d/?replicas", "/d?replicas", "/?explain"} {
		r := w.ask("GET", target, browser).status(t, 200).has(t, "Content-Type: text/html; charset=utf-8", "Vary: Accept", "Cache-Control: no-store")
		contains(t, r.body, "<!DOCTYPE html>", "format=json", "Open the directory", "GENEVA", "OSLO", "up")
	}
	contains(t, w.ask("GET", "/d?explain", browser).body, `aria-current="page"><bdi>d</bdi>`, `href="/d/">Open`)
	contains(t, w.ask("GET", "/d/f?replicas", browser).has(t, "Content-Type: text/html; charset=utf-8").body, "Download", `href="?format=json&amp;replicas="`)
	contains(t, w.ask("GET", "/d/?explain&format=html").has(t, "Content-Type: text/html; charset=utf-8").body, "<!DOCTYPE html>")
	for _, target := range []string{"/d/?explain", "/d?replicas", "/d/f?explain", "/d/f?replicas"} {
		w.ask("GET", target, "Accept: application/json").status(t, 200).has(t, "Content-Type: application/json", "Vary: Accept")
		w.ask("GET", target+"&format=json", browser).status(t, 200).has(t, "Content-Type: application/json")
		w.ask("GET", target).status(t, 200).has(t, "Content-Type: application/json")
	}
	w.ask("GET", "/none/?explain", browser).status(t, 404).has(t, "Content-Type: text/html; charset=utf-8")
	w.ask("HEAD", "/d/?explain", browser).status(t, 200).has(t, "Content-Type: text/html; charset=utf-8")
}

func TestMetalink(t *testing.T) {
	w := two(t, Options{})
	golden(t, "file.meta4", w.ask("GET", "/d/f?metalink").status(t, 200).has(t, "Content-Type: application/metalink4+xml").body)
	golden(t, "file.metalink", w.ask("GET", "/d/f?metalink=3").status(t, 200).has(t, "Content-Type: application/metalink+xml").body)
	golden(t, "directory.meta4", w.ask("GET", "/d/?metalink").status(t, 200).body)
	for accept, want := range map[string]string{
		"application/metalink4+xml":             "application/metalink4+xml",
		"application/metalink+xml":              "application/metalink+xml",
		"application/metalink4+xml, */*; q=0.5": "application/metalink4+xml",
	} {
		w.ask("GET", "/d/f", "Accept: "+accept).status(t, 200).has(t, "Content-Type: "+want, "Vary: Accept")
	}
	// aria2 names metalinks, and means the file.
	w.ask("GET", "/d/f", "Accept: */*,application/metalink4+xml,application/metalink+xml").status(t, 302)
	w.ask("GET", "/none?metalink").status(t, 404)
}

// A file without a live replica is missing in the metalink of its directory.
func TestMetalinkIncomplete(t *testing.T) {
	w, _, b := tree(t)
	w.ask("GET", "/d/?format=json").status(t, 200)
	b.Inject(faults.Rule{Fail: plugins.Unavailable})
	w.ask("GET", "/probe") // takes oslo down
	r := w.ask("GET", "/d/?metalink").status(t, 200)
	if got := r.Header.Get("Canopy-Incomplete") + r.Trailer.Get("Canopy-Incomplete"); got != "oslo" {
		t.Errorf("%q %s", got, r.body)
	}
}

func TestBulk(t *testing.T) {
	w := two(t, Options{})
	want := w.ask("POST", "/-/api/v1/replicas", `{"paths":["/d/f","/none","relative","/d","//d/./f"], "prefer":["oslo"]}`).status(t, 200).
		has(t, "Content-Type: application/x-ndjson").body
	golden(t, "bulk.ndjson", want)
	lines := w.ask("POST", "/-/api/v1/replicas?prefer=oslo", "Content-Type: application/x-ndjson", "\"/d/f\"\n\"/none\"\n\"relative\"\n\"/d\"\n\"//d/./f\"\n").status(t, 200).body
	if lines != want {
		t.Errorf("got\n%s\nwant\n%s", lines, want)
	}
	// Many, in order.
	var ask strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&ask, "\"/n%d\"\n", i)
	}
	got := w.ask("POST", "/-/api/v1/replicas", "Content-Type: application/x-ndjson", ask.String()).status(t, 200).body
	for i, line := range strings.Split(strings.TrimSpace(got), "\n") {
		if !strings.HasPrefix(line, fmt.Sprintf(`{"path":"/n%d",`, i)) {
			t.Fatalf("line %d is %s", i, line)
		}
	}
	for _, bad := range []string{"{", `{"paths":1}`, `{"path":["/d"]}`, `[]`, `{}`, `{"paths":["/d/f"],"near":"nowhere"}`, `{"paths":["/d/f"],"from":"x"}`} {
		w.ask("POST", "/-/api/v1/replicas", bad).status(t, 400)
	}
	w.ask("POST", "/-/api/v1/replicas", "Content-Type: text/csv", "{ }").status(t, 415)
	w.ask("POST", "/-/api/v1/replicas", "Content-Type: application/x-ndjson", strings.Repeat("\"\" ", maxBulkPaths+1)).status(t, 413)
	w.ask("GET", "/-/api/v1/replicas").status(t, 405).has(t, "Allow: OPTIONS, POST")
}
