// Package client asks a federation, or any other server that speaks WebDAV or
// HTTP, what a user wants to know: what is in a directory (List), what is known
// of a path (Stat), where its copies are (Locate), and for its bytes (Open).
//
// Everything goes through the endpoint types of Canopy itself, each origin
// (scheme, host and port) being opened as one endpoint, so that the servers
// with which a federation can work are those with which a user can.
//
// A Client sends its credentials to the origins it was told to trust and to no
// other, whatever a redirect, a Link header or a metalink says.
package client

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"canopy/plugins"
	"canopy/plugins/dav"
	"canopy/plugins/http"
	"canopy/plugins/webclient"
)

// Config is what a Client works with.
type Config struct {
	// Credentials are what trusted servers get to see. A client certificate
	// is shown to every server that asks for one.
	Credentials webclient.Credentials
	// TLS is how certificates are judged.
	TLS webclient.TLS
	// Trusted are the addresses of those that get the credentials, by scheme
	// and host, on any port.
	Trusted []Address
	// Timeout bounds the time to an answer, and the silence within one.
	Timeout time.Duration
	// Dial replaces the network in tests; nil is the real one.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client talks to any number of servers. It is safe for concurrent use.
type Client struct {
	config  Config
	trusted []string

	mu      sync.Mutex
	servers map[string]*server
}

// server is one origin.
type server struct {
	client *webclient.Client
	dav    plugins.Endpoint
	web    plugins.Endpoint
}

// New returns a client. It contacts nobody, and reads credential files when
// they are needed first.
func New(config Config) *Client {
	c := &Client{config: config, servers: make(map[string]*server)}
	for _, a := range config.Trusted {
		c.trusted = append(c.trusted, site(a.Origin))
	}
	return c
}

// Close drops all connections.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, s := range c.servers {
		errs = append(errs, s.client.Close(), s.dav.Close(), s.web.Close())
	}
	c.servers = make(map[string]*server)
	return errors.Join(errs...)
}

// site is the scheme and host of an origin, without its port.
func site(origin string) string {
	u, err := url.Parse(origin)
	if err != nil {
		return origin
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname())
}

// server returns the endpoint of a's origin.
func (c *Client) server(a Address) (*server, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.servers[a.Origin]; ok {
		return s, nil
	}
	s, err := c.open(a.Origin)
	if err != nil {
		return nil, err
	}
	c.servers[a.Origin] = s
	return s, nil
}

func (c *Client) open(origin string) (*server, error) {
	config := webclient.Config{URL: origin, TLS: c.config.TLS}
	secure := strings.HasPrefix(origin, "https:")
	switch {
	case slices.Contains(c.trusted, site(origin)):
		config.Credentials = c.config.Credentials
	case secure:
		config.Credentials.X509 = c.config.Credentials.X509
	}
	if !secure {
		config.Credentials.X509 = nil
	}
	env := plugins.Env{Timeout: c.config.Timeout, Dial: c.config.Dial, Log: slog.New(slog.DiscardHandler)}
	asked, err := webclient.New(config, env)
	if err != nil {
		return nil, err
	}
	s := &server{client: asked}
	if s.dav, err = (&dav.Config{Config: config, Checksums: true}).Open(context.Background(), env); err != nil {
		return nil, errors.Join(err, asked.Close())
	}
	if s.web, err = (&http.Config{Config: config, Listing: http.Index, Metalink: true}).Open(context.Background(), env); err != nil {
		return nil, errors.Join(err, asked.Close(), s.dav.Close())
	}
	return s, nil
}
