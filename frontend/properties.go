package frontend

import (
	"context"
	"encoding/xml"
	"fmt"
	"iter"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"canopy/federator"
	"canopy/federator/record"
	"canopy/plugins"
	"canopy/plugins/wire/propfind"
)

// propertyTime bounds the wait for what an endpoint says of properties.
const propertyTime = 2 * time.Second

// keeper is an endpoint that has a path and keeps properties.
type keeper struct {
	*federator.Storage
	plugins.Keeper
	own string // the path there
}

// keepers returns those of a path in the order of the configuration. First come
// those that may be written to: what they keep is changed together.
func keepers(s *federator.Session, path string, f *record.Facts) (writable, others []keeper) {
	for _, st := range s.Storages(path) {
		r, holds := f.By(st.ID())
		can := st.Abilities().Keeper
		if !holds || can == nil || int(r.Via) >= len(st.Own()) {
			continue
		}
		k := keeper{st, can, st.Own()[r.Via]}
		if st.Writable() {
			writable = append(writable, k)
		} else {
			others = append(others, k)
		}
	}
	return writable, others
}

// properties returns those called names, all if nil.
func (k *keeper) properties(ctx context.Context, names []xml.Name) ([]plugins.Property, error) {
	ctx, stop := context.WithTimeout(ctx, propertyTime)
	defer stop()
	began := time.Now()
	found, err := k.Properties(ctx, k.own, names)
	k.Asked("properties", err, began)
	return found, err
}

// notes are the questions of one PROPFIND about properties that clients have
// given to resources. The nil notes ask nobody.
type notes struct {
	x     *exchange
	s     *federator.Session
	names []xml.Name // nil is all

	mu     sync.Mutex
	silent map[string]bool
}

// notes returns nil if the request asks for none such, or no endpoint keeps any.
// They take a question to an endpoint each, so of many resources only those
// that were named are asked for, and grid clients, which put their question as
// one for all properties and make no use of these, do not get them. The
// caller ends them.
func (x *exchange) notes(ask propfind.Request, many bool) *notes {
	n := &notes{x: x, names: ask.Dead(), silent: make(map[string]bool)}
	if !many && (ask.PropName || ask.AllProp && !x.grid()) {
		n.names = nil
	} else if len(n.names) == 0 {
		return nil
	}
	n.s = x.h.options.Federator.Enter()
	if !slices.ContainsFunc(n.s.All(), func(st *federator.Storage) bool { return st.Abilities().Keeper != nil }) {
		n.s.Leave()
		return nil
	}
	return n
}

func (n *notes) end() {
	if n != nil {
		n.s.Leave()
	}
}

// of returns the properties of a path: what the first endpoint says that has
// them. It may be called concurrently.
func (n *notes) of(path string, f *record.Facts) []plugins.Property {
	if n == nil {
		return nil
	}
	writable, others := keepers(n.s, path, f)
	var silent []string
	for _, k := range append(writable, others...) {
		if k.Down() {
			silent = append(silent, k.Name())
			continue
		}
		found, err := k.properties(n.x.Request.Context(), n.names)
		switch plugins.KindOf(err) {
		case 0:
			return found
		case plugins.Unsupported, plugins.NotFound:
		default:
			silent = append(silent, k.Name())
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range silent {
		n.silent[name] = true
	}
	return nil
}

// missing adds to those who are missing in an answer the endpoints that did not
// tell the properties of some path.
func (n *notes) missing(names []string) []string {
	if n == nil {
		return names
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(n.silent)) {
		if !slices.Contains(names, name) {
			names = append(slices.Clip(names), name)
		}
	}
	return names
}

// noted is a child with its properties.
type noted struct {
	*record.Child
	properties []plugins.Property
	err        error // in place of a child
}

// each yields the children of a directory with their properties, which are
// asked for at as many children at a time as there is room for.
func (n *notes) each(dir string, d *federator.Directory) iter.Seq[noted] {
	children := func(yield func(noted) bool) {
		for c, err := range d.Children() {
			if !yield(noted{Child: c, err: err}) {
				return
			}
		}
	}
	if n == nil {
		return children
	}
	if dir == "/" {
		dir = ""
	}
	ask := func(c noted) (answer noted) {
		// In a goroutine of its own a panic would end the process.
		defer func() {
			if fault := recover(); fault != nil {
				n.x.h.log.Error("panic", "request", n.x.ID, "path", dir, "panic", fault, "stack", string(debug.Stack()))
				answer = noted{err: fmt.Errorf("panic: %v", fault)}
			}
		}()
		if c.err == nil {
			c.properties = n.of(dir+"/"+c.Name, &c.Facts)
		}
		return c
	}
	ctx := n.x.Request.Context()
	return func(yield func(noted) bool) {
		for c := range ordered(ctx, children, n.x.h.lookups, ask, func() {}) {
			if !yield(c) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(noted{err: err})
		}
	}
}
