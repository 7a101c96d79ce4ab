package webclient

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// base is the address of an endpoint's root.
type base struct {
	// scheme, host (with its port) and hostname (without) are in lower case.
	scheme, host, hostname string
	// prefix is the escaped path without a slash at its end: "" or "/a/b".
	prefix string
	// components is prefix, decoded.
	components []string
}

func newBase(u *url.URL) base {
	prefix := strings.TrimRight(u.EscapedPath(), "/")
	components, _ := Split(prefix) // parseBase has seen to it
	return base{
		scheme: u.Scheme, host: strings.ToLower(u.Host), hostname: strings.ToLower(u.Hostname()),
		prefix: prefix, components: components,
	}
}

// URL returns the address of path: absolute, every byte outside of RFC 3986's
// unreserved characters percent-encoded, without any credential. With
// collection it ends in a slash.
func (c *Client) URL(path string, collection bool) string {
	b := make([]byte, 0, len(c.base.scheme)+3+len(c.base.host)+len(c.base.prefix)+len(path)+16)
	b = append(b, c.base.scheme...)
	b = append(b, "://"...)
	b = append(b, c.base.host...)
	b = append(b, c.base.prefix...)
	if path != "/" {
		b = appendEscaped(b, path)
	}
	if collection || (path == "/" && c.base.prefix == "") {
		b = append(b, '/')
	}
	return string(b)
}

// Path is the inverse of URL: it returns the endpoint's path of an href, which
// is an absolute URL or an absolute path in any percent-encoding. It is false
// for an href of another server, outside of the endpoint's root, or that names
// no path of the contract (a component that is "..", or holds a slash or NUL).
func (c *Client) Path(href string) (string, bool) {
	if !strings.HasPrefix(href, "/") {
		u, err := url.Parse(href)
		if err != nil || u.Scheme != "" && u.Scheme != c.base.scheme || u.Opaque != "" ||
			bareHost(u.Scheme, strings.ToLower(u.Host)) != bareHost(c.base.scheme, c.base.host) {
			return "", false
		}
	}
	comps, ok := Split(href)
	n := len(c.base.components)
	if !ok || len(comps) < n || !slices.Equal(comps[:n], c.base.components) {
		return "", false
	}
	return "/" + strings.Join(comps[n:], "/"), true
}

// bareHost removes the default port.
func bareHost(scheme, host string) string {
	switch scheme {
	case "http":
		return strings.TrimSuffix(host, ":80")
	case "https":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}

// Split decodes the path of an href, which is an absolute URL or an absolute
// path, into its components. Slashes that stand together or last, and ".", are
// no components; two at the beginning do not announce a host, which RFC 4918
// section 8.3 does not allow there and some storages write by accident. A
// percent sign that introduces no byte stands for itself, because some storages
// forget to encode it. It is false when a component is "..", or holds a slash
// or NUL after decoding, and when the href has no absolute path.
func Split(href string) (components []string, ok bool) {
	path := href
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	if i := strings.Index(path, "://"); i >= 0 && !strings.Contains(path[:i], "/") {
		_, path, _ = strings.Cut(path[i+3:], "/")
		path = "/" + path
	}
	if path == "" {
		return nil, href == ""
	}
	if path[0] != '/' {
		return nil, false
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." {
			continue
		}
		name := unescape(part)
		if name == ".." || name == "." || strings.ContainsAny(name, "/\x00") {
			return nil, false
		}
		components = append(components, name)
	}
	return components, true
}

// unescape decodes percent-encoded bytes.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

const upperHex = "0123456789ABCDEF"

// appendEscaped appends path with its slashes kept and everything else but
// unreserved characters encoded.
func appendEscaped(b []byte, path string) []byte {
	for i := range len(path) {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '.', c == '_', c == '~', c == '/':
			b = append(b, c)
		default:
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}
