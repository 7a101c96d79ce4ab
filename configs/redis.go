package configs

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"canopy/configs/scalar"
)

// Redis is the address of a Redis, a set of Sentinels or a cluster. It prints
// without its password.
type Redis struct {
	// Scheme is "redis", "redis+sentinel" or "redis+cluster", or one of these
	// with "rediss" for TLS.
	Scheme string
	// Addresses are HOST:PORT; more than one only for Sentinel and cluster.
	Addresses []string
	// Master is the name that the Sentinels know it by.
	Master   string
	Database int
	User     string
	Password scalar.Secret
}

var redisPorts = map[string]string{
	"redis": "6379", "redis+sentinel": "26379", "redis+cluster": "6379",
	"rediss": "6379", "rediss+sentinel": "26379", "rediss+cluster": "6379",
}

// UnmarshalText reads a URL. Its errors never repeat the text, which may hold
// a password.
func (r *Redis) UnmarshalText(text []byte) error {
	scheme, rest, _ := strings.Cut(string(text), "://")
	port, ok := redisPorts[scheme]
	if !ok {
		return errors.New("a Redis is given as redis://, rediss://, redis+sentinel:// or redis+cluster://; write it as in redis://127.0.0.1:6379/0")
	}
	if strings.ContainsAny(rest, "?#") {
		return errors.New("the URL of a Redis has neither query nor fragment; remove it and percent-encode ? and # in a password")
	}
	parsed := Redis{Scheme: scheme}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		if err := parsed.login(rest[:i]); err != nil {
			return err
		}
		rest = rest[i+1:]
	}
	hosts, path, _ := strings.Cut(rest, "/")
	for h := range strings.SplitSeq(hosts, ",") {
		a, err := hostPort(h, port)
		if err != nil {
			return err
		}
		parsed.Addresses = append(parsed.Addresses, a)
	}
	if err := parsed.path(path); err != nil {
		return err
	}
	*r = parsed
	return nil
}

func (r *Redis) login(s string) error {
	user, password, _ := strings.Cut(s, ":")
	u, err1 := url.PathUnescape(user)
	p, err2 := url.PathUnescape(password)
	if err1 != nil || err2 != nil || strings.ContainsAny(s, "/@") {
		return errors.New("user or password is not percent-encoded; encode it or use redis_password_file")
	}
	r.User, r.Password = u, scalar.Secret(p)
	return nil
}

func hostPort(s, port string) (string, error) {
	host, given, err := net.SplitHostPort(s)
	if err != nil {
		host, given = strings.Trim(s, "[]"), port
		if strings.Contains(host, ":") && !strings.HasPrefix(s, "[") {
			return "", errors.New("the address of a Redis is HOST or HOST:PORT; an IPv6 address stands in [ ]")
		}
	}
	n, err := strconv.ParseUint(given, 10, 16)
	if host == "" || err != nil || n == 0 || strings.ContainsAny(host, " \t[]%") {
		return "", errors.New("the address of a Redis is HOST or HOST:PORT; write it as in redis://127.0.0.1:6379/0")
	}
	return net.JoinHostPort(host, given), nil
}

func (r *Redis) path(s string) error {
	s = strings.TrimSuffix(s, "/")
	switch _, layout, _ := strings.Cut(r.Scheme, "+"); layout {
	case "cluster":
		if s != "" {
			return errors.New("a Redis cluster has no databases; remove what follows the hosts")
		}
		return nil
	case "sentinel":
		var err error
		master, db, _ := strings.Cut(s, "/")
		s = db
		if r.Master, err = url.PathUnescape(master); err != nil || r.Master == "" {
			return errors.New("sentinels need to know which master; write redis+sentinel://HOST,HOST/MASTER")
		}
	default:
		if len(r.Addresses) > 1 {
			return fmt.Errorf("several hosts need %[1]s+sentinel:// or %[1]s+cluster://; %[1]s:// has one", r.Scheme)
		}
	}
	if s == "" {
		return nil
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return errors.New("the database of a Redis is a number; write it as in redis://127.0.0.1:6379/0")
	}
	r.Database = int(n)
	return nil
}

// URL returns the address with its password, for the client.
func (r Redis) URL() string {
	return r.write(func(p scalar.Secret) string { return url.UserPassword(r.User, p.Reveal()).String() })
}

// String returns the address with its password replaced.
func (r Redis) String() string {
	return r.write(func(p scalar.Secret) string { return url.User(r.User).String() + ":" + p.String() })
}

func (r Redis) write(login func(scalar.Secret) string) string {
	if len(r.Addresses) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(r.Scheme + "://")
	switch {
	case r.Password != "":
		b.WriteString(login(r.Password) + "@")
	case r.User != "":
		b.WriteString(url.User(r.User).String() + "@")
	}
	b.WriteString(strings.Join(r.Addresses, ","))
	if r.Master != "" {
		b.WriteString("/" + url.PathEscape(r.Master))
	}
	if !strings.HasSuffix(r.Scheme, "+cluster") {
		fmt.Fprintf(&b, "/%d", r.Database)
	}
	return b.String()
}

// MarshalText returns what String returns.
func (r Redis) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Syntax describes the URL.
func (Redis) Syntax() scalar.Syntax {
	return scalar.Syntax{Name: "URL", Pattern: `rediss?(\+sentinel|\+cluster)?://.+`, Example: "redis://127.0.0.1:6379/0"}
}
