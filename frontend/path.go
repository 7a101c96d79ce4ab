package frontend

import (
	"bytes"
	"net/url"
	"strings"

	"canopy/plugins/wire/multistatus"
)

// The longest path and the longest component of one that are looked at, in
// bytes, decoded.
const (
	maxPath      = 64 << 10
	maxComponent = 4 << 10
)

// cleanPath returns the path of a URL, decoded once as net/url does it, in the
// form in which the federation knows it: absolute, without "", "." or ".."
// components. No step leads above the root. slash is whether the path spoke of
// a directory: it ended in a slash, or in a step.
func cleanPath(p string) (clean string, slash, ok bool) {
	if len(p) > maxPath || strings.IndexByte(p, 0) >= 0 {
		return "", false, false
	}
	if p == "" || p == "/" {
		return "/", true, true // an absolute target without a path
	}
	if p[0] != '/' {
		return "", false, false
	}
	tidy := true
	for rest := p[1:]; ; {
		component, after, more := strings.Cut(rest, "/")
		switch {
		case len(component) > maxComponent:
			return "", false, false
		case component == "." || component == ".." || component == "" && more:
			tidy = false
		}
		if !more {
			slash = component == "" || component == "." || component == ".."
			break
		}
		rest = after
	}
	if tidy {
		return strings.TrimSuffix(p, "/"), slash, true
	}
	b := make([]byte, 0, len(p))
	for component := range strings.SplitSeq(p[1:], "/") {
		switch component {
		case "", ".":
		case "..":
			b = b[:max(0, bytes.LastIndexByte(b, '/'))]
		default:
			b = append(b, '/')
			b = append(b, component...)
		}
	}
	if len(b) == 0 {
		return "/", true, true
	}
	return string(b), slash, true
}

// cleanNamespace returns the prefix that the namespace's paths have in URLs:
// "" for "/", else without a slash at its end.
func cleanNamespace(p string) (string, bool) {
	if p != "" && p[0] != '/' {
		return "", false
	}
	clean, _, ok := cleanPath(p)
	if clean == "/" {
		clean = ""
	}
	return clean, ok && !reserved(clean)
}

// reserved reports whether a clean path is not of the namespace.
func reserved(p string) bool { return strings.HasPrefix(p, "/-") && (len(p) == 2 || p[2] == '/') }

// within returns the path of the namespace that a clean path of a URL is.
func (h *Handler) within(p string) (string, bool) {
	if h.prefix == "" {
		return p, true
	}
	rest, ok := strings.CutPrefix(p, h.prefix)
	switch {
	case !ok:
		return "", false
	case rest == "":
		return "/", true
	}
	return rest, rest[0] == '/'
}

// href returns the URL path of a path of the namespace, percent-encoded; that
// of a directory ends in a slash.
func (h *Handler) href(p string, directory bool) string {
	b := multistatus.AppendPath(make([]byte, 0, len(h.prefix)+len(p)+len(p)/8+1), h.prefix)
	b = multistatus.AppendPath(b, p)
	if directory && b[len(b)-1] != '/' {
		b = append(b, '/')
	}
	return string(b)
}

// base returns the scheme and host under which the client sees the front end,
// "" if it did not say.
func (o *Origin) base() string {
	switch {
	case !sound(o.Host):
		return ""
	case o.Secure:
		return "https://" + o.Host
	}
	return "http://" + o.Host
}

// sound reports whether a host, with its port if any, can stand in a URL, in
// a header and in XML.
func sound(host string) bool {
	if host == "" || len(host) > 512 {
		return false
	}
	for i := range len(host) {
		switch c := host[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("-._~:[]%", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// depth returns how many components, from the end, the path of the namespace
// p and the path of a replica's URL have in common: so far the tree is the
// same there (RFC 6249 section 3.3).
func depth(p, replica string) int {
	u, err := url.Parse(replica)
	if err != nil {
		return 0
	}
	n := 0
	for there := u.Path; p != "" && there != ""; n++ {
		i, j := strings.LastIndexByte(p, '/'), strings.LastIndexByte(there, '/')
		if i < 0 || j < 0 || p[i:] != there[j:] {
			break
		}
		p, there = p[:i], there[:j]
	}
	return n
}
