package write

import (
	"context"
	"strings"
	"sync"
)

// paths are those that are being changed by this front end, so that changes of
// one path, or of a path and a tree it lies in, come one after the other.
type paths struct {
	mu   sync.Mutex
	held []hold
	free chan struct{} // closed when one is let go
}

// hold is a path being changed, with all that lies below if it is a tree.
type hold struct {
	path string
	tree bool
	// yields, if any, is called when somebody else wants the path: what is done
	// under the hold ends then.
	yields *func()
}

func (h hold) meets(o hold) bool {
	return h.path == o.path || h.tree && below(o.path, h.path) || o.tree && below(h.path, o.path)
}

// below reports whether p lies below dir.
func below(p, dir string) bool {
	return dir == "/" && p != "/" || len(p) > len(dir) && strings.HasPrefix(p, dir) && p[len(dir)] == '/'
}

// take waits until none of wanted is being changed by others, and takes them all
// at once. The error is that of ctx.
func (s *paths) take(ctx context.Context, wanted ...hold) (letGo func(), err error) {
	for {
		s.mu.Lock()
		if !s.any(wanted) {
			s.held = append(s.held, wanted...)
			s.mu.Unlock()
			return func() { s.drop(wanted) }, nil
		}
		if s.free == nil {
			s.free = make(chan struct{})
		}
		free := s.free
		s.mu.Unlock()
		select {
		case <-free:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// any reports whether others hold any of wanted, and has those give it up who
// would.
func (s *paths) any(wanted []hold) (taken bool) {
	for _, w := range wanted {
		for _, h := range s.held {
			if !h.meets(w) {
				continue
			}
			taken = true
			if h.yields != nil {
				(*h.yields)()
			}
		}
	}
	return taken
}

func (s *paths) drop(gone []hold) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range gone {
		for i, h := range s.held {
			if h == g {
				s.held[i] = s.held[len(s.held)-1]
				s.held = s.held[:len(s.held)-1]
				break
			}
		}
	}
	if s.free != nil {
		close(s.free)
		s.free = nil
	}
}
