package frontend

import (
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"canopy/federator"
	"canopy/federator/write"
	"canopy/frontend/lock"
	"canopy/frontend/lock/condition"
	"canopy/frontend/lock/lockinfo"
	"canopy/plugins"
	"canopy/plugins/wire/multistatus"
)

// unlocked returns an error if the request may not touch what it is about to,
// because of a lock that it does not name, or an If header that does not hold
// (RFC 4918 sections 7 and 10.4).
func (x *exchange) unlocked(touches ...lock.Touch) error {
	t := x.h.options.Locks
	if t == nil {
		return nil
	}
	header, err := x.condition()
	if err != nil {
		return err
	}
	now := time.Now()
	if header == nil && now.UnixNano() < x.h.lockless.Load() {
		return nil
	}
	err = t.Check(x.Request.Context(), now, lock.Check{If: header, ETag: x.tagOf, Who: x.User.Name, Touches: touches})
	if header == nil && plugins.KindOf(err).Silent() {
		// Those who lock are few. Where it cannot be known what they have
		// locked, the others do not wait for it.
		x.h.lockless.Store(now.Add(lockless).UnixNano())
		x.h.log.Warn("locks cannot be read: changes go on without regard to them", "request", x.ID, "err", err)
		return nil
	}
	return locking(err)
}

// lockless is for how long nobody asks for locks after they could not be read.
const lockless = 5 * time.Second

// condition returns the If header, nil if there is none.
func (x *exchange) condition() (*condition.If, error) {
	lines := x.Request.Header["If"]
	switch len(lines) {
	case 0:
		return nil, nil
	case 1:
	default:
		return nil, invalid("There is more than one If header.")
	}
	header, err := condition.Parse(lines[0], x.path, x.located)
	if err != nil {
		return nil, &problem{status: http.StatusBadRequest, sentence: "The If header makes no sense.", cause: err}
	}
	return header, nil
}

// located returns the path of the federation that a URL leads to.
func (x *exchange) located(u *url.URL) (string, bool) {
	if u.Host != "" && !strings.EqualFold(u.Host, x.Origin.Host) {
		return "", false
	}
	p, _, ok := cleanPath(u.Path)
	if !ok || reserved(p) {
		return "", false
	}
	return x.h.within(p)
}

// tagOf returns the ETag of what is at a path, "" if nothing is.
func (x *exchange) tagOf(p string) (string, error) {
	found, err := x.h.options.Federator.Lookup(x.Request.Context(), p, federator.Best, &x.client)
	var absent *federator.Absent
	switch {
	case errors.As(err, &absent):
		return "", nil
	case err != nil:
		return "", err
	case found.Kind() != plugins.File:
		return "", nil
	}
	return etag(&found.Facts), nil
}

// there reports whether anything is at a path.
func (x *exchange) there(p string) (bool, error) {
	_, err := x.h.options.Federator.Lookup(x.Request.Context(), p, federator.First, &x.client)
	var absent *federator.Absent
	if errors.As(err, &absent) {
		return false, nil
	}
	return err == nil, err
}

// touch is what it takes to write to a path, which concerns the directory too
// if nothing is there yet.
func (x *exchange) touch(p string, tree bool) (lock.Touch, error) {
	if x.h.options.Locks == nil {
		return lock.Touch{}, nil
	}
	is, err := x.there(p)
	return lock.Touch{Path: p, Tree: tree, Member: !is}, err
}

// released ends the locks of what is no longer there.
func (x *exchange) released(p string) {
	if t := x.h.options.Locks; t != nil {
		if err := t.Drop(x.Request.Context(), time.Now(), p); err != nil {
			x.h.log.Warn("locks of what was removed stay until they expire", "request", x.ID, "path", p, "err", err)
		}
	}
}

// lock answers LOCK (RFC 4918 section 9.10).
func (x *exchange) lock() error {
	w, err := x.writer(Write)
	if err != nil {
		return err
	}
	t := x.h.options.Locks
	if t == nil {
		return x.refuse()
	}
	if err := x.place(nil, false); err != nil {
		return err
	}
	in := x.Request.Header
	timeout, err := lockinfo.ParseTimeout(in.Get("Timeout"))
	if err != nil {
		return err
	}
	deep, err := lockinfo.ParseDepth(in.Get("Depth"))
	if err != nil {
		return err
	}
	info, err := lockinfo.Parse(x.Request.Body)
	if err != nil {
		return err
	}
	if info.Refresh {
		return x.refresh(t, timeout)
	}
	status, err := x.acquire(w, t, info, deep, timeout)
	if err != nil {
		return err
	}
	return x.sendLocks(t, status)
}

// refresh lets a lock last longer.
func (x *exchange) refresh(t *lock.Table, timeout time.Duration) error {
	header, err := x.condition()
	if err != nil {
		return err
	}
	token, ok := header.Sole()
	if !ok {
		return invalid("A lock is refreshed with an If header that names its token.")
	}
	_, err = t.Refresh(x.Request.Context(), time.Now(), token, x.path, x.User.Name, timeout)
	if errors.Is(err, lock.ErrNoLock) {
		return locking(lock.ErrCondition)
	}
	if err != nil {
		return locking(err)
	}
	return x.sendLocks(t, http.StatusOK)
}

// acquire makes a lock, and an empty file for it where nothing is (RFC 4918
// section 7.3).
func (x *exchange) acquire(w *write.Writer, t *lock.Table, info lockinfo.Info, deep bool, timeout time.Duration) (status int, err error) {
	is, err := x.there(x.path)
	if err != nil {
		return 0, err
	}
	var touches []lock.Touch
	if !is {
		touches = append(touches, lock.Touch{Path: path.Dir(x.path)})
	}
	if err := x.unlocked(touches...); err != nil {
		return 0, err
	}
	ctx := x.Request.Context()
	l, err := t.Create(ctx, time.Now(), lock.Lock{Root: x.path, Deep: deep, Scope: info.Scope, Owner: info.Owner, Holder: x.User.Name}, timeout)
	if err != nil {
		return 0, locking(err)
	}
	if !is {
		if _, err := w.Put(ctx, x.path, http.NoBody, write.File{New: true, Client: &x.client}); err != nil && plugins.KindOf(err) != plugins.Exists {
			return 0, errors.Join(writing(err), t.Unlock(ctx, time.Now(), l.Token, x.path, x.User.Name))
		}
		status = http.StatusCreated
	} else {
		status = http.StatusOK
	}
	x.Header()["Lock-Token"] = []string{"<" + l.Token + ">"}
	return status, nil
}

// sendLocks answers with the locks of the path.
func (x *exchange) sendLocks(t *lock.Table, status int) error {
	now := time.Now()
	set, err := t.Find(x.Request.Context(), now, x.path)
	if err != nil {
		return locking(err)
	}
	h := x.Header()
	h["Content-Type"] = []string{"application/xml; charset=utf-8"}
	h["Cache-Control"] = uncached
	x.expose()
	x.WriteHeader(status)
	if _, err := x.Write(lockinfo.AppendAnswer(nil, now, x.h.prefix, set.On(x.path))); err != nil {
		return errBroken
	}
	return nil
}

// unlock answers UNLOCK (RFC 4918 section 9.11).
func (x *exchange) unlock() error {
	if _, err := x.writer(Write); err != nil {
		return err
	}
	t := x.h.options.Locks
	if t == nil {
		return x.refuse()
	}
	token, err := condition.ParseToken(x.Request.Header.Get("Lock-Token"))
	if err != nil {
		return err
	}
	if err := t.Unlock(x.Request.Context(), time.Now(), token, x.path, x.User.Name); err != nil {
		return locking(err)
	}
	return x.made(false)
}

// locking returns what an error of the table of locks comes to.
func locking(err error) error {
	var conflict *lock.ConflictError
	var locked *lock.LockedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &conflict):
		return &problem{status: http.StatusLocked, sentence: "Somebody else has locked this.", document: multistatus.AppendError(nil, multistatus.NoConflictingLock, conflict.Roots...), cause: err}
	case errors.As(err, &locked):
		return &problem{status: http.StatusLocked, sentence: "This is locked.", document: multistatus.AppendError(nil, multistatus.LockTokenSubmitted, locked.Roots...), cause: err}
	case errors.Is(err, lock.ErrNotHolder):
		return &problem{status: http.StatusForbidden, sentence: "The lock is somebody else's.", cause: err}
	case errors.Is(err, lock.ErrNoLock):
		return &problem{status: http.StatusConflict, sentence: "There is no such lock here.", document: multistatus.AppendError(nil, multistatus.LockTokenMatches), cause: err}
	case errors.Is(err, lock.ErrCondition):
		return &problem{status: http.StatusPreconditionFailed, sentence: "What the If header says does not hold.", cause: err}
	}
	return err
}
