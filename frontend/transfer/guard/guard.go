// Package guard speaks HTTP to hosts that a stranger has named: the other
// party of a third-party copy. Whoever may send such a request must not thereby
// reach what only this machine can reach, nor have a credential delivered to
// whom it is not meant for.
//
// # Where it goes
//
// Addresses of private and otherwise special networks are refused: loopback,
// link-local (where clouds keep their metadata), RFC 1918 and 6598, unique
// local, multicast, documentation, and IPv6 forms that hide one of these. The
// address is judged when the connection is made, after the name was resolved,
// so that a name which changes its mind gains nothing. Options.Private allows
// all of them, Options.Allow some. No proxy of the environment is used, since
// it would connect elsewhere than what was judged.
//
// # Redirects
//
// At most ten are followed, with method and body kept, and every hop is judged
// again. From https to http is refused when a credential is sent, or when the
// client asked for security.
//
// # Credentials
//
// What the client gave for the other party (Ask.Secret) goes to the stated host
// and port. Storages of the grid send readers and writers on to data servers
// that expect the same token, so it also goes along to https on a host of the
// same registered domain (a public suffix and one label more), to https on
// another port of the same host, and to hosts of Options.Allow. Everybody else
// is asked without it: what they need stands in the URL that led there.
//
// # Time
//
// A connection must stand within ten seconds. An answer may take as long as
// Options.Idle to begin, and its body, or that of an upload, may not stand
// still for longer, while it is being read.
package guard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"time"

	"canopy/plugins"
	"canopy/plugins/wire/answer"
)

const (
	// connectTime bounds making a connection, and the TLS handshake after it.
	connectTime = 10 * time.Second
	// continueTime bounds how long a body is held back for a host that was
	// asked whether it wants it. XRootD takes 5 s for a new name.
	continueTime = 7 * time.Second
	// settle is how many times Idle a host has once all of an upload was sent:
	// it may read the file once more for its checksum.
	settle = 5
	// maxHeader bounds the header of an answer.
	maxHeader = 256 << 10
	// maxRedirects is how many are followed for one question.
	maxRedirects = 10
)

// Options are what an administrator decides.
type Options struct {
	// Private allows every address.
	Private bool
	// Allow are networks (CIDR), addresses, host names and, with a dot at
	// their beginning, domains that are reached whatever their addresses are,
	// and trusted with credentials at a redirect.
	Allow []string
	// CA is a PEM file, or a directory of them, of authorities that are
	// believed besides those of the system.
	CA string
	// Idle is the silence that is suffered; 0 is a minute.
	Idle time.Duration
	// Agent is the User-Agent.
	Agent string
	// Resolver replaces the system's.
	Resolver *net.Resolver
}

// Client asks other parties. It is safe for concurrent use.
type Client struct {
	rules     *rules
	agent     string
	idle      time.Duration
	transport *http.Transport
	close     context.CancelFunc
}

// New makes a client. The error is that of an entry of Allow, or of CA.
func New(o Options) (*Client, error) {
	r, err := newRules(o.Private, o.Allow)
	if err != nil {
		return nil, err
	}
	security := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		if security.RootCAs, err = roots(o.CA); err != nil {
			return nil, err
		}
	}
	if o.Idle <= 0 {
		o.Idle = time.Minute
	}
	alive, cancel := context.WithCancel(context.Background())
	c := &Client{rules: r, agent: o.Agent, idle: o.Idle, close: cancel}
	dialer := &net.Dialer{KeepAlive: 30 * time.Second, Resolver: o.Resolver, ControlContext: r.control}
	var protocols http.Protocols
	// Streams of one copy are to be connections of their own, and over HTTP/2
	// nobody can be asked whether he wants a body.
	protocols.SetHTTP1(true)
	c.transport = &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			// net/http lets a dial go on after its request has ended; it must
			// not outlive the client.
			ctx, cancel := context.WithTimeout(ctx, connectTime)
			defer cancel()
			defer context.AfterFunc(alive, cancel)()
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return dialer.DialContext(context.WithValue(ctx, hostKey{}, host), network, address)
		},
		Protocols:              &protocols,
		TLSClientConfig:        security,
		TLSHandshakeTimeout:    connectTime,
		ExpectContinueTimeout:  continueTime,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
		ReadBufferSize:         64 << 10,
		WriteBufferSize:        64 << 10,
	}
	return c, nil
}

// Close drops idle connections and those being made.
func (c *Client) Close() {
	c.close()
	c.transport.CloseIdleConnections()
}

// Check reports what can be said against u before anybody is asked: a *Refused
// where it names an address that is not allowed.
func (c *Client) Check(u *url.URL) error {
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && !c.rules.allowed(u.Hostname(), a) {
		return &Refused{Host: u.Host}
	}
	return nil
}

// Ask is one question.
type Ask struct {
	Method string
	// Stated is the URL that the client gave, of whom Secret is meant.
	Stated *url.URL
	// At is where to ask, nil for Stated: a place to which Stated has led.
	At *url.URL
	// Header goes to everybody, Secret to whom the package comment says.
	Header, Secret http.Header
	// Secure refuses to be led from https to http.
	Secure bool
	// Content is the body of an upload, nil for none.
	Content *Content
	// Wait replaces Options.Idle as the time until the answer begins.
	Wait time.Duration
	// Connected, when set, is told the ends of the connection.
	Connected func(local, remote netip.AddrPort)
}

// Do asks and returns the answer, whose status is 2xx; redirects have been
// followed, so the answer's Request.URL is who gave it. Everything else is a
// *plugins.Error, in its chain a *Refused or a *StatusError where it is due to
// one. The caller closes the body, whose errors are of the same type.
func (c *Client) Do(ctx context.Context, a Ask) (*http.Response, error) {
	at := a.At
	if at == nil {
		at = a.Stated
	}
	wait := a.Wait
	if wait <= 0 {
		wait = c.idle
	}
	ctx, dog := watch(ctx, wait)
	resp, err := c.follow(ctx, &a, at, dog)
	if err != nil {
		dog.end()
		err.Op = a.Method
		return nil, err
	}
	dog.limit = c.idle
	dog.sleep()
	resp.Body = &body{ReadCloser: resp.Body, ctx: ctx, dog: dog, op: a.Method, from: answer.Origin(resp.Request.URL)}
	return resp, nil
}

// follow asks, following redirects, until there is an answer.
func (c *Client) follow(ctx context.Context, a *Ask, at *url.URL, dog *watchdog) (*http.Response, *plugins.Error) {
	for range maxRedirects + 1 {
		if err := c.Check(at); err != nil {
			return nil, &plugins.Error{Kind: plugins.Invalid, Err: err}
		}
		resp, err := c.send(ctx, a, at, dog)
		if err != nil {
			return nil, broken(ctx, at, err)
		}
		if resp.StatusCode/100 == 2 {
			return resp, nil
		}
		answer.Drain(resp.Body)
		if !answer.Redirects(resp.StatusCode, a.Method) {
			return nil, statusError(resp)
		}
		to, fault := next(resp, a.Secure || len(a.Secret) > 0)
		if fault != nil {
			return nil, fault
		}
		at = to
	}
	return nil, &plugins.Error{Kind: plugins.Malformed, Err: fmt.Errorf("%s: more than %d redirects", answer.Origin(a.Stated), maxRedirects)}
}

// send asks one host once.
func (c *Client) send(ctx context.Context, a *Ask, at *url.URL, dog *watchdog) (*http.Response, error) {
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		if a.Connected == nil {
			return
		}
		local, here := i.Conn.LocalAddr().(*net.TCPAddr)
		if remote, ok := i.Conn.RemoteAddr().(*net.TCPAddr); ok && here {
			a.Connected(local.AddrPort(), remote.AddrPort())
		}
	}})
	req, err := http.NewRequestWithContext(traced, a.Method, at.String(), nil)
	if err != nil {
		return nil, errors.New("this makes no request")
	}
	if c.rules.follows(a.Stated, at) {
		for name, values := range a.Secret {
			req.Header[name] = values
		}
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", c.agent)
	}
	for name, values := range a.Header {
		req.Header[name] = values
	}
	req.Header.Set("Accept-Encoding", "identity")
	if a.Content != nil {
		if err := a.Content.attach(req, dog, c.idle); err != nil {
			return nil, err
		}
	}
	return c.transport.RoundTrip(req)
}

// next returns where a redirect leads.
func next(resp *http.Response, secure bool) (*url.URL, *plugins.Error) {
	from := resp.Request.URL
	malformed := func(problem string) *plugins.Error {
		return &plugins.Error{Kind: plugins.Malformed, Err: fmt.Errorf("%s redirects %s", answer.Origin(from), problem)}
	}
	location := resp.Header.Get("Location")
	if location == "" {
		return nil, malformed("to nowhere")
	}
	to, err := from.Parse(location)
	switch {
	case err != nil || to.Hostname() == "" || to.Opaque != "":
		return nil, malformed("to what is no URL")
	case to.Scheme != "http" && to.Scheme != "https":
		return nil, malformed("to another protocol than HTTP")
	case secure && from.Scheme == "https" && to.Scheme == "http":
		return nil, &plugins.Error{Kind: plugins.Invalid, Err: fmt.Errorf("%s redirects from https to http, which is not followed", answer.Origin(from))}
	}
	to.User, to.Fragment, to.RawFragment = nil, "", ""
	return to, nil
}
