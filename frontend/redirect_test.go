package frontend

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/plugintest/mem"
)

const adler = "\x03\xda\x01\x95"

// two returns a federation of two sites that both hold /d/f.
func two(t testing.TB, o Options) *world {
	a := newSite(t, "geneva", map[string]string{"/d/only": "1"})
	b := newSite(t, "oslo", nil)
	f := mem.File{Digests: []plugins.Digest{{Algorithm: "adler32", Sum: adler}}}
	a.put("/d/f", "0123456789", f)
	b.put("/d/f", "0123456789", f)
	w := build(t, o, a, b)
	w.ask("GET", "/d/f?replicas").status(t, 200) // waits for both
	return w
}

func TestRedirect(t *testing.T) {
	w := two(t, Options{})
	for range 2 { // rendered, and remembered
		w.ask("GET", "/d/f").status(t, 302).has(t,
			"Location: http://geneva.example/data/d/f",
			`Link: <http://example.com/d/f?metalink>; rel=describedby; type="application/metalink4+xml"`+
				` | <http://geneva.example/data/d/f>; rel=duplicate; pri=1; depth=2`+
				` | <http://oslo.example/data/d/f>; rel=duplicate; pri=2; depth=2`,
			"Digest: adler32=03da0195",
			"Cache-Control: private, max-age=5",
			"Access-Control-Allow-Origin: *",
			"Etag:", "Age:", "Canopy-Stale:", "Canopy-Incomplete:")
	}
	// Another name of the front end, and https.
	r := w.ask("GET", "https://other.example:8443/d/f")
	if !strings.HasPrefix(r.Header.Get("Link"), "<https://other.example:8443/d/f?metalink>") {
		t.Error(r.Header)
	}
	// Many names, more than are remembered.
	for _, host := range strings.Fields("a b c d e f g a") {
		r := w.ask("GET", "/d/f", "Host: "+host+".example")
		if !strings.HasPrefix(r.Header.Get("Link"), "<http://"+host+".example/d/f?metalink>") {
			t.Error(host, r.Header)
		}
	}
}

func TestRedirectTargets(t *testing.T) {
	w := two(t, Options{})
	for _, target := range []string{
		"/d/f", "//d//f", "/d/./f", "/d/x/../f", "/%64/f", "/../d/f", "/d/f?oss.asize=5", "http://host/d/f", "dav://host/d/f",
	} {
		w.ask("GET", target).status(t, 302).has(t, "Location: http://geneva.example/data/d/f")
	}
	w.ask("GET", "/d").status(t, 301).has(t, "Location: /d/")
	w.ask("GET", "/d?sort=size").status(t, 301).has(t, "Location: /d/?sort=size")
	w.ask("HEAD", "/d").status(t, 301).has(t, "Location: /d/")
	w.ask("GET", "/d/f/").status(t, 301).has(t, "Location: /d/f")
	w.ask("HEAD", "/d/f/").status(t, 301).has(t, "Location: /d/f")
	w.ask("GET", "/d/none").status(t, 404).has(t, "Canopy-Incomplete:")
	w.ask("GET", "/d/%00").status(t, 400)
	w.ask("GET", "/"+strings.Repeat("x", maxComponent+1)).status(t, 400)
}

func TestRedirectConditional(t *testing.T) {
	w := two(t, Options{})
	tag := w.ask("HEAD", "/d/f").Header.Get("Etag")
	w.ask("GET", "/d/f", "If-None-Match: "+tag).status(t, 304).has(t, "Location:", "Etag: "+tag)
	w.ask("GET", "/d/f", "If-Modified-Since: Fri, 01 Mar 2024 12:00:00 GMT").status(t, 304)
	w.ask("GET", "/d/f", "If-None-Match: \"of-the-endpoint\"").status(t, 302)
	// A precondition may speak of the endpoint's tag, and is the endpoint's.
	w.ask("GET", "/d/f", "If-Match: \"of-the-endpoint\"").status(t, 302)
	w.ask("GET", "/d/f", "Range: bytes=0-1", "If-Range: \"x\"").status(t, 302)
}

func TestHints(t *testing.T) {
	w := two(t, Options{})
	for query, want := range map[string]string{
		"":                      "geneva",
		"?prefer=oslo":          "oslo",
		"?prefer=OSLO":          "oslo",
		"?avoid=geneva":         "oslo",
		"?avoid=x,GENEVA":       "oslo",
		"?near=46.2,6.1":        "geneva",
		"?from=192.0.2.1":       "geneva", // not for GET: ignored
		"?prefer=oslo&near=0,0": "oslo",
	} {
		w.ask("GET", "/d/f"+query).status(t, 302).has(t, "Location: http://"+want+".example/data/d/f")
	}
	for _, query := range []string{"near=nowhere", "near=91,0", "near=NaN,0", "near=1", "replicas&from=x"} {
		w.ask("GET", "/d/f?"+query).status(t, 400)
	}
}

// One endpoint is down: what is known is offered, and absence is told apart.
func TestIncomplete(t *testing.T) {
	a := newSite(t, "geneva", map[string]string{"/d/f": "1"})
	b := newSite(t, "oslo", map[string]string{"/d/f": "1", "/d/g": "2"})
	b.Inject(faults.Rule{Fail: plugins.Unavailable})
	w := build(t, Options{}, a, b)
	w.ask("GET", "/d/g").status(t, 503).has(t, "Canopy-Incomplete: oslo", "Retry-After: 5")
	w.ask("GET", "/d/f").status(t, 302).has(t, "Canopy-Incomplete: oslo", "Location: http://geneva.example/data/d/f")
	w.ask("HEAD", "/d/f").status(t, 200).has(t, "Canopy-Incomplete: oslo")
	w.ask("PROPFIND", "/d/g", "Depth: 0").status(t, 503).has(t, "Canopy-Incomplete: oslo")
}

func TestNamespace(t *testing.T) {
	a := newSite(t, "geneva", map[string]string{"/d/f": "1"})
	w := build(t, Options{Namespace: "/data/"}, a)
	w.ask("GET", "/data/d/f").status(t, 302).has(t, "Location: http://geneva.example/data/d/f")
	w.ask("GET", "/data/d").status(t, 301).has(t, "Location: /data/d/")
	w.ask("GET", "/data").status(t, 200)
	w.ask("GET", "/").status(t, 302).has(t, "Location: /data/")
	w.ask("GET", "/database").status(t, 404)
	w.ask("PROPFIND", "/", "Depth: 0").status(t, 404)
	if r := w.ask("PROPFIND", "/data/d", "Depth: 1").status(t, 207); !strings.Contains(r.body, "<D:href>/data/d/</D:href>") || !strings.Contains(r.body, "<D:href>/data/d/f</D:href>") {
		t.Error(r.body)
	}
	if r := w.ask("PROPFIND", "/data/", "Depth: 1").status(t, 207); !strings.Contains(r.body, "<D:href>/data/</D:href>") || !strings.Contains(r.body, "<D:href>/data/d/</D:href>") {
		t.Error(r.body)
	}
}

// The first answer does not wait for everybody, and says so.
func TestRedirectCold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newSite(t, "geneva", map[string]string{"/f": "1"})
		b := newSite(t, "oslo", map[string]string{"/f": "1"})
		b.Inject(faults.Rule{Op: "stat", Delay: time.Second})
		w := build(t, Options{}, a, b)
		w.ask("GET", "/f").status(t, 302).has(t, "Canopy-Incomplete: oslo")
		time.Sleep(2 * time.Second) // of the bubble's clock
		w.ask("GET", "/f").status(t, 302).has(t, "Canopy-Incomplete:")
	})
}

// What has passed its time is served while it is asked for anew.
func TestRedirectStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := two(t, Options{})
		time.Sleep(11 * time.Minute)
		w.ask("GET", "/d/f").status(t, 302).has(t, "Canopy-Stale: true", "Age: 660", "Cache-Control: no-store")
		synctest.Wait()
		w.ask("GET", "/d/f").status(t, 302).has(t, "Canopy-Stale:", "Age:")
		w.ask("GET", "/d/") // waits for the listing
		time.Sleep(6 * time.Minute)
		w.ask("GET", "/d/?format=json").status(t, 200).has(t, "Canopy-Stale: true", "Age: 360", "Etag:")
		time.Sleep(6 * time.Minute)
		w.ask("HEAD", "/d/f").status(t, 200).has(t, "Canopy-Stale: true")
	})
}

// Equal replicas take turns, and the one whose turn it is comes first.
func TestTurns(t *testing.T) {
	a := newSite(t, "geneva", map[string]string{"/f": "1"})
	b := newSite(t, "oslo", map[string]string{"/f": "1"})
	a.config.Weight, b.config.Weight = 2, 2
	w := build(t, Options{}, a, b)
	w.ask("GET", "/f?replicas")
	seen := map[string]int{}
	for range 100 {
		r := w.ask("GET", "/f").status(t, 302)
		to := r.Header.Get("Location")
		seen[to]++
		if links := r.Header.Values("Link"); len(links) != 3 || !strings.HasPrefix(links[1], "<"+to+">; rel=duplicate; pri=1") {
			t.Fatal(to, links)
		}
	}
	if seen["http://geneva.example/data/f"] < 45 || seen["http://oslo.example/data/f"] < 45 {
		t.Error(seen)
	}
}
