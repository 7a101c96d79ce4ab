package upload

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"canopy/cmd/canopy/client"
	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a server that shows files while they are being sent, and keeps what
// it has when the sender goes away.
type memory struct {
	mu    sync.Mutex
	files map[string][]byte
	// sums is whether it tells checksums.
	sums bool
	// store, look, check and remove are asked before each such call what is to
	// go wrong with it.
	store         func(call int) fault
	look, check   func(call int) error
	remove        func(call int) error
	stores, looks int
	checks        int
	removes       int
	// new are the conditions of the uploads.
	new []bool
}

// fault is what goes wrong with an upload.
type fault struct {
	// cut is how many bytes are taken before err; negative is all of them.
	cut int64
	err error
	// damage is whether another content arrives.
	damage bool
	// during is called when the bytes are there.
	during func()
}

var (
	errCut    = &plugins.Error{Kind: plugins.Unavailable, Err: errors.New("connection reset")}
	errBusy   = &plugins.Error{Kind: plugins.Busy, RetryAfter: 7 * time.Second, Err: errors.New("answered 503")}
	errDenied = &plugins.Error{Kind: plugins.Denied, Err: errors.New("answered 403")}
	errGone   = &plugins.Error{Kind: plugins.NotFound, Err: errors.New("answered 404")}
)

func (m *memory) Store(ctx context.Context, to client.Address, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
	m.mu.Lock()
	m.stores++
	call := m.stores
	m.new = append(m.new, u.New)
	_, there := m.files[to.Path]
	m.mu.Unlock()
	if u.New && there {
		return plugins.Entry{}, &plugins.Error{Kind: plugins.Exists, Err: errors.New("answered 412")}
	}
	var f fault
	if m.store != nil {
		f = m.store(call)
	}
	if f.err != nil && f.cut >= 0 {
		content = io.LimitReader(content, f.cut)
		if f.cut == 0 {
			return plugins.Entry{}, f.err
		}
	}
	b, err := io.ReadAll(content)
	if f.damage && len(b) > 0 {
		b[0]++
	}
	m.put(to.Path, b)
	if f.during != nil {
		f.during()
	}
	if err = errors.Join(err, ctx.Err(), f.err); err != nil {
		return plugins.Entry{}, plugins.Fail("store", to.Path, err)
	}
	return plugins.Entry{Kind: plugins.File, Size: int64(len(b))}, nil
}

func (m *memory) put(path string, b []byte) {
	m.mu.Lock()
	m.files[path] = b
	m.mu.Unlock()
}

func (m *memory) Look(ctx context.Context, a client.Address) (plugins.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looks++
	if m.look != nil {
		if err := m.look(m.looks); err != nil {
			return plugins.Entry{}, err
		}
	}
	b, there := m.files[a.Path]
	switch {
	case ctx.Err() != nil:
		return plugins.Entry{}, ctx.Err()
	case !there:
		return plugins.Entry{}, errGone
	case b == nil:
		return plugins.Entry{Kind: plugins.Directory, Size: -1}, nil
	}
	return plugins.Entry{Kind: plugins.File, Size: int64(len(b)), ModTime: time.Unix(1000, 0)}, nil
}

func (m *memory) Check(ctx context.Context, a client.Address, algorithm string) (plugins.Entry, error) {
	e, err := m.Look(ctx, a)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looks--
	m.checks++
	if m.check != nil {
		if err := m.check(m.checks); err != nil {
			return plugins.Entry{}, err
		}
	}
	if err == nil && m.sums {
		sum := digest.New(algorithm)
		sum.Write(m.files[a.Path])
		e.Digests = []plugins.Digest{{Algorithm: algorithm, Sum: string(sum.Sum(nil))}}
	}
	return e, err
}

func (m *memory) Remove(ctx context.Context, a client.Address) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.removes++
	if m.remove != nil {
		if err := m.remove(m.removes); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	delete(m.files, a.Path)
	return nil
}

// run is an uploader to a memory, with what it said.
type run struct {
	Uploader
	*memory
	job      Job
	notices  []string
	pauses   []time.Duration
	progress int64
}

const path = "/dir/f"

func newRun(t *testing.T, content string) *run {
	r := &run{memory: &memory{files: make(map[string][]byte), sums: true}}
	name := filepath.Join(t.TempDir(), "f")
	if err := errors.Join(os.WriteFile(name, []byte(content), 0o600), os.Chtimes(name, time.Time{}, time.Unix(900, 0))); err != nil {
		t.Fatal(err)
	}
	source, err := FromFile(name)
	if err != nil {
		t.Fatal(err)
	}
	r.job = Job{
		To: client.Address{Origin: "https://host", Path: path}, Source: source,
		Progress: func(n int64) { r.progress += n },
	}
	r.Uploader = Uploader{
		Server: r.memory, Sender: r.memory, Notice: func(s string) { r.notices = append(r.notices, s) },
		Patience: client.Patience{Attempts: 3, Pause: func(ctx context.Context, d time.Duration) error {
			r.pauses = append(r.pauses, d)
			return ctx.Err()
		}},
	}
	return r
}

// holds fails the test unless the server has just content at path; "" is none.
func (r *run) holds(t *testing.T, content string) {
	t.Helper()
	got, there := r.files[path]
	if string(got) != content || there != (content != "") || len(r.files) > 1 {
		t.Errorf("the server has %q of %d files, not %q", got, len(r.files), content)
	}
}

func (r *run) paused(t *testing.T, want ...time.Duration) {
	t.Helper()
	if !slices.Equal(r.pauses, want) {
		t.Errorf("pauses %v, want %v", r.pauses, want)
	}
}
