package local

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"canopy/plugins"
	"canopy/plugins/local/sums"
)

func store(t *testing.T, e *endpoint, p, content string, u plugins.Upload) (plugins.Entry, error) {
	t.Helper()
	u.Size = int64(len(content))
	return e.Store(t.Context(), p, strings.NewReader(content), u)
}

// wants demands an error of that kind.
func wants(t *testing.T, what string, err error, kind plugins.Kind) {
	t.Helper()
	if k := plugins.KindOf(err); k != kind {
		t.Errorf("%s: %v, want %v", what, err, kind)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// readDir returns the names in a directory as the operating system has them.
func readDir(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestModes: a new file is as any program would have made it, one that replaces
// another has what that had, and the time is the one wanted.
func TestModes(t *testing.T) {
	dir := t.TempDir()
	e := opened(t, dir)
	model, err := os.OpenFile(filepath.Join(dir, "model"), os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	model.Close()
	write(t, filepath.Join(dir, "old"), "old")
	if err := os.Chmod(filepath.Join(dir, "old"), 0o640); err != nil {
		t.Fatal(err)
	}
	when := time.Date(2001, 2, 3, 4, 5, 6, 789_000_000, time.UTC)
	for _, name := range []string{"new", "old"} {
		if _, err := store(t, e, "/"+name, "content", plugins.Upload{ModTime: when}); err != nil {
			t.Fatal(err)
		}
	}
	mode := func(name string) os.FileMode {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if name != "model" && !info.ModTime().Equal(when) {
			t.Errorf("%s: changed at %v", name, info.ModTime())
		}
		return info.Mode()
	}
	if got, want := mode("new"), mode("model"); got != want {
		t.Errorf("new: %v, want %v", got, want)
	}
	if got := mode("old"); got != 0o640 {
		t.Errorf("old: %v", got)
	}
	if got := readDir(t, filepath.Join(dir, plugins.Staging)); len(got) != 0 {
		t.Errorf("%q is left", got)
	}
}

// TestReserved: the staging directory is nowhere to be seen and nothing can be
// made in it or under its name.
func TestReserved(t *testing.T) {
	dir := t.TempDir()
	const other = ".Canopy-UPLOADS"
	write(t, filepath.Join(dir, plugins.Staging, "half"), "half")
	write(t, filepath.Join(dir, "d", plugins.Staging, "half"), "half")
	write(t, filepath.Join(dir, "d", other), "half")
	write(t, filepath.Join(dir, "d", "file"), "whole")
	e := opened(t, dir)
	if got := names(t, e, "/"); !slices.Equal(got, []string{"d"}) {
		t.Errorf("root: %q", got)
	}
	if got := names(t, e, "/d"); !slices.Equal(got, []string{"file"}) {
		t.Errorf("below: %q", got)
	}
	for _, p := range []string{"/" + plugins.Staging, "/" + plugins.Staging + "/half", "/d/" + plugins.Staging, "/d/" + plugins.Staging + "/half", "/d/" + other} {
		wants(t, "stat "+p, second(e.Stat(t.Context(), p)), plugins.NotFound)
		wants(t, "open "+p, second(e.Open(t.Context(), p, plugins.Whole)), plugins.NotFound)
		wants(t, "digest "+p, second(e.Digest(t.Context(), p, "md5")), plugins.NotFound)
		wants(t, "store "+p, second(store(t, e, p, "x", plugins.Upload{})), plugins.Invalid)
		wants(t, "mkdir "+p, e.MakeDirectory(t.Context(), p), plugins.Invalid)
		wants(t, "move to "+p, e.Move(t.Context(), "/d/file", p, true), plugins.Invalid)
		wants(t, "move from "+p, e.Move(t.Context(), p, "/d/seen", true), plugins.NotFound)
		wants(t, "remove "+p, e.Remove(t.Context(), p), plugins.NotFound)
		for _, err := range e.List(t.Context(), p) {
			wants(t, "list "+p, err, plugins.NotFound)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestWriteAtLinks: what is written goes to where the link is and never to where it
// leads out of the root.
func TestWriteAtLinks(t *testing.T) {
	parent := t.TempDir()
	root := filepath.Join(parent, "root")
	write(t, filepath.Join(parent, "secret"), "secret")
	write(t, filepath.Join(root, "target"), "target")
	write(t, filepath.Join(root, "dir", "inner"), "inner")
	links := map[string]string{
		"in": "target", "up": "..", "out": "../secret", "absolute": parent + "/secret", "dangling": "nowhere", "to-dir": "dir",
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	e := opened(t, root)
	wants(t, "store through a link out", second(store(t, e, "/up/stored", "x", plugins.Upload{})), plugins.NoParent)
	wants(t, "mkdir through a link out", e.MakeDirectory(t.Context(), "/up/made"), plugins.NoParent)
	wants(t, "move through a link out", e.Move(t.Context(), "/target", "/up/moved", true), plugins.NoParent)
	wants(t, "move from outside", e.Move(t.Context(), "/up/secret", "/mine", true), plugins.NotFound)
	wants(t, "move a link out", e.Move(t.Context(), "/out", "/mine", true), plugins.NotFound)
	wants(t, "remove outside", e.Remove(t.Context(), "/up/secret"), plugins.NotFound)
	wants(t, "remove a link out", e.Remove(t.Context(), "/out"), plugins.NotFound)
	wants(t, "remove a dangling link", e.Remove(t.Context(), "/dangling"), plugins.NotFound)
	wants(t, "store at a link to a directory", second(store(t, e, "/to-dir", "x", plugins.Upload{})), plugins.IsDirectory)
	wants(t, "move over a link to a directory", e.Move(t.Context(), "/target", "/to-dir", true), plugins.Exists)
	wants(t, "new at a link", second(store(t, e, "/in", "x", plugins.Upload{New: true})), plugins.Exists)
	wants(t, "new at a dangling link", second(store(t, e, "/dangling", "x", plugins.Upload{New: true})), plugins.Exists)
	wants(t, "store below a link to a directory", second(store(t, e, "/to-dir/stored", "x", plugins.Upload{})), 0)
	for name := range links {
		if name == "up" || name == "to-dir" {
			continue
		}
		if _, err := store(t, e, "/"+name, "stored", plugins.Upload{}); err != nil {
			t.Errorf("at the link %s: %v", name, err)
		}
		info, err := os.Lstat(filepath.Join(root, name))
		if err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s is %v, %v", name, info, err)
		}
	}
	if got := content(t, filepath.Join(parent, "secret")); got != "secret" {
		t.Errorf("what is outside is now %q", got)
	}
	if got := content(t, filepath.Join(root, "target")); got != "target" {
		t.Errorf("what the link led to is now %q", got)
	}
	if got := content(t, filepath.Join(root, "dir", "stored")); got != "x" {
		t.Errorf("below the link: %q", got)
	}
	if err := e.Remove(t.Context(), "/to-dir"); err != nil {
		t.Error(err)
	}
	if got := readDir(t, parent); !slices.Equal(got, []string{"root", "secret"}) {
		t.Errorf("outside: %q", got)
	}
	if got := readDir(t, filepath.Join(root, "dir")); !slices.Equal(got, []string{"inner", "stored"}) {
		t.Errorf("the directory of the removed link holds %q", got)
	}
}

// FuzzConfinedChanges looks for a path, clean or not, by which something
// outside the root is changed.
func FuzzConfinedChanges(f *testing.F) {
	parent := f.TempDir()
	if err := os.WriteFile(parent+"/secret", []byte("secret"), 0o644); err != nil {
		f.Fatal(err)
	}
	for _, p := range []string{"/", "/file", "/dir", "/up/x", "/..", "/.", "/dir/..", "/dir/../../x", "//x", "x", "", "..", "/dir/", "/a\x00", "/secret/x"} {
		f.Add(p)
	}
	e := open(f, parent+"/root")
	f.Cleanup(func() { e.Close() })
	f.Fuzz(func(t *testing.T, p string) {
		if err := errors.Join(os.RemoveAll(parent+"/root"), os.MkdirAll(parent+"/root/dir", 0o755)); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"root/up", "root/dir/over"} {
			if err := os.Symlink(parent, parent+"/"+name); err != nil {
				t.Fatal(err)
			}
		}
		store(t, e, p, "x", plugins.Upload{})
		e.Move(t.Context(), p, "/moved", true)
		e.Move(t.Context(), "/moved", p, true)
		e.Remove(t.Context(), p)
		e.MakeDirectory(t.Context(), p)
		e.Move(t.Context(), p, "/moved", true)
		e.Remove(t.Context(), "/moved")
		if got := readDir(t, parent); !slices.Equal(got, []string{"root", "secret"}) {
			t.Fatalf("%q leaves %q outside", p, got)
		}
		if content(t, parent+"/secret") != "secret" {
			t.Fatalf("%q changed what is outside", p)
		}
	})
}

// TestForeign: what is no entry is neither replaced nor removed.
func TestForeign(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "file"), "x")
	e := opened(t, dir)
	wants(t, "store", second(store(t, e, "/fifo", "x", plugins.Upload{})), plugins.Denied)
	wants(t, "store new", second(store(t, e, "/fifo", "x", plugins.Upload{New: true})), plugins.Exists)
	wants(t, "mkdir", e.MakeDirectory(t.Context(), "/fifo"), plugins.Exists)
	wants(t, "move over", e.Move(t.Context(), "/file", "/fifo", true), plugins.Exists)
	wants(t, "move", e.Move(t.Context(), "/fifo", "/gone", true), plugins.NotFound)
	wants(t, "remove", e.Remove(t.Context(), "/fifo"), plugins.NotFound)
	if got := readDir(t, dir); !slices.Equal(got, []string{"fifo", "file"}) {
		t.Errorf("left %q", got)
	}
}

// TestNamesOfOneFile: what is moved onto another name of itself must not be lost.
func TestNamesOfOneFile(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "d", "file"), "x")
	if err := errors.Join(os.Link(filepath.Join(dir, "d", "file"), filepath.Join(dir, "other")), os.Symlink("d", filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	e := opened(t, dir)
	wants(t, "a hard link", e.Move(t.Context(), "/d/file", "/other", true), plugins.Unsupported)
	wants(t, "by another way", e.Move(t.Context(), "/d/file", "/link/file", true), 0)
	wants(t, "into itself by another way", e.Move(t.Context(), "/d", "/link/d", false), plugins.Invalid)
	for _, name := range []string{"other", "d/file"} {
		if got := content(t, filepath.Join(dir, name)); got != "x" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// unread is content that must not be touched.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the content is read of what will be refused")
	return 0, io.ErrUnexpectedEOF
}

func TestRefusedUnread(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "x")
	e := opened(t, dir)
	for _, c := range []struct {
		path string
		u    plugins.Upload
		kind plugins.Kind
	}{
		{"/new", plugins.Upload{Size: 1 << 60}, plugins.Full},
		{"/file", plugins.Upload{Size: 1, New: true}, plugins.Exists},
		{"/file", plugins.Upload{Size: 1, IfMatch: `"x"`}, plugins.Changed},
		{"/none/new", plugins.Upload{Size: 1}, plugins.NoParent},
		{"/", plugins.Upload{Size: 1}, plugins.IsDirectory},
		{"/" + strings.Repeat("x", 256), plugins.Upload{Size: 1}, plugins.Invalid},
		{"/../new", plugins.Upload{Size: 1}, plugins.Invalid},
		{"/a\x00b", plugins.Upload{Size: 1}, plugins.Invalid},
	} {
		wants(t, fmt.Sprintf("%.20s %+v", c.path, c.u), second(e.Store(t.Context(), c.path, unread{t}, c.u)), c.kind)
	}
}

// TestFailures maps what the operating system says when something is written.
func TestFailures(t *testing.T) {
	l := &place{e: opened(t, t.TempDir()), op: "store", path: "/f"}
	if _, err := l.e.Stat(t.Context(), "/"); err != nil {
		t.Fatal(err)
	}
	for number, want := range map[syscall.Errno]plugins.Kind{
		syscall.ENOSPC: plugins.Full, syscall.EDQUOT: plugins.Full, syscall.EFBIG: plugins.Full,
		syscall.EROFS: plugins.Denied, syscall.EACCES: plugins.Denied, syscall.EPERM: plugins.Denied, syscall.EBUSY: plugins.Denied,
		syscall.EXDEV: plugins.Unsupported, syscall.ENAMETOOLONG: plugins.Invalid, syscall.EINVAL: plugins.Invalid,
		syscall.EEXIST: plugins.Exists, syscall.ENOTEMPTY: plugins.NotEmpty, syscall.EISDIR: plugins.IsDirectory,
		syscall.ENOENT: plugins.NotFound, syscall.EIO: plugins.Unavailable, syscall.EMFILE: plugins.Busy,
	} {
		wants(t, number.Error(), l.fail(&os.PathError{Op: "write", Path: "x", Err: number}), want)
	}
	wants(t, "a system that cannot", l.fail(errors.ErrUnsupported), plugins.Unsupported)
}

// TestRootGoesDuringStore must not acknowledge what nobody can see.
func TestRootGoesDuringStore(t *testing.T) {
	parent := t.TempDir()
	root := parent + "/root"
	write(t, root+"/file", "old")
	e := opened(t, root)
	swap := &acting{r: strings.NewReader("new"), act: func() {
		if err := os.Rename(root, parent+"/aside"); err != nil {
			t.Error(err)
		}
		write(t, root+"/file", "of another root")
	}}
	_, err := e.Store(t.Context(), "/file", swap, plugins.Upload{Size: 3})
	wants(t, "store", err, plugins.Unavailable)
	if got := content(t, root+"/file"); got != "of another root" {
		t.Errorf("the other root holds %q", got)
	}
}

// acting is content that does something before it is read.
type acting struct {
	r   io.Reader
	act func()
}

func (a *acting) Read(p []byte) (int, error) {
	if a.act != nil {
		a.act()
		a.act = nil
	}
	return a.r.Read(p)
}

// TestOneMatches has many replace the same version of a file: one may.
func TestOneMatches(t *testing.T) {
	e := opened(t, t.TempDir())
	first, err := store(t, e, "/file", "first", plugins.Upload{})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		all.Go(func() {
			_, errs[i] = store(t, e, "/file", fmt.Sprintf("second %02d", i), plugins.Upload{IfMatch: first.ETag})
		})
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			wants(t, "those who lost", err, plugins.Changed)
		}
	}
	if won != 1 {
		t.Errorf("%d could replace it", won)
	}
}

// TestKeptDigests: what is kept is told without reading, and void after any
// change.
func TestKeptDigests(t *testing.T) {
	dir := t.TempDir()
	e := opened(t, dir)
	stored, err := store(t, e, "/file", "Wikipedia", plugins.Upload{})
	if err != nil {
		t.Fatal(err)
	}
	const adler = "\x11\xe6\x03\x98"
	if d, ok := by("adler32", stored.Digests); !ok || d.Sum != adler || len(stored.Digests) != 4 {
		t.Errorf("the store answered %v", stored.Digests)
	}
	forge := func(name string) {
		t.Helper()
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		err = sums.Keep(f, factsOf(info).version(), []plugins.Digest{{Algorithm: "adler32", Sum: "fake"}})
		if err != nil {
			t.Fatal(err)
		}
	}
	ask := func(when, p, want string) {
		t.Helper()
		if d, err := e.Digest(t.Context(), p, "adler32"); err != nil || d.Sum != want {
			t.Errorf("%s: %q, %v", when, d.Sum, err)
		}
	}
	told := func(when, p string, want int) {
		t.Helper()
		entry, err := e.Stat(t.Context(), p)
		if err != nil || len(entry.Digests) != want {
			t.Errorf("%s: stat tells %v, %v", when, entry.Digests, err)
		}
		body, err := e.Open(t.Context(), p, plugins.Whole)
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		if len(body.Entry.Digests) != want {
			t.Errorf("%s: open tells %v", when, body.Entry.Digests)
		}
	}
	told("stored", "/file", 4)
	forge("file")
	ask("kept", "/file", "fake")
	if d, err := e.Digest(t.Context(), "/file", "md5"); err != nil || len(d.Sum) != 16 {
		t.Errorf("one that is not kept: %v, %v", d, err)
	}
	forge("file")
	write(t, filepath.Join(dir, "file"), "Wikipedio")
	told("changed", "/file", 0)
	ask("changed", "/file", "\x11\xf4\x03\xa6")
	if err := e.Move(t.Context(), "/file", "/moved", false); err != nil {
		t.Fatal(err)
	}

	// Of a file that came by another way it is kept when it has been computed,
	// unless it may still change unnoticed.
	for name, age := range map[string]time.Duration{"settled": time.Hour, "fresh": 0} {
		path := filepath.Join(dir, name)
		write(t, path, "Wikipedia")
		when := time.Now().Add(-age)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
		told(name+", before", "/"+name, 0)
		ask(name, "/"+name, adler)
		told(name, "/"+name, map[string]int{"settled": 4, "fresh": 0}[name])
	}
	if d, err := e.Digest(t.Context(), "/settled", "sha-512"); err != nil || len(d.Sum) != 64 {
		t.Errorf("sha-512: %v, %v", d, err)
	}
	told("with a further one", "/settled", 5)
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	e := opened(t, dir)
	left := filepath.Join(dir, plugins.Staging, "left")
	write(t, left, "half")
	if n, err := e.Sweep(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("too early: %d, %v", n, err)
	}
	old := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(left, old, old); err != nil {
		t.Fatal(err)
	}
	if n, err := plugins.AbilitiesOf(e).Sweeper.Sweep(t.Context(), time.Hour); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	_, err := opened(t, filepath.Join(dir, "none")).Sweep(t.Context(), time.Hour)
	wants(t, "without a root", err, plugins.Unavailable)
}

func BenchmarkStore(b *testing.B) {
	e := open(b, b.TempDir())
	defer e.Close()
	content := strings.Repeat("x", 64<<20)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if _, err := e.Store(b.Context(), "/file", strings.NewReader(content), plugins.Upload{Size: int64(len(content))}); err != nil {
			b.Fatal(err)
		}
	}
}
