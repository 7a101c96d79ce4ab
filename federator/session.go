package federator

import (
	"time"

	"canopy/federator/choice"
	"canopy/federator/health"
	"canopy/federator/record"
	"canopy/plugins"
)

// Session is the configuration in force, for as long as somebody works on
// storages with it: its endpoints stay open until it ends.
type Session struct {
	f *Federator
	g *generation
}

// Enter begins a session. The caller ends it with Leave.
func (f *Federator) Enter() *Session { return &Session{f, f.enter()} }

// Leave ends the session; nothing of it is used afterwards.
func (s *Session) Leave() { s.f.leave(s.g) }

// Settings returns what the federation is configured to do.
func (s *Session) Settings() *Settings { return &s.g.Settings }

// Storages returns the endpoints that have a place for path, down or not, in
// the order of the configuration.
func (s *Session) Storages(path string) []*Storage {
	var all []*Storage
	for _, m := range s.g.members {
		if own := m.Names.Endpoint(path); len(own) > 0 && !staged(path) {
			all = append(all, &Storage{m, own})
		}
	}
	return all
}

// All returns all endpoints, without a place of any path.
func (s *Session) All() []*Storage {
	var all []*Storage
	for _, m := range s.g.members {
		all = append(all, &Storage{m: m})
	}
	return all
}

// Virtual reports whether path is a directory by configuration.
func (s *Session) Virtual(path string) bool {
	_, ok := s.g.virtual(path)
	return ok
}

// Rank puts storages in the order in which a client would be sent to them, and
// tells for each place the group of those that are equal.
func (s *Session) Rank(c *choice.Client, storages []*Storage) (order, group []int) {
	targets := make([]choice.Target, len(storages))
	for i, st := range storages {
		targets[i] = st.m.target(s.g.Atlas)
	}
	return choice.Rank(c, targets, s.g.policies, false)
}

// Storage is an endpoint as one who changes it sees it.
type Storage struct {
	m *member
	// Own are its paths for the path that it was asked for. The first is
	// where something new is put.
	own []string
}

// Own returns its paths for the path that the session was asked for: more
// than one where several of its trees are shown as one.
func (s *Storage) Own() []string { return s.own }

// Abilities returns what it can do.
func (s *Storage) Abilities() *plugins.Abilities { return &s.m.can }

// Endpoint returns its interface for questions that the federation does not
// ask by itself.
func (s *Storage) Endpoint() plugins.Endpoint { return s.m.storage }

// ID returns its identity, by which replicas name it.
func (s *Storage) ID() record.ID { return s.m.ID }

// Name returns its name.
func (s *Storage) Name() string { return s.m.Name }

// Writable reports whether it may be changed.
func (s *Storage) Writable() bool { return s.m.Write }

// Down reports whether it is known not to answer.
func (s *Storage) Down() bool { return s.m.state.Condition() == health.Down }

// Since returns since when it is as it is, in Unix nanoseconds.
func (s *Storage) Since() int64 { return s.m.state.Since() }

// Draining reports whether an operator has taken it out of the choice.
func (s *Storage) Draining() bool { return s.m.state.Draining() }

// Redirects reports whether clients are sent to it.
func (s *Storage) Redirects() bool { return s.m.redirects() }

// Share returns its configured weight.
func (s *Storage) Share() float64 { return s.m.Weight }

// Sent counts a client, or the bytes of one, as sent there.
func (s *Storage) Sent() { s.m.sent.Add(1) }

// Asked notes the outcome of a question that began at some time, for its
// health and for the figures. A change tells less of the health than a
// question does: a refused connection is all that counts.
func (s *Storage) Asked(op string, err error, began time.Time) {
	s.m.observed(op, err, time.Since(began))
	now := time.Now()
	switch kind := plugins.KindOf(err); {
	case kind == plugins.Unavailable:
		s.m.state.Answered(health.Open, kind, now.Sub(began), now.UnixNano())
	case kind.Silent():
		s.m.state.Doubt()
	}
}
