package upload

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// Source is where the content of a file comes from.
type Source struct {
	// Open begins to read it. It is called again for another attempt, unless
	// Once is set and something was read.
	Open func() (io.ReadCloser, error)
	Once bool
	// Size is in bytes; negative when unknown.
	Size int64
	// ModTime is the time of its last change; zero when unknown.
	ModTime time.Time
	// Identity is what makes it known again in another run, with size and
	// time; "" if nothing does.
	Identity string
}

// FromFile returns the content of the file name, which must be an ordinary one.
func FromFile(name string) (Source, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return Source{}, err
	case !info.Mode().IsRegular():
		return Source{}, &os.PathError{Op: "read", Path: name, Err: errors.New("it is no ordinary file")}
	}
	identity, err := filepath.Abs(name)
	return Source{
		Open: func() (io.ReadCloser, error) { return os.Open(name) },
		Size: info.Size(), ModTime: info.ModTime(), Identity: identity,
	}, err
}

// FromStream returns what r delivers.
func FromStream(r io.Reader) Source {
	return Source{Open: func() (io.ReadCloser, error) { return io.NopCloser(r), nil }, Once: true, Size: -1}
}

// open begins to read, for an upload.
func (s *Source) open(algorithm string, progress func(int64)) (*content, error) {
	from, err := s.Open()
	var fault *plugins.Error
	switch {
	case errors.As(err, &fault):
		return nil, err
	case err != nil:
		// What is wrong on this machine will not pass by waiting.
		return nil, &plugins.Error{Kind: plugins.Invalid, Err: err}
	}
	c := &content{from: from, size: s.Size, identity: s.Identity, algorithm: algorithm, sum: digest.New(algorithm), progress: progress}
	c.seeker, _ = from.(io.Seeker)
	return c, nil
}

// sum reads it all for its checksum.
func (s *Source) sum(ctx context.Context, algorithm string) (plugins.Digest, error) {
	c, err := s.open(algorithm, func(int64) {})
	if err != nil {
		return plugins.Digest{}, err
	}
	defer c.close()
	stop := context.AfterFunc(ctx, c.close)
	defer stop()
	if _, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{c}, make([]byte, 1<<20)); err != nil {
		return plugins.Digest{}, err
	}
	return c.sent().sum, nil
}

// content is a source being read: counted, and with a running checksum. A Read
// may be under way when the upload is already over.
type content struct {
	from      io.ReadCloser
	seeker    io.Seeker
	size      int64 // negative when unknown
	identity  string
	algorithm string
	progress  func(int64)

	mu   sync.Mutex
	sum  hash.Hash
	n    int64
	done bool
	any  bool
	// fault is the error of a source that is a server itself.
	fault *plugins.Error
	// marked is where mark was called, with the state of the checksum there.
	marked int64
	state  []byte
}

func (c *content) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.mu.Lock()
	c.n += int64(n)
	c.sum.Write(p[:n])
	c.done = err == io.EOF
	c.any = c.any || n > 0 || err != nil
	errors.As(err, &c.fault)
	c.mu.Unlock()
	if n > 0 {
		c.progress(int64(n))
	}
	return n, err
}

// Seek goes to the beginning, or tells where it is.
func (c *content) Seek(offset int64, whence int) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.seeker == nil:
		return 0, errors.ErrUnsupported
	case offset == 0 && whence == io.SeekCurrent:
		return c.n, nil
	case offset != 0 || whence != io.SeekStart:
		return 0, errors.ErrUnsupported
	}
	if _, err := c.seeker.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	c.progress(-c.n)
	c.sum.Reset()
	c.n, c.done, c.fault = 0, false, nil
	return 0, nil
}

// mark notes where it is, to come back to without reading all again.
func (c *content) mark() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = nil
	if m, ok := c.sum.(encoding.BinaryMarshaler); ok {
		if state, err := m.MarshalBinary(); err == nil {
			c.marked, c.state = c.n, state
		}
	}
}

// back goes to the mark, or to the beginning where offset lies before that.
func (c *content) back(offset int64) error {
	c.mu.Lock()
	m, ok := c.sum.(encoding.BinaryUnmarshaler)
	if !ok || c.state == nil || offset < c.marked {
		c.mu.Unlock()
		_, err := c.Seek(0, io.SeekStart)
		return err
	}
	defer c.mu.Unlock()
	if _, err := c.seeker.Seek(c.marked, io.SeekStart); err != nil {
		return err
	}
	if err := m.UnmarshalBinary(c.state); err != nil {
		return err
	}
	c.progress(c.marked - c.n)
	c.n, c.done, c.fault = c.marked, false, nil
	return nil
}

// reach goes to offset. What lies before it is read for the checksum.
func (c *content) reach(ctx context.Context, offset int64) error {
	if offset < c.sent().size {
		if err := c.back(offset); err != nil {
			return &plugins.Error{Kind: plugins.Invalid, Err: err}
		}
	}
	buf := make([]byte, 1<<20)
	for at := c.sent().size; at < offset; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := c.Read(buf[:min(int64(len(buf)), offset-at)])
		if at += int64(n); err != nil && at < offset {
			return &plugins.Error{Kind: plugins.Invalid, Err: fmt.Errorf("the file is shorter than it was: %w", err)}
		}
	}
	return nil
}

// sent is what was read so far.
func (c *content) sent() sent {
	c.mu.Lock()
	defer c.mu.Unlock()
	return sent{
		fault: c.fault, size: c.n, whole: c.done || c.n == c.size, begun: c.any,
		sum: plugins.Digest{Algorithm: c.algorithm, Sum: string(c.sum.Sum(nil))},
	}
}

func (c *content) close() {
	// Nothing was written that an error could concern.
	_ = c.from.Close()
}
