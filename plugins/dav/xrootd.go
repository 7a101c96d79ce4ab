package dav

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"

	"canopy/plugins"
)

// release is a version of XRootD.
type release struct{ major, minor, patch int }

// xrootd returns the release of XRootD that answers, as its Server header has
// it ("XrootD/v5.5.3"); ok is false for other software.
func (e *endpoint) xrootd() (r release, ok bool) {
	name, _ := e.client.Software()
	version, ok := strings.CutPrefix(name, "XrootD/v")
	if ok {
		// What cannot be read is taken for the oldest.
		_, _ = fmt.Sscanf(version, "%d.%d.%d", &r.major, &r.minor, &r.patch)
	}
	return r, ok
}

// chunks reports whether uploads in chunks can be relied on: those before
// 5.6.3 look for the length of a chunk beyond what has arrived.
func (r release) chunks() bool {
	return r.major > 5 || r.major == 5 && (r.minor > 6 || r.minor == 6 && r.patch >= 3)
}

// precautions refuses what XRootD would not: it makes directories that are
// missing, whether or not the upload succeeds then, and breaks off uploads of
// unknown size. A storage that has not answered yet is asked for something to
// find out what it is.
func (e *endpoint) precautions(ctx context.Context, at string, u plugins.Upload) error {
	_, known := e.client.Software()
	if _, is := e.xrootd(); known && !is {
		return nil
	}
	above := e.look(ctx, path.Dir(at))[0]
	version, is := e.xrootd()
	if !is {
		return nil
	}
	if u.Size < 0 && !version.chunks() {
		return e.fault(plugins.Unsupported, "store", at, errors.New("XRootD before 5.6.3 breaks off uploads whose size is not known beforehand"))
	}
	return e.housed("store", at, above)
}

// destination returns the value of the Destination header for path (RFC 4918
// section 10.3), and whether the storage is sure to understand it. XRootD takes
// it as it stands, without decoding it, up to a question mark, and would cut
// off what is not visible ASCII at its end.
func (e *endpoint) destination(path string, collection bool) (value string, exact bool, err error) {
	value = e.client.URL(path, collection)
	if _, is := e.xrootd(); !is || !strings.Contains(value, "%") {
		return value, true, nil
	}
	u, err := url.Parse(value)
	if err != nil {
		return "", false, e.fault(plugins.Invalid, "move", path, errors.New("the path makes no URL"))
	}
	for _, c := range []byte(u.Path) {
		if c < ' ' && c != '\t' || c == 0x7f || c == '?' {
			return "", false, e.fault(plugins.Invalid, "move", path, errors.New("XRootD can move nothing to a name with a question mark or a control character"))
		}
	}
	return u.Scheme + "://" + u.Host + u.Path + "?canopy", false, nil
}
