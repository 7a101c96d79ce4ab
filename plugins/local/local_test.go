package local

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"go.yaml.in/yaml/v4"

	"canopy/plugins"
	"canopy/plugins/plugintest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, root string) *endpoint {
	t.Helper()
	c := &Config{Root: root}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	e, err := c.Open(t.Context(), plugins.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return e.(*endpoint)
}

// opened is open for tests that do not close it themselves.
func opened(t *testing.T, root string) *endpoint {
	t.Helper()
	e := open(t, root)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestConformance(t *testing.T) {
	dir := t.TempDir()
	plugintest.Run(t, plugintest.Subject{
		Open:     func(t testing.TB, _ plugins.Env) plugins.Endpoint { return open(t, dir) },
		Seed:     plugintest.SeedDir(dir),
		Writable: true,
		Gaps: []plugintest.Gap{
			{Lack: plugintest.NoLocate, Because: "a directory has no server of its own; Canopy serves its bytes"},
		},
	})
}

func TestValidate(t *testing.T) {
	for root, want := range map[string]string{
		"/srv/data": "",
		"":          "is required",
		"data":      "is relative",
		"./data":    "is relative",
		"/a\x00b":   "NUL",
	} {
		err := (&Config{Root: root}).Validate()
		var field *plugins.FieldError
		switch {
		case want == "" && err == nil:
		case !errors.As(err, &field) || field.Key != "root" || !strings.Contains(field.Problem, want):
			t.Errorf("%q: %v, want %q", root, err, want)
		}
	}
}

// TestManual decodes the example of the package comment.
func TestManual(t *testing.T) {
	c := Type().New()
	if err := yaml.Unmarshal([]byte("root: /srv/data\n"), c); err != nil {
		t.Fatal(err)
	}
	if got := c.(*Config).Root; got != "/srv/data" {
		t.Errorf("got %q", got)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, e *endpoint, p string) []string {
	t.Helper()
	var names []string
	for entry, err := range e.List(t.Context(), p) {
		if err != nil {
			t.Fatalf("list %s: %v", p, err)
		}
		names = append(names, entry.Name)
	}
	return names
}

func kindOfStat(t *testing.T, e *endpoint, p string) plugins.Kind {
	t.Helper()
	_, err := e.Stat(t.Context(), p)
	return plugins.KindOf(err)
}

func TestLinks(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	write(t, outside+"/secret", "secret")
	write(t, dir+"/real/file", "content")
	write(t, dir+"/links/plain", "plain")
	for name, target := range map[string]string{
		"file":      "../real/file",
		"dir":       "../real",
		"sibling":   "plain",
		"out":       filepath.Join("../..", filepath.Base(outside), "secret"),
		"absolute":  outside + "/secret",
		"elsewhere": outside,
		"etc":       "/etc/passwd",
		"inside":    dir + "/real/file",
		"nowhere":   "nothing",
		"self":      "self",
		"up":        "../../../../../../../../etc",
	} {
		if err := os.Symlink(target, dir+"/links/"+name); err != nil {
			t.Fatal(err)
		}
	}
	e := opened(t, dir)
	if got, want := names(t, e, "/links"), []string{"dir", "file", "plain", "sibling"}; !slices.Equal(got, want) {
		t.Errorf("list: %q, want %q", got, want)
	}
	if got := names(t, e, "/links/dir"); !slices.Equal(got, []string{"file"}) {
		t.Errorf("list of a link: %q", got)
	}
	entry, err := e.Stat(t.Context(), "/links/file")
	if err != nil || entry.Name != "file" || entry.Size != 7 || entry.Kind != plugins.File {
		t.Errorf("stat of a link: %+v, %v", entry, err)
	}
	for _, name := range []string{"out", "absolute", "elsewhere", "elsewhere/secret", "etc", "inside", "nowhere", "self", "up", "up/passwd"} {
		p := "/links/" + name
		if k := kindOfStat(t, e, p); k != plugins.NotFound {
			t.Errorf("stat %s: %v", p, k)
		}
		if body, err := e.Open(t.Context(), p, plugins.Whole); plugins.KindOf(err) != plugins.NotFound {
			t.Errorf("open %s: %v, %v", p, body, err)
		}
		for entry, err := range e.List(t.Context(), p) {
			if plugins.KindOf(err) != plugins.NotFound {
				t.Errorf("list %s: %+v, %v", p, entry, err)
			}
		}
	}
}

func TestHostilePaths(t *testing.T) {
	parent := t.TempDir()
	write(t, parent+"/secret", "secret")
	write(t, parent+"/root/file", "x")
	e := opened(t, parent+"/root")
	for p, want := range map[string]plugins.Kind{
		"/../secret":                     plugins.NotFound,
		"/file/../../secret":             plugins.NotFound,
		"/..":                            plugins.NotFound,
		"/a\x00b":                        plugins.Invalid,
		"/" + strings.Repeat("x", 256):   plugins.NotFound,
		"/" + strings.Repeat("x/", 5000): plugins.NotFound,
	} {
		if k := kindOfStat(t, e, p); k != want {
			t.Errorf("%.40q: %v, want %v", p, k, want)
		}
	}
}

// FuzzConfined looks for a path, clean or not, that reads what is not below the
// root.
func FuzzConfined(f *testing.F) {
	parent := f.TempDir()
	if err := os.MkdirAll(parent+"/root/dir", 0o755); err != nil {
		f.Fatal(err)
	}
	for name, content := range map[string]string{"secret": "secret", "root/file": "x", "root/dir/file": "y"} {
		if err := os.WriteFile(parent+"/"+name, []byte(content), 0o644); err != nil {
			f.Fatal(err)
		}
	}
	for name, target := range map[string]string{"up": "..", "dir/over": "../../secret", "dir/back": "../file"} {
		if err := os.Symlink(target, parent+"/root/"+name); err != nil {
			f.Fatal(err)
		}
	}
	for _, p := range []string{"/", "/file", "/up/secret", "/dir/over", "/dir/back", "/dir/../../secret", "//etc/passwd", "", "..", "/a\x00"} {
		f.Add(p)
	}
	e := open(f, parent+"/root")
	f.Cleanup(func() { e.Close() })
	f.Fuzz(func(t *testing.T, p string) {
		if body, err := e.Open(t.Context(), p, plugins.Whole); err == nil {
			defer body.Close()
			if got, err := io.ReadAll(body); err != nil || len(got) != 1 {
				t.Fatalf("%q delivers %q, %v", p, got, err)
			}
		}
		for entry, err := range e.List(t.Context(), p) {
			if err == nil && !slices.Contains([]string{"file", "dir", "back"}, entry.Name) {
				t.Fatalf("%q lists %q", p, entry.Name)
			}
		}
	})
}

func TestNoEntries(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/file", "x")
	if err := syscall.Mkfifo(dir+"/fifo", 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", dir+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Symlink("fifo", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	e := opened(t, dir)
	if got := names(t, e, "/"); !slices.Equal(got, []string{"file"}) {
		t.Errorf("list: %q", got)
	}
	for _, p := range []string{"/fifo", "/socket", "/link"} {
		if k := kindOfStat(t, e, p); k != plugins.NotFound {
			t.Errorf("stat %s: %v", p, k)
		}
		if _, err := e.Open(t.Context(), p, plugins.Whole); plugins.KindOf(err) != plugins.NotFound {
			t.Errorf("open %s: %v", p, err)
		}
		if _, err := e.Digest(t.Context(), p, "md5"); plugins.KindOf(err) != plugins.NotFound {
			t.Errorf("digest %s: %v", p, err)
		}
		for _, err := range e.List(t.Context(), p) {
			if plugins.KindOf(err) != plugins.NotFound {
				t.Errorf("list %s: %v", p, err)
			}
		}
	}
	// The devices of the machine must not hang or be read either.
	dev := opened(t, "/dev")
	for _, p := range []string{"/zero", "/null", "/tty"} {
		if k := kindOfStat(t, dev, p); k != plugins.NotFound {
			t.Errorf("stat %s: %v", p, k)
		}
	}
}

// TestFIFOInPlaceOfFile is the race in which a FIFO takes a file's place between
// the look and the opening.
func TestFIFOInPlaceOfFile(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(dir+"/fifo", 0o644); err != nil {
		t.Fatal(err)
	}
	e := opened(t, dir)
	root, err := e.enter(t.Context(), "open", "/fifo")
	if err != nil {
		t.Fatal(err)
	}
	f, err := root.OpenFile("fifo", os.O_RDONLY|withoutWaiting, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := e.part(t.Context(), "open", "/fifo", f, plugins.Whole); plugins.KindOf(err) != plugins.NotFound {
		t.Errorf("got %v", err)
	}
	if _, err := root.OpenFile("fifo", os.O_RDONLY|directoryOnly, 0); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("as a directory: %v", err)
	}
}

func TestRootComesAndGoes(t *testing.T) {
	parent := t.TempDir()
	root := parent + "/root"
	e := opened(t, root)
	ask := func(when string, want plugins.Kind) {
		t.Helper()
		if k := kindOfStat(t, e, "/file"); k != want {
			t.Errorf("%s: stat: %v, want %v", when, k, want)
		}
		for _, err := range e.List(t.Context(), "/") {
			if k := plugins.KindOf(err); k != want {
				t.Errorf("%s: list: %v, want %v", when, k, want)
			}
		}
		body, err := e.Open(t.Context(), "/file", plugins.Whole)
		if k := plugins.KindOf(err); k != want {
			t.Errorf("%s: open: %v, want %v", when, k, want)
		}
		if err == nil {
			body.Close()
		}
		if _, err := e.Space(t.Context(), "/"); plugins.KindOf(err) != want {
			t.Errorf("%s: space: %v, want %v", when, err, want)
		}
	}
	ask("before it is there", plugins.Unavailable)
	write(t, root+"/file", "one")
	ask("when it has come", 0)
	if err := os.Rename(root, parent+"/aside"); err != nil {
		t.Fatal(err)
	}
	ask("when it has gone", plugins.Unavailable)
	write(t, root+"/file", "another")
	ask("when another has come", 0)
	if entry, err := e.Stat(t.Context(), "/file"); err != nil || entry.Size != 7 {
		t.Errorf("the old root still answers: %+v, %v", entry, err)
	}
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	write(t, root, "now a file")
	ask("when it is a file", plugins.Unavailable)
}

// TestRootGoesDuringListing must not take the vanished names for a short but
// complete listing.
func TestRootGoesDuringListing(t *testing.T) {
	dir := t.TempDir() + "/root"
	for i := range 10 {
		write(t, fmt.Sprintf("%s/d/%d", dir, i), "x")
	}
	e := opened(t, dir)
	var last error
	entries := 0
	for _, err := range e.List(t.Context(), "/d") {
		if last = err; err == nil {
			entries++
		}
		os.RemoveAll(dir)
	}
	if entries != 1 || plugins.KindOf(last) != plugins.Unavailable {
		t.Errorf("%d entries, then %v", entries, last)
	}
}

func TestNameGoesDuringListing(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{"a", "b", "c"} {
		write(t, dir+"/"+n, "x")
	}
	e := opened(t, dir)
	var got []string
	for entry, err := range e.List(t.Context(), "/") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, entry.Name)
		os.Remove(dir + "/b")
	}
	if !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("got %q", got)
	}
}

func TestFileChangesWhileRead(t *testing.T) {
	dir := t.TempDir()
	begin := func(r plugins.Range) *plugins.Body {
		t.Helper()
		write(t, dir+"/file", "0123456789")
		e := opened(t, dir)
		if r.IfMatch != "" {
			entry, err := e.Stat(t.Context(), "/file")
			if err != nil {
				t.Fatal(err)
			}
			r.IfMatch = entry.ETag
		}
		body, err := e.Open(t.Context(), "/file", r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { body.Close() })
		return body
	}

	body := begin(plugins.Whole)
	if err := os.Truncate(dir+"/file", 4); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(body); string(got) != "0123" || plugins.KindOf(err) != plugins.Malformed {
		t.Errorf("shortened: %q, %v", got, err)
	}

	body = begin(plugins.Whole)
	write(t, dir+"/file", "0123456789 and more")
	if got, err := io.ReadAll(body); string(got) != "0123456789" || err != nil {
		t.Errorf("grown: %q, %v", got, err)
	}

	body = begin(plugins.Range{Length: -1, IfMatch: "that of the file"})
	write(t, dir+"/file", "0123456789 and more")
	if _, err := io.ReadAll(body); plugins.KindOf(err) != plugins.Changed {
		t.Errorf("grown under a guard: %v", err)
	}
}

func TestSpace(t *testing.T) {
	e := opened(t, t.TempDir())
	s, err := e.Space(t.Context(), "/not/there/yet")
	if err != nil || s.Used <= 0 || s.Free <= 0 {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestRegister(t *testing.T) {
	r := new(register)
	for _, n := range []string{"b", "\xff", "a", "", "b", strings.Repeat("z", 255), "ab"} {
		r.add(n)
	}
	r.sort()
	got := slices.Collect(r.all())
	if want := []string{"", "a", "ab", "b", strings.Repeat("z", 255), "\xff"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func BenchmarkStat(b *testing.B) {
	dir := b.TempDir()
	if err := os.WriteFile(dir+"/file", nil, 0o644); err != nil {
		b.Fatal(err)
	}
	e := open(b, dir)
	defer e.Close()
	for b.Loop() {
		if _, err := e.Stat(b.Context(), "/file"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkList lists 10,000 files at a time.
func BenchmarkList(b *testing.B) {
	dir := b.TempDir()
	for i := range 10_000 {
		if err := os.WriteFile(fmt.Sprintf("%s/file-%06d", dir, i), nil, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	e := open(b, dir)
	defer e.Close()
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range e.List(b.Context(), "/") {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 10_000 {
			b.Fatal(n)
		}
	}
}
