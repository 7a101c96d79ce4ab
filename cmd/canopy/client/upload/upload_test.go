package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"canopy/plugins"
)

func TestFile(t *testing.T) {
	for _, content := range []string{"content", ""} {
		r := newRun(t, content)
		result, err := r.File(t.Context(), r.job)
		if err != nil || result.Size != int64(len(content)) || result.Verified.Algorithm != DefaultChecksum || result.Equal {
			t.Errorf("%+v, %v", result, err)
		}
		if got, there := r.files[path]; !there || string(got) != content {
			t.Errorf("the server has %q", got)
		}
		if r.progress != int64(len(content)) || !slices.Equal(r.new, []bool{true}) || len(r.notices) > 0 {
			t.Errorf("%d, %v, %q", r.progress, r.new, r.notices)
		}
	}
}

// TestThere shows what becomes of a file that is there.
func TestThere(t *testing.T) {
	for _, test := range []struct {
		name          string
		there         string
		sums          bool
		set           func(*run)
		equal         bool
		kind          plugins.Kind
		holds         string
		verifiedEqual bool
	}{
		{name: "kept", there: "old", kind: plugins.Exists, holds: "old"},
		{name: "replaced", there: "old", set: func(r *run) { r.Replace = true }, holds: "content"},
		{name: "updated by size", there: "old", set: func(r *run) { r.Update = true }, holds: "content"},
		{name: "updated by checksum", there: "CONTENT", sums: true, set: func(r *run) { r.Update = true }, holds: "content"},
		{name: "equal by checksum", there: "content", sums: true, set: func(r *run) { r.Update = true }, equal: true, holds: "content", verifiedEqual: true},
		{name: "not older", there: "CONTENT", set: func(r *run) { r.Update = true }, equal: true, holds: "CONTENT"},
		{name: "older", there: "CONTENT", set: func(r *run) { r.Update = true; r.job.Source.ModTime = time.Unix(1001, 0) }, holds: "content"},
		{name: "a directory", there: "/", kind: plugins.IsDirectory, set: func(r *run) { r.Replace = true }},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRun(t, "content")
			r.sums = test.sums
			if r.files[path] = []byte(test.there); test.there == "/" {
				r.files[path] = nil
			}
			if test.set != nil {
				test.set(r)
			}
			result, err := r.File(t.Context(), r.job)
			if plugins.KindOf(err) != test.kind || result.Equal != test.equal || test.verifiedEqual != (result.Equal && result.Verified.Algorithm != "") {
				t.Errorf("%+v, %v", result, err)
			}
			if test.there != "/" {
				r.holds(t, test.holds)
			}
			if r.removes > 0 {
				t.Error("what was there was removed")
			}
		})
	}
}

// TestAgain sends a file again where that makes sense.
func TestAgain(t *testing.T) {
	first := func(f fault) func(int) fault {
		return func(call int) fault {
			if call == 1 {
				return f
			}
			return fault{}
		}
	}
	for _, test := range []struct {
		name   string
		set    func(*run)
		kind   plugins.Kind
		says   string
		stores int
		pauses []time.Duration
		holds  string
	}{
		{name: "cut", set: func(r *run) { r.store = first(fault{cut: 3, err: errCut}) }, stores: 2, pauses: []time.Duration{time.Second}, holds: "content"},
		{name: "busy", set: func(r *run) { r.store = first(fault{err: errBusy}) }, stores: 2, pauses: []time.Duration{7 * time.Second}, holds: "content"},
		{name: "damaged", set: func(r *run) { r.store = first(fault{damage: true}) }, stores: 2, pauses: []time.Duration{time.Second}, holds: "content"},
		{
			name: "answer lost", set: func(r *run) { r.store = first(fault{cut: -1, err: errCut}) }, stores: 1, holds: "content",
		},
		{
			name: "always cut", set: func(r *run) { r.store = func(int) fault { return fault{cut: 3, err: errCut} } },
			kind: plugins.Unavailable, says: "connection reset", stores: 3, pauses: []time.Duration{time.Second, 2 * time.Second},
		},
		{name: "refused", set: func(r *run) { r.store = func(int) fault { return fault{err: errDenied} } }, kind: plugins.Denied, stores: 1},
		{
			name: "from a stream", set: func(r *run) {
				r.job.Source = FromStream(strings.NewReader("content"))
				r.store = first(fault{cut: 3, err: errCut})
			},
			kind: plugins.Unavailable, says: "standard input cannot be read again", stores: 1,
		},
		{
			name: "from an untouched stream", set: func(r *run) {
				r.job.Source = FromStream(strings.NewReader("content"))
				r.store = first(fault{err: errBusy})
			},
			stores: 2, pauses: []time.Duration{7 * time.Second}, holds: "content",
		},
		{
			name: "the rest can be removed later", set: func(r *run) {
				r.store = first(fault{cut: 3, err: errCut})
				r.remove = func(call int) error {
					if call == 1 {
						return errCut
					}
					return nil
				}
			},
			stores: 2, pauses: []time.Duration{time.Second, 2 * time.Second}, holds: "content",
		},
		{
			name: "the rest cannot be removed", set: func(r *run) {
				r.store = first(fault{cut: 3, err: errCut})
				r.remove = func(int) error { return errDenied }
			},
			kind: plugins.Unavailable, says: "could not be removed (denied: answered 403), remove it with canopy rm", stores: 1,
			pauses: []time.Duration{time.Second, 2 * time.Second}, holds: "con",
		},
		{
			name: "somebody else stores more meanwhile", set: func(r *run) {
				r.store = func(int) fault {
					return fault{cut: 3, err: errCut, during: func() { r.put(path, []byte("somebody's")) }}
				}
			},
			kind: plugins.Exists, stores: 2, pauses: []time.Duration{time.Second}, holds: "somebody's",
		},
		{
			name: "verified later", set: func(r *run) {
				r.check = func(call int) error {
					if call == 1 {
						return errCut
					}
					return nil
				}
			},
			stores: 1, pauses: []time.Duration{time.Second}, holds: "content",
		},
		{
			name: "stored, then denied", set: func(r *run) {
				r.check = func(call int) error { return errGone }
			},
			kind: plugins.Malformed, says: "then says that it is not there", stores: 3, pauses: []time.Duration{time.Second, 2 * time.Second},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRun(t, "content")
			test.set(r)
			result, err := r.File(t.Context(), r.job)
			if plugins.KindOf(err) != test.kind || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%+v, %v", result, err)
			}
			if err == nil && (result.Size != 7 || r.progress != 7) {
				t.Errorf("%+v, progress %d", result, r.progress)
			}
			if r.stores != test.stores {
				t.Errorf("sent %d times, not %d", r.stores, test.stores)
			}
			r.paused(t, test.pauses...)
			r.holds(t, test.holds)
		})
	}
}

// TestReplacedIsNotRemoved: what was there before is not removed, whatever
// becomes of the upload.
func TestReplacedIsNotRemoved(t *testing.T) {
	r := newRun(t, "content")
	r.files[path] = []byte("old")
	r.Replace = true
	r.store = func(int) fault { return fault{cut: 3, err: errCut} }
	if _, err := r.File(t.Context(), r.job); plugins.KindOf(err) != plugins.Unavailable || r.removes > 0 {
		t.Errorf("%v, %d removals", err, r.removes)
	}
}

func TestInterrupted(t *testing.T) {
	for _, cut := range []int64{3, 7} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			r := newRun(t, "content")
			r.store = func(int) fault { return fault{cut: cut, err: context.Canceled, during: interrupt} }
			if _, err := r.File(ctx, r.job); plugins.KindOf(err) != plugins.Canceled || r.stores != 1 {
				t.Errorf("%v, sent %d times", err, r.stores)
			}
			r.holds(t, "")
			r.paused(t)
		})
	}
}

func TestChecksum(t *testing.T) {
	r := newRun(t, "content")
	r.Uploader.Checksum = "sha-256"
	if result, err := r.File(t.Context(), r.job); err != nil || result.Verified.Algorithm != "sha-256" {
		t.Errorf("%+v, %v", result, err)
	}
	r = newRun(t, "content")
	r.Uploader.Checksum, r.sums = "sha-256", false
	if _, err := r.File(t.Context(), r.job); !errors.Is(err, ErrUnverified) || r.stores != 1 {
		t.Errorf("%v, sent %d times", err, r.stores)
	}
	r.holds(t, "content")
}

// TestBlind stores where one may write, but not look.
func TestBlind(t *testing.T) {
	r := newRun(t, "content")
	r.look = func(int) error { return errDenied }
	result, err := r.File(t.Context(), r.job)
	if err != nil || result.Verified.Algorithm != "" || len(r.notices) != 1 || !strings.Contains(r.notices[0], "not verified") {
		t.Errorf("%+v, %v, %q", result, err, r.notices)
	}
	r.holds(t, "content")
	if r.removes > 0 || !r.new[0] {
		t.Error("what nobody could see was removed or replaced")
	}
}

// TestSourceFails shows that a fault of the source is told as such.
func TestSourceFails(t *testing.T) {
	r := newRun(t, "content")
	opened := 0
	r.job.Source = Source{Size: 7, Open: func() (io.ReadCloser, error) {
		if opened++; opened == 1 {
			return io.NopCloser(io.MultiReader(strings.NewReader("con"), failing{errCut})), nil
		}
		return io.NopCloser(strings.NewReader("content")), nil
	}}
	if _, err := r.File(t.Context(), r.job); err != nil || r.progress != 7 {
		t.Errorf("%v, %d", err, r.progress)
	}
	r.holds(t, "content")
	if _, err := FromFile(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no ordinary file") {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestWalk(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"a/b", "c", "refused"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"a/1", "a/b/2", "refused/3", "4"} {
		if err := os.WriteFile(filepath.Join(root, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"link": "4", "loop": ".", "nowhere": "none"} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	var found, failed []string
	Walk(root, func(f Found) error {
		name := strings.Join(f.Names, "/")
		if f.Directory {
			name += "/"
		}
		found = append(found, name)
		if name == "refused/" {
			return errors.New("no")
		}
		return nil
	}, func(err error) {
		failed = append(failed, strings.TrimPrefix(err.Error(), root+"/"))
	})
	if want := []string{"/", "4", "a/", "a/1", "a/b/", "a/b/2", "c/", "link", "refused/"}; !slices.Equal(found, want) {
		t.Errorf("found %q", found)
	}
	want := []string{"loop: links to directories are not followed; name it on the command line", "nowhere: the link leads nowhere", "refused: no"}
	if !slices.Equal(failed, want) {
		t.Errorf("failed %q", failed)
	}
}
