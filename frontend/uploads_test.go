package frontend

import (
	"strings"
	"testing"
	"time"

	"canopy/frontend/resume"
)

// What package resume does is tested there; this is how it is reached.
func TestUploads(t *testing.T) {
	a := newSite(t, "geneva", map[string]string{"/d/": ""}).writable()
	u, err := resume.New(resume.Options{Directory: t.TempDir(), Most: 1000, Cleanup: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	const version, length = "Tus-Resumable: 1.0.0", "Upload-Length: 3"
	w := buildWriting(t, Options{Uploads: u, Namespace: "/data"}, a)
	w.ask("OPTIONS", "/-/uploads/").status(t, 200).has(t, "Tus-Version: 1.0.0", "Tus-Max-Size: 1000", "Allow: OPTIONS, POST")
	// A page of another origin may not send what the protocol needs.
	r := w.ask("OPTIONS", "/-/uploads/", "Origin: https://elsewhere.example", "Access-Control-Request-Method: PATCH")
	if methods, fields := r.Header.Get("Access-Control-Allow-Methods"), r.Header.Get("Access-Control-Allow-Headers"); strings.Contains(methods, "PATCH") || strings.Contains(fields, "Tus-Resumable") {
		t.Errorf("others may send %s with %s", methods, fields)
	}
	w.ask("POST", "/-/uploads/", version, length, "Upload-Metadata: path L2QvZg==").status(t, 403) // "/d/f"
	at := w.ask("POST", "/-/uploads/", version, length, "Upload-Metadata: path L2RhdGEvZC9m").status(t, 201).Header.Get("Location")
	w.ask("PATCH", at, version, "Content-Type: application/offset+octet-stream", "Upload-Offset: 0", "abc").status(t, 204).has(t, "Location: /data/d/f", "Upload-Offset: 3")
	if got := a.content("/d/f"); got != "abc" {
		t.Errorf("the storage has %q", got)
	}
	contains(t, w.ask("GET", "/-/", "Accept: text/html").body, "/-/uploads/")
	contains(t, w.ask("GET", "/data/d/", "Accept: text/html").body, `data-uploads="/-/uploads/"`)

	without := buildWriting(t, Options{}, a)
	for _, method := range []string{"OPTIONS", "POST", "HEAD", "PATCH"} {
		without.ask(method, "/-/uploads/").status(t, 404)
	}
	contains(t, without.ask("GET", "/d/", "Accept: text/html").body, `data-uploads=""`)
	reading := build(t, Options{Uploads: u}, newSite(t, "oslo", map[string]string{"/d/": ""}))
	reading.ask("OPTIONS", "/-/uploads/").status(t, 404)
	if page := reading.ask("GET", "/d/", "Accept: text/html").status(t, 200).body; strings.Contains(page, "upload") {
		t.Error("the page offers uploads where nothing can be written")
	}
}
