package resume

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newSpool opens the spool in dir.
func newSpool(t *testing.T, dir string) *spool {
	t.Helper()
	s, err := open(t.Context(), Options{Directory: dir, Most: 1000, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// add makes an upload of which some bytes have come.
func (s *spool) add(t *testing.T, size int64, come string) string {
	t.Helper()
	id, err := s.reserve(size)
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.NewUpload(t.Context(), handler.FileInfo{ID: id, Size: size, MetaData: map[string]string{"path": "/f\xff"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.WriteChunk(t.Context(), 0, strings.NewReader(come)); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestRoom(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "spool")
	s := newSpool(t, dir)
	if _, err := os.Lstat(dir); err == nil {
		t.Error("an empty spool is there before it is needed")
	}
	a := s.add(t, 400, "x")
	s.add(t, 600, "")
	var refused *Refusal
	if _, err := s.reserve(1); !errors.As(err, &refused) || refused.Status != 507 {
		t.Errorf("beyond what it may have: %v", err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	again := newSpool(t, dir)
	if again.total != 1000 || len(again.sizes) != 2 {
		t.Errorf("another process finds %d bytes in %v", again.total, again.sizes)
	}
	u, err := s.GetUpload(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AsTerminatableUpload(u).Terminate(t.Context()); err != nil || s.total != 600 {
		t.Errorf("%v, %d bytes left", err, s.total)
	}
	for range mostUploads - 1 {
		if _, err := s.reserve(0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.reserve(0); !errors.Is(err, errFull) {
		t.Errorf("one too many: %v", err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t.Context(), Options{Directory: link}); err == nil {
		t.Error("a link is taken for a spool")
	}
}

// TestGivenBack finds uploads as a process leaves them that died before it had
// stored them.
func TestGivenBack(t *testing.T) {
	dir := t.TempDir()
	first := newSpool(t, dir)
	whole, part, empty := first.add(t, 3, "abc"), first.add(t, 3, "a"), first.add(t, 0, "")
	s := newSpool(t, dir)
	for id, want := range map[string]int64{whole: 2, part: 1} {
		u, err := s.GetUpload(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := u.GetInfo(t.Context()); err != nil || info.Offset != want || info.Size != 3 || info.MetaData["path"] != "/f\xff" {
			t.Errorf("%+v, %v", info, err)
		}
	}
	if _, err := s.GetUpload(t.Context(), empty); !errors.Is(err, handler.ErrNotFound) {
		t.Errorf("the empty one: %v", err)
	}
	if s.total != 6 {
		t.Errorf("%d bytes", s.total)
	}
}

// FuzzID tries to get at what is not an upload.
func FuzzID(f *testing.F) {
	dir := f.TempDir()
	spool := filepath.Join(dir, "spool")
	if err := errors.Join(os.Mkdir(spool, 0o700), os.WriteFile(filepath.Join(dir, "secret"), []byte("x"), 0o600), os.WriteFile(filepath.Join(dir, "secret.info"), []byte(`{"Size":9}`), 0o600)); err != nil {
		f.Fatal(err)
	}
	for _, id := range []string{"", ".", "..", "../secret", "/etc/passwd", "%2e%2e/secret", newID(), newID() + "/../../secret", strings.Repeat("a", 26), strings.Repeat("/", 26), "x\x00"} {
		f.Add(id)
	}
	s, err := open(f.Context(), Options{Directory: spool, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if valid(id) && (filepath.Dir(s.name(id)) != spool || filepath.Base(id) != id) {
			t.Errorf("%q leads to %s", id, s.name(id))
		}
		if _, err := s.GetUpload(context.Background(), id); !errors.Is(err, handler.ErrNotFound) {
			t.Errorf("%q is there: %v", id, err)
		}
		if _, err := s.file(id); err == nil {
			t.Errorf("%q is there", id)
		}
	})
}

func TestIDs(t *testing.T) {
	seen := make(map[string]bool)
	for range 100 {
		id := newID()
		if !valid(id) || seen[id] {
			t.Errorf("%q", id)
		}
		seen[id] = true
	}
}

func TestFull(t *testing.T) {
	var told handler.Error
	if err := full(&os.PathError{Op: "write", Path: "/spool", Err: syscall.ENOSPC}); !errors.As(err, &told) || told.HTTPResponse.StatusCode != 507 || strings.Contains(told.HTTPResponse.Body, "spool") {
		t.Errorf("%v", err)
	}
	if err := full(os.ErrClosed); err != os.ErrClosed {
		t.Error(err)
	}
}

// TestSweep lets the time pass.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"notes.txt", ".info", "AAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		left := newSpool(t, dir).add(t, 10, "old")
		written(t, dir, left, time.Now().Add(-time.Hour-time.Second))
		h, err := New(Options{Directory: dir, Most: 1000, Cleanup: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		s := h.spool
		if bytes, _ := s.counts(); s.there(left) || bytes != 0 {
			t.Errorf("what is old stays at the start: %d bytes", bytes)
		}
		still, moving, held := s.add(t, 10, "still"), s.add(t, 10, "moving"), s.add(t, 10, "held")
		for _, id := range []string{still, moving, held} {
			written(t, dir, id, time.Now())
		}
		l, err := s.NewLock(held)
		if err == nil {
			err = l.Lock(t.Context(), func() {})
		}
		if err != nil {
			t.Fatal(err)
		}
		s.keep(s.add(t, 1, "x"), handler.FileInfo{Size: 1})
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		if _, stored := s.counts(); !s.there(still) || stored != 1 {
			t.Error("removed too early")
		}
		written(t, dir, moving, time.Now())
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if bytes, stored := s.counts(); s.there(still) || !s.there(moving) || !s.there(held) || bytes != 20 || stored != 0 {
			t.Errorf("still %v, moving %v, held %v, %d bytes, %d remembered", s.there(still), s.there(moving), s.there(held), bytes, stored)
		}
		if err := l.Unlock(); err != nil {
			t.Error(err)
		}
		h.Configure(time.Second)
		time.Sleep(time.Minute)
		synctest.Wait()
		if bytes, _ := s.counts(); s.there(held) || s.there(moving) || bytes != 0 {
			t.Errorf("held %v, moving %v, %d bytes", s.there(held), s.there(moving), bytes)
		}
	})
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// counts returns how much there is room taken for, and how many uploads are
// remembered that were stored.
func (s *spool) counts() (bytes int64, stored int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total, len(s.stored)
}

// there reports whether any file of an upload is.
func (s *spool) there(id string) bool {
	_, a := os.Lstat(s.name(id))
	_, b := os.Lstat(s.name(id) + suffix)
	return a == nil || b == nil
}

// written sets when an upload was written to.
func written(t *testing.T, dir, id string, when time.Time) {
	t.Helper()
	for _, name := range []string{id, id + suffix} {
		if err := os.Chtimes(filepath.Join(dir, name), when, when); err != nil {
			t.Fatal(err)
		}
	}
}
