//go:build unix

package stage

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"canopy/plugins"
)

// child, in the environment, is the root below which a process of the tests is
// to begin a file and wait to be killed.
const child = "CANOPY_STAGE_CHILD"

func TestMain(m *testing.M) {
	if root := os.Getenv(child); root != "" {
		beginAndWait(root)
	}
	goleak.VerifyTestMain(m)
}

func beginAndWait(name string) {
	root, err := os.OpenRoot(name)
	if err != nil {
		os.Exit(2)
	}
	dir, err := root.Open(".")
	if err != nil {
		os.Exit(2)
	}
	f := &File{root: root, dir: dir}
	if err := f.begin(); err != nil {
		os.Exit(2)
	}
	f.WriteString("half of it")
	os.Stdout.WriteString("begun\n")
	select {}
}

// grounds are directories on the file systems there are for tests.
func grounds(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"default": t.TempDir()}
	if shm, err := os.MkdirTemp("/dev/shm", "canopy-stage-"); err == nil {
		t.Cleanup(func() { os.RemoveAll(shm) })
		all["memory"] = shm
	}
	return all
}

func opened(t *testing.T, name string) (*os.Root, *os.File) {
	t.Helper()
	root, err := os.OpenRoot(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	dir, err := root.Open(".")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return root, dir
}

// names returns what is in a directory; nil if it is not there.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestPublish(t *testing.T) {
	for ground, name := range grounds(t) {
		for _, named := range []bool{false, true} {
			for _, c := range []struct {
				what  string
				isNew bool
				err   error
			}{
				{"absent", true, nil}, {"absent", false, nil},
				{"file", true, fs.ErrExist}, {"file", false, nil},
				{"directory", true, fs.ErrExist}, {"directory", false, syscall.EISDIR},
				{"link", true, fs.ErrExist}, {"link", false, nil},
			} {
				home := filepath.Join(name, t.Name())
				if err := os.MkdirAll(filepath.Join(home, "directory"), 0o755); err != nil {
					t.Fatal(err)
				}
				os.WriteFile(filepath.Join(home, "file"), []byte("old"), 0o644)
				os.Symlink("nowhere", filepath.Join(home, "link"))
				root, dir := opened(t, home)
				f, err := Create(root, dir)
				if named {
					f.Discard()
					f = &File{root: root, dir: dir}
					err = f.begin()
				}
				if err != nil {
					t.Fatal(err)
				}
				if _, err := f.WriteString("new"); err != nil {
					t.Fatal(err)
				}
				if got := names(t, home); slices.Contains(got, "absent") {
					t.Errorf("it shows before: %q", got)
				}
				if err := f.Publish(c.what, c.isNew); !errors.Is(err, c.err) {
					t.Errorf("%s, named %t: over %s, new %t: %v", ground, named, c.what, c.isNew, err)
				}
				f.Discard()
				got, _ := os.ReadFile(filepath.Join(home, c.what))
				if c.err == nil && string(got) != "new" || c.err != nil && string(got) == "new" {
					t.Errorf("%s, named %t: over %s, new %t: %q is there", ground, named, c.what, c.isNew, got)
				}
				if left := names(t, filepath.Join(home, plugins.Staging)); len(left) > 0 {
					t.Errorf("%s, named %t: over %s, new %t: %q is left", ground, named, c.what, c.isNew, left)
				}
				if err := os.RemoveAll(home); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestHome: the directory is made when it is needed, for us alone, and one that
// is there is taken as it is, unless it is none.
func TestHome(t *testing.T) {
	name := t.TempDir()
	root, dir := opened(t, name)
	staging := filepath.Join(name, plugins.Staging)
	if err := os.Symlink("/", staging); err != nil {
		t.Fatal(err)
	}
	f := &File{root: root, dir: dir}
	if err := f.begin(); err == nil {
		t.Error("it began a file at the other end of a link")
	}
	os.Remove(staging)
	f = &File{root: root, dir: dir}
	if err := f.begin(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(staging)
	if err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("%v, %v", info, err)
	}
	if n := len(names(t, staging)); n != 1 {
		t.Errorf("%d files", n)
	}
	f.Discard()
	if left := names(t, staging); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func TestSweep(t *testing.T) {
	name := t.TempDir()
	root, dir := opened(t, name)
	long := time.Now().Add(-time.Hour)
	sweep := func(want int) {
		t.Helper()
		if n, err := Sweep(t.Context(), root, long); n != want || err != nil {
			t.Errorf("removed %d, %v; want %d", n, err, want)
		}
	}
	sweep(0) // there is no such directory yet
	living := &File{root: root, dir: dir}
	if err := living.begin(); err != nil {
		t.Fatal(err)
	}
	defer living.Discard()
	staging := filepath.Join(name, plugins.Staging)
	for _, file := range []string{"old", "older", "young"} {
		if err := os.WriteFile(filepath.Join(staging, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(staging, "dir"), 0o700), syscall.Mkfifo(filepath.Join(staging, "fifo"), 0o600), os.Symlink("young", filepath.Join(staging, "link"))); err != nil {
		t.Fatal(err)
	}
	for _, e := range names(t, staging) {
		if e != "young" && e != "link" {
			if err := os.Chtimes(filepath.Join(staging, e), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n, err := Sweep(t.Context(), root, long); n != 2 || !errors.Is(err, syscall.ELOOP) {
		t.Errorf("removed %d, %v", n, err)
	}
	os.Remove(filepath.Join(staging, "link"))
	sweep(0)
	want := []string{filepath.Base(living.temp), "dir", "fifo", "young"}
	slices.Sort(want)
	if got := names(t, staging); !slices.Equal(got, want) {
		t.Errorf("left %q, want %q", got, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Sweep(ctx, root, long); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// TestKilled leaves a file behind by the death of its process; it may go then,
// and not before.
func TestKilled(t *testing.T) {
	name := t.TempDir()
	root, _ := opened(t, name)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), child+"="+name)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "begun\n" {
		t.Fatalf("%q, %v", line, err)
	}
	later := time.Now().Add(time.Hour)
	if n, err := Sweep(t.Context(), root, later); n != 0 || err != nil {
		t.Errorf("while it lives: removed %d, %v", n, err)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if n, err := Sweep(t.Context(), root, later); n != 1 || err != nil {
		t.Errorf("when it is dead: removed %d, %v", n, err)
	}
	if left := names(t, filepath.Join(name, plugins.Staging)); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}
