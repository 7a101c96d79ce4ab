package reload

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// parts joins what it is given, and refuses "bad".
func parts(contents [][]byte) (string, error) {
	joined := string(bytes.Join(contents, []byte("+")))
	if strings.Contains(joined, "bad") {
		return "", errors.New("bad content")
	}
	return joined, nil
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		write(t, a, "1")
		write(t, b, "2")
		var told []string
		v, err := New(parts, func(err error) {
			if err == nil {
				told = append(told, "new")
			} else {
				told = append(told, "failed")
			}
		}, a, b)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			what       string
			do         func()
			soon, then string // right away, and after a second
			told       string
		}{
			{"nothing", func() {}, "1+2", "1+2", ""},
			{"longer", func() { write(t, b, "22") }, "1+2", "1+22", "new"},
			{"unusable", func() { write(t, a, "bad") }, "1+22", "1+22", "failed"},
			{"still unusable", func() {}, "1+22", "1+22", ""},
			{"gone", func() { os.Remove(a) }, "1+22", "1+22", "failed"},
			{"still gone", func() {}, "1+22", "1+22", ""},
			{"back", func() { write(t, a, "3") }, "1+22", "3+22", "new"},
			{"replaced by one as large", func() { write(t, a+"x", "4"); os.Rename(a+"x", a) }, "3+22", "4+22", "new"},
		} {
			told = nil
			step.do()
			if got := v.Get(); got != step.soon {
				t.Errorf("%s: got %s at once", step.what, got)
			}
			time.Sleep(recheck)
			if got := v.Get(); got != step.then || v.Get() != got {
				t.Errorf("%s: got %s after a second", step.what, got)
			}
			if got := strings.Join(told, " "); got != step.told {
				t.Errorf("%s: was told %q", step.what, got)
			}
		}
	})
}

func TestNewFails(t *testing.T) {
	dir := t.TempDir()
	bad, huge := filepath.Join(dir, "bad"), filepath.Join(dir, "huge")
	write(t, bad, "bad")
	write(t, huge, "")
	if err := os.Truncate(huge, MaxFile+1); err != nil {
		t.Fatal(err)
	}
	changed := func(error) { t.Error("told of the first time") }
	for name, want := range map[string]string{
		bad: "bad content", huge: huge + " is larger than 8 MiB", dir: dir + " is not a regular file",
	} {
		if _, err := New(parts, changed, name); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := New(parts, changed, filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
