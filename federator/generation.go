package federator

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"canopy/federator/choice"
	"canopy/federator/health"
	"canopy/federator/record"
)

// generation is one configuration in force. It is never changed.
type generation struct {
	Settings
	// number tells generations apart; it grows, and is never 0 for one that
	// has endpoints.
	number uint64
	// users counts what goes on in it, and superseded is whether another has
	// taken its place; both are guarded by Federator.life.
	users      int
	superseded bool
	members    []*member
	byID       map[record.ID]*member
	policies   []choice.Policy
	virtuals   map[string][]string // the children that each virtual directory has
}

// Reload replaces settings and endpoints as one transaction: endpoints that
// are new are opened first, and if one of them cannot be, the old generation
// stays in force and the error says why. Endpoints that are gone are closed
// once the last question to them has ended.
func (f *Federator) Reload(ctx context.Context, s Settings, endpoints []Endpoint) error {
	f.reload.Lock()
	defer f.reload.Unlock()
	policies, ok := choice.Policies(s.Select, s.Choice)
	if !ok {
		return fmt.Errorf("select: unknown policy among %v; known are %v", s.Select, choice.Names())
	}
	old := f.gen.Load()
	next := &generation{Settings: s, number: old.number + 1, policies: policies, byID: make(map[record.ID]*member, len(endpoints))}
	var opened []*member
	for _, e := range endpoints {
		if next.byID[e.ID] != nil {
			f.discard(opened)
			return fmt.Errorf("endpoints %s and %s are the same storage in the same place", next.byID[e.ID].Name, e.Name)
		}
		m := old.byID[e.ID]
		if m == nil || m.Fingerprint != e.Fingerprint {
			storage, err := e.Open(ctx)
			if err != nil {
				f.discard(opened)
				return fmt.Errorf("endpoint %s: %w", e.Name, err)
			}
			m = f.newMember(e, storage)
			opened = append(opened, m)
		}
		next.members = append(next.members, m)
		next.byID[e.ID] = m
	}
	next.virtuals = virtuals(next.members)
	for _, m := range opened {
		m.state.Drain(m.Draining)
		f.wg.Go(func() { m.watch(f) })
	}
	f.replace(next)
	f.forget(next)
	return nil
}

// discard closes endpoints that were opened for a generation that never was.
func (f *Federator) discard(members []*member) {
	for _, m := range members {
		m.retire()
		m.close(f)
	}
}

// replace puts next in force. The endpoints that only older generations hold
// are closed when the last use of those has ended.
func (f *Federator) replace(next *generation) {
	f.life.Lock()
	defer f.life.Unlock()
	for _, m := range next.members {
		m.held++
	}
	old := f.gen.Swap(next)
	f.changed()
	for _, m := range old.members {
		if next.byID[m.ID] != m {
			m.retire()
		}
	}
	old.superseded = true
	f.drained(old)
}

// enter returns the generation in force and keeps its endpoints open until
// leave.
func (f *Federator) enter() *generation {
	f.life.Lock()
	defer f.life.Unlock()
	g := f.gen.Load()
	g.users++
	return g
}

func (f *Federator) leave(g *generation) {
	f.life.Lock()
	defer f.life.Unlock()
	g.users--
	f.drained(g)
}

// drained lets go of the endpoints of a superseded generation that nobody
// uses any more. Federator.life is held.
func (f *Federator) drained(g *generation) {
	if !g.superseded || g.users > 0 {
		return
	}
	for _, m := range g.members {
		if m.held--; m.held == 0 {
			close(m.released) // watch closes the storage
		}
	}
}

// forget drops the health of endpoints that no generation knows any more.
func (f *Federator) forget(g *generation) {
	for id := range f.health {
		if g.byID[id] == nil {
			delete(f.health, id)
		}
	}
}

func (f *Federator) healthOf(id record.ID) *health.State {
	s := f.health[id]
	if s == nil {
		var down atomic.Bool
		s = health.New(time.Now().UnixNano(), func() {
			f.changed()
			if is := s.Condition() == health.Down; down.Swap(is) != is {
				f.tell(id, is, s.Reason())
			}
		})
		f.health[id] = s
	}
	return s
}

// tell says that an endpoint has gone down or come back: to the operator, and
// to the other front ends.
func (f *Federator) tell(id record.ID, down bool, why string) {
	if m := f.gen.Load().byID[id]; m != nil && down {
		f.log.Warn("an endpoint is down", "endpoint", m.Name, "reason", why)
	} else if m != nil {
		f.log.Info("an endpoint is back", "endpoint", m.Name)
	}
	if f.shared != nil {
		f.shared.Invalidate(healthKey + strconv.FormatUint(uint64(id), 16))
	}
}

// candidates returns the members that could hold path.
func (g *generation) candidates(path string) []*member {
	if staged(path) {
		return nil
	}
	var found []*member
	for _, m := range g.members {
		if m.Read && len(m.Names.Endpoint(path)) > 0 {
			found = append(found, m)
		}
	}
	return found
}

// listers returns the members that could have children of path.
func (g *generation) listers(path string) []*member {
	if staged(path) {
		return nil
	}
	var found []*member
	for _, m := range g.members {
		if m.List && m.can.Lister != nil && len(m.Names.Listable(path)) > 0 {
			found = append(found, m)
		}
	}
	return found
}

// virtual returns the children of dir that exist by configuration alone, in
// order, and whether dir itself does. The root always does.
func (g *generation) virtual(dir string) (names []string, ok bool) {
	names, ok = g.virtuals[dir]
	return names, ok || dir == "/"
}

// virtuals finds all directories that exist by configuration: those at the
// root, and below each of them.
func virtuals(members []*member) map[string][]string {
	found := make(map[string][]string)
	for todo := []string{"/"}; len(todo) > 0; {
		dir := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if _, seen := found[dir]; seen {
			continue
		}
		var names []string
		is := false
		for _, m := range members {
			n, ok := m.Names.Virtual(dir)
			names, is = append(names, n...), is || ok
		}
		if !is {
			continue
		}
		slices.Sort(names)
		found[dir] = slices.Clip(slices.Compact(names))
		for _, n := range found[dir] {
			todo = append(todo, path.Join(dir, n))
		}
	}
	return found
}

// read reports whether id is one of the endpoints, and is read from.
func (g *generation) read(id record.ID) bool {
	m := g.byID[id]
	return m != nil && m.Read
}

// complete reports whether everybody who could hold path, and can be asked,
// has answered.
func (g *generation) complete(members []*member, coverage *record.Coverage, silences []record.Silence, now int64) bool {
	for _, m := range members {
		if !coverage.Has(m.ID) && m.state.Condition() != health.Down && !hushed(m, silences, now) {
			return false
		}
	}
	return true
}

// hushed reports whether m was silent a moment ago, so that it need not be
// asked again just yet.
func hushed(m *member, silences []record.Silence, now int64) bool {
	for _, s := range silences {
		if s.Endpoint == m.ID {
			return now < s.Until && s.Recovery == m.state.Recoveries()
		}
	}
	return false
}

// missing returns those of members whose word is not in the coverage.
func missing(members []*member, coverage *record.Coverage) []string {
	var names []string
	for _, m := range members {
		if !coverage.Has(m.ID) {
			names = append(names, m.Name)
		}
	}
	return names
}
