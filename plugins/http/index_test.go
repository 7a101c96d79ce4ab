package http

import (
	"flag"
	"fmt"
	"io"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"canopy/plugins"
)

var update = flag.Bool("update", false, "write the golden files anew")

// captured tells where each page in testdata comes from; see the README there.
var captured = map[string]string{
	"apache-plain.html":  "/plain/d/",
	"apache-fancy.html":  "/fancy/d/",
	"apache-links.html":  "/links/d/",
	"apache-table.html":  "/table/d/",
	"apache-nosize.html": "/nosize/d/",
	"apache-empty.html":  "/fancy/d/empty/",
	"nginx.html":         "/html/d/",
	"nginx-rounded.html": "/rounded/d/",
	"nginx.json":         "/json/d/",
	"nginx-empty.json":   "/json/d/empty/",
	"lighttpd.html":      "/d/",
	"caddy.html":         "/d/",
	"caddy.json":         "/d/",
	"caddy-empty.json":   "/d/empty/",
	"python.html":        "/d/",
	"rclone.html":        "/d/",
}

// readIndex reads an index that stands at path.
func readIndex(name, path string, r io.Reader) iter.Seq2[plugins.Entry, error] {
	l := newListing(&url.URL{Scheme: "http", Host: "h.example", Path: path})
	if strings.HasSuffix(name, ".json") {
		return readJSON(l, r)
	}
	return readPage(l, r)
}

// describe writes a listing, one entry a line, and the error last.
func describe(entries iter.Seq2[plugins.Entry, error]) string {
	var b strings.Builder
	for e, err := range entries {
		if err != nil {
			fmt.Fprintf(&b, "error: %v\n", err)
			continue
		}
		fmt.Fprintf(&b, "%s %d", e.Kind, e.Size)
		if !e.ModTime.IsZero() {
			fmt.Fprintf(&b, " %s", e.ModTime.Format(time.RFC3339Nano))
		}
		fmt.Fprintf(&b, " %q\n", e.Name)
	}
	return b.String()
}

func TestIndexGolden(t *testing.T) {
	for name, path := range captured {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name+".golden")
		got := describe(readIndex(name, path, strings.NewReader(string(data))))
		if slow := describe(readIndex(name, path, iotest.OneByteReader(strings.NewReader(string(data))))); slow != got {
			t.Errorf("%s reads differently byte by byte:\n%s", name, slow)
		}
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
		}
	}
}
