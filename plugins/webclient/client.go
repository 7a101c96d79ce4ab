// Package webclient is what every endpoint type that speaks HTTP needs, once:
// a tuned client with credentials, patience with silence instead of wall time,
// the redirects that storages use, and one table from status to error kind.
//
// A type embeds Config in its own configuration, makes a Client when it is
// opened, and asks with Do. Open, Head, Digest and Put are what is the same for
// plain HTTP and WebDAV.
//
// # Time
//
// A connection must stand, and the complete header of an answer be there,
// within Env.Timeout. The body has as long as it needs, but may not be silent
// for longer than Env.Timeout while it is being read. What is uploaded may not
// stand still for longer than that either. The caller's context bounds all of
// it.
//
// # Redirects
//
// Storages redirect: a door sends a reader to the server that has the file, a
// web server adds a slash to a directory's name. At most five redirects are
// followed, with the method and body kept (a 303 is followed by GET and HEAD
// only). A host of the same name and scheme, on any port, gets the credentials
// again; another one does not get the Authorization header, as its URL carries
// what it needs. From https to http is refused.
package webclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"canopy/plugins"
	"canopy/plugins/wire/answer"
)

// Client talks to one endpoint. It is safe for concurrent use.
type Client struct {
	base        base
	name        string
	agent       string
	timeout     time.Duration
	credentials *credentials
	transport   *http.Transport
	close       context.CancelFunc
	// software is the Server header of the latest answer.
	software atomic.Pointer[string]
}

// Request is one question to the storage.
type Request struct {
	// Op is the verb for errors: "stat", "list", "open", …
	Op     string
	Method string
	// Path is the endpoint's path, clean and absolute.
	Path string
	// Collection asks for the URL with a slash at its end.
	Collection bool
	// Query is the raw query, without "?"; usually "".
	Query string
	// Header is added to what the client sends on its own (User-Agent,
	// Authorization, Accept-Encoding: identity). It is not changed.
	Header http.Header
	// Body is a short body, sent again when a redirect is followed.
	Body []byte
	// Wait replaces Env.Timeout as the time until the answer's header is
	// complete; negative is as long as the context lasts.
	Wait time.Duration
	// Silence, if longer, replaces Env.Timeout as how long the body may be
	// silent.
	Silence time.Duration
	// upload is a long body in place of Body.
	upload *upload
}

// New makes a client. It reads the credential and CA files, and fails with a
// *plugins.FieldError when one cannot be used; it does not contact the storage.
func New(cfg Config, env plugins.Env) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	u, err := parseBase(cfg.URL)
	if err != nil {
		return nil, &plugins.FieldError{Key: "url", Problem: err.Error()}
	}
	log := env.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	creds, err := cfg.Credentials.open(log)
	if err != nil {
		return nil, err
	}
	alive, cancel := context.WithCancel(context.Background())
	transport, err := newTransport(alive, &cfg, creds, env)
	if err != nil {
		cancel()
		return nil, err
	}
	c := &Client{
		base: newBase(u), name: env.Name, agent: userAgent(), timeout: env.Timeout,
		credentials: creds, transport: transport, close: cancel,
	}
	if u.Scheme == "http" && creds.authorization() != "" {
		log.Warn("credentials go to the storage without encryption; use an https url", "endpoint", env.Name)
	}
	if cfg.TLS.InsecureSkipVerify {
		log.Warn("the certificate of the storage is not checked", "endpoint", env.Name)
	}
	return c, nil
}

// Close drops idle connections and those being made.
func (c *Client) Close() error {
	c.close()
	c.transport.CloseIdleConnections()
	return nil
}

// Do asks the storage and returns its answer, whose status is 2xx. Everything
// else is a *plugins.Error. Redirects have been followed: the answer's
// Request.URL is where it came from. The caller closes the body; reading it
// fails with a *plugins.Error (Timeout after a silence, Malformed when it ends
// early, Unavailable when the connection breaks).
func (c *Client) Do(ctx context.Context, r Request) (*http.Response, error) {
	wait := r.Wait
	if wait == 0 {
		wait = c.timeout
	}
	ctx, dog := watch(ctx, wait)
	ctx = dog.spliced(ctx)
	if r.upload != nil {
		r.upload.dog = dog
	}
	resp, err := c.exchange(ctx, &r)
	if r.upload != nil {
		resp, err = r.upload.judge(resp, err)
	}
	if err != nil {
		dog.end()
		err.Op, err.Endpoint, err.Path = r.Op, c.name, r.Path
		return nil, err
	}
	dog.sleep()
	dog.limit = max(c.timeout, r.Silence)
	resp.Body = &stream{ReadCloser: resp.Body, ctx: ctx, watchdog: dog, request: resp.Request, fault: plugins.Error{Op: r.Op, Endpoint: c.name, Path: r.Path}}
	return resp, nil
}

// maxRedirects is how many redirects are followed for one question.
const maxRedirects = 5

// exchange asks, following redirects, until there is an answer.
func (c *Client) exchange(ctx context.Context, r *Request) (*http.Response, *plugins.Error) {
	at, fault := c.target(r)
	if fault != nil {
		return nil, fault
	}
	for range maxRedirects + 1 {
		foreign := at.Scheme != c.base.scheme || !strings.EqualFold(at.Hostname(), c.base.hostname)
		resp, fault := c.send(ctx, r, at, foreign)
		if fault != nil {
			return nil, fault
		}
		if resp.StatusCode/100 == 2 {
			return resp, nil
		}
		answer.Drain(resp.Body)
		if !answer.Redirects(resp.StatusCode, r.Method) {
			return nil, statusError(resp, foreign)
		}
		if at, fault = next(resp); fault != nil {
			return nil, fault
		}
		if r.upload != nil {
			if fault := r.upload.follow(resp, at); fault != nil {
				return nil, fault
			}
		}
	}
	return nil, &plugins.Error{Kind: plugins.Malformed, Err: fmt.Errorf("more than %d redirects", maxRedirects)}
}

// target returns the URL that a question is put to at first.
func (c *Client) target(r *Request) (*url.URL, *plugins.Error) {
	target := c.URL(r.Path, r.Collection)
	if r.Query != "" {
		target += "?" + r.Query
	}
	at, err := url.Parse(target)
	if err != nil {
		return nil, &plugins.Error{Kind: plugins.Invalid, Err: errors.New("the path makes no URL")}
	}
	return at, nil
}

// send asks one server once.
func (c *Client) send(ctx context.Context, r *Request, at *url.URL, foreign bool) (*http.Response, *plugins.Error) {
	var answered atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotFirstResponseByte: func() { answered.Store(true) }})
	req, err := http.NewRequestWithContext(traced, r.Method, at.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, &plugins.Error{Kind: plugins.Invalid, Err: errors.New("the path makes no URL")}
	}
	for name, values := range r.Header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept-Encoding", "identity")
	if auth := c.credentials.authorization(); auth != "" && !foreign {
		req.Header.Set("Authorization", auth)
	}
	if foreign {
		req.Header.Del("Authorization")
	}
	if r.upload != nil {
		r.upload.attach(req)
	}
	if repeatable(r.Method) {
		// Tells net/http, not the server, that the request may be sent again
		// when a kept connection turns out to be dead, as it does for GET.
		req.Header["X-Idempotency-Key"] = nil
	}
	c.renew()
	resp, err := c.transport.RoundTrip(req)
	if err == nil {
		if !foreign {
			c.hear(resp.Header.Get("Server"))
		}
		return resp, nil
	}
	if fault := ended(ctx); fault != nil {
		return nil, fault
	}
	return nil, broken(req, err, answered.Load())
}

// repeatable reports whether a request of WebDAV that is made twice does what it
// does once (RFC 4918 section 9). The second answer may be another: what was
// removed is not found, what was made is there.
func repeatable(method string) bool {
	switch method {
	case "PROPFIND", "MKCOL", "MOVE", http.MethodDelete:
		return true
	}
	return false
}

// hear remembers what software answers.
func (c *Client) hear(software string) {
	if known := c.software.Load(); known == nil || *known != software {
		c.software.Store(&software)
	}
}

// Software returns the Server header of the storage's latest answer, "" if it
// has none; ok is whether there was an answer at all. What lies behind a proxy
// may go by the proxy's name.
func (c *Client) Software() (name string, ok bool) {
	if known := c.software.Load(); known != nil {
		return *known, true
	}
	return "", false
}

// renew drops idle connections that were made with an earlier certificate.
func (c *Client) renew() {
	if c.credentials.certificate == nil {
		return
	}
	if _, changed := c.credentials.certificate.get(); changed {
		c.transport.CloseIdleConnections()
	}
}

// next returns where a redirect leads.
func next(resp *http.Response) (*url.URL, *plugins.Error) {
	from := resp.Request
	malformed := func(problem string) *plugins.Error {
		return &plugins.Error{Kind: plugins.Malformed, Err: fmt.Errorf("%s redirects %s", answer.Origin(from.URL), problem)}
	}
	location := resp.Header.Get("Location")
	if location == "" {
		return nil, malformed("to nowhere")
	}
	to, err := from.URL.Parse(location)
	switch {
	case err != nil || to.Hostname() == "" || to.Opaque != "":
		return nil, malformed("to what is no URL")
	case to.Scheme != "http" && to.Scheme != "https":
		return nil, malformed("to another protocol than HTTP")
	case from.URL.Scheme == "https" && to.Scheme == "http":
		return nil, &plugins.Error{Kind: plugins.Unsupported, Err: fmt.Errorf("%s redirects from https to http, which is not followed", answer.Origin(from.URL))}
	}
	to.User, to.Fragment, to.RawFragment = nil, "", ""
	return to, nil
}
