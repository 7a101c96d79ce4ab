package lock

import (
	"slices"
)

// Set holds locks by their roots, as a Table found them.
type Set map[string][]Lock

func setOf(locks []Lock) Set {
	set := make(Set, len(locks))
	for _, l := range locks {
		set[l.Root] = append(set[l.Root], l)
	}
	return set
}

// On returns the locks of the set that cover path, those that are nearer to
// the root of the namespace first.
func (s Set) On(path string) []Lock {
	if len(s) == 0 {
		return nil
	}
	var on []Lock
	for _, root := range Above(path) {
		for _, l := range s[root] {
			if l.Deep {
				on = append(on, l)
			}
		}
	}
	return append(on, s[path]...)
}

// Locked reports whether path is within the lock of that token. It serves as
// condition.State's.
func (s Set) Locked(path, token string) bool {
	return slices.ContainsFunc(s.On(path), func(l Lock) bool { return l.Token == token })
}

// Blocking returns the roots of the locks that keep who from the touches with
// the tokens that were submitted, each once, in order; none if nothing does.
// The set must have all locks that concern the touches.
func (s Set) Blocking(submitted []string, who string, touches ...Touch) []string {
	if len(s) == 0 {
		return nil
	}
	have := make(map[string]bool, len(submitted))
	for _, token := range submitted {
		have[token] = true
	}
	var blocking []Lock
	change := func(path string) {
		on := s.On(path)
		mine := func(l Lock) bool { return l.Holder == who && have[l.Token] }
		if !slices.ContainsFunc(on, mine) {
			blocking = append(blocking, on...)
		}
	}
	for _, touch := range touches {
		change(touch.Path)
		if up, ok := parent(touch.Path); ok && touch.Member {
			change(up)
		}
		if !touch.Tree {
			continue
		}
		for root := range s {
			if below(root, touch.Path) {
				change(root)
			}
		}
	}
	return roots(blocking)
}

// roots returns where the locks are, each path once, in order.
func roots(locks []Lock) []string {
	var roots []string
	for i := range locks {
		roots = append(roots, locks[i].Root)
	}
	slices.Sort(roots)
	return slices.Compact(roots)
}
