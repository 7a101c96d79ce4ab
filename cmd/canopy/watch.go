package main

import (
	"crypto/sha256"
	"io"
	"os"
	"time"
)

// watchEvery is how often the configuration is looked at. It is read, not
// watched by the kernel: that also works across network file systems and when
// the name is a symbolic link that is swapped.
const watchEvery = 2 * time.Second

// watch notices that the configuration file has changed. What else it names
// (tokens, certificates, the geo database) is read anew by who uses it.
type watch struct {
	file string
	seen [sha256.Size]byte
	// pending is a change that was seen once: it counts when it is seen
	// again, so that a file is not read while it is being written.
	pending [sha256.Size]byte
}

func newWatch(file string) *watch {
	w := &watch{file: file}
	w.seen, _ = fingerprint(file)
	w.pending = w.seen
	return w
}

// changed reports whether the file is another than at the last time that it
// was. A file that cannot be read has not changed.
func (w *watch) changed() bool {
	now, err := fingerprint(w.file)
	if err != nil || now == w.seen {
		return false
	}
	if now != w.pending {
		w.pending = now
		return false
	}
	w.seen = now
	return true
}

// fingerprint is of the file's bytes.
func fingerprint(file string) (sum [sha256.Size]byte, err error) {
	f, err := os.Open(file)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, 16<<20)); err != nil {
		return sum, err
	}
	h.Sum(sum[:0])
	return sum, nil
}
