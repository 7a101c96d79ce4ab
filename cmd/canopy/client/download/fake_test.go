package download

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"canopy/plugins"
)

// sources are replicas in memory, by URL.
type sources map[string]*source

// source is one replica; the zero value but for content is a good one.
type source struct {
	content []byte
	tag     string
	sums    []plugins.Digest
	// fail is asked before each answer.
	fail func(call int, r plugins.Range) error
	// cut is how many bytes an answer has at most; 0 is no bound.
	cut int64
	// whole is whether ranges are ignored, unsized whether it tells no size.
	whole, unsized bool
	// block is closed when the source may go on.
	block chan struct{}

	mu    sync.Mutex
	calls int
	asked []plugins.Range
}

func (s sources) Open(ctx context.Context, url string, r plugins.Range) (*plugins.Body, string, error) {
	from, ok := s[url]
	if !ok {
		return nil, "", &plugins.Error{Kind: plugins.Unavailable, Err: errors.New("connection refused")}
	}
	from.mu.Lock()
	from.calls++
	call := from.calls
	from.asked = append(from.asked, r)
	from.mu.Unlock()
	if from.fail != nil {
		if err := from.fail(call, r); err != nil {
			return nil, "", err
		}
	}
	if from.block != nil {
		select {
		case <-from.block:
		case <-ctx.Done():
			return nil, "", ctx.Err()
		}
	}
	from.mu.Lock()
	defer from.mu.Unlock()
	e := plugins.Entry{Kind: plugins.File, Size: int64(len(from.content)), ETag: from.tag, Digests: from.sums}
	if from.unsized {
		e.Size = -1
	}
	b := from.content
	if from.whole {
		r.Offset = 0
	} else {
		b = b[min(r.Offset, int64(len(b))):]
		if r.Length >= 0 {
			b = b[:min(r.Length, int64(len(b)))]
		}
	}
	if from.cut > 0 && int64(len(b)) > from.cut {
		b = b[:from.cut]
	}
	return &plugins.Body{ReadCloser: io.NopCloser(bytes.NewReader(b)), Entry: e, Offset: r.Offset, Length: int64(len(b))}, url, nil
}

// bytesOf makes n bytes that differ with the seed.
func bytesOf(seed uint64, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed)}).Read(b)
	return b
}

func sha(b []byte) []plugins.Digest {
	sum := sha256.Sum256(b)
	return []plugins.Digest{{Algorithm: "sha-256", Sum: string(sum[:])}}
}

// run is a downloader with what it said.
type run struct {
	Downloader
	mu       sync.Mutex
	notices  []string
	progress int64
	pauses   []time.Duration
}

func newRun(o Opener) *run {
	r := &run{}
	r.Downloader = Downloader{
		Opener: o, Streams: 4,
		Notice: func(s string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.notices = append(r.notices, s)
		},
		Progress: func(n int64) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.progress += n
		},
		Pause: func(ctx context.Context, d time.Duration) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.pauses = append(r.pauses, d)
			return ctx.Err()
		},
	}
	return r
}

// folder is a destination, and what is in it.
type folder struct {
	*os.Root
	t *testing.T
}

func newFolder(t *testing.T) folder {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return folder{root, t}
}

// names are the files in the folder.
func (f folder) names() []string {
	entries, err := os.ReadDir(f.Name())
	if err != nil {
		f.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// holds fails the test unless the folder holds nothing but name with content.
func (f folder) holds(name string, content []byte) {
	f.t.Helper()
	got, err := f.ReadFile(name)
	if err != nil {
		f.t.Fatal(err)
	}
	if !bytes.Equal(got, content) {
		f.t.Errorf("%s: %d bytes that are not the %d of the original", name, len(got), len(content))
	}
	if names := f.names(); !slices.Equal(names, []string{name}) {
		f.t.Errorf("the folder holds %q", names)
	}
}

func unavailable(call int, _ plugins.Range) error {
	return &plugins.Error{Kind: plugins.Unavailable, Err: fmt.Errorf("refused for the %d. time", call)}
}
