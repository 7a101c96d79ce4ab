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
// # What clients note
//
// Properties that clients invent are passed on by PROPPATCH to a storage that
// takes it, as Apache does, and asked for by PROPFIND. Whether a storage keeps any
// it is asked once, by OPTIONS; nginx, rclone and XRootD do not.
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
//
// # Writing
//
// A file is stored by PUT, after the storage was asked whether it wants it
// (Expect: 100-continue); directories are made by MKCOL, and paths are removed
// and renamed by DELETE and MOVE. Statuses say little about what went wrong, so
// after a refusal PROPFIND finds out whether a directory is missing or in the
// way. What a method would do without being asked is prevented by looking first:
// where the storage cannot take the look and the change in one step, somebody
// else may come in between.
//
// What Apache 2.4, nginx 1.22, rclone 1.60 and XRootD 5.5 do:
//
//	                                 Apache   nginx    rclone   XRootD
//	unfinished upload is visible     no       no       yes      yes, and locked
//	upload that broke off stays      no       no       yes      yes
//	If-Match, If-None-Match of PUT   honoured ignored  ignored  ignored
//	PUT without a size               yes      yes      yes      breaks off before 5.6.3
//	PUT below a missing directory    409      500      404      makes it
//	PUT over a directory             301      409      404      409
//	uploads of one path at once      last     last     423      423
//	MKCOL of what is there           405      405      201      201
//	MKCOL below a missing directory  409      409      409      makes it
//	DELETE of a full directory       all      all      all      500
//	MOVE with Overwrite: F           honoured honoured honoured ignored
//	MOVE below a missing directory   500      makes it 403      makes it
//	MOVE over a file is one step     no       yes      no       yes
//	Destination of MOVE is decoded   yes      yes      yes      no
//	third-party COPY                 no       no       no       with libXrdHttpTPC
//
// So `atomic: true` is right for Apache and nginx, which write to a temporary
// file, and for Apache it is also better than to move an upload to its place: a
// file that is replaced by MOVE is missing for a moment. Apache's mod_dav_fs is
// known by what it says to OPTIONS, and needs no such line; nginx is not,
// because a proxy in front of a storage answers by the proxy's name.
//
// # Third-party copies
//
// With `third_party: [pull, push]` clients are sent to the storage for those
// copies from and to other servers, and the storage is asked for further copies of
// files. Without, Canopy carries the bytes. That is not found out either: a server that takes COPY need not mean this by it, as the
// table shows.
package dav

import (
	"context"
	"slices"
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
	// Atomic is whether nobody can see a file at the storage that is not
	// complete, neither while it is uploaded nor after the upload broke off;
	// default is what is found out, which is true of Apache alone. nginx is so
	// too, XRootD and rclone are not. Where
	// it is true, files are stored under their own name at once instead of
	// being moved there.
	Atomic bool `yaml:"atomic,omitempty"`
	// ThirdParty is in which modes the storage itself makes third-party copies:
	// pull, push, both, or none, which is the default. Clients who ask for one
	// are sent there then, and further copies of files are made that way, from
	// and to endpoints that clients can reach. Name only what the storage is known to do: a mere
	// WebDAV server may take the destination of a push for a path of its own,
	// and write there.
	ThirdParty []plugins.CopyMode `yaml:"third_party,omitempty"`
}

// Validate implements plugins.Config.
func (c *Config) Validate() error {
	if err := c.Config.Validate(); err != nil {
		return err
	}
	for i, mode := range c.ThirdParty {
		if mode != plugins.Pull && mode != plugins.Push {
			return &plugins.FieldError{Key: "third_party", Problem: "must be a list of pull and push"}
		}
		if slices.Contains(c.ThirdParty[:i], mode) {
			return &plugins.FieldError{Key: "third_party", Problem: "has " + string(mode) + " twice"}
		}
	}
	return nil
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
	return &endpoint{client: client, name: env.Name, timeout: env.Timeout, checksums: c.Checksums, quota: c.Quota, atomic: c.Atomic, copies: slices.Clone(c.ThirdParty)}, nil
}

type endpoint struct {
	client           *webclient.Client
	name             string
	timeout          time.Duration
	checksums, quota bool
	atomic           bool
	copies           []plugins.CopyMode
	// barren is whether the last listing that asked for checksums got none.
	// Asking doubles the time that Apache takes, so listings then leave it
	// until a look at a single file finds one.
	barren atomic.Bool
	// keeping is what is known of whether the storage keeps properties.
	keeping atomic.Int32
	// learned is whether it is known whether the storage shows files only
	// when they are whole, and whole whether it does.
	learned, whole atomic.Bool
}

// Abilities leaves out what the configuration says the storage cannot do.
func (e *endpoint) Abilities() plugins.Abilities {
	a := plugins.Abilities{Lister: e, Locator: e, Reader: e, Prober: e, Inspector: e, Writer: e, Remover: e, Maker: e, Mover: e, Keeper: e}
	if e.checksums {
		a.Digester = e
	}
	if e.quota {
		a.Spacer = e
	}
	if len(e.copies) > 0 {
		a.Copier = e
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
