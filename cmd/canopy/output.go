package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"canopy/cmd/canopy/client"
	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// warn prints a line that is no error.
func (w *world) warn(format string, args ...any) {
	fmt.Fprintf(w.stderr, "canopy: warning: "+format+"\n", args...)
}

// object prints v as one line of JSON.
func (w *world) object(v any) error {
	e := json.NewEncoder(w.stdout)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// warnMissing says which endpoints lack in what was printed.
func (w *world) warnMissing(a client.Address, missing []string) {
	if len(missing) > 0 {
		w.warn("%s: incomplete, no answer from %s", shownURL(a), shown(strings.Join(missing, ", ")))
	}
}

// isTerminal reports whether out is a terminal.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// shown is a name as it can be printed without moving the cursor or deceiving
// the reader: as it is, or quoted as Go does.
func shown(name string) string {
	odd := func(r rune) bool { return !unicode.IsPrint(r) }
	if utf8.ValidString(name) && !strings.ContainsFunc(name, odd) {
		return name
	}
	return strconv.Quote(name)
}

// shownURL is an address without its query, which may hold a signature.
func shownURL(a client.Address) string {
	a.Query = ""
	return a.String()
}

// described is an entry in JSON.
type described struct {
	Name string `json:"name"`
	// URL tells a name that is not valid UTF-8, which JSON cannot hold.
	URL     string            `json:"url"`
	Kind    string            `json:"kind"`
	Size    *int64            `json:"size,omitempty"`
	Time    *time.Time        `json:"mtime,omitempty"`
	ETag    string            `json:"etag,omitempty"`
	Digests map[string]string `json:"digests,omitempty"`
	Copies  int               `json:"replicas,omitempty"`
}

// describe makes JSON of what is known of the entry at a.
func describe(name string, a client.Address, e plugins.Entry) described {
	d := described{Name: name, URL: shownURL(a), Kind: kind(e), ETag: e.ETag, Copies: len(e.Copies)}
	if e.Kind == plugins.File && e.Size >= 0 {
		d.Size = &e.Size
	}
	if !e.ModTime.IsZero() {
		d.Time = &e.ModTime
	}
	for _, x := range e.Digests {
		if d.Digests == nil {
			d.Digests = make(map[string]string)
		}
		d.Digests[x.Algorithm] = digest.Hex(x)
	}
	return d
}

func kind(e plugins.Entry) string {
	if e.Kind == 0 {
		return "unknown"
	}
	return e.Kind.String()
}

// size is a number of bytes for people.
func size(n int64) string {
	if n < 0 {
		return "unknown"
	}
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	x, u := float64(n), 0
	for x >= 1024 && u < len(units)-1 {
		x, u = x/1024, u+1
	}
	if u == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", x, units[u])
}
