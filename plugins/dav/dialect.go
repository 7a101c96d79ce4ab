package dav

import (
	"context"
	"net/http"
	"strings"

	"canopy/plugins"
	"canopy/plugins/webclient"
)

// modDavFS is what Apache's mod_dav_fs says in the DAV field of its answer to
// OPTIONS (RFC 4918 section 10.1 allows such names). No proxy adds that, but
// XRootD says it too, which unlike mod_dav keeps no properties.
const modDavFS = "<http://apache.org/dav/propset/fs/1>"

// learn finds out, once, whether the storage is one that is known to show
// nobody a file before it is complete. What cannot be learned now is asked for
// by the next probe.
func (e *endpoint) learn(ctx context.Context, path string) {
	if e.atomic || e.learned.Load() {
		return
	}
	resp, err := e.client.Do(ctx, webclient.Request{Op: "probe", Method: http.MethodOptions, Path: path, Collection: true})
	if err != nil {
		e.learned.Store(!plugins.KindOf(err).Silent() && plugins.KindOf(err) != plugins.Canceled)
		return
	}
	resp.Body.Close()
	software, _ := e.client.Software()
	e.whole.Store(strings.HasPrefix(software, "Apache") && lists(resp.Header["Dav"], modDavFS) && lists(resp.Header["Allow"], "PROPPATCH"))
	e.learned.Store(true)
}

// lists reports whether word is one of those that the lines of a field have
// between commas.
func lists(lines []string, word string) bool {
	for _, line := range lines {
		for s := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(s) == word {
				return true
			}
		}
	}
	return false
}

// Atomic reports what the configuration says, or what has been learned.
func (e *endpoint) Atomic() bool { return e.atomic || e.whole.Load() }
