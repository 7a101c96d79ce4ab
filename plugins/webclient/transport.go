package webclient

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	"canopy/plugins"
	"canopy/plugins/wire/splice"
)

const (
	// connectTime bounds making a connection, and the TLS handshake after it,
	// where Env.Timeout is longer or none: beyond it nobody is listening.
	connectTime = 10 * time.Second
	// idlePerHost is how many connections stay open for the next requests. It
	// is above the number of requests that an endpoint is sensibly allowed at
	// once, so that a burst does not end in closing what the next one needs.
	idlePerHost = 256
	// idleTime is how long they stay: servers close theirs after some 5 to 75 s.
	idleTime = 60 * time.Second
	// maxHeader bounds the header of an answer. Replicas in Link headers make
	// it long.
	maxHeader = 256 << 10
	// pingAfter is the silence on an HTTP/2 connection after which it is
	// tested.
	pingAfter = 15 * time.Second
)

// userAgent names the program and its version.
func userAgent() string {
	version := "devel"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		version = info.Main.Version
	}
	return "canopy/" + version
}

// dialer is how connections are made.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// newTransport makes the one transport of an endpoint. Connections are given
// up when alive ends.
func newTransport(alive context.Context, cfg *Config, creds *credentials, env plugins.Env) (*http.Transport, error) {
	connect := connectTime
	if env.Timeout > 0 {
		connect = min(connect, env.Timeout)
	}
	dial := dialer(env.Dial)
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	security, err := cfg.TLS.open(creds)
	if err != nil {
		return nil, &plugins.FieldError{Key: "tls.ca", Problem: err.Error()}
	}
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			// net/http lets a dial go on after its request has ended, for the
			// next one; it must not outlive the client.
			ctx, cancel := context.WithTimeout(ctx, connect)
			defer cancel()
			defer context.AfterFunc(alive, cancel)()
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return splice.Wrap(conn), nil
		},
		TLSClientConfig:        security,
		TLSHandshakeTimeout:    connect,
		ExpectContinueTimeout:  continueWithin(env.Timeout),
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleTime,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: connect},
		ReadBufferSize:         32 << 10,
	}
	if cfg.Proxy != "" {
		u, err := parseBase(cfg.Proxy)
		if err != nil {
			return nil, &plugins.FieldError{Key: "proxy", Problem: err.Error()}
		}
		t.Proxy = func(*http.Request) (*url.URL, error) { return u, nil }
	}
	return t, nil
}

// open makes the TLS configuration. The client certificate is shown to every
// server that asks for one, after a redirect too: unlike a token it cannot be
// used by who has seen it.
func (t *TLS) open(creds *credentials) (*tls.Config, error) {
	cfg := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         t.ServerName,
		InsecureSkipVerify: t.InsecureSkipVerify,
	}
	if t.CA != "" {
		pool, err := roots(t.CA)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = pool
	}
	if creds.certificate != nil {
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			cert, _ := creds.certificate.get()
			return cert, nil
		}
	}
	return cfg, nil
}
