package resume

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"

	"canopy/federator/write"
)

// FinishUpload implements handler.Upload: it stores the file.
func (u *upload) FinishUpload(ctx context.Context) error {
	about := of(ctx)
	info, err := u.GetInfo(ctx)
	if err == nil {
		about.told, err = u.deliver(ctx, about.who, info)
	}
	if err == nil {
		u.spool.keep(u.id, info)
		return nil
	}
	about.err = err
	if errors.Is(err, write.ErrChecksum) || info.Size == 0 {
		u.spool.remove(u.id) // it never will
	} else if err := u.spool.giveBack(u.id, info.Size); err != nil {
		u.spool.log.Warn("the last byte of an upload cannot be given back", "upload", u.id, "err", err)
	}
	return err
}

// deliver stores what was gathered.
func (u *upload) deliver(ctx context.Context, who Requester, info handler.FileInfo) (http.Header, error) {
	f, err := fromMeta(info.MetaData)
	if err != nil {
		return nil, err
	}
	path, err := f.place(who)
	if err != nil {
		return nil, err
	}
	content, err := u.GetReader(ctx)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	// A proxy in between may not wait for as long as this takes; the client
	// learns later how it ended.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(u.spool.ctx, cancel)()
	return who.Store(ctx, path, content, f.about(info.Size))
}

// keep removes what was gathered of an upload that is stored now, and remembers
// that it was.
func (s *spool) keep(id string, info handler.FileInfo) {
	info.MetaData = coded(info.MetaData)
	info.Offset = info.Size
	s.mu.Lock()
	if len(s.stored) >= mostStored {
		oldest := ""
		for id, was := range s.stored {
			if oldest == "" || was.when.Before(s.stored[oldest].when) {
				oldest = id
			}
		}
		delete(s.stored, oldest)
	}
	s.stored[id] = past{info, time.Now()}
	s.mu.Unlock()
	s.remove(id)
}

// NewLock implements handler.Locker.
func (s *spool) NewLock(id string) (handler.Lock, error) {
	l, err := s.locks.NewLock(id)
	return &hold{lock: l, spool: s, id: id}, err
}

// hold is the lock of an upload, of which one request has use at a time. It
// keeps the upload from being swept away.
type hold struct {
	lock  handler.Lock
	spool *spool
	id    string
}

// giving is how the request that has the lock is made to end. The library may
// not be told before it takes the body of the request: it would look for that
// while it comes to be.
type giving struct {
	mu            sync.Mutex
	give          func()
	wanted, taken bool
}

// want is called when another request waits for the lock.
func (g *giving) want() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wanted = true; g.taken {
		g.give()
	}
}

// take is called when the body is about to be read.
func (g *giving) take() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.taken = true; g.wanted {
		g.give()
	}
}

// errBusy is the error for a request that has waited in vain for another of the
// same upload, which may be storing it.
var errBusy = handler.NewError("ERR_BUSY", "another request is using this upload", http.StatusServiceUnavailable)

// Lock implements handler.Lock.
func (h *hold) Lock(ctx context.Context, give func()) error {
	g := &giving{give: give}
	if err := h.lock.Lock(ctx, g.want); err != nil {
		return errBusy
	}
	if !h.spool.seize(h.id) {
		// It is being swept away.
		return errors.Join(handler.ErrNotFound, h.lock.Unlock())
	}
	h.spool.mu.Lock()
	h.spool.giving[h.id] = g
	h.spool.mu.Unlock()
	return nil
}

// Unlock implements handler.Lock.
func (h *hold) Unlock() error {
	h.spool.mu.Lock()
	delete(h.spool.giving, h.id)
	h.spool.mu.Unlock()
	h.spool.leave(h.id)
	return h.lock.Unlock()
}
