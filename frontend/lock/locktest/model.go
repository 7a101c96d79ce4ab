package locktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"canopy/frontend/lock"
	"canopy/frontend/lock/condition"
	"canopy/plugins"

	"pgregory.net/rapid"
)

// model compares a Table over a store with a list of locks that is searched
// from one end to the other.
func model(tt *testing.T, open Open) {
	rapid.Check(tt, func(t *rapid.T) {
		store, clock := open(tt)
		m := machine{clock: clock, ctx: context.Background(), table: lock.New(lock.Options{
			Store: store, Limits: limits, Rand: rand.NewChaCha8([32]byte(bytes.Repeat([]byte{7}, 32))),
		})}
		t.Repeat(map[string]func(*rapid.T){
			"create":  m.create,
			"refresh": m.refresh,
			"unlock":  m.unlock,
			"wait":    m.wait,
			"drop":    m.drop,
			"check":   m.check,
			"":        m.compare,
		})
	})
}

type machine struct {
	ctx   context.Context
	clock Clock
	table *lock.Table
	locks []lock.Lock
	// gone are tokens of locks that are no more.
	gone []string
}

var (
	paths   = rapid.SampledFrom([]string{"/", "/a", "/a/b", "/a/b/c", "/a/c", "/ab", "/b", "/b/\xff"})
	holders = rapid.SampledFrom([]string{"", "ada", "ad"})
	times   = rapid.SampledFrom([]time.Duration{0, 1, time.Second, time.Minute, 10 * time.Minute, 100 * time.Hour})
)

// inside reports whether path is root or below it.
func inside(path, root string) bool {
	return path == root || strings.HasPrefix(path, strings.TrimSuffix(root, "/")+"/")
}

func covers(l *lock.Lock, path string) bool { return l.Root == path || l.Deep && inside(path, l.Root) }

// live returns the locks for which keep holds, those that ended taken out.
func (m *machine) live(keep func(*lock.Lock) bool) []lock.Lock {
	m.locks = slices.DeleteFunc(m.locks, func(l lock.Lock) bool {
		ended := !m.clock.Now().Before(l.Expires)
		if ended {
			m.gone = append(m.gone, l.Token)
		}
		return ended
	})
	var live []lock.Lock
	for i := range m.locks {
		if keep(&m.locks[i]) {
			live = append(live, m.locks[i])
		}
	}
	return live
}

func anything(*lock.Lock) bool { return true }

func rootsOf(locks []lock.Lock) []string {
	var roots []string
	for _, l := range locks {
		roots = append(roots, l.Root)
	}
	slices.Sort(roots)
	return slices.Compact(roots)
}

func (m *machine) create(t *rapid.T) {
	l := lock.Lock{
		Root: paths.Draw(t, "root"), Deep: rapid.Bool().Draw(t, "deep"), Holder: holders.Draw(t, "holder"),
		Scope: rapid.SampledFrom([]lock.Scope{lock.Exclusive, lock.Shared, lock.Shared}).Draw(t, "scope"), Owner: "o",
	}
	timeout := times.Draw(t, "timeout")
	rivals := m.live(func(other *lock.Lock) bool {
		return (l.Scope == lock.Exclusive || other.Scope == lock.Exclusive) && (covers(&l, other.Root) || covers(other, l.Root))
	})
	full := len(m.locks) >= limits.Total ||
		len(m.live(func(o *lock.Lock) bool { return o.Holder == l.Holder })) >= limits.PerHolder ||
		len(m.live(func(o *lock.Lock) bool { return o.Root == l.Root })) >= limits.PerPath
	got, err := m.table.Create(m.ctx, m.clock.Now(), l, timeout)
	var conflict *lock.ConflictError
	switch {
	case len(rivals) > 0:
		if !errors.As(err, &conflict) || !slices.Equal(conflict.Roots, rootsOf(rivals)) {
			t.Fatalf("%v, want a conflict at %q", err, rootsOf(rivals))
		}
	case full:
		if plugins.KindOf(err) != plugins.Full || errors.As(err, &conflict) {
			t.Fatalf("%v, want full", err)
		}
	case err != nil:
		t.Fatal(err)
	default:
		l.Token, l.Expires = got.Token, m.clock.Now().Add(lock.Granted(timeout))
		if !same(got, l) {
			t.Fatalf("%+v, want %+v", got, l)
		}
		m.locks = append(m.locks, l)
	}
}

// pick returns the token of a lock, of one that is gone, or of none.
func (m *machine) pick(t *rapid.T) string {
	tokens := []string{"DAV:no-lock"}
	for _, l := range m.live(anything) {
		tokens = append(tokens, l.Token)
	}
	tokens = append(tokens, m.gone...)
	return rapid.SampledFrom(tokens).Draw(t, "token")
}

// expect returns the lock that a request may work on, and the error if not.
func (m *machine) expect(token, path, who string) (*lock.Lock, error) {
	m.live(anything)
	for i := range m.locks {
		switch l := &m.locks[i]; {
		case l.Token != token || !covers(l, path):
		case l.Holder != who:
			return nil, lock.ErrNotHolder
		default:
			return l, nil
		}
	}
	return nil, lock.ErrNoLock
}

func (m *machine) refresh(t *rapid.T) {
	token, path, who, timeout := m.pick(t), paths.Draw(t, "path"), holders.Draw(t, "who"), times.Draw(t, "timeout")
	l, want := m.expect(token, path, who)
	got, err := m.table.Refresh(m.ctx, m.clock.Now(), token, path, who, timeout)
	if !errors.Is(err, want) {
		t.Fatalf("%v, want %v", err, want)
	}
	if want != nil {
		return
	}
	l.Expires = m.clock.Now().Add(lock.Granted(timeout))
	if !same(got, *l) {
		t.Fatalf("%+v, want %+v", got, *l)
	}
}

func (m *machine) unlock(t *rapid.T) {
	token, path, who := m.pick(t), paths.Draw(t, "path"), holders.Draw(t, "who")
	_, want := m.expect(token, path, who)
	if err := m.table.Unlock(m.ctx, m.clock.Now(), token, path, who); !errors.Is(err, want) {
		t.Fatalf("%v, want %v", err, want)
	}
	if want == nil {
		m.locks = slices.DeleteFunc(m.locks, func(l lock.Lock) bool { return l.Token == token })
		m.gone = append(m.gone, token)
	}
}

func (m *machine) wait(t *rapid.T) {
	m.clock.Advance(rapid.SampledFrom([]time.Duration{time.Second, time.Minute, 11 * time.Minute, 2 * time.Hour}).Draw(t, "wait"))
}

func (m *machine) drop(t *rapid.T) {
	path := paths.Draw(t, "path")
	if err := m.table.Drop(m.ctx, m.clock.Now(), path); err != nil {
		t.Fatal(err)
	}
	m.locks = slices.DeleteFunc(m.locks, func(l lock.Lock) bool { return inside(l.Root, path) })
}

// check draws what a request touches, and who holds which tokens.
func (m *machine) check(t *rapid.T) {
	who := holders.Draw(t, "who")
	submitted := rapid.SliceOfN(rapid.Custom(m.pick), 0, 4).Draw(t, "submitted")
	touch := lock.Touch{Path: paths.Draw(t, "path"), Tree: rapid.Bool().Draw(t, "tree"), Member: rapid.Bool().Draw(t, "member")}

	changed := []string{touch.Path}
	if touch.Member && touch.Path != "/" {
		changed = append(changed, touch.Path[:max(1, strings.LastIndexByte(touch.Path, '/'))])
	}
	if touch.Tree {
		changed = append(changed, rootsOf(m.live(func(l *lock.Lock) bool { return inside(l.Root, touch.Path) }))...)
	}
	var blocking []lock.Lock
	for _, path := range changed {
		on := m.live(func(l *lock.Lock) bool { return covers(l, path) })
		if !slices.ContainsFunc(on, func(l lock.Lock) bool { return l.Holder == who && slices.Contains(submitted, l.Token) }) {
			blocking = append(blocking, on...)
		}
	}
	header := ""
	for _, token := range submitted {
		header += fmt.Sprintf(" (Not <%s>)", token)
	}
	if header != "" {
		header += " (Not <DAV:no-lock>)"
	}
	var want []string
	if len(blocking) > 0 {
		want = rootsOf(blocking)
	}
	err := m.table.Check(m.ctx, m.clock.Now(), lock.Check{If: m.header(t, header, touch.Path), Who: who, Touches: []lock.Touch{touch}})
	var locked *lock.LockedError
	switch {
	case want == nil:
		if err != nil {
			t.Fatal(err)
		}
	case !errors.As(err, &locked) || !slices.Equal(locked.Roots, want):
		t.Fatalf("%v, want to be locked out by %q", err, want)
	}
}

// header reads an If header, nil if it is empty.
func (m *machine) header(t *rapid.T, text, path string) *condition.If {
	if text == "" {
		return nil
	}
	parsed, err := condition.Parse(text, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// compare asks by what a path is locked.
func (m *machine) compare(t *rapid.T) {
	path := paths.Draw(t, "look at")
	want := m.live(func(l *lock.Lock) bool { return covers(l, path) })
	set, err := m.table.Find(m.ctx, m.clock.Now(), path)
	if err != nil {
		t.Fatal(err)
	}
	got := set.On(path)
	byToken := func(a, b lock.Lock) int { return strings.Compare(a.Token, b.Token) }
	slices.SortFunc(got, byToken)
	slices.SortFunc(want, byToken)
	if !slices.EqualFunc(got, want, same) {
		t.Fatalf("%s is locked by %+v, want %+v", path, got, want)
	}
}
