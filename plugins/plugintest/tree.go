package plugintest

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Node is one thing to lay down in a storage.
type Node struct {
	// Path is the endpoint's: absolute and clean.
	Path string
	// Directory is whether it is one; only empty directories need a node.
	Directory bool
	Content   string
	// ModTime is when the file was last changed, whole seconds; zero is free.
	ModTime time.Time
}

// SeedDir returns a Subject.Seed for storages that are a directory on this
// machine, or serve one.
func SeedDir(dir string) func(testing.TB, []Node) {
	return func(t testing.TB, nodes []Node) {
		t.Helper()
		for _, n := range nodes {
			if err := n.write(dir); err != nil {
				t.Fatalf("plugintest: seeding %q: %v", n.Path, err)
			}
		}
	}
}

func (n Node) write(dir string) error {
	// Not filepath.Join, because the last bytes of a name matter here.
	path := dir + filepath.FromSlash(n.Path)
	if n.Directory {
		return os.MkdirAll(path, 0o755)
	}
	// Most nodes have brothers, so the parent is made only when missed.
	err := os.WriteFile(path, []byte(n.Content), 0o644)
	if os.IsNotExist(err) {
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			err = os.WriteFile(path, []byte(n.Content), 0o644)
		}
	}
	if err == nil && !n.ModTime.IsZero() {
		err = os.Chtimes(path, n.ModTime, n.ModTime)
	}
	return err
}

// seedTime is when all seeded files were last changed, unless said otherwise.
func seedTime() time.Time { return time.Date(2015, 3, 4, 5, 6, 7, 0, time.UTC) }
