// Package service runs one federation: it makes the parts of what the
// configuration says, connects them, and replaces them when the configuration
// changes.
//
//	s, err := service.Start(ctx, service.Options{Config: config, Log: log})
//	…
//	err = s.Reload(ctx, changed)   // as a whole, or not at all
//	…
//	err = s.Close(ctx)             // drains
//
// A reload builds everything new first and swaps it in last, so a
// configuration that cannot work changes nothing. Connections, the cache and
// what is known of endpoints outlive it as far as they have not changed. A few
// things are decided once and for all at the start, and a reload that would
// change them says so: the size of the cache, the Redis behind it, and the
// format of the log.
package service

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"canopy/cache"
	"canopy/cache/redis"
	"canopy/configs"
	"canopy/federator"
	"canopy/federator/copies"
	"canopy/federator/geo"
	"canopy/federator/veil"
	"canopy/federator/write"
	"canopy/frontend"
	"canopy/frontend/listen"
	"canopy/frontend/lock"
	lockredis "canopy/frontend/lock/redis"
	"canopy/frontend/monitor"
	"canopy/frontend/monitor/accesslog"
	"canopy/frontend/resume"
	"canopy/frontend/transfer"
	"canopy/frontend/transfer/firefly"
	parties "canopy/frontend/transfer/guard"
	"canopy/plugins/wire/digest"
	"canopy/web"
)

// Options are what a service is started with.
type Options struct {
	Config *configs.Config
	// Log gets what an administrator should know.
	Log *slog.Logger
	// AccessLog gets one line for each request; nil is none.
	AccessLog io.Writer
	// Build is shown in metrics.
	Build monitor.Build
	// Around is put around the service's handler; nil is nothing.
	Around func(http.Handler) http.Handler
}

// Service is a federation that is served. Its methods may be called by any
// number of goroutines.
type Service struct {
	log       *slog.Logger
	federator *federator.Federator
	writer    *write.Writer
	copies    *copies.Replicator
	locks     *lock.Table
	transfers *transfer.Agent
	uploads   *resume.Handler // nil without a spool
	others    *parties.Client // of the transfers
	beacon    *firefly.Beacon // of the transfers; nil is none
	pages     *web.Pages
	metrics   *monitor.Metrics
	ready     monitor.Readiness
	access    *accesslog.Log // nil without one
	server    *listen.Server
	handler   atomic.Pointer[frontend.Handler]
	seed      uint64

	reload     sync.Mutex
	started    *configs.Config
	config     *configs.Config // in force; guarded by reload
	configured map[string]configured

	// client is the Redis for what is no cache: nil without one.
	client goredis.UniversalClient

	closing sync.Once
	slack   []byte
}

// slack is memory that is never touched, and so never taken from the system,
// but makes the garbage collector think that there is as much more to lose: a
// small federation under full load would be collected so often that it shows.
const slack = 16 << 20

// bytesPerEntry is what an entry of the cache may take on average, so that
// the configured number of entries also bounds the memory.
const bytesPerEntry = 1 << 10

// leastBytes is granted to the cache however few entries it may have: listings
// need room too.
const leastBytes = 256 << 20

// Start makes the parts and begins to serve. The context bounds the start, not
// the service.
func Start(ctx context.Context, o Options) (*Service, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{log: o.Log, seed: seed(), metrics: monitor.New(o.Build), slack: make([]byte, slack), started: o.Config}
	var err error
	if s.pages, err = web.New(); err != nil {
		return nil, err
	}
	t := o.Config.Transfers
	if s.others, err = parties.New(parties.Options{Private: t.Private, Allow: t.Allow, CA: t.CA, Agent: "canopy/" + o.Build.Version}); err != nil {
		return nil, fmt.Errorf("transfers: %w", err)
	}
	var learned atomic.Pointer[federator.Federator]
	shared, err := s.shared(o.Config, &learned)
	if err != nil {
		s.others.Close()
		return nil, fmt.Errorf("cache.redis: %w", err)
	}
	if o.AccessLog != nil {
		format := accesslog.JSON
		if o.Config.Log.Format == "text" {
			format = accesslog.Text
		}
		s.access = accesslog.New(o.AccessLog, format, o.Log)
	}
	var graves veil.Ledger
	var turns write.Turns
	var locks lock.Store = new(lock.Memory)
	if o.Config.Cache.Redis != nil {
		if s.client, err = redis.NewClient(redis.Options{URL: o.Config.Cache.Redis.URL(), PasswordFile: o.Config.Cache.RedisPasswordFile, Log: s.log}); err != nil {
			s.others.Close()
			return nil, errors.Join(fmt.Errorf("cache.redis: %w", err), shared.Close())
		}
		graves, turns = redis.NewLedger(s.client, "graves"), redis.NewTurns(s.client, "write")
		locks = lockredis.New(lockredis.Options{Client: s.client})
	}
	s.locks = lock.New(lock.Options{Store: locks})
	hidden := veil.New(graves)
	s.federator = federator.New(
		federator.Bounds{Entries: o.Config.Cache.Entries, Bytes: max(int64(o.Config.Cache.Entries)*bytesPerEntry, leastBytes)},
		shared,
		federator.Outside{Log: s.log, Seed: s.seed, Addresses: addresses, Observe: s.metrics.Asked, Veil: hidden},
	)
	var told atomic.Pointer[copies.Replicator]
	s.writer = write.New(s.federator, hidden, writes(o.Config), write.Outside{
		Log: s.log, Hash: digest.New, Ledger: graves, Turns: turns,
		Stored: func(path string) {
			if r := told.Load(); r != nil {
				r.Stored(path)
			}
		},
	})
	learned.Store(s.federator)
	if u := o.Config.Uploads; u.Spool != "" {
		if s.uploads, err = resume.New(resume.Options{Directory: u.Spool, Most: int64(u.SpoolSize), Cleanup: u.Cleanup, Log: s.log}); err != nil {
			s.writer.Close()
			s.others.Close()
			return nil, errors.Join(fmt.Errorf("uploads.spool: %w", err), s.federator.Close())
		}
	}
	if t.Fireflies != "" {
		if s.beacon, err = firefly.Open(t.Fireflies); err != nil {
			// Files are copied all the same.
			s.log.Warn("nobody is told of transfers; see transfers.fireflies", "err", err)
		}
	}
	s.transfers = transfer.New(s.others, transfer.Options{Most: t.Most, Beacon: s.beacon})
	s.copies = copies.New(wishes(o.Config), copies.Outside{Maker: s.writer, Ledger: graves, Log: s.log})
	told.Store(s.copies)
	s.metrics.Show(s.federator)
	s.metrics.ShowCopies(s.copies)
	var handler http.Handler = http.HandlerFunc(s.serve)
	if o.Around != nil {
		handler = o.Around(handler)
	}
	s.server = listen.New(listen.Options{Handler: handler, Log: s.log})
	if err := s.Reload(ctx, o.Config); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	s.ready.UntilProbed(s.federator, startup)
	return s, nil
}

func seed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint64(b[:])
}

// shared opens the second level of the cache, if one is configured. Redis need
// not be there. It may speak before there is a federator, which has then
// learned nothing that could be forgotten.
func (s *Service) shared(c *configs.Config, learned *atomic.Pointer[federator.Federator]) (cache.Shared, error) {
	if c.Cache.Redis == nil {
		return nil, nil
	}
	return redis.Open(redis.Options{
		URL: c.Cache.Redis.URL(), PasswordFile: c.Cache.RedisPasswordFile, Log: s.log,
		OnInvalidate: func(keys []string) {
			if f := learned.Load(); f != nil {
				f.Forget(keys)
			}
		},
		OnReconnect: func() {
			if f := learned.Load(); f != nil {
				f.ForgetAll()
				s.writer.Reconnected()
			}
		},
	})
}

// addresses resolves a host into whether it has addresses of either family.
func addresses(ctx context.Context, host string) (v4, v6 bool, err error) {
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for _, a := range found {
		v4 = v4 || a.Unmap().Is4()
		v6 = v6 || !a.Unmap().Is4()
	}
	return v4, v6, err
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request) { s.handler.Load().ServeHTTP(w, r) }

// Reload puts another configuration in force, as a whole or, with an error,
// not at all.
func (s *Service) Reload(ctx context.Context, c *configs.Config) (err error) {
	s.reload.Lock()
	defer s.reload.Unlock()
	defer func() { s.metrics.Reloaded(err == nil, time.Now()) }()

	where, err := atlas(c)
	if err != nil {
		return err
	}
	guard, err := newGuard(c, s.log)
	if err != nil {
		return err
	}
	handler, err := frontend.New(s.frontend(c, where, guard))
	if err != nil {
		return err
	}
	endpoints, configured, err := endpoints(c, s.configured, s.log)
	if err != nil {
		return err
	}
	names := make([]string, len(endpoints))
	for i := range endpoints {
		names[i] = endpoints[i].Name
	}
	// From here on something may change; what does so last is what is least
	// likely to fail.
	if err := s.server.Apply(listeners(c)); err != nil {
		return err
	}
	s.metrics.Configure(names)
	if err := s.federator.Reload(ctx, settings(c, where), endpoints); err != nil {
		if s.config != nil {
			err = errors.Join(err, s.server.Apply(listeners(s.config)))
		}
		return err
	}
	s.handler.Store(handler)
	s.writer.Configure(writes(c))
	s.copies.Configure(wishes(c))
	if s.uploads != nil {
		s.uploads.Configure(c.Uploads.Cleanup)
	}
	if keys := fixed(s.started, c); len(keys) > 0 {
		s.log.Warn("what these keys say takes effect at the next start only", "keys", strings.Join(keys, ", "))
	}
	s.config, s.configured = c, configured
	return nil
}

// fixed names the keys in which two configurations differ and of which a
// service makes use when it starts only.
func fixed(a, b *configs.Config) []string {
	url := func(c *configs.Config) string {
		if c.Cache.Redis == nil {
			return ""
		}
		return c.Cache.Redis.URL()
	}
	var keys []string
	for _, k := range []struct {
		key     string
		differs bool
	}{
		{"cache.entries", a.Cache.Entries != b.Cache.Entries},
		{"cache.redis", url(a) != url(b)},
		{"cache.redis_password_file", a.Cache.RedisPasswordFile != b.Cache.RedisPasswordFile},
		{"uploads.spool", a.Uploads.Spool != b.Uploads.Spool},
		{"uploads.spool_size", a.Uploads.SpoolSize != b.Uploads.SpoolSize},
		{"transfers", !reflect.DeepEqual(a.Transfers, b.Transfers)},
		{"log.format", a.Log.Format != b.Log.Format},
	} {
		if k.differs {
			keys = append(keys, k.key)
		}
	}
	return keys
}

// Refused notes that a configuration could not even be read.
func (s *Service) Refused() { s.metrics.Reloaded(false, time.Now()) }

func (s *Service) frontend(c *configs.Config, where *geo.Atlas, guard *guard) frontend.Options {
	o := frontend.Options{
		Federator: s.federator, Pages: s.pages, Atlas: where, Log: s.log,
		Title: c.Title, Namespace: c.Namespace, Seed: s.seed,
		Origin: guard.Origin, Guard: guard, Observe: s.observe,
		Handlers: map[string]http.Handler{
			"healthz": http.HandlerFunc(monitor.Alive), "readyz": s.ready.Handler(), "metrics": s.metrics.Handler(),
		},
	}
	for i := range c.Endpoints {
		e := &c.Endpoints[i]
		if e.Write {
			o.Writer, o.Locks, o.Transfers, o.Uploads = s.writer, s.locks, s.transfers, s.uploads
			o.Copies = s.copies
		}
		if o.Lookups == 0 || e.Limits.Requests < o.Lookups {
			o.Lookups = min(e.Limits.Requests, mostLookups)
		}
	}
	for _, p := range c.Clients.Proxy {
		text, _ := p.MarshalText() // never fails
		o.Proxy = append(o.Proxy, string(text))
	}
	return o
}

// mostLookups bounds how many paths of bulk requests are looked up at once,
// whatever the endpoints can take.
const mostLookups = 1024

// observe counts a request and logs it.
func (s *Service) observe(x *frontend.Exchange) {
	s.metrics.Answered(x.Request.Method, x.Status, x.Bytes, x.Took, x.Endpoint, x.Proxied)
	if s.access != nil {
		s.access.Write(&accesslog.Entry{
			Time: x.Began, ID: x.ID, Remote: x.Origin.Addr, User: x.User.Name,
			Method: x.Request.Method, Path: x.Request.URL.Path, Status: x.Status, Bytes: x.Bytes, Took: x.Took,
			Endpoint: x.Endpoint, Proxied: x.Proxied, Agent: x.Request.UserAgent(),
		})
	}
}

func listeners(c *configs.Config) []listen.Listener {
	all := make([]listen.Listener, len(c.Listen))
	for i, l := range c.Listen {
		all[i].Address = string(l.Address)
		if l.TLS != nil {
			all[i].TLS = &listen.TLS{Certificate: l.TLS.Certificate, Key: l.TLS.Key, ClientCA: l.TLS.ClientCA}
		}
	}
	return all
}

// URLs returns where the service can be reached from this machine.
func (s *Service) URLs() []string {
	var urls []string
	for _, b := range s.server.Bound() {
		urls = append(urls, b.URL())
	}
	return urls
}

// startup is how long the service waits for the first word of its endpoints
// before it says that it is ready, and readyCheck how often Ready looks.
const (
	startup    = 10 * time.Second
	readyCheck = 5 * time.Millisecond
)

// Ready waits until the service says that requests should be sent to it.
func (s *Service) Ready(ctx context.Context) error {
	tick := time.NewTicker(readyCheck)
	defer tick.Stop()
	for len(s.ready.Reasons()) > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// Close says that the service is not ready any more, accepts nothing new, lets
// running requests finish as long as ctx lasts, and ends. A second call does
// nothing.
func (s *Service) Close(ctx context.Context) (err error) {
	s.closing.Do(func() {
		s.ready.Drain()
		err = s.server.Drain(ctx)
		if s.uploads != nil {
			s.uploads.Close()
		}
		s.copies.Close()
		s.writer.Close()
		err = errors.Join(err, s.federator.Close())
		s.others.Close()
		if s.beacon != nil {
			err = errors.Join(err, s.beacon.Close())
		}
		if s.client != nil {
			err = errors.Join(err, s.client.Close())
		}
		if s.access != nil {
			err = errors.Join(err, s.access.Close())
		}
	})
	return err
}
