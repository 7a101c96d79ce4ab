package listen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// port is one open address.
type port struct {
	address string // as configured
	socket  *socket
	server  *http.Server
	log     *slog.Logger
	tls     atomic.Pointer[secret] // nil is plain
	done    chan struct{}          // closed when serve has returned
}

// bind opens an address without accepting anything yet.
func bind(address string) (net.Listener, error) {
	config := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4,
	}}
	return config.Listen(context.Background(), "tcp", address)
}

// refusal is the error for an address that cannot be had.
func refusal(address string, err error) error {
	return fmt.Errorf("listen on %s: %w", address, err)
}

// port makes a port of an open socket.
func (s *Server) port(address string, inner net.Listener) *port {
	p := &port{address: address, log: s.options.Log, done: make(chan struct{})}
	p.socket = &socket{
		inner: inner, addr: inner.Addr(), port: p,
		room: make(chan struct{}, s.options.Connections), closed: make(chan struct{}), patience: s.options.Patience,
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	p.server = &http.Server{
		Handler:           watch(s.options.Handler, s.options.Patience),
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		Protocols:         &protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: streams, WriteByteTimeout: s.options.Patience},
		ErrorLog:          slog.NewLogLogger(s.options.Log.With("address", address).Handler(), slog.LevelDebug),
		// "OPTIONS *" is for the handler, which knows what WebDAV it speaks.
		DisableGeneralOptionsHandler: true,
	}
	return p
}

// advise says what to do about an address that cannot be listened on.
func advise(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return errors.New("another program listens there already; stop it or choose another address")
	case errors.Is(err, os.ErrPermission):
		return errors.New("this user may not; choose a port above 1023 or grant CAP_NET_BIND_SERVICE")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return errors.New("this machine does not have that address; choose one of its own, or leave out the host")
	}
	return err
}

// serve accepts until the port is drained.
func (p *port) serve() {
	defer close(p.done)
	if err := p.server.Serve(p.socket); !errors.Is(err, http.ErrServerClosed) {
		p.log.Error("a listener failed", "address", p.address, "err", err)
	}
}

// drain stops to accept and lets requests finish, within the time given.
func (p *port) drain(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	err := p.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests at %s were cut off: %w", p.address, err), p.server.Close())
	}
	<-p.done
	return err
}
