package origin

import (
	"iter"
	"net/netip"
	"slices"
	"strings"
)

const (
	// maxHost is the longest HOST:PORT: a DNS name of 255 octets and a port.
	maxHost = 255 + len(":65535")
	// maxElements bounds what is read of a Forwarded field.
	maxElements = 256
)

// fromRight yields the members of a list that may be spread over several
// field lines, the last first, without the white space around them.
func fromRight(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range slices.Backward(lines) {
			for {
				i := strings.LastIndexByte(line, ',')
				if !yield(strings.Trim(line[i+1:], " \t")) {
					return
				}
				if i < 0 {
					break
				}
				line = line[:i]
			}
		}
	}
}

// nthFromRight returns the n-th member from the right, the last being 1, or
// the leftmost of fewer.
func nthFromRight(lines []string, n int) (value string, ok bool) {
	for value = range fromRight(lines) {
		if n--; n == 0 {
			return value, true
		}
		ok = true
	}
	return value, ok
}

// address reads an address as it stands in either kind of field: alone, in
// brackets, or with a port.
func address(s string) (netip.Addr, bool) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, port, closed := strings.Cut(inner, "]")
		if !closed || port != "" && port[0] != ':' {
			return netip.Addr{}, false
		}
		s = inner
	} else if strings.Count(s, ":") == 1 {
		s, _, _ = strings.Cut(s, ":")
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, false
	}
	return a.Unmap().WithZone(""), true
}

// validHost returns s if it can be the HOST or HOST:PORT of a URL (RFC 3986,
// section 3.2.2, without percent-encoding), else "".
func validHost(s string) string {
	if s == "" || len(s) > maxHost {
		return ""
	}
	host, port := s, ""
	if s[0] == '[' {
		i := strings.IndexByte(s, ']')
		if i < 0 {
			return ""
		}
		a, err := netip.ParseAddr(s[1:i])
		if err != nil || !a.Is6() || a.Zone() != "" {
			return ""
		}
		host, port = "", s[i+1:]
	} else if i := strings.IndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i:]
		if host == "" {
			return ""
		}
	}
	if port != "" && port[0] != ':' || len(port) > len(":65535") {
		return ""
	}
	for i := 1; i < len(port); i++ {
		if port[i] < '0' || port[i] > '9' {
			return ""
		}
	}
	for i := range len(host) {
		switch c := host[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-', c == '_':
		default:
			return ""
		}
	}
	return s
}

// element is what one proxy says in a Forwarded field.
type element struct{ node, proto, host string }

// parseForwarded reads Forwarded field lines (RFC 7239, section 4) and reports
// whether they are well-formed as a whole: a quotation mark that is never
// closed could hide where one proxy's word ends and the next one's begins.
func parseForwarded(lines []string) ([]element, bool) {
	var all []element
	for _, line := range lines {
		p := scanner{line}
		for {
			e, ok := p.element()
			if !ok || len(all) == maxElements {
				return nil, false
			}
			if e != nil {
				all = append(all, *e)
			}
			if p.rest == "" {
				break
			}
			p.rest = p.rest[1:] // the comma
		}
	}
	return all, true
}

// scanner reads a Forwarded field line from left to right.
type scanner struct{ rest string }

func (p *scanner) space() { p.rest = strings.TrimLeft(p.rest, " \t") }

// element reads up to a comma or the end. Lists may have empty members
// (RFC 9110, section 5.6.1), for which it returns nil.
func (p *scanner) element() (*element, bool) {
	var e *element
	for {
		p.space()
		if p.rest == "" || p.rest[0] == ',' {
			return e, true
		}
		if p.rest[0] == ';' {
			p.rest = p.rest[1:]
			continue
		}
		name, ok := p.token()
		if !ok || p.rest == "" || p.rest[0] != '=' {
			return nil, false
		}
		p.rest = p.rest[1:]
		value, ok := p.value()
		if !ok {
			return nil, false
		}
		if e == nil {
			e = new(element)
		}
		switch {
		case strings.EqualFold(name, "for"):
			e.node = value
		case strings.EqualFold(name, "proto"):
			e.proto = value
		case strings.EqualFold(name, "host"):
			e.host = value
		}
		p.space()
		if p.rest != "" && p.rest[0] != ';' && p.rest[0] != ',' {
			return nil, false
		}
	}
}

func (p *scanner) token() (string, bool) {
	i := 0
	for i < len(p.rest) && tokenByte(p.rest[i]) {
		i++
	}
	token := p.rest[:i]
	p.rest = p.rest[i:]
	return token, i > 0
}

// value reads a token or a quoted string. As many proxies leave out the
// quotation marks, a token may hold the colons and brackets of an address.
func (p *scanner) value() (string, bool) {
	if p.rest == "" || p.rest[0] != '"' {
		i := 0
		for i < len(p.rest) && (tokenByte(p.rest[i]) || strings.IndexByte(":[]", p.rest[i]) >= 0) {
			i++
		}
		value := p.rest[:i]
		p.rest = p.rest[i:]
		return value, i > 0
	}
	var unquoted []byte
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; c {
		case '"':
			p.rest = p.rest[i+1:]
			return string(unquoted), true
		case '\\':
			if i++; i == len(p.rest) {
				return "", false
			}
			unquoted = append(unquoted, p.rest[i])
		default:
			unquoted = append(unquoted, c)
		}
	}
	return "", false
}

// tokenByte is tchar of RFC 9110, section 5.6.2.
func tokenByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' ||
		strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
