// Package dav is the endpoint type for WebDAV storages (RFC 4918): Apache,
// nginx with dav-ext, rclone, XRootD, dCache, EOS, StoRM, Nextcloud, ownCloud
// and whatever else speaks the protocol.
//
//	endpoints:
//	  - name: geneva
//	    type: dav
//	    url: https://dav.example.org/atlas
//	    credentials: {bearer_file: /etc/canopy/geneva.token}
//
// # What is asked
//
// A path is looked up by PROPFIND with depth 0, a directory is listed by
// PROPFIND with depth 1, read as it arrives. Both name the properties that are
// used, so that a storage does not compute others. A storage, or a part of one,
// that refuses PROPFIND as such is asked by HEAD instead. Files are read by GET
// with Range; clients are sent to the same address for GET and PUT.
//
// Checksums come from the properties of dCache, ownCloud and LCGDM where a
// storage has them, and from HEAD with Want-Digest. Listings ask for them as
// long as there are some. Where a storage has neither, `checksums: false` saves
// the questions. Space comes from the quota properties
// of RFC 4331; `quota: false` is for storages without.
//
// # What is believed
//
// Addresses in an answer may be absolute or not, in any percent-encoding, with
// the name of another host (a storage behind a proxy does not know its own);
// their path must be the one that was asked about, or one component below it in
// a listing. What lies elsewhere or deeper is passed over, an answer that never
// mentions what was asked about is Malformed, and a listing with a child of
// which the storage tells nothing ends in an error, so that it does not pass as
// complete.
package dav

import (
	"context"
	"sync/atomic"
	"time"

	"canopy/plugins"
	"canopy/plugins/webclient"
)

// Config is the configuration of a WebDAV endpoint.
type Config struct {
	webclient.Config `yaml:",inline"`
	// Checksums is whether the storage is asked for checksums; true unless
	// set.
	Checksums bool `yaml:"checksums"`
	// Quota is whether the storage is asked for its room; true unless set.
	Quota bool `yaml:"quota"`
}

// Type returns the endpoint type "dav".
func Type() plugins.Type {
	return plugins.Type{
		Name:    "dav",
		Summary: "WebDAV: Apache, nginx, dCache, EOS, StoRM, XRootD, Nextcloud, rclone and others",
		New:     func() plugins.Config { return &Config{Checksums: true, Quota: true} },
	}
}

// Open makes the endpoint; it fails only when a credential file cannot be
// used.
func (c *Config) Open(_ context.Context, env plugins.Env) (plugins.Endpoint, error) {
	client, err := webclient.New(c.Config, env)
	if err != nil {
		return nil, err
	}
	return &endpoint{client: client, name: env.Name, timeout: env.Timeout, checksums: c.Checksums, quota: c.Quota}, nil
}

type endpoint struct {
	client           *webclient.Client
	name             string
	timeout          time.Duration
	checksums, quota bool
	// barren is whether the last listing that asked for checksums got none.
	// Asking doubles the time that Apache takes, so listings then leave it
	// until a look at a single file finds one.
	barren atomic.Bool
}

// Abilities leaves out what the configuration says the storage cannot do.
func (e *endpoint) Abilities() plugins.Abilities {
	a := plugins.Abilities{Lister: e, Locator: e, Reader: e, Prober: e, Inspector: e}
	if e.checksums {
		a.Digester = e
	}
	if e.quota {
		a.Spacer = e
	}
	return a
}

// Close drops the connections.
func (e *endpoint) Close() error { return e.client.Close() }

// question bounds a question whose answer is short.
func (e *endpoint) question(ctx context.Context) (context.Context, context.CancelFunc) {
	if e.timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, e.timeout, webclient.Silence())
}

// fault makes an error of the endpoint.
func (e *endpoint) fault(kind plugins.Kind, op, path string, cause error) error {
	return &plugins.Error{Kind: kind, Op: op, Endpoint: e.name, Path: path, Err: cause}
}
