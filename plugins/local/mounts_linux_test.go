package local

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"canopy/plugins"
	"canopy/plugins/plugintest"
)

// mountable, in the environment, is a directory below which the process may
// mount what it likes, nobody else seeing it.
const mountable = "CANOPY_LOCAL_MOUNTABLE"

// TestMounted runs what needs file systems of its own in a process that has its
// own mounts. Where the operating system grants none, there is nothing to run.
func TestMounted(t *testing.T) {
	if root := os.Getenv(mountable); root != "" {
		mounted(t, root)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.short", "-test.run=^TestMounted$")
	cmd.Env = append(os.Environ(), mountable+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if uid := os.Geteuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		t.Errorf("%v\n%s", err, out)
	case err != nil:
		t.Logf("no mounts of our own here: %v", err)
	}
}

func mounted(t *testing.T, root string) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Logf("no mounts of our own here: %v", err)
		return
	}
	mount := func(name, options string, flags uintptr) {
		t.Helper()
		point := filepath.Join(root, name)
		if err := os.MkdirAll(point, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("tmpfs", point, "tmpfs", flags, options); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(point, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
	}
	mount("small", "size=1m", 0)
	mount("a b", "size=16m", 0)
	mount("plugintest", "size=1g", 0)
	mount("fixed", "size=1m", 0)
	write(t, filepath.Join(root, "fixed", "file"), "Wikipedia")
	if err := unix.Mount("", filepath.Join(root, "fixed"), "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	t.Run("full", func(t *testing.T) { full(t, root) })
	t.Run("read-only", func(t *testing.T) { readOnly(t, root) })
	t.Run("between", func(t *testing.T) { between(t, root) })
	t.Run("conformance", func(t *testing.T) {
		plugintest.Run(t, plugintest.Subject{
			Open:     func(t testing.TB, _ plugins.Env) plugins.Endpoint { return open(t, root) },
			Seed:     plugintest.SeedDir(root),
			Writable: true,
			Gaps: []plugintest.Gap{
				{Lack: plugintest.NoLocate, Because: "a directory has no server of its own; Canopy serves its bytes"},
			},
		})
	})
}

// full runs out of room, which is seen beforehand or not.
func full(t *testing.T, root string) {
	e := opened(t, root)
	write(t, filepath.Join(root, "small", "file"), "old")
	for _, p := range []string{"/small/new", "/small/file"} {
		_, err := e.Store(t.Context(), p, io.LimitReader(zeros{}, 2<<20), plugins.Upload{Size: -1})
		wants(t, p, err, plugins.Full)
		_, err = e.Store(t.Context(), p, unread{t}, plugins.Upload{Size: 2 << 20})
		wants(t, p+", announced", err, plugins.Full)
	}
	if got := readDir(t, filepath.Join(root, "small")); !slices.Equal(got, []string{"file"}) {
		t.Errorf("left %q", got)
	}
	if got := content(t, filepath.Join(root, "small", "file")); got != "old" {
		t.Errorf("the old file holds %d bytes", len(got))
	}
	if _, err := store(t, e, "/small/new", strings.Repeat("x", 1<<19), plugins.Upload{}); err != nil {
		t.Errorf("what has room: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func readOnly(t *testing.T, root string) {
	e := opened(t, root)
	wants(t, "store", second(store(t, e, "/fixed/new", "x", plugins.Upload{})), plugins.Denied)
	wants(t, "replace", second(store(t, e, "/fixed/file", "x", plugins.Upload{})), plugins.Denied)
	wants(t, "mkdir", e.MakeDirectory(t.Context(), "/fixed/made"), plugins.Denied)
	wants(t, "move", e.Move(t.Context(), "/fixed/file", "/fixed/moved", false), plugins.Denied)
	wants(t, "remove", e.Remove(t.Context(), "/fixed/file"), plugins.Denied)
	if d, err := e.Digest(t.Context(), "/fixed/file", "adler32"); err != nil || d.Sum != "\x11\xe6\x03\x98" {
		t.Errorf("digest: %v, %v", d, err)
	}
}

// between changes what is on several file systems.
func between(t *testing.T, root string) {
	e := opened(t, root)
	write(t, filepath.Join(root, "file"), "x")
	if err := e.MakeDirectory(t.Context(), "/a b/deep"); err != nil {
		t.Fatal(err)
	}
	wants(t, "move across", e.Move(t.Context(), "/file", "/a b/file", false), plugins.Unsupported)
	wants(t, "move over across", e.Move(t.Context(), "/file", "/a b/deep/file", true), plugins.Unsupported)
	wants(t, "remove what is mounted", e.Remove(t.Context(), "/small"), plugins.Denied)
	for _, text := range []string{"one", "two"} {
		for _, p := range []string{"/a b/deep/file", "/a b/file"} {
			if _, err := store(t, e, p, text, plugins.Upload{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := readDir(t, filepath.Join(root, "a b")); !slices.Equal(got, []string{plugins.Staging, "deep", "file"}) {
		t.Errorf("at the top: %q", got)
	}
	if got := readDir(t, filepath.Join(root, "a b", "deep")); !slices.Equal(got, []string{"file"}) {
		t.Errorf("below: %q", got)
	}
	if got := names(t, e, "/a b"); !slices.Equal(got, []string{"deep", "file"}) {
		t.Errorf("seen: %q", got)
	}
	left := filepath.Join(root, "a b", plugins.Staging, "left")
	write(t, left, "half")
	old := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(left, old, old); err != nil {
		t.Fatal(err)
	}
	if n, err := e.Sweep(t.Context(), time.Hour); n != 1 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
}
