package resume

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"
)

// pairs writes Upload-Metadata of keys and values in turn.
func pairs(all ...string) string {
	var b strings.Builder
	for i := 0; i < len(all); i += 2 {
		b.WriteString(all[i] + " " + base64.StdEncoding.EncodeToString([]byte(all[i+1])) + ",")
	}
	return strings.TrimSuffix(b.String(), ",")
}

func TestParse(t *testing.T) {
	f, err := parse(pairs("path", "/d/\xff", "filename", "x", "overwrite", "f", "mtime", "1700000000.5", "digest", "adler32=00620062, md5=bad, sha=2jmj7l5rSw0yVb/vlWAYkK/YBwk="))
	if err != nil || f.path != "/d/\xff" || !f.isNew || !f.modTime.Equal(time.Unix(1700000000, 5e8)) || len(f.digests) != 2 || f.digests[0].Sum != "\x00\x62\x00\x62" {
		t.Errorf("%+v, %v", f, err)
	}
	if f, err := parse(" path L2Y= , overwrite VA==,empty"); err != nil || f.path != "/f" || f.isNew {
		t.Errorf("%+v, %v", f, err)
	}
	for header, want := range map[string]string{
		"":                                    "missing",
		"path":                                "missing",
		"filename L2Y=":                       "missing",
		"path L2Y":                            "base64",
		"path L2Y= Zg==":                      "base64",
		"path L2Y=,path L2Y=":                 "twice",
		"path L2\nY=":                         "base64",
		pairs("path", "/f", "overwrite", "0"): "overwrite",
		pairs("path", "/f", "digest", "x=y"):  "digest",
		pairs("path", "/f", "mtime", "NaN"):   "mtime",
		pairs("path", "/f", "mtime", "1e300"): "mtime",
		"path " + strings.Repeat("AAAA", maxMetadata/4): "too long",
	} {
		if f, err := parse(header); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: %+v, %v", header, f, err)
		}
	}
}

// FuzzMetadata demands that what is read here is what the protocol's library
// has read, since that is what comes back later, and that it survives the disk.
func FuzzMetadata(f *testing.F) {
	for _, s := range []string{"", "path L2Y=", "path L2Y=,overwrite Rg==", "path\tL2Y=", " path L2Y= ,x,y ", pairs("path", "\xff", "mtime", "-1.5", "digest", "sha-256=:x:"), "path L2Y=,\xff Zg=="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		read, err := parse(header)
		if err != nil {
			return
		}
		meta := handler.ParseMetadataHeader(header)
		again, err := fromMeta(decoded(coded(meta)))
		if err != nil || again.path != read.path || again.isNew != read.isNew || !again.modTime.Equal(read.modTime) || !slices.Equal(again.digests, read.digests) {
			t.Errorf("%q is %+v, and then %+v, %v", header, read, again, err)
		}
		if !maps.Equal(meta, decoded(coded(meta))) {
			t.Errorf("%q does not survive", header)
		}
	})
}
