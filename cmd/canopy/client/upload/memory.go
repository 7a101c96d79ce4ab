package upload

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"canopy/cmd/canopy/client"
	"canopy/plugins"
)

// Memory is the directory in which is noted where on their servers uploads are
// that have not ended; "" remembers nothing. What cannot be noted is not an
// error: the upload begins anew then.
type Memory string

const (
	// maxNote bounds the length of a note in bytes.
	maxNote = 4 << 10
	// maxAge is when a server has long forgotten an upload.
	maxAge = 30 * 24 * time.Hour
)

// name is that of the note for a file, which is another when the file changes.
func name(to client.Address, identity string, u plugins.Upload) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %d %d", to.Origin, to.Path, identity, u.Size, u.ModTime.UnixNano()))
	return hex.EncodeToString(sum[:])
}

// recall returns where an upload is, "" if that is not known.
func (m Memory) recall(name string) string {
	if m == "" {
		return ""
	}
	b, err := os.ReadFile(filepath.Join(string(m), name))
	at := string(b)
	if err != nil || len(b) > maxNote || !strings.HasPrefix(at, "/") || strings.ContainsAny(at, "\r\n\x00") {
		return ""
	}
	return at
}

// remember notes where an upload is, and throws old notes away.
func (m Memory) remember(name, at string) {
	if m == "" || os.MkdirAll(string(m), 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(string(m), "new-")
	if err != nil {
		return
	}
	_, err = f.WriteString(at)
	if f.Close() != nil || err != nil || os.Rename(f.Name(), filepath.Join(string(m), name)) != nil {
		_ = os.Remove(f.Name()) // it was made for nothing
	}
	notes, _ := os.ReadDir(string(m))
	for _, n := range notes {
		if info, err := n.Info(); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > maxAge {
			_ = os.Remove(filepath.Join(string(m), n.Name())) // there is another time
		}
	}
}

// forget removes the note.
func (m Memory) forget(name string) {
	if m != "" {
		_ = os.Remove(filepath.Join(string(m), name)) // what it says is found out to be wrong
	}
}
