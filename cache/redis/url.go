package redis

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// place is where Redis is, as a URL says it.
type place struct {
	sentinel, cluster, tls bool
	addrs                  []string
	user, password         string
	master                 string
	db                     int
}

// maxAddrs bounds the hosts of one URL.
const maxAddrs = 64

var schemes = []string{
	"redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster",
}

// parseURL reads the URLs of Options.URL. It does not use net/url for the
// whole, which knows of one host only. No error repeats the URL, because there
// may be a password in it.
func parseURL(raw string) (place, error) {
	var p place
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || !slices.Contains(schemes, scheme) {
		return place{}, fmt.Errorf("redis: the URL must begin with one of %s, followed by ://", strings.Join(schemes, ", "))
	}
	if strings.ContainsAny(rest, "?#") {
		return place{}, errors.New("redis: the URL takes no query and no fragment; write ? and # in a password as %3F and %23")
	}
	kind, layout, _ := strings.Cut(scheme, "+")
	p.tls = kind == "rediss"
	p.sentinel, p.cluster = layout == "sentinel", layout == "cluster"

	authority, path, _ := strings.Cut(rest, "/")
	if strings.Contains(path, "@") {
		return place{}, errors.New("redis: the URL has an @ after the first /; write / in a password as %2F")
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, password, _ := strings.Cut(authority[:at], ":")
		authority = authority[at+1:]
		var errUser, errPassword error
		p.user, errUser = url.PathUnescape(user)
		p.password, errPassword = url.PathUnescape(password)
		if errUser != nil || errPassword != nil {
			return place{}, errors.New("redis: user or password in the URL is not percent-encoded correctly")
		}
	}
	port := "6379"
	if p.sentinel {
		port = "26379"
	}
	hosts := strings.Split(authority, ",")
	if len(hosts) > maxAddrs {
		return place{}, fmt.Errorf("redis: the URL names %d hosts, %d are allowed", len(hosts), maxAddrs)
	}
	if len(hosts) > 1 && layout == "" {
		return place{}, fmt.Errorf("redis: the URL names %d hosts; that takes %s+sentinel or %s+cluster", len(hosts), kind, kind)
	}
	for i, host := range hosts {
		addr, err := address(host, port)
		if err != nil {
			return place{}, fmt.Errorf("redis: host %d of the URL: %w", i+1, err)
		}
		p.addrs = append(p.addrs, addr)
	}
	if err := p.parsePath(path); err != nil {
		return place{}, err
	}
	return p, nil
}

// parsePath reads what follows the hosts.
func (p *place) parsePath(path string) error {
	db := path
	switch {
	case p.cluster:
		if path != "" {
			return errors.New("redis: a cluster has no databases; end the URL after the hosts")
		}
	case p.sentinel:
		var master string
		var err error
		master, db, _ = strings.Cut(path, "/")
		if p.master, err = url.PathUnescape(master); err != nil || p.master == "" {
			return errors.New("redis: the URL lacks the name of the sentinels' master: …/MASTER or …/MASTER/DB")
		}
	}
	if db == "" {
		return nil
	}
	n, err := strconv.ParseUint(db, 10, 16)
	if err != nil {
		return errors.New("redis: the database at the end of the URL is not a number from 0 to 65535")
	}
	p.db = int(n)
	return nil
}

// address completes a host with the port, and refuses what could be neither.
// Its errors do not repeat the host: where the @ is forgotten, or one in a
// password is not encoded, a part of the password looks like one.
func address(host, port string) (string, error) {
	if h, p, err := net.SplitHostPort(host); err == nil {
		host, port = h, p
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
		if strings.Contains(host, ":") && net.ParseIP(host) == nil {
			return "", errors.New("not host:port; an IPv6 address with a port goes in brackets")
		}
	}
	if host == "" || strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`@[]%"\`, r) }) {
		return "", errors.New("no host, or one with characters that no host has")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errors.New("the port is not a number from 1 to 65535")
	}
	return net.JoinHostPort(host, port), nil
}
