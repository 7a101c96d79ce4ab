// Package reload keeps what was made from files, and makes it anew when the
// files change.
//
// Nothing runs in the background: whoever asks for the value, and finds that
// nobody has looked at the files for a while, looks. The others meanwhile get
// the value that there is, so a file system that hangs holds up one caller at
// most. A file that cannot be used leaves the last good value in force; that
// is reported once for each state of the files.
package reload

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// recheck is how often the files are looked at.
	recheck = time.Second
	// MaxFile bounds each file, in bytes.
	MaxFile = 8 << 20
)

// Value is a T made from files. Its methods may be called by any number of
// goroutines at once.
type Value[T any] struct {
	files   []string
	parse   func(contents [][]byte) (T, error)
	changed func(error)

	value   atomic.Pointer[T]
	checked atomic.Int64 // Unix nanoseconds

	looking sync.Mutex
	seen    []fs.FileInfo // as the files were when last read; guarded by looking
}

// New reads the files and makes the value, or fails. Afterwards changed is
// told of each new value (nil), and of files that cannot be used; it is called
// in the goroutine of whoever asked, one call at a time.
func New[T any](parse func(contents [][]byte) (T, error), changed func(error), files ...string) (*Value[T], error) {
	v := &Value[T]{files: files, parse: parse, changed: changed}
	v.checked.Store(time.Now().UnixNano())
	if err := v.read(); err != nil {
		return nil, err
	}
	return v, nil
}

// Get returns the value, which is at most a second behind the files as long as
// somebody asks.
func (v *Value[T]) Get() T {
	if now := time.Now().UnixNano(); now-v.checked.Load() >= int64(recheck) && v.looking.TryLock() {
		v.checked.Store(now)
		if v.stale() {
			v.changed(v.read())
		}
		v.looking.Unlock()
	}
	return *v.value.Load()
}

// stale reports whether a file is not as it was when it was last read.
func (v *Value[T]) stale() bool {
	for i, name := range v.files {
		now, err := os.Stat(name)
		was := v.seen[i]
		if err != nil || was == nil {
			if (err == nil) != (was != nil) {
				return true
			}
			continue
		}
		if !os.SameFile(now, was) || !now.ModTime().Equal(was.ModTime()) || now.Size() != was.Size() {
			return true
		}
	}
	return false
}

// read makes the value from the files as they are. What it saw of them counts
// even if they cannot be used, so that one bad state is reported once.
func (v *Value[T]) read() error {
	v.seen = make([]fs.FileInfo, len(v.files))
	contents := make([][]byte, len(v.files))
	var failed error
	for i, name := range v.files {
		var err error
		if v.seen[i], contents[i], err = readFile(name); err != nil && failed == nil {
			failed = err
		}
	}
	if failed != nil {
		return failed
	}
	value, err := v.parse(contents)
	if err != nil {
		return err
	}
	v.value.Store(&value)
	return nil
}

// readFile returns what a regular file holds, and how it was before that was
// read, so that a change in between is seen the next time.
func readFile(name string) (fs.FileInfo, []byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case !info.Mode().IsRegular():
		return info, nil, fmt.Errorf("%s is not a regular file", name)
	case info.Size() > MaxFile:
		return info, nil, fmt.Errorf("%s is larger than %d MiB", name, MaxFile>>20)
	}
	f, err := os.Open(name)
	if err != nil {
		return info, nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err == nil && len(content) > MaxFile {
		err = fmt.Errorf("%s is larger than %d MiB", name, MaxFile>>20)
	}
	return info, content, err
}
