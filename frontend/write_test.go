package frontend

import (
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"canopy/federator"
	"canopy/federator/geo"
	placement "canopy/federator/place"
	"canopy/federator/veil"
	"canopy/federator/write"
	"canopy/frontend/lock"
	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/plugintest/mem"
	"canopy/plugins/wire/digest"
	"canopy/web"
)

// buildWriting starts a federation of sites that can be written to, with locks.
func buildWriting(t testing.TB, o Options, sites ...*site) *world {
	t.Helper()
	v := veil.New(nil)
	f := federator.New(federator.Bounds{Entries: 1e6, Bytes: 1 << 30}, nil, federator.Outside{Seed: 1, Veil: v})
	policy, _ := placement.ByName("first")
	w := write.New(f, v, write.Settings{Policy: policy, Cleanup: time.Hour, Most: 1000}, write.Outside{Log: slog.New(slog.DiscardHandler), Hash: digest.New})
	t.Cleanup(func() {
		w.Close()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	var endpoints []federator.Endpoint
	for _, s := range sites {
		endpoints = append(endpoints, s.config)
	}
	s := settings()
	atlas, err := geo.New(nil, "")
	if err != nil {
		t.Fatal(err)
	}
	s.Atlas, o.Atlas = atlas, atlas
	if err := f.Reload(t.Context(), s, endpoints); err != nil {
		t.Fatal(err)
	}
	if o.Pages, err = web.New(); err != nil {
		t.Fatal(err)
	}
	o.Federator, o.Writer, o.Locks = f, w, lock.New(lock.Options{})
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t, f, h}
}

// writable makes the site one to which is written.
func (s *site) writable() *site {
	s.config.Write = true
	return s
}

// content returns what the storage itself has at path, "-" for nothing.
func (s *site) content(path string) string {
	b, err := s.tree.Open(s.tb.Context(), path, plugins.Whole)
	if err != nil {
		return "-"
	}
	defer b.Close()
	all, err := io.ReadAll(b)
	if err != nil {
		return err.Error()
	}
	return string(all)
}

func TestPutAnswers(t *testing.T) {
	a := newSite(t, "geneva", nil).put("/d/f", "old", mem.File{}).writable()
	w := buildWriting(t, Options{}, a)
	const expect = "Expect: 100-continue"
	w.ask("PUT", "/d/new", "content").status(t, 201).has(t, "Content-Length: 0")
	w.ask("GET", "/d/new").status(t, 302)
	w.ask("PUT", "/d/new", "other").status(t, 204)
	w.ask("PUT", "/d/new2", expect, "body").status(t, 307).has(t, "Location: http://geneva.example/data/d/new2", "Cache-Control: no-store")
	w.ask("PUT", "/d/new2", "User-Agent: rclone/v1", expect, "body").status(t, 201)
	w.ask("PUT", "/d/", "x").status(t, 405)
	w.ask("PUT", "/d", "x").status(t, 405)
	w.ask("PUT", "/none/f", "x").status(t, 409)
	w.ask("PUT", "/d/f", "Content-Range: bytes 0-1/2", "xx").status(t, 400)
	w.ask("PUT", "/d/f", "If-None-Match: *", "x").status(t, 412)
	w.ask("PUT", "/d/f", "Overwrite: F", "x").status(t, 412)
	w.ask("PUT", "/d/f", `If-Match: "no"`, "x").status(t, 412)
	w.ask("PUT", "/d/absent", `If-Match: *`, "x").status(t, 412)
	w.ask("PUT", "/d/f", "Digest: md5=MDEyMzQ1Njc4OWFiY2RlZg==", "x").status(t, 400)
	w.ask("PUT", "/d/f", "Content-MD5: MDEyMzQ1Njc4OWFiY2RlZg==", "x").status(t, 400)
	w.ask("PUT", "/.canopy-uploads", "x").status(t, 403)
	w.ask("PUT", "/-/f", "x").status(t, 404)
	if got := a.content("/d/f"); got != "old" {
		t.Errorf("what was there is %q", got)
	}
	tag := w.ask("HEAD", "/d/f").Header.Get("ETag")
	w.ask("PUT", "/d/f", "If-Match: "+tag, "new").status(t, 204)
	w.ask("PUT", "/d/f", "Digest: adler32=00000000, md5=1B2M2Y8AsgTpgAmY7PhCfg==", "x").status(t, 400)
	w.ask("PUT", "/d/f", "Digest: md5=nd4KvKMoV9h1ocLLBHA4aw==", "x").status(t, 400)
	if got := a.content("/d/f"); got != "new" {
		t.Errorf("what was there is %q", got)
	}
	a.tree.SetSpace(plugins.Space{Used: 1, Free: 2})
	w.ask("PUT", "/d/large", "three").status(t, 507)
}

func TestChanges(t *testing.T) {
	a := newSite(t, "geneva", map[string]string{"/d/f": "1", "/e/": ""}).writable()
	b := newSite(t, "bologna", map[string]string{"/d/f": "1"}).writable()
	w := buildWriting(t, Options{}, a, b)
	w.ask("MKCOL", "/new").status(t, 201)
	w.ask("MKCOL", "/new/").status(t, 405)
	w.ask("MKCOL", "/d/f").status(t, 405)
	w.ask("MKCOL", "/no/where").status(t, 409)
	w.ask("MKCOL", "/body", "<x/>").status(t, 415)
	for target, want := range map[string]int{
		"http://example.com/e/f": 201, "/e/f": 204, "http://elsewhere.example/e/f": 501, "/-/f": 400, "": 400, "ftp:e": 400, "/no/where": 409, "/d/f": 403, "/d/f/g": 403,
	} {
		if target == "/e/f" {
			continue
		}
		w.ask("COPY", "/d/f", "Destination: "+target).status(t, want)
	}
	w.ask("COPY", "/d/f", "Destination: /e/f").status(t, 204)
	w.ask("COPY", "/d/f", "Destination: /e/f", "Overwrite: F").status(t, 412)
	w.ask("COPY", "/d", "Destination: /d2").status(t, 201)
	w.ask("COPY", "/d", "Destination: /d3", "Depth: 0").status(t, 201)
	w.ask("COPY", "/d", "Destination: /d4", "Depth: 1").status(t, 400)
	w.ask("GET", "/d2/f").status(t, 302)
	w.ask("GET", "/d3/f").status(t, 404)
	w.ask("MOVE", "/d2", "Destination: /d3", "Overwrite: F").status(t, 412)
	w.ask("MOVE", "/d2", "Destination: /d3").status(t, 204)
	w.ask("MOVE", "/d3", "Destination: /d3/x").status(t, 403)
	w.ask("MOVE", "/d2", "Destination: http://elsewhere.example/d2").status(t, 502)
	w.ask("MOVE", "/none", "Destination: /x").status(t, 404)
	w.ask("MOVE", "/d3/f", "Destination: /d3/g").status(t, 201)
	w.ask("DELETE", "/d3", "Depth: 0").status(t, 400)
	w.ask("DELETE", "/d3").status(t, 204)
	w.ask("DELETE", "/d3").status(t, 404)
	w.ask("DELETE", "/").status(t, 403)
	b.Inject(faults.Rule{Op: "remove", Fail: plugins.Denied})
	r := w.ask("DELETE", "/d/f").status(t, 207).has(t, "Content-Type: application/xml; charset=utf-8")
	contains(t, r.body, "<D:href>/d/f</D:href>", "502 Bad Gateway", "bologna: denied")
	w.ask("GET", "/d/f").status(t, 404)
	if a.content("/d/f") != "-" || b.content("/d/f") != "1" {
		t.Error("it is not where it was said to be")
	}
}

// deciding is a guard whose rights are a function.
type deciding struct {
	*guard
	may func(u *User, right Right, path string) bool
}

func (d deciding) Allowed(u *User, right Right, path string) bool { return d.may(u, right, path) }

// TestRightsToWrite: what is not allowed is refused before anything is touched.
func TestRightsToWrite(t *testing.T) {
	a := newSite(t, "geneva", map[string]string{"/d/open/f": "1", "/d/closed/f": "1", "/f": "1"}).writable()
	may := func(u *User, right Right, path string) bool {
		switch right {
		case Write:
			return u.Name == "ops" && !strings.HasPrefix(path, "/d/closed")
		case Delete:
			return u.Name == "ops" && !strings.HasPrefix(path, "/d/closed")
		}
		return true
	}
	w := buildWriting(t, Options{Guard: deciding{new(guard), may}}, a)
	for _, method := range []string{"PUT", "DELETE", "MKCOL", "MOVE", "COPY", "LOCK", "UNLOCK"} {
		w.ask(method, "/f", "Destination: /g").status(t, 401)
	}
	ops := "User: ops"
	w.ask("PUT", "/d/closed/g", ops, "x").status(t, 403)
	w.ask("DELETE", "/d/closed/f", ops).status(t, 403)
	w.ask("MOVE", "/d/closed/f", ops, "Destination: /g").status(t, 403)
	w.ask("MOVE", "/f", ops, "Destination: /d/closed/g").status(t, 403)
	w.ask("COPY", "/f", ops, "Destination: /d/closed/g").status(t, 403)
	w.ask("DELETE", "/d", ops).status(t, 403) // not all of it may go
	w.ask("MOVE", "/d", ops, "Destination: /e").status(t, 403)
	if a.content("/d/open/f")+a.content("/d/closed/f")+a.content("/f")+a.content("/g") != "111-" {
		t.Error("something was touched")
	}
	w.ask("PUT", "/g", ops, "x").status(t, 201)
	w.ask("DELETE", "/d/open", ops).status(t, 204)
}

func TestReadOnly(t *testing.T) {
	a := newSite(t, "geneva", map[string]string{"/f": "1"})
	b := newSite(t, "bologna", map[string]string{"/g": "1"}).writable()
	w := build(t, Options{}, a)
	w.ask("PUT", "/f", "x").status(t, 405).has(t, "Allow: OPTIONS, GET, HEAD, PROPFIND")
	w.ask("OPTIONS", "/").has(t, "Dav: 1")
	w = buildWriting(t, Options{}, a, b)
	w.ask("OPTIONS", "/").has(t, "Dav: 1, 2")
	contains(t, w.ask("PUT", "/f", "x").status(t, 403).body, "geneva")
	contains(t, w.ask("DELETE", "/f").status(t, 403).body, "geneva")
	w.ask("MOVE", "/f", "Destination: /h").status(t, 403)
	w.ask("PUT", "/g", "x").status(t, 204)
}

func TestLocks(t *testing.T) {
	a := newSite(t, "geneva", map[string]string{"/d/f": "1"}).writable()
	w := buildWriting(t, Options{}, a)
	const info = `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner>me &lt;me@example.org></D:owner></D:lockinfo>`
	l := w.ask("LOCK", "/d/f", "Timeout: Second-100", info).status(t, 200)
	token := l.Header.Get("Lock-Token")
	contains(t, l.body, "Second-100", "me &lt;me@example.org", "/d/f")
	w.ask("LOCK", "/d/f", info).status(t, 423)
	contains(t, w.ask("PUT", "/d/f", "x").status(t, 423).body, "lock-token-submitted", "/d/f")
	w.ask("DELETE", "/d").status(t, 423)
	w.ask("MOVE", "/d/f", "Destination: /g").status(t, 423)
	w.ask("COPY", "/d/f", "Destination: /g").status(t, 201)
	w.ask("COPY", "/g", "Destination: /d/f").status(t, 423)
	w.ask("PUT", "/d/f", "If: ("+token+")", "x").status(t, 204)
	w.ask("PUT", "/d/f", "If: (<urn:uuid:none>)", "x").status(t, 412)
	w.ask("PUT", "/d/f", "If: (", "x").status(t, 400)
	contains(t, w.ask("PROPFIND", "/d", "Depth: 1", `<D:propfind xmlns:D="DAV:"><D:prop><D:lockdiscovery/></D:prop></D:propfind>`).body, "Second-", "<D:lockdiscovery/>")
	w.ask("LOCK", "/d/f", "If: ("+token+")", "Timeout: Second-500").status(t, 200)
	w.ask("UNLOCK", "/d/f", "Lock-Token: <urn:uuid:none>").status(t, 409)
	w.ask("UNLOCK", "/d/f", "Lock-Token: "+token).status(t, 204)
	w.ask("PUT", "/d/f", "y").status(t, 204)
	empty := w.ask("LOCK", "/d/new", info).status(t, 201)
	w.ask("HEAD", "/d/new").status(t, 200).has(t, "Content-Length: 0")
	w.ask("DELETE", "/d/new", "If: ("+empty.Header.Get("Lock-Token")+")").status(t, 204)
	w.ask("PUT", "/d/new", "x").status(t, 201) // the lock went with it
}
