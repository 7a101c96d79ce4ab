package frontend

import (
	"strings"
	"testing"

	"canopy/plugins"
	"canopy/plugins/plugintest/mem"
)

// ask is the body with which davix and gfal2 list.
const davixBody = `<?xml version="1.0" encoding="utf-8" ?><D:propfind xmlns:D="DAV:" xmlns:L="LCGDM:"><D:prop><D:displayname/><D:getlastmodified/><D:creationdate/>` +
	`<D:getcontentlength/><D:quota-used-bytes/><D:resourcetype><D:collection/></D:resourcetype><L:mode/></D:prop></D:propfind>`

func TestPropfind(t *testing.T) {
	w, a, _ := tree(t)
	a.tree.SetSpace(plugins.Space{Used: 5, Free: 7})
	golden(t, "propfind-1.xml", w.ask("PROPFIND", "/d", "Depth: 1").status(t, 207).has(t, "Content-Type: application/xml; charset=utf-8", "Dav: 1", "Location:").body)
	golden(t, "propfind-davix.xml", w.ask("PROPFIND", "/d/", "Depth: 1", "User-Agent: libdavix/0.8.4", davixBody).status(t, 207).body)
	golden(t, "propfind-0.xml", w.ask("PROPFIND", "/d", "Depth: 0").status(t, 207).body)
	golden(t, "propfind-file.xml", w.ask("PROPFIND", "/d/both/", "Depth: 1").status(t, 207).body)
	const quota = `<propfind xmlns="DAV:"><prop><quota-used-bytes/><quota-available-bytes/></prop></propfind>`
	contains(t, w.ask("PROPFIND", "/d", "Depth: 0", quota).body, "<D:quota-used-bytes>5<", "<D:quota-available-bytes>7<")
	contains(t, w.ask("PROPFIND", "/d", "Depth: 1", quota).body, "<D:quota-used-bytes>5<")
	if r := w.ask("PROPFIND", "/d/both", "Depth: 0", quota); strings.Contains(r.body, "<D:quota-used-bytes>") {
		t.Error(r.body)
	}
	if r := w.ask("PROPFIND", "/d", "Depth: 0"); strings.Contains(r.body, "quota") {
		t.Error(r.body)
	}
	w.ask("PROPFIND", "/d", "Depth: 0", "Prefer: return=minimal", davixBody).status(t, 207).has(t, "Preference-Applied: return=minimal")
}

func TestPropfindChecksums(t *testing.T) {
	s := newSite(t, "geneva", nil).put("/f", "abc", mem.File{Digests: []plugins.Digest{{Algorithm: "adler32", Sum: adler}}})
	w := build(t, Options{}, s)
	const body = `<propfind xmlns="DAV:"><prop><Checksums xmlns="http://www.dcache.org/2013/webdav"/></prop></propfind>`
	contains(t, w.ask("PROPFIND", "/f", "Depth: 0", body).body, "adler32=03da0195")
}

func TestPropfindRefusals(t *testing.T) {
	w, _, _ := tree(t)
	for _, depth := range []string{"Depth: infinity", "Depth: Infinity", "X-None: 1"} {
		r := w.ask("PROPFIND", "/d", depth).status(t, 403)
		contains(t, r.body, "<D:propfind-finite-depth/>")
	}
	w.ask("PROPFIND", "/d", "Depth: 2").status(t, 400)
	w.ask("PROPFIND", "/d", "Depth: 1", "<propfind").status(t, 400)
	w.ask("PROPFIND", "/d", "Depth: 0", `<x:propfind xmlns:x="">`).status(t, 400)
	contains(t, w.ask("PROPFIND", "/d", "Depth: 1", "<propfind").body, "propfind element", "or nothing")
	contains(t, w.ask("PROPFIND", "/d", "Depth: 0", strings.Repeat(" ", 100<<10)).status(t, 413).body, "65536 bytes")
	w.ask("PROPFIND", "/none", "Depth: 0").status(t, 404)
	w.ask("PROPFIND", "/none/", "Depth: 1").status(t, 404)
	w.ask("PROPFIND", "/d/none", "Depth: 1").status(t, 404)
}

// ARC sends absolute targets, of the scheme dav too.
func TestPropfindTargets(t *testing.T) {
	w, _, _ := tree(t)
	for _, target := range []string{"http://host/d", "dav://host/d", "davs://host:1094//d/"} {
		contains(t, w.ask("PROPFIND", target, "Depth: 1").status(t, 207).body, "<D:href>/d/both</D:href>")
	}
	contains(t, w.ask("PROPFIND", "/d", "Depth: 1", "Host: h.example:8443", "User-Agent: gfal2-util/1.8.0 gfal2/2.21.3 neon/0.0.29").body, "<D:href>http://h.example:8443/d/both</D:href>")
	// A host that cannot stand in XML is not put there.
	contains(t, w.ask("PROPFIND", "/d", "Depth: 1", `Host: a"<b>`, "User-Agent: libdavix").body, "<D:href>/d/both</D:href>")
}
