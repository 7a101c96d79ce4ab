package plugins

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"
)

// Config is the typed configuration of one endpoint type. It is decoded from
// the endpoint's section (fields carry yaml tags, their comments are the
// reference), then validated, then opened.
type Config interface {
	// Validate reports the first setting that cannot work, as a *FieldError
	// where one field is to blame, without touching the network or a file.
	Validate() error
	// Open makes the endpoint. It does not wait for the storage to be
	// reachable: a storage that is down is a state, not an error.
	Open(ctx context.Context, env Env) (Endpoint, error)
}

// Env is what an endpoint gets from the outside world.
type Env struct {
	// Name is the endpoint's configured name.
	Name string
	Log  *slog.Logger
	// Dial replaces the network in tests; nil is the real one.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Timeout bounds one question, and the silence within a stream; 0 is
	// none. It is the endpoint's limits.timeout.
	Timeout time.Duration
}

// FieldError blames one key of an endpoint's section.
type FieldError struct {
	// Key is the dotted path of the key: "credentials.bearer_file".
	Key string
	// Problem says what is wrong and what to do, without the key.
	Problem string
}

// Error returns "key: problem".
func (e *FieldError) Error() string { return e.Key + ": " + e.Problem }

// Type is one kind of storage that can be configured.
type Type struct {
	// Name is the value of `type:` in the configuration.
	Name string
	// Summary is one line for people.
	Summary string
	// New returns a configuration that holds the type's defaults.
	New func() Config
}

// Registry holds the endpoint types of a program. It is built in one place
// and not changed afterwards.
type Registry struct{ types map[string]Type }

// NewRegistry returns a registry of types; two of one name are a programming
// error and panic.
func NewRegistry(types ...Type) *Registry {
	r := &Registry{types: make(map[string]Type, len(types))}
	for _, t := range types {
		if _, dup := r.types[t.Name]; dup {
			panic(fmt.Sprintf("plugins: two endpoint types named %q", t.Name))
		}
		r.types[t.Name] = t
	}
	return r
}

// Lookup returns the type called name.
func (r *Registry) Lookup(name string) (Type, bool) {
	t, ok := r.types[name]
	return t, ok
}

// Names returns the names of all types in alphabetical order.
func (r *Registry) Names() []string {
	names := make([]string, 0, len(r.types))
	for n := range r.types {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
