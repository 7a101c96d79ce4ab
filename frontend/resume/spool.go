package resume

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tus/tusd/v2/pkg/filestore"
	"github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"
)

const (
	// mostUploads bounds how many uploads there are at once.
	mostUploads = 10_000
	// mostStored bounds how many uploads are remembered after they were
	// stored.
	mostStored = 1_000
	// suffix is what the name of an upload's description has.
	suffix = ".info"
)

// spool is where uploads are gathered. It is the store and the locker of the
// protocol's library.
type spool struct {
	store filestore.FileStore
	locks *memorylocker.MemoryLocker
	log   *slog.Logger
	most  int64
	ctx   context.Context // of what is being stored

	mu sync.Mutex
	// sizes are what uploads are going to have, total is their sum.
	sizes map[string]int64
	total int64
	// busy are uploads that a request is about.
	busy map[string]bool
	// giving is how those requests are made to end.
	giving map[string]*giving
	// stored are uploads that have become files, whose clients may not know.
	stored map[string]past
}

// past is an upload that was stored.
type past struct {
	info handler.FileInfo
	when time.Time
}

// open finds out what is in the spool.
func open(ctx context.Context, o Options) (*spool, error) {
	dir, err := filepath.Abs(o.Directory)
	if err != nil {
		return nil, err
	}
	s := &spool{
		store: filestore.New(dir), locks: memorylocker.New(), log: o.Log, most: o.Most, ctx: ctx,
		sizes: make(map[string]int64), busy: make(map[string]bool), giving: make(map[string]*giving), stored: make(map[string]past),
	}
	switch info, err := os.Lstat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, &fs.PathError{Op: "open", Path: dir, Err: errors.New("it is no directory")}
	}
	ids, err := s.ids()
	for id := range ids {
		s.sizes[id] = s.announced(id)
		s.total += s.sizes[id]
	}
	return s, err
}

// ids returns the uploads that there are files of, with when they were last
// written to.
func (s *spool) ids() (map[string]time.Time, error) {
	entries, err := os.ReadDir(s.store.Path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	ids := make(map[string]time.Time)
	for _, e := range entries {
		id := strings.TrimSuffix(e.Name(), suffix)
		if info, err := e.Info(); err == nil && valid(id) && info.Mode().IsRegular() && info.ModTime().After(ids[id]) {
			ids[id] = info.ModTime()
		}
	}
	return ids, err
}

// announced is the size that an upload is going to have, or has if its
// description cannot be read.
func (s *spool) announced(id string) int64 {
	var info handler.FileInfo
	if b, err := os.ReadFile(s.name(id) + suffix); err == nil && json.Unmarshal(b, &info) == nil && info.Size >= 0 {
		return info.Size
	}
	if info, err := os.Stat(s.name(id)); err == nil {
		return info.Size()
	}
	return 0
}

// name is the file in which what has come of an upload is.
func (s *spool) name(id string) string { return filepath.Join(s.store.Path, id) }

// newID returns an id that nobody can guess.
func newID() string { return strings.ToLower(rand.Text()) }

// valid reports whether id is one that newID could have made, and so the name
// of a file in the spool and nowhere else.
func valid(id string) bool {
	return len(id) == 26 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// reserve makes room for an upload, which is left alone until it is there.
func (s *spool) reserve(size int64) (id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if size > s.most-s.total || len(s.sizes) >= mostUploads {
		return "", &Refusal{Status: http.StatusInsufficientStorage, Sentence: "There is no room for more unfinished uploads. Try again later.", Err: errFull}
	}
	id = newID()
	s.sizes[id], s.total, s.busy[id] = size, s.total+size, true
	return id, nil
}

// release gives the room of an upload back.
func (s *spool) release(id string) {
	s.mu.Lock()
	s.total -= s.sizes[id]
	delete(s.sizes, id)
	s.mu.Unlock()
}

// file returns what the client said of the file that an upload is to become.
func (s *spool) file(id string) (file, error) {
	missing := &Refusal{Status: http.StatusNotFound, Sentence: "There is no such upload: it has ended, or stood still for too long."}
	if !valid(id) {
		return file{}, missing
	}
	s.mu.Lock()
	was, stored := s.stored[id]
	s.mu.Unlock()
	info := was.info
	if !stored {
		b, err := os.ReadFile(s.name(id) + suffix)
		if err != nil || json.Unmarshal(b, &info) != nil {
			missing.Err = err
			return file{}, missing
		}
	}
	return fromMeta(decoded(info.MetaData))
}

// NewUpload implements handler.DataStore. The id was reserved.
func (s *spool) NewUpload(ctx context.Context, info handler.FileInfo) (handler.Upload, error) {
	defer s.leave(info.ID)
	info.MetaData = coded(info.MetaData)
	err := os.MkdirAll(s.store.Path, 0o700)
	var u handler.Upload
	if err == nil {
		u, err = s.store.NewUpload(ctx, info)
	}
	if err != nil {
		s.remove(info.ID)
		return nil, full(err)
	}
	return &upload{Upload: u, spool: s, id: info.ID}, nil
}

// GetUpload implements handler.DataStore. The upload is locked by the caller,
// so one that is complete here is not being stored, and has not been.
func (s *spool) GetUpload(ctx context.Context, id string) (handler.Upload, error) {
	if !valid(id) {
		return nil, handler.ErrNotFound
	}
	s.mu.Lock()
	was, stored := s.stored[id]
	s.mu.Unlock()
	if stored {
		return ended{was.info}, nil
	}
	u, err := s.store.GetUpload(ctx, id)
	if err != nil {
		return nil, err
	}
	info, err := u.GetInfo(ctx)
	if err == nil && info.Offset >= info.Size {
		if err = s.giveBack(id, info.Size); err == nil {
			u, err = s.store.GetUpload(ctx, id)
		}
	}
	return &upload{Upload: u, spool: s, id: id}, err
}

// giveBack takes the last byte away of an upload that could not be stored. One
// that has none cannot be resumed, and is removed.
func (s *spool) giveBack(id string, size int64) error {
	if size == 0 {
		s.remove(id)
		return handler.ErrNotFound
	}
	return os.Truncate(s.name(id), size-1)
}

// remove does away with an upload.
func (s *spool) remove(id string) {
	for _, name := range [...]string{s.name(id), s.name(id) + suffix} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("a file of the spool cannot be removed", "err", err)
		}
	}
	s.release(id)
}

// AsTerminatableUpload implements handler.TerminaterDataStore.
func (s *spool) AsTerminatableUpload(u handler.Upload) handler.TerminatableUpload {
	return u.(handler.TerminatableUpload)
}

// sweep removes the uploads that have not been written to for longer than age,
// and forgets those that were stored before that.
func (s *spool) sweep(now time.Time, age time.Duration) {
	ids, err := s.ids()
	if err != nil {
		s.log.Warn("the spool of resumable uploads cannot be read", "err", err)
	}
	for id, written := range ids {
		if now.Sub(written) > age && s.seize(id) {
			s.remove(id)
			s.log.Info("an upload that stood still was removed", "upload", id)
			s.leave(id)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, was := range s.stored {
		if now.Sub(was.when) > age {
			delete(s.stored, id)
		}
	}
	for id := range s.sizes {
		if _, there := ids[id]; !there && !s.busy[id] && s.gone(id) {
			s.total -= s.sizes[id]
			delete(s.sizes, id)
		}
	}
}

// gone reports whether somebody else has removed an upload.
func (s *spool) gone(id string) bool {
	_, err := os.Lstat(s.name(id) + suffix)
	return errors.Is(err, fs.ErrNotExist)
}

// seize takes an upload that no request is about.
func (s *spool) seize(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[id] {
		return false
	}
	s.busy[id] = true
	return true
}

func (s *spool) leave(id string) {
	s.mu.Lock()
	delete(s.busy, id)
	s.mu.Unlock()
}

// upload is one in the spool.
type upload struct {
	handler.Upload
	spool *spool
	id    string
}

func (u *upload) GetInfo(ctx context.Context) (handler.FileInfo, error) {
	info, err := u.Upload.GetInfo(ctx)
	info.MetaData = decoded(info.MetaData)
	return info, err
}

func (u *upload) WriteChunk(ctx context.Context, offset int64, from io.Reader) (int64, error) {
	u.spool.mu.Lock()
	g := u.spool.giving[u.id]
	u.spool.mu.Unlock()
	if g != nil {
		g.take()
	}
	n, err := u.Upload.WriteChunk(ctx, offset, from)
	return n, full(err)
}

// full names the error of a disk that is full.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return handler.NewError("ERR_FULL", "there is no room", http.StatusInsufficientStorage)
	}
	return err
}

// Terminate implements handler.TerminatableUpload.
func (u *upload) Terminate(context.Context) error {
	u.spool.remove(u.id)
	return nil
}

// ended is an upload that was stored.
type ended struct{ info handler.FileInfo }

func (e ended) GetInfo(context.Context) (handler.FileInfo, error) {
	info := e.info
	info.MetaData = decoded(info.MetaData)
	return info, nil
}

func (ended) WriteChunk(context.Context, int64, io.Reader) (int64, error) { return 0, errEnded }
func (ended) GetReader(context.Context) (io.ReadCloser, error)            { return nil, errEnded }
func (ended) FinishUpload(context.Context) error                          { return nil }
func (ended) Terminate(context.Context) error                             { return nil }

var errEnded = errors.New("the upload was stored")
