// Package redis keeps the locks of package lock in a Redis server, a Sentinel
// group or a Cluster, so that all front ends that share it honour them. Store
// fulfils lock.Store.
//
// # What is stored
//
// Three keys, with one hash tag so that a Cluster keeps them together:
//
//	Prefix{lock}:records  hash        token → record (record.go)
//	Prefix{lock}:index    sorted set  by bytes: p PATH NUL SCOPE DEPTH TOKEN, h HOLDER NUL TOKEN
//	Prefix{lock}:ends     sorted set  token → when it ends, in ms since 1970
//
// Every method is one script, so that it is atomic: of two front ends that want
// the same lock, one is first. The scripts go by the clock of the server, which
// is the same for everybody; a front end whose clock is wrong ends nobody's
// locks. All keys have a time to live that ends a second after the last lock.
//
// The three keys belong together. If the server has evicted one of them,
// nothing is said to be locked, and the next change begins anew; a policy that
// evicts (maxmemory-policy other than noeviction) can thus end locks early, as
// can a restart without persistence or a failover to a replica that is behind.
// RFC 4918 section 6.6 lets a server end a lock at any time, and no client may
// rely on the contrary.
//
// # Without Redis
//
// A server that cannot be reached, is read-only, full or silent for Patience
// makes every method return an error of Kind Unavailable or Timeout. Nothing is
// tried again here. A lock may have been added although that was reported as an
// error; nobody knows its token then, and it ends when its time is over.
//
// # Access
//
// An ACL needs the commands evalsha, eval, time, hget, hset, hdel, hlen,
// hexists, zadd, zrem, zcard, zscore, zrange, zrangebylex, zrangebyscore,
// zlexcount, del and pexpireat on keys that begin with Prefix{lock}:.
package redis

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"canopy/frontend/lock"
	"canopy/plugins"

	goredis "github.com/redis/go-redis/v9"
)

// Options is what New needs to know.
type Options struct {
	// Client talks to the server. The store does not close it.
	Client goredis.UniversalClient
	// Prefix begins the name of every key; "" is "canopy:".
	Prefix string
	// Patience is how long one answer may take; 0 is 2 s.
	Patience time.Duration
}

const (
	defaultPrefix   = "canopy:"
	defaultPatience = 2 * time.Second
)

// Store is a lock.Store in Redis.
type Store struct {
	client   goredis.UniversalClient
	keys     []string
	patience time.Duration
}

var _ lock.Store = (*Store)(nil)

// New makes a store. It does not wait for the server.
func New(o Options) *Store {
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	if o.Patience <= 0 {
		o.Patience = defaultPatience
	}
	// A brace in the prefix would be taken for the beginning of the hash tag.
	tag := strings.NewReplacer("{", "(", "}", ")").Replace(o.Prefix) + "{lock}:"
	return &Store{
		client:   o.Client,
		keys:     []string{tag + "records", tag + "index", tag + "ends"},
		patience: o.Patience,
	}
}

//go:embed script.lua
var source string

// script does everything; its first argument says what. One script is one
// entry in the server's cache, loaded once after every restart.
var script = goredis.NewScript(source)

// run runs the script. The answer is a list of which the first is a word.
func (s *Store) run(ctx context.Context, op string, args ...any) (word string, rest []any, err error) {
	ctx, stop := context.WithTimeout(ctx, s.patience)
	defer stop()
	answer, err := script.Run(ctx, s.client, s.keys, append([]any{op}, args...)...).Slice()
	if err != nil {
		return "", nil, failure(ctx, op, err)
	}
	if len(answer) == 0 {
		return "", nil, malformed(op, errors.New("an empty answer"))
	}
	word, ok := answer[0].(string)
	if !ok {
		return "", nil, malformed(op, errors.New("an answer that does not begin with a word"))
	}
	return word, answer[1:], nil
}

// failure says that it is not known what is locked. Whatever the server says
// of itself, that it is read-only or out of memory, comes to the same.
func failure(ctx context.Context, op string, err error) error {
	kind := plugins.Unavailable
	if cause := ctx.Err(); cause != nil {
		kind = plugins.KindOf(cause)
	}
	return &plugins.Error{Kind: kind, Op: op + " locks", Err: fmt.Errorf("redis: %w", err)}
}

func malformed(op string, err error) error {
	return &plugins.Error{Kind: plugins.Malformed, Op: op + " locks", Err: fmt.Errorf("redis: %w", err)}
}

// Add implements lock.Store.
func (s *Store) Add(ctx context.Context, now time.Time, l lock.Lock, ttl time.Duration, limits lock.Limits) ([]lock.Lock, error) {
	args := []any{
		l.Token, encode(&l), l.Root, l.Holder, flags(&l), milliseconds(ttl),
		limits.Total, limits.PerHolder, limits.PerPath, lock.MaxConflicts,
	}
	for _, path := range lock.Above(l.Root) {
		args = append(args, path)
	}
	word, rest, err := s.run(ctx, "add", args...)
	switch {
	case err != nil:
		return nil, err
	case word == "full":
		return nil, &plugins.Error{Kind: plugins.Full, Op: "add locks", Err: errors.New("as many locks as are allowed")}
	case word == "conflict" && len(rest) > 0:
		return locks("add", now, rest)
	case word == "ok":
		return nil, nil
	}
	return nil, malformed("add", fmt.Errorf("the answer %.20q", word))
}

// Extend implements lock.Store.
func (s *Store) Extend(ctx context.Context, now time.Time, token string, ttl time.Duration) (lock.Lock, bool, error) {
	return s.one(ctx, now, "extend", token, milliseconds(ttl))
}

// Get implements lock.Store.
func (s *Store) Get(ctx context.Context, now time.Time, token string) (lock.Lock, bool, error) {
	return s.one(ctx, now, "get", token)
}

// one runs an operation that answers with one lock or none.
func (s *Store) one(ctx context.Context, now time.Time, op string, args ...any) (lock.Lock, bool, error) {
	_, rest, err := s.run(ctx, op, args...)
	if err != nil || len(rest) == 0 {
		return lock.Lock{}, false, err
	}
	found, err := locks(op, now, rest)
	if err != nil {
		return lock.Lock{}, false, err
	}
	return found[0], true, nil
}

// Remove implements lock.Store.
func (s *Store) Remove(ctx context.Context, _ time.Time, token string) (bool, error) {
	word, _, err := s.run(ctx, "remove", token)
	return word == "ok", err
}

// Drop implements lock.Store.
func (s *Store) Drop(ctx context.Context, _ time.Time, path string) error {
	_, _, err := s.run(ctx, "drop", path)
	return err
}

// Find implements lock.Store.
func (s *Store) Find(ctx context.Context, now time.Time, q lock.Query) ([]lock.Lock, error) {
	// A path at which any lock counts need not be asked for the deep ones.
	asked := make(map[string]bool)
	args := []any{lock.MaxFound}
	add := func(kind, path string) {
		if key := kind + path; !asked[key] {
			asked[key] = true
			args = append(args, key)
		}
	}
	for _, path := range q.On {
		if len(path) <= lock.MaxPath {
			add("p", path)
		}
		for _, above := range lock.Above(path) {
			add("d", above)
		}
	}
	for _, path := range q.Below {
		add("t", path)
	}
	word, rest, err := s.run(ctx, "find", args...)
	switch {
	case err != nil:
		return nil, err
	case word == "many":
		return nil, &plugins.Error{Kind: plugins.Locked, Op: "find locks", Err: fmt.Errorf("more than %d", lock.MaxFound)}
	case word != "ok":
		return nil, malformed("find", fmt.Errorf("the answer %.20q", word))
	}
	return locks("find", now, rest)
}

// milliseconds returns d, rounded up.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
