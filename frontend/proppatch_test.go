package frontend

import (
	"encoding/xml"
	"strings"
	"testing"

	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/wire/proppatch"
)

func dead(local, value string) plugins.Property {
	return plugins.Property{Name: xml.Name{Space: "urn:u", Local: local}, Value: value}
}

// setting is the body that sets properties, and removes those without a value.
func setting(properties ...plugins.Property) string {
	var set []plugins.Property
	var remove []xml.Name
	for _, p := range properties {
		if p.Value == "" {
			remove = append(remove, p.Name)
		} else {
			set = append(set, p)
		}
	}
	return string(proppatch.AppendUpdate(nil, set, remove))
}

// values returns what the storage itself keeps of path: "a=1 b=2".
func (s *site) values(path string) string {
	all, err := s.tree.Properties(s.tb.Context(), path, nil)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, p := range all {
		b.WriteString(p.Name.Local + "=" + p.Value + " ")
	}
	return strings.TrimSpace(b.String())
}

const (
	askA     = `<propfind xmlns="DAV:"><prop><a xmlns="urn:u"/><b xmlns="urn:u"/><getcontentlength/></prop></propfind>`
	isA      = `<x:a xmlns:x="urn:u">1</x:a>`
	nameOfA  = `<x:a xmlns:x="urn:u"/>`
	lacksB   = `<x:b xmlns:x="urn:u"/></D:prop><D:status>HTTP/1.1 404`
	askAll   = `<propfind xmlns="DAV:"><allprop/></propfind>`
	askNames = `<propfind xmlns="DAV:"><propname/></propfind>`
	askLive  = `<propfind xmlns="DAV:"><prop><getetag/><displayname/><executable xmlns="http://apache.org/dav/props/"/></prop></propfind>`
)

func TestProppatch(t *testing.T) {
	a := newSite(t, "geneva", map[string]string{"/d/f": "x", "/d/only": "x"}).writable()
	b := newSite(t, "bologna", map[string]string{"/d/f": "x"}).writable()
	w := buildWriting(t, Options{}, a, b)
	r := w.ask("PROPPATCH", "/d/f", setting(dead("a", "1"))).status(t, 207)
	contains(t, r.body, "<D:href>/d/f</D:href>", nameOfA+"</D:prop><D:status>HTTP/1.1 200 OK")
	w.ask("PROPPATCH", "/d/only", setting(dead("a", "2"), dead("b", ""))).status(t, 207)
	w.ask("PROPPATCH", "/d/", setting(dead("a", "3"))).status(t, 207)
	for _, c := range []struct {
		s          *site
		path, want string
	}{{a, "/d/f", "a=1"}, {b, "/d/f", "a=1"}, {a, "/d/only", "a=2"}, {a, "/d", "a=3"}, {b, "/d", "a=3"}} {
		if got := c.s.values(c.path); got != c.want {
			t.Errorf("%s at %s has %q, want %q", c.path, c.s.config.Name, got, c.want)
		}
	}
	contains(t, w.ask("PROPFIND", "/d/f", "Depth: 0", askA).status(t, 207).body, isA, lacksB, "<D:getcontentlength>1<")
	contains(t, w.ask("PROPFIND", "/d/f", "Depth: 0", askAll).body, isA, "getcontentlength")
	contains(t, w.ask("PROPFIND", "/d/f", "Depth: 0").body, isA)
	contains(t, w.ask("PROPFIND", "/d/f", "Depth: 0", askNames).body, nameOfA)
	contains(t, w.ask("PROPFIND", "/d/", "Depth: 1", askA).body, isA, strings.Replace(isA, "1<", "2<", 1), strings.Replace(isA, "1<", "3<", 1))
	if r := w.ask("PROPFIND", "/d/", "Depth: 1", askAll); strings.Contains(r.body, "urn:u") {
		t.Errorf("a listing of all properties asks for those of each file: %s", r.body)
	}
	w.ask("PROPPATCH", "/d/f", setting(dead("a", ""), dead("c", "3"))).status(t, 207)
	if a.values("/d/f") != "c=3" || b.values("/d/f") != "c=3" {
		t.Error(a.values("/d/f"), b.values("/d/f"))
	}
}

// Who asks only for what is known already asks nobody anew.
func TestPropfindOfLiveProperties(t *testing.T) {
	a := newSite(t, "geneva", map[string]string{"/d/f": "x"}).writable()
	w := buildWriting(t, Options{}, a)
	w.ask("PROPFIND", "/d/f", "Depth: 0", askLive).status(t, 207)
	w.ask("PROPFIND", "/d/f", "Depth: 0", davixBody).status(t, 207)
	w.ask("PROPFIND", "/d/f", "Depth: 0", "User-Agent: gfal2-util/1.8.0 gfal2/2.21.3 neon/0.0.29").status(t, 207)
	w.ask("PROPFIND", "/d/", "Depth: 1").status(t, 207)
	if n := a.Calls("properties"); n != 0 {
		t.Errorf("%d questions about properties", n)
	}
}

func TestProppatchRefusals(t *testing.T) {
	a := newSite(t, "geneva", map[string]string{"/d/f": "x"}).writable()
	w := buildWriting(t, Options{}, a)
	w.ask("PROPPATCH", "/d/f").status(t, 400)
	contains(t, w.ask("PROPPATCH", "/d/f", "<x/>").status(t, 400).body, "propertyupdate")
	contains(t, w.ask("PROPPATCH", "/d/f", strings.Repeat(" ", proppatch.MaxBody+1)).status(t, 413).body, "262144 bytes")
	w.ask("PROPPATCH", "/d/none", setting(dead("a", "1"))).status(t, 404)
	etag := plugins.Property{Name: xml.Name{Space: "DAV:", Local: "getetag"}, Value: "1"}
	contains(t, w.ask("PROPPATCH", "/d/f", setting(dead("a", "1"), etag)).status(t, 207).body,
		`<x:getetag xmlns:x="DAV:"/></D:prop><D:status>HTTP/1.1 403 Forbidden</D:status><D:error><D:cannot-modify-protected-property/></D:error>`,
		nameOfA+"</D:prop><D:status>HTTP/1.1 424 Failed Dependency")
	contains(t, w.ask("PROPPATCH", "/d/f", setting(dead("a", strings.Repeat("x", plugins.MaxPropertyBytes)))).status(t, 207).body, "507 Insufficient Storage")
	if got := a.values("/d/f"); got != "" {
		t.Errorf("%q was kept", got)
	}
	contains(t, w.ask("OPTIONS", "/d/f").Header.Get("Allow"), "PROPPATCH")
	readable := build(t, Options{}, newSite(t, "bologna", map[string]string{"/f": "x"}))
	readable.ask("PROPPATCH", "/f", setting(dead("a", "1"))).status(t, 405)
}

// Somebody else's lock keeps properties from being changed.
func TestProppatchLocked(t *testing.T) {
	a := newSite(t, "geneva", map[string]string{"/f": "x"}).writable()
	w := buildWriting(t, Options{}, a)
	const info = `<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>`
	token := w.ask("LOCK", "/f", info).status(t, 200).Header.Get("Lock-Token")
	w.ask("PROPPATCH", "/f", setting(dead("a", "1"))).status(t, 423)
	w.ask("PROPPATCH", "/f", "If: ("+token+")", setting(dead("a", "1"))).status(t, 207)
	if got := a.values("/f"); got != "a=1" {
		t.Error(got)
	}
}

// What fails on one endpoint is taken back on the others.
func TestProppatchTakenBack(t *testing.T) {
	for _, c := range []struct {
		name string
		rule faults.Rule
		want string // within the answer
	}{
		{"full", faults.Rule{Fail: plugins.Full}, "507"},
		{"denied", faults.Rule{Fail: plugins.Denied}, "403"},
		{"down", faults.Rule{Fail: plugins.Unavailable}, "503"},
		{"done, and no answer", faults.Rule{Fail: plugins.Timeout, Done: true}, "504"},
		{"locked", faults.Rule{Fail: plugins.Locked}, "423"},
		{"gone", faults.Rule{Fail: plugins.NotFound}, "409"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newSite(t, "geneva", map[string]string{"/f": "x"}).writable()
			b := newSite(t, "bologna", map[string]string{"/f": "x"}).writable()
			w := buildWriting(t, Options{}, a, b)
			w.ask("PROPPATCH", "/f", setting(dead("a", "1"))).status(t, 207)
			c.rule.Op, c.rule.Times = "proppatch", 1
			b.Inject(c.rule)
			contains(t, w.ask("PROPPATCH", "/f", setting(dead("a", "2"), dead("b", "2"))).status(t, 207).body, "HTTP/1.1 "+c.want)
			if a.values("/f") != "a=1" || b.values("/f") != "a=1" {
				t.Errorf("%q and %q are left", a.values("/f"), b.values("/f"))
			}
		})
	}
}

// Endpoints without properties do not stand in the way of those with, and the
// others are asked in their place.
func TestProppatchWithoutKeepers(t *testing.T) {
	a := newSite(t, "geneva", map[string]string{"/f": "x", "/none": "x"}, "properties").writable()
	b := newSite(t, "bologna", map[string]string{"/f": "x", "/none": "x"}).writable()
	c := newSite(t, "catania", map[string]string{"/f": "x"}).writable()
	b.Inject(faults.Rule{Op: "proppatch", Fail: plugins.Unsupported})
	b.Inject(faults.Rule{Op: "properties", Fail: plugins.Unsupported})
	w := buildWriting(t, Options{}, a, b, c)
	contains(t, w.ask("PROPPATCH", "/f", setting(dead("a", "1"))).status(t, 207).body, "200 OK")
	if got := c.values("/f"); got != "a=1" {
		t.Error(got)
	}
	contains(t, w.ask("PROPPATCH", "/none", setting(dead("a", "1"))).status(t, 207).body, "403 Forbidden")
	contains(t, w.ask("PROPFIND", "/f", "Depth: 0", askA).has(t, "Canopy-Incomplete:").body, isA)
	contains(t, w.ask("PROPFIND", "/none", "Depth: 0", askA).has(t, "Canopy-Incomplete:").body, nameOfA)
}

// That nobody could be asked is told.
func TestPropertiesUnknown(t *testing.T) {
	a := newSite(t, "geneva", map[string]string{"/d/f": "x"}).writable()
	w := buildWriting(t, Options{}, a)
	w.ask("PROPPATCH", "/d/f", setting(dead("a", "1"))).status(t, 207)
	a.Inject(faults.Rule{Op: "properties", Fail: plugins.Faulty})
	contains(t, w.ask("PROPFIND", "/d/f", "Depth: 0", askA).status(t, 207).has(t, "Canopy-Incomplete: geneva").body, nameOfA)
	r := w.ask("PROPFIND", "/d", "Depth: 1", askA).status(t, 207)
	if got := r.Trailer.Get("Canopy-Incomplete"); got != "geneva" {
		t.Errorf("%q are told to be missing: %v", got, r.Header)
	}
}
