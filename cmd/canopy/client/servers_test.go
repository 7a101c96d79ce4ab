package client

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"canopy/plugins"
	"canopy/plugins/plugintest/rig"
)

// TestServers lists, describes and reads on the servers that people run.
func TestServers(t *testing.T) {
	for name, launch := range map[string]func(testing.TB, string, ...rig.Option) *rig.Server{
		"apache": rig.Apache, "nginx": rig.Nginx, "rclone": rig.Rclone, "xrootd": rig.XRootD,
	} {
		t.Run(name, func(t *testing.T) {
			dir := rig.TempDir(t)
			content := bytes.Repeat([]byte("0123456789"), 100)
			if err := errors.Join(os.MkdirAll(filepath.Join(dir, "a", "sub"), 0o755), os.WriteFile(filepath.Join(dir, "a", "fi le#1"), content, 0o644)); err != nil {
				t.Fatal(err)
			}
			url := launch(t, dir).URL()
			c := open(t, Config{})
			for _, slash := range []string{"", "/"} {
				names, l, err := list(t, c, parse(t, url+"/a"+slash))
				if err != nil || l.File || !slices.Equal(names, []string{"fi le#1", "sub/"}) {
					t.Errorf("a%s: %q, %+v, %v", slash, names, l, err)
				}
			}
			file := parse(t, url+"/a").Join("fi le#1")
			if names, l, err := list(t, c, file); err != nil || !l.File || !slices.Equal(names, []string{"fi le#1"}) {
				t.Errorf("file: %q, %+v, %v", names, l, err)
			}
			if e, err := c.Stat(t.Context(), file); err != nil || e.Kind != plugins.File || e.Size != int64(len(content)) {
				t.Errorf("file: %+v, %v", e, err)
			}
			if e, err := c.Stat(t.Context(), parse(t, url+"/a/sub")); err != nil || e.Kind != plugins.Directory {
				t.Errorf("directory: %+v, %v", e, err)
			}
			if _, err := c.Stat(t.Context(), parse(t, url+"/none")); plugins.KindOf(err) != plugins.NotFound {
				t.Errorf("none: %v", err)
			}
			body, _, err := c.Open(t.Context(), file.String(), plugins.Range{Offset: 995, Length: 5})
			if err != nil {
				t.Fatal(err)
			}
			defer body.Close()
			if got, err := io.ReadAll(body); err != nil || string(got) != "56789" || body.Entry.Size != int64(len(content)) {
				t.Errorf("%q of %d, %v", got, body.Entry.Size, err)
			}
		})
	}
}
