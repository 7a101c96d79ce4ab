package local

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"canopy/plugins"
)

func TestInspect(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "file"), nil, 0o444); err != nil {
		t.Fatal(err)
	}
	e := opened(t, root)
	for path, want := range map[string]plugins.Verdict{
		"/file": plugins.Yes, "/new": plugins.Yes, "/none/at/all": plugins.Yes, "/": plugins.Yes,
		"/file/below": plugins.No,
	} {
		got, err := e.Inspect(t.Context(), path)
		if err != nil || got != (plugins.Inspection{Writable: want}) {
			t.Errorf("%s: %+v, %v; want %v", path, got, err, want)
		}
	}
	left, err := os.ReadDir(root)
	if err != nil || len(left) != 1 {
		t.Errorf("it left %v, %v", left, err)
	}
	_, err = opened(t, filepath.Join(root, "none")).Inspect(t.Context(), "/new")
	if plugins.KindOf(err) != plugins.Unavailable {
		t.Errorf("without a root: %v", err)
	}
}

// TestWritable looks with the eyes of a user to whom the directories do not
// belong, or who may not write to them though they do.
func TestWritable(t *testing.T) {
	want := map[os.FileMode]plugins.Verdict{0o777: plugins.Yes, 0o555: plugins.No, 0o666: plugins.No}
	open := make(map[os.FileMode]*os.File)
	for mode := range want {
		name := t.TempDir()
		dir, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		open[mode] = dir
	}
	if os.Geteuid() == 0 {
		// Root may do everything. This is for files, and for this thread only.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		const nobody = 65534
		if err := unix.Setfsuid(nobody); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := unix.Setfsuid(0); err != nil {
				t.Error(err)
			}
		}()
	}
	for mode, dir := range open {
		if got := writable(dir); got != want[mode] {
			t.Errorf("%v: %v, want %v", mode, got, want[mode])
		}
	}
}
