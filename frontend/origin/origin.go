// Package origin tells where a request comes from, as the client itself sees
// it: its address, whether it spoke https, and the host it asked for.
//
// Without proxies in front, that is what the connection says. A proxy in front
// speaks for its clients in header fields, Forwarded (RFC 7239) or
// X-Forwarded-For, -Proto and -Host, which anybody can send. They are believed
// only on a connection from one of the trusted networks.
//
// # The chain
//
// Each proxy adds the address it was spoken to from at the right end, so the
// list is read from the right: an address in a trusted network is one more
// proxy, and the first that is not is the client. What stands left of it is
// the client's own word and is not read. Where a proxy hides an address
// ("unknown", "_name") or writes nonsense, the chain ends with the last address
// known for sure. At most 32 proxies are followed.
//
// The scheme and the host are those that the proxy at that place reported, or
// the leftmost if there are fewer: proxies that overwrite one value and
// proxies that append both give the right one. A trusted proxy must set or
// remove the fields of the kind it uses, as all of them do when they are told
// to.
//
// If both kinds come and name different clients, one of them was passed on
// unread by the proxy. As nothing tells which, neither is believed.
package origin

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// maxHops is how many proxies are followed.
const maxHops = 32

// Origin is where a request comes from.
type Origin struct {
	// Addr is the client's address, without zone and never an IPv4 one in
	// IPv6 clothes; the zero Addr when nothing tells, as on a Unix socket.
	Addr netip.Addr
	// Secure is whether the client itself spoke https.
	Secure bool
	// Host is the HOST or HOST:PORT that the client asked for, in a form that
	// is safe in a URL; "" if it sent none that could be one.
	Host string
}

// Resolver tells origins. It may be used by any number of goroutines at once.
type Resolver struct{ trusted []netip.Prefix }

// New returns a resolver that believes the proxies within the networks given.
func New(trusted []netip.Prefix) *Resolver {
	r := &Resolver{trusted: slices.Clone(trusted)}
	for i, p := range r.trusted {
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			r.trusted[i] = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
	}
	return r
}

// Of tells where req comes from. Unless a trusted proxy sent it, that costs no
// allocation.
func (r *Resolver) Of(req *http.Request) Origin {
	o := Origin{Addr: peer(req), Secure: req.TLS != nil, Host: validHost(req.Host)}
	if r.trusts(o.Addr) {
		r.believe(&o, req.Header)
	}
	return o
}

// Addr is the address of Of alone.
func (r *Resolver) Addr(req *http.Request) netip.Addr {
	addr := peer(req)
	if !r.trusts(addr) {
		return addr
	}
	o := Origin{Addr: addr}
	r.believe(&o, req.Header)
	return o.Addr
}

// peer is the address at the other end of the connection.
func peer(req *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(req.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

func (r *Resolver) trusts(a netip.Addr) bool {
	for _, p := range r.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// believe replaces in o what trusted proxies say otherwise.
func (r *Resolver) believe(o *Origin, h http.Header) {
	standard := h["Forwarded"]
	usual := h["X-Forwarded-For"]
	switch {
	case len(standard) > 0 && len(usual) > 0:
		a, b := *o, *o
		r.forwarded(&a, standard)
		r.xForwarded(&b, h)
		if a.Addr == b.Addr {
			*o = a
		}
	case len(standard) > 0:
		r.forwarded(o, standard)
	default:
		r.xForwarded(o, h)
	}
}

// xForwarded reads the X-Forwarded fields.
func (r *Resolver) xForwarded(o *Origin, h http.Header) {
	hops := 0
	for value := range fromRight(h["X-Forwarded-For"]) {
		addr, ok := address(value)
		if !ok || hops == maxHops {
			break
		}
		hops++
		o.Addr = addr
		if !r.trusts(addr) {
			break
		}
	}
	hops = max(hops, 1)
	if proto, ok := nthFromRight(h["X-Forwarded-Proto"], hops); ok {
		o.setScheme(proto)
	}
	if host, ok := nthFromRight(h["X-Forwarded-Host"], hops); ok {
		o.setHost(host)
	}
}

// forwarded reads the Forwarded fields.
func (r *Resolver) forwarded(o *Origin, values []string) {
	elements, ok := parseForwarded(values)
	if !ok {
		return
	}
	var scheme, host string
	for hops, e := range slices.Backward(elements) {
		if len(elements)-hops > maxHops {
			break
		}
		// What a proxy says of the scheme and host of its client holds even
		// where it hides the address.
		if e.proto != "" {
			scheme = e.proto
		}
		if e.host != "" {
			host = e.host
		}
		addr, ok := address(e.node)
		if !ok {
			break
		}
		o.Addr = addr
		if !r.trusts(addr) {
			break
		}
	}
	o.setScheme(scheme)
	o.setHost(host)
}

func (o *Origin) setScheme(s string) {
	switch {
	case strings.EqualFold(s, "https"):
		o.Secure = true
	case strings.EqualFold(s, "http"):
		o.Secure = false
	}
}

func (o *Origin) setHost(s string) {
	if s = validHost(s); s != "" {
		o.Host = s
	}
}
