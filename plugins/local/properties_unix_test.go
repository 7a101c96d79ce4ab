//go:build linux || darwin || freebsd

package local

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"canopy/plugins"
	"canopy/plugins/local/notes"
)

var author = []plugins.Property{{Name: xml.Name{Space: "urn:u", Local: "author"}, Value: "Ada"}}

// Properties go with the file, whatever becomes of its name, and are gone with
// it.
func TestPropertiesGoWithTheFile(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "f"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("f", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	k := opened(t, root)
	if err := k.SetProperties(t.Context(), "/link", author, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(root, "f"), filepath.Join(root, "g")); err != nil {
		t.Fatal(err)
	}
	got, err := k.Properties(t.Context(), "/g", nil)
	if diff := cmp.Diff(author, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if _, err := k.Properties(t.Context(), "/link", nil); plugins.KindOf(err) != plugins.NotFound {
		t.Error(err)
	}
}

func TestPropertiesOfOddPaths(t *testing.T) {
	root := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(root, "out")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(root, "fifo"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, plugins.Staging), 0o777); err != nil {
		t.Fatal(err)
	}
	k := opened(t, root)
	for path, want := range map[string]plugins.Kind{"/": 0, "/out": plugins.NotFound, "/fifo": plugins.NotFound, "/" + plugins.Staging: plugins.NotFound, "/a\x00": plugins.Invalid} {
		if err := k.SetProperties(t.Context(), path, author, nil); plugins.KindOf(err) != want {
			t.Errorf("set %q: %v", path, err)
		}
		if _, err := k.Properties(t.Context(), path, nil); plugins.KindOf(err) != want {
			t.Errorf("%q: %v", path, err)
		}
	}
	if _, err := opened(t, filepath.Join(root, "none")).Properties(t.Context(), "/f", nil); plugins.KindOf(err) != plugins.Unavailable {
		t.Error(err)
	}
}

func TestUnnoted(t *testing.T) {
	for want, err := range map[plugins.Kind]error{
		plugins.Unsupported: fmt.Errorf("attributes: %w", errors.ErrUnsupported),
		plugins.Full:        fmt.Errorf("%w: %w", notes.ErrTooMuch, syscall.ENOSPC),
		plugins.Denied:      fs.ErrPermission,
		plugins.Unavailable: syscall.EIO,
	} {
		if got := new(endpoint).unnoted("proppatch", "/f", err); plugins.KindOf(got) != want || !errors.Is(got, err) {
			t.Errorf("%v: %v", err, got)
		}
	}
}
