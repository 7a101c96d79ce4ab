package lock

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"canopy/plugins"
)

// Memory is a Store for one front end alone. Its zero value is empty and ready.
// What concerns a tree looks at every lock, of which there are no more than
// Limits.Total; what concerns single paths does not.
type Memory struct {
	mu      sync.RWMutex
	byToken map[string]*Lock
	// byRoot holds the locks at each root that has one.
	byRoot map[string]map[string]*Lock
	// held counts the locks of each holder who has any.
	held map[string]int
	// next is before the first lock ends, or when it does.
	next time.Time
}

// Add implements Store.
func (m *Memory) Add(ctx context.Context, now time.Time, l Lock, ttl time.Duration, limits Limits) ([]Lock, error) {
	if err := ctx.Err(); err != nil {
		return nil, fail("lock", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now)
	if m.byToken[l.Token] != nil {
		return nil, nil
	}
	near := Query{On: []string{l.Root}}
	if l.Deep {
		near.Below = near.On
	}
	var conflicts []Lock
	for _, other := range m.find(near) {
		if l.Conflicts(other) && len(conflicts) < MaxConflicts {
			conflicts = append(conflicts, *other)
		}
	}
	switch {
	case len(conflicts) > 0:
		return conflicts, nil
	case len(m.byToken) >= limits.Total || m.held[l.Holder] >= limits.PerHolder || len(m.byRoot[l.Root]) >= limits.PerPath:
		return nil, &plugins.Error{Kind: plugins.Full, Op: "lock", Err: errors.New("as many locks as are allowed")}
	}
	if m.byToken == nil {
		m.byToken, m.byRoot, m.held = make(map[string]*Lock), make(map[string]map[string]*Lock), make(map[string]int)
	}
	if m.byRoot[l.Root] == nil {
		m.byRoot[l.Root] = make(map[string]*Lock)
	}
	l.Expires = now.Add(ttl)
	m.byToken[l.Token], m.byRoot[l.Root][l.Token] = &l, &l
	m.held[l.Holder]++
	m.expect(l.Expires)
	return nil, nil
}

// fail returns err as a *plugins.Error.
func fail(op string, err error) error { return plugins.Fail(op, "", err) }

// Extend implements Store.
func (m *Memory) Extend(ctx context.Context, now time.Time, token string, ttl time.Duration) (Lock, bool, error) {
	if err := ctx.Err(); err != nil {
		return Lock{}, false, fail("refresh", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.byToken[token]
	if l == nil || !now.Before(l.Expires) {
		return Lock{}, false, nil
	}
	l.Expires = now.Add(ttl)
	m.expect(l.Expires)
	return *l, true, nil
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, now time.Time, token string) (Lock, bool, error) {
	if err := ctx.Err(); err != nil {
		return Lock{}, false, fail("find lock", err)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	l := m.byToken[token]
	if l == nil || !now.Before(l.Expires) {
		return Lock{}, false, nil
	}
	return *l, true, nil
}

// Remove implements Store.
func (m *Memory) Remove(ctx context.Context, now time.Time, token string) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, fail("unlock", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now)
	l := m.byToken[token]
	if l != nil {
		m.forget(l)
	}
	return l != nil, nil
}

// Drop implements Store.
func (m *Memory) Drop(ctx context.Context, now time.Time, path string) error {
	if err := ctx.Err(); err != nil {
		return fail("drop locks", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now)
	for _, l := range m.byToken {
		if l.Root == path || below(l.Root, path) {
			m.forget(l)
		}
	}
	return nil
}

// Find implements Store.
func (m *Memory) Find(ctx context.Context, now time.Time, q Query) ([]Lock, error) {
	if err := ctx.Err(); err != nil {
		return nil, fail("find locks", err)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var locks []Lock
	for _, l := range m.find(q) {
		if now.Before(l.Expires) {
			locks = append(locks, *l)
		}
	}
	if len(locks) > MaxFound {
		return nil, &plugins.Error{Kind: plugins.Locked, Op: "find locks", Err: fmt.Errorf("more than %d", MaxFound)}
	}
	return locks, nil
}

// find returns the locks of a query by their tokens, with those that ended
// since the last sweep.
func (m *Memory) find(q Query) map[string]*Lock {
	if len(m.byToken) == 0 {
		return nil
	}
	found := make(map[string]*Lock)
	for _, path := range q.On {
		maps.Copy(found, m.byRoot[path])
		for _, root := range Above(path) {
			for token, l := range m.byRoot[root] {
				if l.Deep {
					found[token] = l
				}
			}
		}
	}
	for _, path := range q.Below {
		for root, locks := range m.byRoot {
			if root == path || below(root, path) {
				maps.Copy(found, locks)
			}
		}
	}
	return found
}

// sweep removes what has ended.
func (m *Memory) sweep(now time.Time) {
	if m.next.IsZero() || now.Before(m.next) {
		return
	}
	m.next = time.Time{}
	for _, l := range m.byToken {
		if now.Before(l.Expires) {
			m.expect(l.Expires)
		} else {
			m.forget(l)
		}
	}
}

// expect notes that a lock will end then.
func (m *Memory) expect(end time.Time) {
	if m.next.IsZero() || end.Before(m.next) {
		m.next = end
	}
}

func (m *Memory) forget(l *Lock) {
	delete(m.byToken, l.Token)
	if m.held[l.Holder]--; m.held[l.Holder] == 0 {
		delete(m.held, l.Holder)
	}
	delete(m.byRoot[l.Root], l.Token)
	if len(m.byRoot[l.Root]) == 0 {
		delete(m.byRoot, l.Root)
	}
}
