package local

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"canopy/plugins"
)

// TestDenied writes with the eyes of a user who may only read.
func TestDenied(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "closed", "file"), "x")
	if err := errors.Join(os.Chmod(filepath.Join(dir, "closed"), 0o555), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	// Directories of the test itself may be closed to others.
	for up := dir; up != "/"; up = filepath.Dir(up) {
		if info, err := os.Stat(up); err == nil && info.Mode()&0o001 == 0 {
			if err := os.Chmod(up, info.Mode()|0o011); err != nil {
				t.Fatal(err)
			}
		}
	}
	e := opened(t, dir)
	if os.Geteuid() == 0 {
		// Root may do everything. This is for files, and for this thread only.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := unix.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := unix.Setfsuid(0); err != nil {
				t.Error(err)
			}
		}()
	}
	wants(t, "store", second(store(t, e, "/closed/new", "x", plugins.Upload{})), plugins.Denied)
	wants(t, "replace", second(store(t, e, "/closed/file", "x", plugins.Upload{})), plugins.Denied)
	wants(t, "mkdir", e.MakeDirectory(t.Context(), "/closed/made"), plugins.Denied)
	wants(t, "move", e.Move(t.Context(), "/closed/file", "/closed/moved", false), plugins.Denied)
	wants(t, "remove", e.Remove(t.Context(), "/closed/file"), plugins.Denied)
}
