package lock

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"canopy/plugins"
)

// The time for which a lock is granted.
const (
	DefaultTimeout = 10 * time.Minute
	MaxTimeout     = time.Hour
	minTimeout     = time.Second
)

// Options is what New needs to know. The zero value will do.
type Options struct {
	// Store keeps the locks; nil is a Memory.
	Store Store
	// Limits bounds them. A field that is not positive stands for its
	// default: 10000 in all, 1000 of one holder, 64 on one path.
	Limits Limits
	// Rand is the source of tokens; nil is crypto/rand.
	Rand io.Reader
}

// Table grants locks and checks them. Its methods may be called by any number
// of goroutines at once. Besides the errors of which they tell, all return the
// errors of their Store.
type Table struct {
	store  Store
	limits Limits
	rand   io.Reader
}

// New makes a table.
func New(o Options) *Table {
	t := &Table{store: o.Store, limits: o.Limits, rand: o.Rand}
	if t.store == nil {
		t.store = new(Memory)
	}
	for _, d := range []struct {
		field *int
		value int
	}{{&t.limits.Total, 10_000}, {&t.limits.PerHolder, 1000}, {&t.limits.PerPath, 64}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if t.rand == nil {
		t.rand = rand.Reader
	}
	return t
}

// The errors of a table that are about one lock.
var (
	// ErrNoLock: no lock has the token, or it does not cover the path. The
	// answer is 412 to a refresh and 409 to an UNLOCK, with the condition
	// lock-token-matches-request-uri (sections 9.10.6 and 9.11.1).
	ErrNoLock = errors.New("no lock with this token covers the path")
	// ErrNotHolder: it is somebody else's. The answer is 403.
	ErrNotHolder = errors.New("the lock is somebody else's")
)

// Create grants a lock. The token and the time at which it ends are set here;
// timeout is what the client asked for (Granted). A *ConflictError says that
// another lock is in the way, Kind Full that there are too many, Kind Invalid
// that this could never be locked.
func (t *Table) Create(ctx context.Context, now time.Time, l Lock, timeout time.Duration) (Lock, error) {
	var err error
	if l.Token, err = t.token(); err != nil {
		return Lock{}, err
	}
	if err := l.Validate(); err != nil {
		return Lock{}, &plugins.Error{Kind: plugins.Invalid, Op: "lock", Err: err}
	}
	timeout = Granted(timeout)
	conflicts, err := t.store.Add(ctx, now, l, timeout, t.limits)
	switch {
	case err != nil:
		return Lock{}, err
	case len(conflicts) > 0:
		return Lock{}, &ConflictError{Roots: roots(conflicts)}
	}
	l.Expires = now.Add(timeout)
	return l, nil
}

// Refresh makes a lock that covers path end later, or earlier: after the
// timeout that the client asked for now. Other errors are ErrNoLock and
// ErrNotHolder.
func (t *Table) Refresh(ctx context.Context, now time.Time, token, path, who string, timeout time.Duration) (Lock, error) {
	if err := t.holds(ctx, now, token, path, who); err != nil {
		return Lock{}, err
	}
	l, ok, err := t.store.Extend(ctx, now, token, Granted(timeout))
	if err == nil && !ok {
		err = ErrNoLock
	}
	return l, err
}

// Unlock ends a lock that covers path. Other errors are ErrNoLock and
// ErrNotHolder.
func (t *Table) Unlock(ctx context.Context, now time.Time, token, path, who string) error {
	if err := t.holds(ctx, now, token, path, who); err != nil {
		return err
	}
	ok, err := t.store.Remove(ctx, now, token)
	if err == nil && !ok {
		err = ErrNoLock
	}
	return err
}

// holds checks that who holds a lock on path. What a token stands for never
// changes but for its end, so that nothing is lost between this and the next
// step.
func (t *Table) holds(ctx context.Context, now time.Time, token, path, who string) error {
	if len(token) > maxToken {
		return ErrNoLock
	}
	l, ok, err := t.store.Get(ctx, now, token)
	switch {
	case err != nil:
		return err
	case !ok || !l.Covers(path):
		return ErrNoLock
	case l.Holder != who:
		return ErrNotHolder
	}
	return nil
}

// Find returns the locks that cover path.
func (t *Table) Find(ctx context.Context, now time.Time, path string) (Set, error) {
	return t.find(ctx, now, Query{On: []string{path}})
}

// Tree returns the locks that cover path, or anything below it. This serves a
// listing with one question.
func (t *Table) Tree(ctx context.Context, now time.Time, path string) (Set, error) {
	return t.find(ctx, now, Query{On: []string{path}, Below: []string{path}})
}

func (t *Table) find(ctx context.Context, now time.Time, q Query) (Set, error) {
	locks, err := t.store.Find(ctx, now, q)
	if err != nil {
		return nil, err
	}
	return setOf(locks), nil
}

// Drop ends the locks on path and below it, which has been deleted or moved.
func (t *Table) Drop(ctx context.Context, now time.Time, path string) error {
	return t.store.Drop(ctx, now, path)
}

// Granted returns the time for which a lock is granted to a client that asks
// for timeout: the default for 0, and no more and no less than what is allowed.
func Granted(timeout time.Duration) time.Duration {
	if timeout == 0 {
		return DefaultTimeout
	}
	return max(minTimeout, min(timeout, MaxTimeout))
}

// token makes a random UUID (RFC 9562 section 5.4) as a URI (RFC 4918 section
// 6.5).
func (t *Table) token() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(t.rand, b[:]); err != nil {
		return "", fmt.Errorf("lock: no random number for a token: %w", err)
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}
