package webclient

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	// maxFile bounds a credential file: a long certificate chain is 20 KiB.
	maxFile = 1 << 20
	// recheck is how often a file is looked at.
	recheck = time.Second
)

// reloaded is a value made from files that others replace at any time.
type reloaded[T any] struct {
	files []string
	parse func(contents [][]byte) (T, error)
	log   *slog.Logger

	mu      sync.Mutex
	checked time.Time
	seen    []os.FileInfo
	value   T
	failed  bool
}

// reload makes the value for the first time, and fails when it cannot.
func reload[T any](log *slog.Logger, parse func([][]byte) (T, error), files ...string) (*reloaded[T], error) {
	r := &reloaded[T]{files: files, parse: parse, log: log}
	return r, r.read()
}

// get returns the value, made anew if a file has changed, and whether it was.
// As long as the files cannot be used, the last good value stays.
func (r *reloaded[T]) get() (value T, changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.Sub(r.checked) >= recheck {
		r.checked = now
		if r.stale() {
			err := r.read()
			changed = err == nil
			if err != nil && !r.failed {
				r.log.Warn("credential file cannot be used, the last good one stays in force", "error", err)
			}
			r.failed = err != nil
		}
	}
	return r.value, changed
}

// stale reports whether a file is not the one that was read last.
func (r *reloaded[T]) stale() bool {
	for i, name := range r.files {
		info, err := os.Stat(name)
		if err != nil || i >= len(r.seen) {
			return true
		}
		old := r.seen[i]
		if !info.ModTime().Equal(old.ModTime()) || info.Size() != old.Size() || !os.SameFile(info, old) {
			return true
		}
	}
	return false
}

func (r *reloaded[T]) read() error {
	var contents [][]byte
	var seen []os.FileInfo
	for _, name := range r.files {
		data, info, err := readFile(name)
		if err != nil {
			return err
		}
		contents, seen = append(contents, data), append(seen, info)
	}
	value, err := r.parse(contents)
	if err != nil {
		return fmt.Errorf("%s: %w", r.files[0], err)
	}
	r.value, r.seen = value, seen
	return nil
}

// readFile reads a regular file of bounded size. What the file was is noted
// before it is read: a change in between shows at the next look.
func readFile(name string) ([]byte, os.FileInfo, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if info.IsDir() {
		return nil, nil, fmt.Errorf("%s: is a directory", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("is larger than 1 MiB")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, info, nil
}
