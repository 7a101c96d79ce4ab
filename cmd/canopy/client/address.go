package client

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"

	"canopy/plugins"
	"canopy/plugins/webclient"
	"canopy/plugins/wire/multistatus"
)

// Address is the URL of a file or directory, taken apart.
type Address struct {
	// Origin is scheme, host and port.
	Origin string
	// Path is decoded and absolute, without a slash at its end but for the
	// root. Slashes that stand together are kept.
	Path string
	// Collection is whether the URL ends in a slash.
	Collection bool
	// Query is as it was, without "?".
	Query string
}

// Parse takes a URL apart. The grid's schemes for WebDAV, dav and davs, are
// http and https. Its error does not repeat the URL, which may hold a
// password.
func Parse(raw string) (Address, error) {
	noScheme := errors.New("it must begin with https:// or http://")
	if !strings.Contains(raw, "://") {
		return Address{}, noScheme // HOST:PORT/PATH would be no URL for another reason
	}
	u, err := url.Parse(raw)
	if err != nil {
		return Address{}, errors.New("it is no URL; percent-encode unusual characters")
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "dav":
		u.Scheme = "http"
	case "https", "davs":
		u.Scheme = "https"
	default:
		return Address{}, noScheme
	}
	switch {
	case u.User != nil:
		return Address{}, errors.New("it must not hold a user or password, which others on this machine could see; use --user")
	case u.Hostname() == "":
		return Address{}, errors.New("it names no host")
	}
	if _, ok := webclient.Split(u.EscapedPath()); !ok {
		return Address{}, errors.New("the path must not hold .., an encoded slash or NUL")
	}
	a := Address{Origin: u.Scheme + "://" + strings.ToLower(u.Host), Path: u.Path, Query: u.RawQuery}
	a.Collection = strings.HasSuffix(a.Path, "/") || a.Path == ""
	if a.Path = strings.TrimRight(a.Path, "/"); a.Path == "" {
		a.Path = "/"
	}
	return a, nil
}

// String returns the URL, with the query.
func (a Address) String() string {
	s := a.Origin + string(multistatus.AppendPath(nil, a.Path))
	if a.Collection && a.Path != "/" {
		s += "/"
	}
	if a.Query != "" {
		s += "?" + a.Query
	}
	return s
}

// Name is the last component of the path, "" for the root.
func (a Address) Name() string {
	if a.Path == "/" {
		return ""
	}
	return path.Base(a.Path)
}

// Join returns the address of the child called name.
func (a Address) Join(name string) Address {
	return Address{Origin: a.Origin, Path: strings.TrimSuffix(a.Path, "/") + "/" + name}
}

// fail makes an error that says what was asked of which URL. The query may
// hold a signature and is left out; what the URL says already is not repeated.
func (a Address) fail(err error) error {
	if err == nil {
		return nil
	}
	shown := a
	shown.Query = ""
	var e *plugins.Error
	if errors.As(err, &e) {
		brief := *e
		brief.Op, brief.Path = "", ""
		err = &brief
	}
	return fmt.Errorf("%s: %w", shown, err)
}
