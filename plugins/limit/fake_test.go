package limit

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"canopy/plugins"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// slow is a storage that thinks for a while about everything, and has every
// ability.
type slow struct {
	think time.Duration
	// gaps is the silence before each entry of a listing; the entries are "a",
	// "b", ….
	gaps []time.Duration
	// mute makes a listing that is cut off end without an error.
	mute bool
	err  error

	closed bool

	mu         sync.Mutex
	now, worst int // questions at once
}

func (s *slow) wait(ctx context.Context, d time.Duration) error {
	s.count(1)
	defer s.count(-1)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return s.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *slow) count(change int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now += change
	s.worst = max(s.worst, s.now)
}

// most returns the largest number of questions that were there at once.
func (s *slow) most() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.worst
}

func (s *slow) Stat(ctx context.Context, path string) (plugins.Entry, error) {
	return plugins.Entry{Name: path[1:], Kind: plugins.File}, s.wait(ctx, s.think)
}

func (s *slow) List(ctx context.Context, _ string) iter.Seq2[plugins.Entry, error] {
	return func(yield func(plugins.Entry, error) bool) {
		for i, gap := range s.gaps {
			err := s.wait(ctx, gap)
			switch {
			case err != nil && s.mute:
				return
			case err != nil:
				yield(plugins.Entry{}, err)
				return
			case !yield(plugins.Entry{Name: string(rune('a' + i))}, nil):
				return
			}
		}
	}
}

func (s *slow) Open(ctx context.Context, _ string, _ plugins.Range) (*plugins.Body, error) {
	if err := s.wait(ctx, s.think); err != nil {
		return nil, err
	}
	return &plugins.Body{ReadCloser: &bytesOf{ctx: ctx, r: strings.NewReader("content")}, Length: 7}, nil
}

// bytesOf reads as long as the context of its Open allows.
type bytesOf struct {
	ctx    context.Context
	r      io.Reader
	closed int
}

func (b *bytesOf) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.r.Read(p)
}

func (b *bytesOf) Close() error {
	b.closed++
	return errors.New("closing fails")
}

func (s *slow) Digest(ctx context.Context, _, algorithm string) (plugins.Digest, error) {
	return plugins.Digest{Algorithm: algorithm, Sum: "sum"}, s.wait(ctx, s.think)
}

func (s *slow) Space(ctx context.Context, _ string) (plugins.Space, error) {
	return plugins.Space{Used: 1, Free: 2}, s.wait(ctx, s.think)
}

func (s *slow) Inspect(ctx context.Context, _ string) (plugins.Inspection, error) {
	return plugins.Inspection{Writable: plugins.Yes}, s.wait(ctx, s.think)
}

func (s *slow) Probe(ctx context.Context, _ string) error { return s.wait(ctx, s.think) }

// Store thinks about each byte of the content.
func (s *slow) Store(ctx context.Context, path string, content io.Reader, _ plugins.Upload) (plugins.Entry, error) {
	entry := plugins.Entry{Name: path[1:], Kind: plugins.File}
	for {
		if err := s.wait(ctx, s.think); err != nil {
			return entry, err
		}
		n, err := content.Read(make([]byte, 1))
		if entry.Size += int64(n); errors.Is(err, io.EOF) {
			return entry, nil
		} else if err != nil {
			return entry, &plugins.Error{Kind: plugins.Canceled, Err: err}
		}
	}
}

func (s *slow) Atomic() bool { return true }

func (s *slow) Remove(ctx context.Context, _ string) error        { return s.wait(ctx, s.think) }
func (s *slow) MakeDirectory(ctx context.Context, _ string) error { return s.wait(ctx, s.think) }
func (s *slow) Move(ctx context.Context, _, _ string, _ bool) error {
	return s.wait(ctx, s.think)
}

func (s *slow) Sweep(ctx context.Context, _ time.Duration) (int, error) {
	return 3, s.wait(ctx, s.think)
}

func (s *slow) Locate(path, _ string) (plugins.Location, error) {
	return plugins.Location{URL: "http://storage" + path}, nil
}

func (s *slow) Copies(plugins.CopyMode) bool { return true }

func (s *slow) Copy(ctx context.Context, _ string, _ plugins.ThirdParty) error {
	return s.wait(ctx, s.think)
}

func (s *slow) Ordered() bool { return true }

func (s *slow) Close() error {
	s.closed = true
	return s.err
}

// onlyStat is a storage that can do the least.
type onlyStat struct{ s *slow }

func (o onlyStat) Stat(ctx context.Context, path string) (plugins.Entry, error) {
	return o.s.Stat(ctx, path)
}
func (o onlyStat) Close() error { return o.s.Close() }

// wantError demands an *Error of that kind, operation and path.
func wantError(t *testing.T, err error, kind plugins.Kind, op, path string) {
	t.Helper()
	var e *plugins.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Op != op || e.Path != path {
		t.Errorf("got %v, want %v in %s of %s", err, kind, op, path)
	}
}

// wantLoad demands that the limits are used to that extent.
func wantLoad(t *testing.T, e *Endpoint, want Load) {
	t.Helper()
	if got := e.Load(); got != want {
		t.Errorf("load is %+v, want %+v", got, want)
	}
}

// clock returns how much (fake) time has passed since it was made.
func clock() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
