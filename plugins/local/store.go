package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"canopy/plugins"
	"canopy/plugins/local/stage"
	"canopy/plugins/local/stage/at"
	"canopy/plugins/local/sums"
)

// portion is how many bytes of an upload are read at a time; twice as many are
// in memory.
const portion = 256 << 10

// Atomic implements plugins.Writer: it is true.
func (e *endpoint) Atomic() bool { return true }

// Store implements plugins.Writer. The file and its name are on the disk when
// it returns without an error.
func (e *endpoint) Store(ctx context.Context, p string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
	entry, err := e.store(ctx, p, content, u)
	if err != nil {
		return plugins.Entry{}, err
	}
	return entry, nil
}

func (e *endpoint) store(ctx context.Context, p string, content io.Reader, u plugins.Upload) (entry plugins.Entry, err error) {
	place, err := e.target(ctx, "store", p)
	if err != nil {
		return entry, err
	}
	defer place.close()
	// What will be refused need not be sent.
	old, err := place.admits(u)
	if err != nil {
		return entry, err
	}
	if err := place.roomFor(u.Size); err != nil {
		return entry, err
	}
	f, err := stage.Create(place.root, place.dir)
	if err != nil {
		return entry, place.fail(err)
	}
	defer f.Discard()
	digests, err := place.receive(ctx, f.File, content, u.Size)
	if err != nil {
		return entry, err
	}
	if old != (facts{}) {
		if err := f.Chmod(old.mode.Perm()); err != nil {
			return entry, place.fail(err)
		}
	}
	if u.ModTime.IsZero() {
		// More exact than the clock by which file systems stamp what others
		// write, so that no later change can have the same time.
		u.ModTime = time.Now()
	}
	if err := at.SetTime(f.File, u.ModTime); err != nil {
		return entry, place.fail(err)
	}
	info, err := f.Stat()
	if err != nil {
		return entry, place.fail(err)
	}
	now := factsOf(info)
	// Where they cannot be kept they are computed when they are asked for.
	_ = sums.Keep(f.File, now.version(), digests)
	if err := f.Sync(); err != nil {
		return entry, place.fail(err)
	}
	if err := e.publish(ctx, place, f, u); err != nil {
		return entry, err
	}
	if err := place.settle(); err != nil {
		return entry, err
	}
	entry, _ = now.entry(place.name)
	entry.Digests = digests
	return entry, nil
}

// publish gives the file its name, if that is still allowed.
func (e *endpoint) publish(ctx context.Context, place *place, f *stage.File, u plugins.Upload) error {
	e.change.Lock()
	defer e.change.Unlock()
	if err := ctx.Err(); err != nil {
		return plugins.Fail(place.op, place.path, err)
	}
	old, err := place.admits(u)
	if err != nil {
		return err
	}
	if old != (facts{}) {
		if err := place.handOver(f.File); err != nil {
			return err
		}
	}
	if err := f.Publish(place.name, u.New); err != nil {
		return place.fail(err)
	}
	return nil
}

// receive writes the content to f and returns its checksums. While one portion
// is worked on the next is read.
func (l *place) receive(ctx context.Context, f *os.File, content io.Reader, size int64) ([]plugins.Digest, error) {
	running := sums.New()
	both := io.MultiWriter(running, f)
	length := int64(portion)
	if size >= 0 && size < portion {
		length = size + 1
	}
	buffers := [2][]byte{make([]byte, length), nil}
	written := make(chan error, 1)
	written <- nil
	var stored int64
	for i := 0; ; i = 1 - i {
		if buffers[i] == nil {
			buffers[i] = make([]byte, length)
		}
		n, err := fill(content, buffers[i])
		stored += int64(n)
		// From here on nobody but us is at work.
		if err := <-written; err != nil {
			return nil, l.fail(err)
		}
		ended := errors.Is(err, io.EOF)
		switch {
		case ctx.Err() != nil:
			return nil, plugins.Fail(l.op, l.path, ctx.Err())
		case err != nil && !ended:
			// The storage has no part in that.
			return nil, l.failure(plugins.Canceled, err)
		case size >= 0 && stored > size:
			return nil, l.failure(plugins.Invalid, fmt.Errorf("more than the %d bytes that were announced", size))
		case ended && stored < size:
			return nil, l.failure(plugins.Invalid, fmt.Errorf("%d bytes of the %d that were announced", stored, size))
		case ended:
			if _, err := both.Write(buffers[i][:n]); err != nil {
				return nil, l.fail(err)
			}
			return running.Digests(), nil
		}
		go func() {
			_, err := both.Write(buffers[i][:n])
			written <- err
		}()
	}
}

// fill reads until the buffer is full or there is an error, which comes with
// the bytes before it.
func fill(r io.Reader, buffer []byte) (n int, err error) {
	for n < len(buffer) && err == nil {
		var more int
		more, err = r.Read(buffer[n:])
		n += more
	}
	return n, err
}

// admits returns the facts of the file that is where u is to be stored, if that
// may be replaced; those of nothing if there is none.
func (l *place) admits(u plugins.Upload) (old facts, err error) {
	itself, err := lstat(l.root, l.path, l.dir, l.name)
	if errors.Is(err, fs.ErrNotExist) {
		if u.IfMatch != "" {
			return facts{}, l.failure(plugins.Changed, errors.New("there is nothing"))
		}
		return facts{}, nil
	}
	if err != nil {
		return facts{}, l.fail(err)
	}
	old = itself
	if itself.mode.Type() == fs.ModeSymlink {
		if old, err = follow(l.root, l.path); err != nil {
			old.mode = fs.ModeIrregular // it leads to nothing that is seen
		}
	}
	seen, isEntry := old.entry(path.Base(l.path))
	if !isEntry {
		old = facts{}
	}
	switch {
	case isEntry && seen.Kind == plugins.Directory:
		return facts{}, l.failure(plugins.IsDirectory, nil)
	case u.New:
		return facts{}, l.failure(plugins.Exists, nil)
	case u.IfMatch != "" && u.IfMatch != seen.ETag:
		return facts{}, l.failure(plugins.Changed, nil)
	case !itself.replaceable():
		return facts{}, l.failure(plugins.Denied, errNotOurs)
	}
	return old, nil
}

// roomFor refuses what is announced to be larger than what is free.
func (l *place) roomFor(size int64) error {
	if size <= 0 {
		return nil
	}
	s, err := room(l.dir)
	switch {
	case plugins.KindOf(err) == plugins.Unsupported:
		return nil
	case err != nil:
		return l.fail(err)
	case size > s.Free:
		return l.failure(plugins.Full, fmt.Errorf("%d bytes are free, %d would be needed", s.Free, size))
	}
	return nil
}
