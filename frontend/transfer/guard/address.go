package guard

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"golang.org/x/net/publicsuffix"
)

// Refused is the error for a host that may not be reached. It does not say what
// the host's address is, so that nobody maps our networks with it.
type Refused struct {
	// Host is as the URL has it.
	Host string
}

func (e *Refused) Error() string {
	return fmt.Sprintf("%s is in a network from and to which nothing is copied unless the configuration allows it", e.Host)
}

// rules say which hosts may be reached, and who is trusted.
type rules struct {
	private  bool
	networks []netip.Prefix
	hosts    map[string]bool
	domains  []string // each with a dot at its beginning
}

func newRules(private bool, allow []string) (*rules, error) {
	r := &rules{private: private, hosts: make(map[string]bool)}
	for _, entry := range allow {
		name := canonical(entry)
		if p, err := netip.ParsePrefix(name); err == nil {
			r.networks = append(r.networks, p.Masked())
		} else if a, err := netip.ParseAddr(name); err == nil {
			a = a.Unmap()
			r.networks = append(r.networks, netip.PrefixFrom(a, a.BitLen()))
		} else if strings.Trim(name, ".") == "" || strings.ContainsAny(name, "/:@ *[]") {
			return nil, fmt.Errorf("%q is neither a network (10.0.0.0/8), nor an address, a host or a domain (.example.org)", entry)
		} else if strings.HasPrefix(name, ".") {
			r.domains = append(r.domains, name)
		} else {
			r.hosts[name] = true
		}
	}
	return r, nil
}

// canonical returns a host name in its one spelling.
func canonical(host string) string { return strings.TrimSuffix(strings.ToLower(host), ".") }

// listed reports whether the host is one of Options.Allow by its name.
func (r *rules) listed(host string) bool {
	host = canonical(host)
	if r.hosts[host] {
		return true
	}
	for _, d := range r.domains {
		if strings.HasSuffix(host, d) {
			return true
		}
	}
	a, err := netip.ParseAddr(host)
	return err == nil && r.within(a.Unmap())
}

func (r *rules) within(a netip.Addr) bool {
	for _, p := range r.networks {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// allowed reports whether the host may be reached at that address.
func (r *rules) allowed(host string, a netip.Addr) bool {
	return r.private || r.within(a.Unmap()) || public(a) || r.listed(host)
}

// hostKey is under which a dial's context has the host that was asked for.
type hostKey struct{}

// control is called with the address that is about to be connected to.
func (r *rules) control(ctx context.Context, _, address string, _ syscall.RawConn) error {
	host, _ := ctx.Value(hostKey{}).(string)
	to, err := netip.ParseAddrPort(address)
	if err != nil || !r.allowed(host, to.Addr()) {
		return &Refused{Host: host}
	}
	return nil
}

// follows reports whether what the client gave for the host of stated may go to
// that of at.
func (r *rules) follows(stated, at *url.URL) bool {
	from, to := canonical(stated.Hostname()), canonical(at.Hostname())
	switch {
	case from == to && stated.Scheme == at.Scheme && port(stated) == port(at):
		return true
	case stated.Scheme == "https" && at.Scheme != "https":
		return false
	case r.listed(to):
		return true
	case at.Scheme != "https":
		return false
	case from == to:
		return true
	}
	if _, err := netip.ParseAddr(to); err == nil {
		return false // an address belongs to no domain
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(from)
	if err != nil {
		return false
	}
	other, err := publicsuffix.EffectiveTLDPlusOne(to)
	return err == nil && domain == other
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

var (
	// special4 are the networks of IPv4 that are not the Internet's (RFC 6890
	// and its registry), and the address by which Azure's machines reach what
	// manages them.
	special4 = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32",
		"169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
		"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4")
	// global6 is all of IPv6 that is given to networks; special6 are parts of
	// it that are not, or that tunnel to IPv4.
	global6  = netip.MustParsePrefix("2000::/3")
	special6 = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
	// translated are addresses that stand for the IPv4 address in their last
	// 32 bits (RFC 6052).
	translated = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		list[i] = netip.MustParsePrefix(t)
	}
	return list
}

// public reports whether a is an address of the Internet.
func public(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	a = a.Unmap()
	special := special4
	switch {
	case translated.Contains(a):
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	case a.Is6():
		if !global6.Contains(a) {
			return false
		}
		special = special6
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsValid()
}
