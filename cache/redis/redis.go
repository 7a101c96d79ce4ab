// Package redis is the level of the cache that front ends share, kept in a
// Redis server, a Sentinel group or a Cluster. Level fulfils cache.Shared.
//
// # Never slower than without it
//
// A request meets Redis in one place, Get, and waits there for a few
// milliseconds at most: eight times the usual answer, but not less than one
// millisecond nor more than Options.Budget. The first answer that is overdue
// makes the whole level suspect (unless the wait itself ended late, because
// this machine is too busy to tell; eight of those in a row do). From then on Get returns at once with
// nothing, those who were waiting return too, and one goroutine in the
// background, the keeper, asks the server again after 10 ms, 20 ms and so on
// up to once a second. The level is used again when the server has answered
// promptly and everything below that had to come first has been done.
// A server that is slow, frozen, loading, full or gone thus costs hits, and one
// short wait when it happens.
//
// Questions of many requests travel together: a few lanes, each with a
// connection of its own, take what is waiting and send it as one pipeline. A
// request that gives up leaves the connection as it is. Set and Invalidate
// only note what is to be done; the keeper does it.
//
// # What is stored
//
// A value is framed with a version, a codec (zstd from a kilobyte up, when it
// helps), the generation and a checksum, and every key has a time to live. A
// frame from elsewhere is outside input: one that is damaged, of an unknown
// version, of another key or too large is a miss, and counted. Keys are
// Prefix + "v:" + key; a key beyond 200 bytes is hashed, Prefix + "h:" + hash,
// and stored in full inside the frame, where it is compared. Values that take
// more than 512 KiB in Redis are not written, because reading them back would
// hold up everybody else for longer than the budget.
//
// # Invalidation
//
// Invalidate deletes keys in Redis and then publishes them to the other front
// ends on one channel, also while the level is suspect. Until Redis has
// confirmed, Get gives nothing for them here, and an older Set that still waits
// is forgotten. While Redis cannot be reached they are kept, and sent before the
// level is used again. There is room for 65536; if more come, nobody can say any
// longer which stored values are dead, so all are: the level gets a new
// generation. The generation is a random number under Prefix + "generation", part of every frame and read
// together with every question, so that every front end notices at once. It
// does not count: if the server loses it, a new number cannot revive anything.
//
// A front end that hears of an invalidation forgets its own waiting write of
// that key, and deletes the key again if it has written it in the last second
// or two: its write may have arrived after the other's deletion.
//
// Redis passes messages on and does not wait for those who get them. Told does: it
// calls the others on the channel, and each answers on that of the caller when it has
// taken in what came before. Who does not answer in time is not waited for again
// until it does; who no longer subscribes is forgotten.
//
// When the subscription has been established, again or for the first time,
// messages may have been missed and Options.OnReconnect is called.
//
// What remains: invalidations that a front end could not deliver before it was
// itself shut down are lost with it; and a failover to a replica that lacks the
// last deletions brings those values back, as Redis itself promises no more.
// Both end with the time to live of the values.
//
// # Access
//
// An ACL needs the commands hello, auth, select, client|setname, get, set,
// del, exists, expire, publish, subscribe and ping, for Sentinel and Cluster
// also those that find the servers, on keys and channels that begin with Prefix.
package redis

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"canopy/cache"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// Options is what Open needs to know.
type Options struct {
	// URL says where the server is:
	//
	//	redis://[user:password@]host[:6379][/DB]
	//	redis+sentinel://[user:password@]host[:26379],host…/MASTER[/DB]
	//	redis+cluster://[user:password@]host[:6379],host…
	//
	// and the same with rediss for TLS. User and password are
	// percent-encoded; the user may be left out (":password@").
	URL string
	// PasswordFile holds the password instead of the URL. It is read for
	// every new connection, so that the password can be changed.
	PasswordFile string
	// SentinelPasswordFile holds the password of the sentinels themselves.
	SentinelPasswordFile string
	// TLS replaces the defaults of the rediss schemes, for instance to name
	// an authority.
	TLS *tls.Config

	// Prefix begins the name of every key and channel; "" is "canopy:".
	Prefix string
	// Budget is the longest that Get waits for an answer; 0 is 5 ms.
	Budget time.Duration

	// OnInvalidate is told of the keys that another front end invalidated.
	// It is called from one goroutine and must return soon.
	OnInvalidate func(keys []string)
	// OnReconnect is called when invalidations may have been missed: what was
	// learned before should be doubted. Same goroutine as OnInvalidate.
	OnReconnect func()

	// Log receives what an administrator should know; nil is nothing.
	Log *slog.Logger
	// Now is the clock by which answers are timed; nil is time.Now.
	Now func() time.Time
	// Rand is the source of the generation and of the origin of messages;
	// nil is crypto/rand.
	Rand io.Reader
}

const (
	defaultPrefix = "canopy:"
	defaultBudget = 5 * time.Millisecond
	// lanes is how many pipelines of questions may be under way at once.
	lanes = 4
	// waiting is how many questions may wait for a lane; more are misses.
	waiting = 1024
	// closeWait is how long Close waits for what is to be written.
	closeWait = time.Second
)

// Level is a cache.Shared in Redis.
type Level struct {
	opt     Options
	client  goredis.UniversalClient
	names   names
	codec   *codec
	origin  uint64
	breaker breaker
	outbox  outbox
	roll    roll
	asks    chan *ask
	count   counters

	// failure is what the level was last suspected for.
	failure atomic.Pointer[failure]
	// These are the keeper's own: the generation it knows, 0 for none; when
	// it last renewed it; until when it writes no values; and whether the
	// server refused the last.
	known    uint64
	renewed  time.Time
	full     time.Time
	refusing bool

	// ctx ends with the level; closing is closed first, for the last writes.
	ctx     context.Context
	cancel  context.CancelFunc
	closing chan struct{}
	kept    chan struct{} // closed when the keeper has ended
	wg      sync.WaitGroup
}

var _ cache.Shared = (*Level)(nil)

// Open makes a level. It does not wait for the server: one that is down is a
// state, not an error. Errors are those of the options.
func Open(opt Options) (*Level, error) {
	if opt.Prefix == "" {
		opt.Prefix = defaultPrefix
	}
	if opt.Budget <= 0 {
		opt.Budget = defaultBudget
	}
	if opt.OnInvalidate == nil {
		opt.OnInvalidate = func([]string) {}
	}
	if opt.OnReconnect == nil {
		opt.OnReconnect = func() {}
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Rand == nil {
		opt.Rand = rand.Reader
	}
	place, err := parseURL(opt.URL)
	if err != nil {
		return nil, err
	}
	dial, err := place.options(opt)
	if err != nil {
		return nil, err
	}
	codec, err := newCodec()
	if err != nil {
		return nil, err
	}

	l := &Level{
		opt:     opt,
		names:   names{prefix: opt.Prefix, db: strconv.Itoa(place.db)},
		codec:   codec,
		asks:    make(chan *ask, waiting),
		closing: make(chan struct{}),
		kept:    make(chan struct{}),
	}
	if l.origin, err = l.random(); err != nil {
		return nil, err
	}
	l.breaker.budget = opt.Budget
	l.outbox.init(opt.Now)
	l.roll.init()
	l.ctx, l.cancel = context.WithCancel(context.Background())

	// go-redis writes every failed dial to standard error. What matters of
	// it reaches Options.Log from here.
	logging.Disable()
	l.client = goredis.NewUniversalClient(dial)
	for range lanes {
		l.wg.Go(l.lane)
	}
	l.wg.Go(l.keep)
	l.wg.Go(l.listen)
	l.wg.Go(l.speak)
	return l, nil
}

// Close implements cache.Shared.
func (l *Level) Close() error {
	close(l.closing)
	patience := time.NewTimer(closeWait)
	defer patience.Stop()
	select {
	case <-l.kept:
	case <-patience.C:
	}
	l.cancel()
	// Closing the connections ends whatever still waits for an answer.
	err := l.client.Close()
	l.wg.Wait()
	l.codec.close()
	if err != nil {
		return fmt.Errorf("redis: closing connections: %w", err)
	}
	return nil
}

// random returns a random number other than zero.
func (l *Level) random() (uint64, error) {
	var b [8]byte
	for {
		if _, err := io.ReadFull(l.opt.Rand, b[:]); err != nil {
			return 0, fmt.Errorf("redis: no random number: %w", err)
		}
		if n := binary.BigEndian.Uint64(b[:]); n != 0 {
			return n, nil
		}
	}
}
