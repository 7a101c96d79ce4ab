package frontend

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"canopy/plugins/plugintest/mem"
)

// TestPartOfASender: who sends a file to a storage may know how much has come, but not
// read it; nobody else sees anything.
func TestPartOfASender(t *testing.T) {
	geneva := newSite(t, "geneva", nil).put("/d/old", "old!", mem.File{}).writable()
	w := buildWriting(t, Options{Origin: func(r *http.Request) Origin {
		return Origin{Host: r.Host, Addr: netip.MustParseAddr(r.Header.Get("From"))}
	}}, geneva)
	const expect, he, other = "Expect: 100-continue", "From: 192.0.2.1", "From: 192.0.2.2"
	for path, hidden := range map[string]int{"/d/new": 404, "/d/old": 503} {
		w.ask("PUT", path, expect, he, "whole").status(t, 307)
		geneva.tree.Put(path, mem.File{Content: "who"})
		for _, method := range []string{"GET", "HEAD", "PROPFIND"} {
			w.ask(method, path, other, "Depth: 0").status(t, hidden)
		}
		w.ask("GET", path, he).status(t, hidden)
		w.ask("HEAD", path, he).status(t, 200).has(t, "Content-Length: 3", "Cache-Control: no-store")
		if a := w.ask("PROPFIND", path, he, "Depth: 0").status(t, 207); !strings.Contains(a.body, ">3</D:getcontentlength>") {
			t.Error(a.body)
		}
		w.ask("HEAD", path+"-none", he).status(t, 404)
		w.ask("DELETE", path, he).status(t, 204)
		for _, method := range []string{"HEAD", "PROPFIND"} {
			w.ask(method, path, he, "Depth: 0").status(t, 404)
		}
	}
}
