package stripe

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"canopy/plugins"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bytesOf returns n bytes, of which no two blocks are alike.
func bytesOf(n int) []byte {
	pattern := make([]byte, 64<<10)
	var seed [32]byte
	rand.NewChaCha8(seed).Read(pattern)
	b := make([]byte, 0, n+len(pattern))
	for len(b) < n {
		binary.BigEndian.PutUint32(pattern, uint32(len(b)))
		b = append(b, pattern...)
	}
	return b[:n]
}

// file is a source that breaks as told.
type file struct {
	data []byte
	// breaks returns after how many bytes the n-th request for the same offset
	// breaks off, and with what; a nil error is an early end. Negative is
	// never.
	breaks func(n int) (int, error)

	mu           sync.Mutex
	asked        map[int64]int
	opened, open int
	most         int
}

func (f *file) Open(_ context.Context, offset, length int64) (io.ReadCloser, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked == nil {
		f.asked = make(map[int64]int)
	}
	n, err := f.breaks(f.asked[offset])
	f.asked[offset]++
	f.opened++
	part := f.data[offset:]
	if length >= 0 {
		part = part[:length]
	}
	switch {
	case n == 0 && err != nil:
		return nil, err
	case n >= 0 && n < len(part):
		part = part[:n]
	default:
		err = nil
	}
	f.open++
	f.most = max(f.most, f.open)
	var r io.Reader = bytes.NewReader(part)
	if err != nil {
		r = io.MultiReader(r, iotest.ErrReader(err))
	}
	return &handle{r, f}, nil
}

type handle struct {
	io.Reader
	f *file
}

func (h *handle) Close() error {
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	h.f.open--
	return nil
}

func never(int) (int, error) { return -1, nil }

var errCut = &plugins.Error{Kind: plugins.Unavailable, Op: "open", Err: errors.New("cut")}

func TestWhole(t *testing.T) {
	for _, c := range []struct{ size, streams, requests int }{
		{0, 1, 0}, {0, 4, 0}, {1, 1, 1}, {1, 4, 1}, {Block, 4, 1}, {Block + 1, 4, 2},
		{5*Block - 1, 2, 5}, {18 * Block, 1000, 18}, {2 * Block, 1, 1},
	} {
		f := &file{data: bytesOf(c.size), breaks: never}
		r := New(t.Context(), f.Open, int64(c.size), c.streams)
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, f.data) {
			t.Errorf("%+v: %d bytes, %v", c, len(got), err)
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("%+v: beyond the end %d, %v", c, n, err)
		}
		if err := r.Close(); err != nil || f.open != 0 || f.opened != c.requests || f.most > min(c.streams, mostBlocks) {
			t.Errorf("%+v: %v; %d requests, %d at once, %d left open", c, err, f.opened, f.most, f.open)
		}
	}
}

func TestUnknownSize(t *testing.T) {
	f := &file{data: bytesOf(1 << 20), breaks: never}
	r := New(t.Context(), f.Open, -1, 8)
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, f.data) || r.Close() != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	// Nobody can tell where it would have ended.
	f = &file{data: f.data, breaks: func(int) (int, error) { return 1000, errCut }}
	r = New(t.Context(), f.Open, -1, 8)
	if got, err := io.ReadAll(r); len(got) != 1000 || !errors.Is(err, errCut) || f.opened != 1 || r.Close() != nil {
		t.Errorf("%d bytes, %v, %d requests", len(got), err, f.opened)
	}
}

func TestResumes(t *testing.T) {
	data := bytesOf(3*Block + 17)
	for _, streams := range []int{1, 4} {
		for name, broken := range map[string]error{"error": errCut, "early end": nil} {
			synctest.Test(t, func(t *testing.T) {
				// Each second request brings nothing at all, the others a bit.
				f := &file{data: data, breaks: func(n int) (int, error) {
					if n%2 == 0 {
						return 0, errCut
					}
					return Block/2 + 1, broken
				}}
				r := New(t.Context(), f.Open, int64(len(f.data)), streams)
				got, err := io.ReadAll(r)
				if err != nil || !bytes.Equal(got, f.data) {
					t.Errorf("%s, %d streams: %d bytes, %v", name, streams, len(got), err)
				}
				if r.Close(); f.open != 0 {
					t.Errorf("%s, %d streams: %d left open", name, streams, f.open)
				}
			})
		}
	}
}

func TestGivesUp(t *testing.T) {
	for _, streams := range []int{1, 4} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			f := &file{data: bytesOf(2 * Block), breaks: func(int) (int, error) { return 0, errCut }}
			r := New(t.Context(), f.Open, int64(len(f.data)), streams)
			defer r.Close()
			n, err := io.ReadFull(r, make([]byte, 1))
			// 0.5 + 1 + 2 + 4 s of pauses between five attempts.
			if took := time.Since(began); n != 0 || !errors.Is(err, errCut) || took != 7500*time.Millisecond {
				t.Errorf("%d streams: %d bytes, %v after %v", streams, n, err, took)
			}
		})
		// An answer is not asked for twice.
		gone := &plugins.Error{Kind: plugins.NotFound}
		f := &file{data: bytesOf(2 * Block), breaks: func(n int) (int, error) { return 0, gone }}
		r := New(t.Context(), f.Open, int64(len(f.data)), 1)
		if _, err := r.Read(make([]byte, 1)); err != gone || f.opened != 1 {
			t.Errorf("%v, %d requests", err, f.opened)
		}
	}
}

func TestCanceled(t *testing.T) {
	for _, streams := range []int{1, 4} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			f := &file{data: bytesOf(2 * Block), breaks: func(int) (int, error) { return 0, errCut }}
			r := New(ctx, f.Open, int64(len(f.data)), streams)
			time.AfterFunc(time.Second, cancel)
			began := time.Now()
			if _, err := r.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) || time.Since(began) != time.Second {
				t.Errorf("%d streams: %v after %v", streams, err, time.Since(began))
			}
			r.Close()
		})
	}
}

// TestMemory makes sure that a reader who stops stops the streams.
func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &file{data: make([]byte, 20*Block), breaks: never}
		r := New(t.Context(), f.Open, int64(len(f.data)), 16)
		if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if f.opened > mostBlocks {
			t.Errorf("%d blocks were read for one byte", f.opened)
		}
		r.Close()
	})
}
