//go:build linux || darwin || freebsd

package at

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

func opened(t *testing.T) *os.File {
	t.Helper()
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	for _, name := range []string{"file", "other"} {
		if err := os.WriteFile(filepath.Join(dir.Name(), name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(Mkdir(dir, "dir", 0o755), os.Symlink("file", filepath.Join(dir.Name(), "link"))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRenames tells the ways to rename apart, that of file systems included
// which cannot rename to a new name in one step.
func TestRenames(t *testing.T) {
	type rename = func(*os.File, string, *os.File, string) error
	for _, c := range []struct {
		way      string
		do       rename
		from, to string
		want     error
	}{
		{"Rename", Rename, "file", "new", nil},
		{"Rename", Rename, "file", "other", nil},
		{"Rename", Rename, "file", "dir", syscall.EISDIR},
		{"Rename", Rename, "file", "link", nil},
		{"Rename", Rename, "dir", "new", nil},
		{"Rename", Rename, "none", "new", fs.ErrNotExist},
		{"RenameNew", RenameNew, "file", "new", nil},
		{"RenameNew", RenameNew, "file", "other", fs.ErrExist},
		{"RenameNew", RenameNew, "file", "file", fs.ErrExist},
		{"RenameNew", RenameNew, "file", "link", fs.ErrExist},
		{"linkNew", linkNew, "file", "new", nil},
		{"linkNew", linkNew, "file", "other", fs.ErrExist},
		{"linkNew", linkNew, "file", "file", fs.ErrExist},
		{"linkNew", linkNew, "dir", "new", errors.ErrUnsupported},
		{"linkNew", linkNew, "link", "new", nil},
		{"linkNew", linkNew, "none", "new", fs.ErrNotExist},
	} {
		dir := opened(t)
		err := c.do(dir, c.from, dir, c.to)
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s %s to %s: %v, want %v", c.way, c.from, c.to, err, c.want)
		}
		entries, _ := os.ReadDir(dir.Name())
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		want := []string{"dir", "file", "link", "other"}
		if c.want == nil {
			want = slices.DeleteFunc(want, func(name string) bool { return name == c.from || name == c.to })
			want = append(want, c.to)
			slices.Sort(want)
		}
		if !slices.Equal(names, want) {
			t.Errorf("%s %s to %s leaves %q", c.way, c.from, c.to, names)
		}
	}
}

func TestOpen(t *testing.T) {
	dir := opened(t)
	if _, err := Open(dir, "link", os.O_RDONLY, 0); !errors.Is(err, syscall.ELOOP) && !errors.Is(err, syscall.EMLINK) {
		t.Errorf("a link: %v", err)
	}
	if _, err := Open(dir, "file", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("new over a file: %v", err)
	}
	f, err := Open(dir, "file", os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	again, err := Open(dir, "file", os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if !Same(f, again) || Same(f, dir) {
		t.Error("one file is two, or two are one")
	}
	if ours, err := Lock(f); !ours || err != nil {
		t.Errorf("lock: %t, %v", ours, err)
	}
	if ours, err := Lock(again); ours || err != nil {
		t.Errorf("second lock: %t, %v", ours, err)
	}
	f.Close()
	if ours, err := Lock(again); !ours || err != nil {
		t.Errorf("lock of the dead: %t, %v", ours, err)
	}
	when := time.Date(1999, 12, 31, 23, 59, 59, 123_456_000, time.UTC)
	if err := SetTime(again, when); err != nil {
		t.Fatal(err)
	}
	if info, err := again.Stat(); err != nil || !info.ModTime().Equal(when) {
		t.Errorf("changed at %v, %v", info.ModTime(), err)
	}
}

func TestRemoves(t *testing.T) {
	dir := opened(t)
	if err := os.Mkdir(filepath.Join(dir.Name(), "dir", "inner"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Rmdir(dir, "dir"); !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, syscall.EEXIST) {
		t.Errorf("a full directory: %v", err)
	}
	if err := Rmdir(dir, "file"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("a file as a directory: %v", err)
	}
	if err := Unlink(dir, "dir"); err == nil {
		t.Error("a directory went as a file")
	}
	if err := errors.Join(Unlink(dir, "link"), Sync(dir)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir.Name(), "file")); err != nil {
		t.Errorf("what the link led to: %v", err)
	}
}
