package acceptance

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"canopy/configs"
	"canopy/plugins/all"
)

// root is where the README is.
var root = filepath.Join("..", "..", "..")

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// blocks returns the README's blocks of code in the language.
func blocks(t *testing.T, language string) (all []string) {
	t.Helper()
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(readme(t), -1) {
		all = append(all, m[1])
	}
	if len(all) == 0 {
		t.Fatalf("README.md has no block of %s", language)
	}
	return all
}

// program is canopy as a user builds it, once for all tests.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "canopy-acceptance-")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", dir, "./cmd/canopy")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.Join(errors.New(string(out)), err, os.RemoveAll(dir))
	}
	return filepath.Join(dir, "canopy"), nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

func binary(t *testing.T) string {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// showing is a demonstration that runs, with all that it said at first.
type showing struct {
	*exec.Cmd
	base, said string
	scratch    string // where it may put its temporary folder
	errors     strings.Builder
}

func show(t *testing.T) *showing {
	t.Helper()
	s := &showing{scratch: t.TempDir()}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	s.Cmd = exec.CommandContext(ctx, binary(t), "demo", "--listen", "127.0.0.1:0")
	s.Env = append(os.Environ(), "TMPDIR="+s.scratch)
	s.Stderr = &s.errors
	out, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.ProcessState == nil {
			_ = s.Process.Kill() // it may have ended by itself
			_ = s.Wait()
		}
	})
	var said strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan() && !strings.HasPrefix(lines.Text(), "Ctrl-C"); {
		said.WriteString(lines.Text() + "\n")
	}
	s.said = said.String()
	found := regexp.MustCompile(`(?m)^Canopy is at (http://127\.0\.0\.1:[0-9]+)/$`).FindStringSubmatch(s.said)
	if found == nil {
		t.Fatalf("the demonstration says\n%s\n%s", s.said, s.errors.String())
	}
	s.base = found[1]
	return s
}

// interrupt ends the demonstration as Ctrl-C does.
func (s *showing) interrupt(t *testing.T) {
	t.Helper()
	if err := s.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); err != nil || s.errors.Len() > 0 {
		t.Errorf("after Ctrl-C: %v, %s", err, s.errors.String())
	}
	empty(t, s.scratch)
}

// empty wants nothing to be left in a folder.
func empty(t *testing.T, folder string) {
	t.Helper()
	left, err := os.ReadDir(folder)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// promises are what the commands of the README and of the demonstration print
// or leave behind, by a part of the command; the first that fits counts.
var promises = []struct {
	command string
	prints  []string
	file    string // that is there afterwards
}{
	{command: "explain", prints: []string{`"reasons":[{"endpoint":`, `"place":1`}},
	{command: "curl -sI", prints: []string{"200 OK", "rel=duplicate; pri=1", "rel=duplicate; pri=2"}},
	{command: "curl -L", prints: []string{"This is both/hello.txt"}},
	{command: "PROPFIND", prints: []string{"<D:multistatus", "<D:href>/both/"}},
	{command: "get ", file: "big.bin"},
}

// keep runs one command in a folder of its own and holds it to its promise.
func keep(t *testing.T, command string) {
	c := newClient(t)
	for _, p := range promises {
		if !strings.Contains(command, p.command) {
			continue
		}
		c.says(c.run("sh", "-c", strings.ReplaceAll(command, " /tmp/ ", " "+c.dir+"/ ")), p.prints...)
		if p.file != "" {
			if info, err := os.Stat(filepath.Join(c.dir, p.file)); err != nil || info.Size() != 24<<20 {
				t.Errorf("%v %v", info, err)
			}
		}
		return
	}
	t.Errorf("nothing is known of what it does: %s", command)
}

func TestReadmeCommands(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("curl is not installed; make parts installs it")
	}
	demo := show(t)
	ran, demos := 0, 0
	for line := range strings.Lines(strings.Join(blocks(t, "sh"), "")) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			continue
		case strings.HasPrefix(line, "go run ./cmd/canopy demo"):
			demos++ // it runs
			continue
		case strings.HasPrefix(line, "make "):
			continue // proves this
		}
		line = strings.ReplaceAll(line, "go run ./cmd/canopy", binary(t))
		t.Run(line, func(t *testing.T) { keep(t, strings.ReplaceAll(line, "http://127.0.0.1:8080", demo.base)) })
		ran++
	}
	if ran != 5 || demos != 1 {
		t.Errorf("%d things to try and %d demonstrations in the README", ran, demos)
	}
	// What the demonstration itself proposes can be copied as it stands.
	ran = 0
	for line := range strings.Lines(demo.said) {
		if command, ok := strings.CutPrefix(line, "  "); ok {
			t.Run(command, func(t *testing.T) { keep(t, command) })
			ran++
		}
	}
	if ran != 5 {
		t.Errorf("%d things to try in\n%s", ran, demo.said)
	}
	// Its figures say what runs.
	c := newClient(t)
	c.says(c.run("curl", "-fsS", demo.base+"/-/metrics"), `canopy_build_info{goversion="go1.`)
	demo.interrupt(t)
}

func TestReadmeConfiguration(t *testing.T) {
	for _, text := range blocks(t, "yaml") {
		if _, err := configs.Parse("README.md", []byte(text), all.Registry(), os.LookupEnv); err != nil {
			t.Error(err)
		}
		// Of what it names, only the folder is looked at.
		c := newClient(t)
		text = strings.ReplaceAll(text, "/srv/attic", c.dir)
		if err := os.WriteFile(filepath.Join(c.dir, "canopy.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c.says(c.run(binary(t), "check", "-c", "canopy.yaml"), "canopy.yaml is fine: 4 endpoints\n")
	}
}

func TestReadmeLinks(t *testing.T) {
	links := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`).FindAllStringSubmatch(readme(t), -1)
	if len(links) < 5 {
		t.Errorf("%d links", len(links))
	}
	for _, l := range links {
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(l[1]))); err != nil {
			t.Error(err)
		}
	}
}

// A second demonstration cannot have the address of the first.
func TestDemoTakenPort(t *testing.T) {
	first := show(t)
	address := strings.TrimPrefix(first.base, "http://")
	scratch := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	second := exec.CommandContext(ctx, binary(t), "demo", "--listen", address)
	second.Env = append(os.Environ(), "TMPDIR="+scratch)
	var stdout, stderr strings.Builder
	second.Stdout, second.Stderr = &stdout, &stderr
	err := second.Run()
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.ExitCode() != 1 {
		t.Errorf("ends with %v", err)
	}
	want := "canopy: demo: listen on " + address + ": another program listens there already; stop it or choose another address\n"
	if stdout.Len() > 0 || stderr.String() != want {
		t.Errorf("says %q %q, want %q", stdout.String(), stderr.String(), want)
	}
	empty(t, scratch)
	first.interrupt(t)
}

// Ctrl-C before the demonstration is ready leaves nothing behind either.
func TestDemoInterruptedEarly(t *testing.T) {
	scratch := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	demo := exec.CommandContext(ctx, binary(t), "demo", "--listen", "127.0.0.1:0")
	demo.Env = append(os.Environ(), "TMPDIR="+scratch)
	out, err := demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	// It catches signals from the first moment that its folder is there.
	for ctx.Err() == nil {
		if there, err := os.ReadDir(scratch); err != nil || len(there) > 0 {
			break
		}
	}
	if err := demo.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, out); err != nil {
		t.Error(err)
	}
	if err := demo.Wait(); err != nil {
		t.Error(err)
	}
	empty(t, scratch)
}
