// Package listen accepts requests: on several addresses, with and without TLS,
// from clients that may be slow or hostile.
//
// # Listeners
//
// Server.Apply says on which addresses to listen, and how. It may be called
// again at any time: an address that stays keeps its socket and its
// connections, whatever becomes of its TLS; a new one is opened before an old
// one is closed, unless that stands in its way, as all interfaces do for one of
// them; requests that run on the old one are finished. If any of it cannot be
// done, nothing is changed.
//
// TLS is version 1.2 or later, with HTTP/2. Certificates are read anew when
// their files change; files that cannot be used are logged, and the last good
// ones stay in force. Clients are asked for a certificate only where a file of
// authorities says so, and may come without.
//
// # Time
//
// A request's header must come within ten seconds, the next request on a
// connection within two minutes. There is no bound on how long an answer or a
// body may take, as files have any size, but there is one on standing still: a
// client that takes no byte of an answer, or sends none of a body that is
// being waited for, for a minute (Options.Patience) is cut off.
package listen

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	headerTime = 10 * time.Second
	idleTime   = 2 * time.Minute
	maxHeader  = 64 << 10
	// streams is how many requests may run on one HTTP/2 connection.
	streams = 250
)

// The defaults of Options.
const (
	DefaultPatience    = time.Minute
	DefaultConnections = 16384
	DefaultDrain       = 30 * time.Second
)

// Listener is one address on which requests are accepted.
type Listener struct {
	// Address is HOST:PORT. Without HOST it is all interfaces; port 0 is any
	// free one.
	Address string
	// TLS is nil for plain HTTP.
	TLS *TLS
}

// TLS names the PEM files of a listener.
type TLS struct {
	Certificate, Key string
	// ClientCA holds the authorities of client certificates; "" is not to ask
	// for any.
	ClientCA string
}

// Options are what a server is made of.
type Options struct {
	Handler http.Handler
	// Log is told of listeners and certificates, and on level debug of what
	// goes wrong on single connections.
	Log *slog.Logger
	// Patience is how long a client may stand still, 0 is DefaultPatience.
	Patience time.Duration
	// Connections is how many a listener has at once; further ones wait to be
	// accepted. 0 is DefaultConnections.
	Connections int
	// Drain is how long requests may go on when their listener is closed; 0
	// is DefaultDrain.
	Drain time.Duration
}

// Bound is a listener with what it became.
type Bound struct {
	Listener
	// Addr is the address with the port that was picked.
	Addr net.Addr
}

// URL is where a client on this machine finds the listener.
func (b Bound) URL() string {
	scheme := "http"
	if b.TLS != nil {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(b.Addr.String())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// Server listens. Its methods may be called by any number of goroutines at
// once.
type Server struct {
	options Options

	mu      sync.Mutex
	open    []*port
	drained bool
	leaving sync.WaitGroup // ports that finish their last requests
	left    context.Context
	cut     context.CancelFunc // ends what is leaving
}

// New returns a server that does not listen yet.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Patience <= 0 {
		o.Patience = DefaultPatience
	}
	if o.Connections <= 0 {
		o.Connections = DefaultConnections
	}
	if o.Drain <= 0 {
		o.Drain = DefaultDrain
	}
	s := &Server{options: o}
	s.left, s.cut = context.WithCancel(context.Background())
	return s
}

// ErrDrained is the error of Apply once the server was told to drain.
var ErrDrained = errors.New("the server is shutting down")

// Apply listens on all of the addresses given and on no others. If it fails,
// everything is as it was before.
func (s *Server) Apply(listeners []Listener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drained {
		return ErrDrained
	}
	c := &change{server: s, listeners: listeners}
	if err := c.prepare(); err != nil {
		return c.undo(err)
	}
	for i, p := range c.next {
		p.tls.Store(c.secrets[i])
	}
	for _, p := range c.fresh {
		s.options.Log.Info("listening", "address", p.socket.Addr().String(), "tls", p.tls.Load() != nil)
		go p.serve()
	}
	for _, p := range s.open {
		if find(c.next, p.address) == nil {
			s.leave(p)
		}
	}
	s.open = c.next
	return nil
}

// leave ends a port: it accepts nothing from now on, so that its address is
// free at once, and finishes what it has begun.
func (s *Server) leave(p *port) {
	s.options.Log.Info("no longer listening", "address", p.socket.Addr().String())
	if err := p.socket.putAside(); err != nil {
		s.options.Log.Debug("an address was not closed in order", "address", p.socket.Addr().String(), "err", err)
	}
	s.leaving.Go(func() { p.drain(s.left, s.options.Drain) })
}

func find(ports []*port, address string) *port {
	for _, p := range ports {
		if p.address == address {
			return p
		}
	}
	return nil
}

// Bound returns the listeners that are open, in the order of the last Apply.
func (s *Server) Bound() []Bound {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Bound, len(s.open))
	for i, p := range s.open {
		all[i] = Bound{Listener{Address: p.address}, p.socket.Addr()}
		if secret := p.tls.Load(); secret != nil {
			files := secret.files
			all[i].TLS = &files
		}
	}
	return all
}

// Drain accepts no more connections and waits until all requests are finished,
// for Options.Drain at most and no longer than ctx lasts. Those that still run
// then are cut off, which the error tells. The server listens no more.
func (s *Server) Drain(ctx context.Context) error {
	s.mu.Lock()
	open := s.open
	s.open, s.drained = nil, true
	s.mu.Unlock()
	defer s.cut()
	defer context.AfterFunc(ctx, s.cut)()
	var all errgroup.Group
	for _, p := range open {
		all.Go(func() error { return p.drain(ctx, s.options.Drain) })
	}
	err := all.Wait()
	s.leaving.Wait()
	return err
}
