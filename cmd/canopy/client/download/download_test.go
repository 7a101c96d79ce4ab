package download

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"canopy/plugins"
)

const mib = 1 << 20

// TestFile fetches from replicas with all kinds of faults.
func TestFile(t *testing.T) {
	content := bytesOf(1, 4*mib+123)
	other := bytesOf(2, len(content))
	good := func() *source { return &source{content: content, tag: `"1"`} }
	for _, test := range []struct {
		name    string
		sources sources
		job     Job
		// notice must be among the notices, "" for none at all.
		notice string
		// fails is what the error must hold, "" for success.
		fails string
	}{
		{name: "one replica", sources: sources{"a": good()}},
		{name: "two replicas", sources: sources{"a": good(), "b": good()}},
		{name: "one refuses", sources: sources{"a": {fail: unavailable}, "b": good()}},
		{name: "one is unknown", sources: sources{"b": good()}, job: Job{Replicas: []string{"x", "b"}}},
		{name: "one ends early", sources: sources{"a": {content: content, tag: `"1"`, cut: 10_000}, "b": good()}},
		{name: "one has another size", sources: sources{"a": {content: content[1:]}, "b": good()}, notice: "it has 4194426 bytes there, not 4194427"},
		{name: "one has another checksum", sources: sources{"a": {content: other, sums: sha(other)}, "b": good()}, notice: "another checksum there"},
		{name: "one sends whole files", sources: sources{"a": {content: content, whole: true}, "b": good()}},
		{name: "all send whole files", sources: sources{"a": {content: content, whole: true}, "b": {content: content, whole: true}}},
		{name: "the size is unknown", sources: sources{"a": {content: content, unsized: true}}, job: Job{Size: -1}},
		{name: "the size is unknown and one refuses", sources: sources{"a": {fail: unavailable}, "b": {content: content, unsized: true}}, job: Job{Size: -1}},
		{name: "the last resort", sources: sources{"a": {fail: unavailable}, "f": good()}, job: Job{Replicas: []string{"a"}, LastResort: "f"}, notice: "going on without a"},
		{name: "one sends wrong bytes", sources: sources{"a": {content: other}, "b": good()}, notice: "trying each replica alone"},
		{name: "all send wrong bytes", sources: sources{"a": {content: other}, "b": {content: other}}, notice: "trying each replica alone", fails: "no replica has the right content"},
		{name: "the only one sends wrong bytes", sources: sources{"a": {content: other}}, fails: "the content has the sha-256"},
		{name: "the first sends wrong bytes, the last resort right ones", sources: sources{"a": {content: other}, "f": good()}, job: Job{Replicas: []string{"a"}, LastResort: "f"}, notice: "trying each replica alone"},
		{name: "all refuse", sources: sources{"a": {fail: unavailable}, "b": {fail: unavailable}}, notice: "going on without", fails: "none of 2 replicas is left"},
		{name: "the only one refuses", sources: sources{"a": {fail: unavailable}}, fails: "a: unavailable: refused"},
		{name: "there is none", job: Job{Replicas: []string{}}, fails: "there is no replica"},
	} {
		t.Run(test.name, func(t *testing.T) {
			job := test.job
			job.URL, job.Digests = "f", sha(content)
			if job.Size == 0 {
				job.Size = int64(len(content))
			}
			if job.Replicas == nil {
				for _, url := range []string{"a", "b"} {
					if test.sources[url] != nil {
						job.Replicas = append(job.Replicas, url)
					}
				}
			}
			r, f := newRun(test.sources), newFolder(t)
			result, err := r.File(t.Context(), job, f.Root, "file")
			if notices := strings.Join(r.notices, "\n"); !strings.Contains(notices, test.notice) || test.notice == "" && notices != "" {
				t.Errorf("notices %q, want %q", notices, test.notice)
			}
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Errorf("error %v, want %q", err, test.fails)
				}
				if names := f.names(); len(names) != 0 {
					t.Errorf("left behind: %q", names)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			f.holds("file", content)
			if result.Size != int64(len(content)) || result.Verified != sha(content)[0] {
				t.Errorf("result %+v", result)
			}
			if r.progress != int64(len(content)) {
				t.Errorf("progress %d of %d", r.progress, len(content))
			}
		})
	}
}

// TestShare shows that a slow replica does not hold up the others.
func TestShare(t *testing.T) {
	content := bytesOf(1, 16*mib)
	slow := &source{content: content, block: make(chan struct{})}
	fast := &source{content: content}
	r, f := newRun(sources{"slow": slow, "fast": fast}), newFolder(t)
	r.Streams, r.Chunk = 2, 2*mib
	// The slow one answers when all that it does not hold itself is done.
	r.Progress = func(int64) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.progress++
		if r.progress == 14*mib/bufferSize {
			close(slow.block)
		}
	}
	result, err := r.File(t.Context(), Job{Size: 16 * mib, Replicas: []string{"slow", "fast"}}, f.Root, "file")
	if err != nil {
		t.Fatal(err)
	}
	f.holds("file", content)
	if result.Replicas["fast"] < 14*mib {
		t.Errorf("shares: %v", result.Replicas)
	}
}

// TestPauses shows how long a replica that fails is left alone.
func TestPauses(t *testing.T) {
	content := bytesOf(1, 100)
	busy := &source{content: content, fail: func(call int, _ plugins.Range) error {
		switch call {
		case 1:
			return &plugins.Error{Kind: plugins.Timeout}
		case 2:
			return &plugins.Error{Kind: plugins.Busy, RetryAfter: 17 * time.Second}
		}
		return nil
	}}
	r, f := newRun(sources{"a": busy}), newFolder(t)
	if _, err := r.File(t.Context(), Job{Size: 100, Replicas: []string{"a"}}, f.Root, "file"); err != nil {
		t.Fatal(err)
	}
	if len(r.pauses) != 2 || r.pauses[0] != time.Second || r.pauses[1] != 17*time.Second {
		t.Errorf("pauses %v", r.pauses)
	}
}

// TestChangeMeanwhile shows that two contents are not mixed even if nothing
// but the entity tag tells them apart.
func TestChangeMeanwhile(t *testing.T) {
	s := &source{content: bytesOf(1, 8*mib), tag: `"1"`}
	s.fail = func(call int, _ plugins.Range) error {
		if call == 3 {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.content, s.tag = bytesOf(2, 8*mib), `"2"`
		}
		return nil
	}
	r, f := newRun(sources{"a": s}), newFolder(t)
	r.Streams = 1
	_, err := r.File(t.Context(), Job{Size: 8 * mib, Replicas: []string{"a"}}, f.Root, "file")
	if plugins.KindOf(err) != plugins.Changed {
		t.Errorf("error %v", err)
	}
	if names := f.names(); len(names) != 0 {
		t.Errorf("left behind: %q", names)
	}
}

func TestNames(t *testing.T) {
	content := []byte("new")
	job := Job{Size: 3, Replicas: []string{"a"}}
	start := func(t *testing.T) (*run, folder) {
		r, f := newRun(sources{"a": {content: content}}), newFolder(t)
		if err := f.WriteFile("file", []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		return r, f
	}
	t.Run("replaced", func(t *testing.T) {
		r, f := start(t)
		if _, err := r.File(t.Context(), job, f.Root, "file"); err != nil {
			t.Fatal(err)
		}
		f.holds("file", content)
	})
	t.Run("protected", func(t *testing.T) {
		r, f := start(t)
		r.NoClobber = true
		if _, err := r.File(t.Context(), job, f.Root, "file"); !errors.Is(err, ErrExists) {
			t.Errorf("error %v", err)
		}
		f.holds("file", []byte("old"))
	})
	t.Run("protected, and new", func(t *testing.T) {
		r, f := start(t)
		r.NoClobber = true
		if _, err := r.File(t.Context(), job, f.Root, "another"); err != nil {
			t.Fatal(err)
		}
		if got, err := f.ReadFile("another"); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%q, %v", got, err)
		}
		if names := f.names(); len(names) != 2 {
			t.Errorf("the folder holds %q", names)
		}
	})
	t.Run("a directory", func(t *testing.T) {
		r, f := start(t)
		if err := f.Mkdir("dir", 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := r.File(t.Context(), job, f.Root, "dir"); err == nil || !strings.Contains(err.Error(), "is a directory") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("beyond the folder", func(t *testing.T) {
		r, f := start(t)
		for _, name := range []string{"../x", "/x"} {
			if _, err := r.File(t.Context(), job, f.Root, name); err == nil {
				t.Errorf("%q was written", name)
			}
		}
	})
	t.Run("in use", func(t *testing.T) {
		r, f := start(t)
		p, err := openPart(f.Root, "file")
		if err != nil {
			t.Fatal(err)
		}
		defer p.close()
		if _, err := r.File(t.Context(), job, f.Root, "file"); err == nil || !strings.Contains(err.Error(), "being downloaded already") {
			t.Errorf("error %v", err)
		}
	})
}

func TestStream(t *testing.T) {
	content := bytesOf(1, 3*mib)
	t.Run("goes on where it was", func(t *testing.T) {
		var out bytes.Buffer
		r := newRun(sources{"a": {content: content, cut: mib}, "b": {content: content}})
		result, err := r.Stream(t.Context(), Job{Size: 3 * mib, Replicas: []string{"a", "b"}, Digests: sha(content)}, &out)
		if err != nil || !bytes.Equal(out.Bytes(), content) {
			t.Fatalf("%d bytes, %v", out.Len(), err)
		}
		if result.Verified.Algorithm != "sha-256" || result.Replicas["a"] != mib || result.Replicas["b"] != 2*mib {
			t.Errorf("result %+v", result)
		}
	})
	t.Run("wrong bytes", func(t *testing.T) {
		var out bytes.Buffer
		r := newRun(sources{"a": {content: content}})
		var wrong *mismatch
		if _, err := r.Stream(t.Context(), Job{Size: 3 * mib, Replicas: []string{"a"}, Digests: sha(nil)}, &out); !errors.As(err, &wrong) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("too long", func(t *testing.T) {
		var out bytes.Buffer
		r := newRun(sources{"a": {content: content, unsized: true}})
		if _, err := r.Stream(t.Context(), Job{Size: mib, Replicas: []string{"a"}}, &out); err == nil || out.Len() > mib {
			t.Errorf("%d bytes, error %v", out.Len(), err)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		r := newRun(sources{"a": {content: content}})
		if _, err := r.Stream(t.Context(), Job{Size: 3 * mib, Replicas: []string{"a"}}, deaf{}); !errors.Is(err, errDeaf) {
			t.Errorf("error %v", err)
		}
	})
}

var errDeaf = errors.New("nobody listens")

type deaf struct{}

func (deaf) Write([]byte) (int, error) { return 0, errDeaf }

// TestSlots shows that no more parts are read at once than there are slots.
func TestSlots(t *testing.T) {
	content := bytesOf(1, 8*mib)
	s := &source{content: content, block: make(chan struct{})}
	r, f := newRun(sources{"a": s}), newFolder(t)
	r.Slots = make(chan struct{}, 1)
	s.fail = func(call int, _ plugins.Range) error {
		if call == 1 {
			close(s.block)
		}
		if len(r.Slots) != 1 {
			t.Error("a part is read without a slot")
		}
		return nil
	}
	if _, err := r.File(t.Context(), Job{Size: 8 * mib, Replicas: []string{"a"}}, f.Root, "file"); err != nil {
		t.Fatal(err)
	}
	f.holds("file", content)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.Slots <- struct{}{}
	if _, err := r.File(ctx, Job{Size: 8 * mib, Replicas: []string{"a"}}, f.Root, "file"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
