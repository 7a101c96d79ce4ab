package origin

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

var networks = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("::ffff:172.16.0.0/108"),
	netip.MustParsePrefix("fd00::/8"),
}

func origin(addr string, secure bool, host string) Origin {
	o := Origin{Secure: secure, Host: host}
	if addr != "" {
		o.Addr = netip.MustParseAddr(addr)
	}
	return o
}

func TestOf(t *testing.T) {
	const (
		proxy  = "10.0.0.1:4000"
		client = "192.0.2.7"
	)
	for _, c := range []struct {
		name, peer string
		tls        bool
		header     http.Header
		want       Origin
	}{
		{name: "plain", peer: client + ":1", want: origin(client, false, "canopy")},
		{name: "tls", peer: "[2001:db8::1]:1", tls: true, want: origin("2001:db8::1", true, "canopy")},
		{name: "mapped", peer: "[::ffff:192.0.2.7]:1", want: origin(client, false, "canopy")},
		{name: "zone", peer: "[fe80::1%eth0]:1", want: origin("fe80::1", false, "canopy")},
		{name: "unix socket", peer: "@", want: origin("", false, "canopy")},
		{
			name: "stranger", peer: "192.0.2.7:1",
			header: http.Header{
				"X-Forwarded-For": {"10.9.9.9"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil"},
				"Forwarded": {"for=10.9.9.9;proto=https;host=evil"},
			},
			want: origin(client, false, "canopy"),
		},
		{name: "proxy itself", peer: proxy, want: origin("10.0.0.1", false, "canopy")},
		{
			name: "one proxy", peer: proxy,
			header: http.Header{"X-Forwarded-For": {client}, "X-Forwarded-Proto": {"HTTPS"}, "X-Forwarded-Host": {"data.example.org:8443"}},
			want:   origin(client, true, "data.example.org:8443"),
		},
		{
			name: "tls ends here, plain there", peer: proxy, tls: true,
			header: http.Header{"X-Forwarded-For": {client}, "X-Forwarded-Proto": {"http"}},
			want:   origin(client, false, "canopy"),
		},
		{
			name: "forged left", peer: proxy,
			header: http.Header{"X-Forwarded-For": {"203.0.113.9, " + client}},
			want:   origin(client, false, "canopy"),
		},
		{
			name: "two proxies", peer: proxy,
			header: http.Header{
				"X-Forwarded-For":   {"203.0.113.9," + client + ", 172.17.0.1"},
				"X-Forwarded-Proto": {"http, https, http"}, "X-Forwarded-Host": {"forged, real, inner"},
			},
			want: origin(client, true, "real"),
		},
		{
			name: "two lines", peer: proxy,
			header: http.Header{"X-Forwarded-For": {"203.0.113.9", client, "fd00::2"}},
			want:   origin(client, false, "canopy"),
		},
		{
			name: "ports", peer: proxy,
			header: http.Header{"X-Forwarded-For": {client + ":99, [fd00::2]:80"}},
			want:   origin(client, false, "canopy"),
		},
		{
			name: "all trusted", peer: proxy,
			header: http.Header{"X-Forwarded-For": {"10.0.0.3, 10.0.0.2"}},
			want:   origin("10.0.0.3", false, "canopy"),
		},
		{
			name: "hidden", peer: proxy,
			header: http.Header{"X-Forwarded-For": {client + ", unknown, 10.0.0.2"}},
			want:   origin("10.0.0.2", false, "canopy"),
		},
		{
			name: "nonsense", peer: proxy,
			header: http.Header{"X-Forwarded-For": {"<script>"}, "X-Forwarded-Proto": {"gopher"}, "X-Forwarded-Host": {"a/b"}},
			want:   origin("10.0.0.1", false, "canopy"),
		},
		{
			name: "too many", peer: proxy,
			header: http.Header{"X-Forwarded-For": {client + strings.Repeat(",10.0.0.2", maxHops)}},
			want:   origin("10.0.0.2", false, "canopy"),
		},
		{
			name: "standard", peer: proxy,
			header: http.Header{"Forwarded": {`for=203.0.113.9, For="192.0.2.7:47";proto=https;Host="data.example.org"`}},
			want:   origin(client, true, "data.example.org"),
		},
		{
			name: "standard two", peer: proxy,
			header: http.Header{"Forwarded": {`for="[2001:db8::7]:1";proto=https;host=outer`, ` for=10.0.0.5 ; proto=http , `}},
			want:   origin("2001:db8::7", true, "outer"),
		},
		{
			name: "standard hidden", peer: proxy,
			header: http.Header{"Forwarded": {`for=192.0.2.7;host=forged, for=_secret;proto=https`}},
			want:   origin("10.0.0.1", true, "canopy"),
		},
		{
			name: "standard open quote", peer: proxy,
			header: http.Header{"Forwarded": {`for=", for=192.0.2.7`}},
			want:   origin("10.0.0.1", false, "canopy"),
		},
		{
			name: "standard escaped", peer: proxy,
			header: http.Header{"Forwarded": {`by="a,\"b";for="\192.0.2.7"`}},
			want:   origin(client, false, "canopy"),
		},
		{
			name: "both agree", peer: proxy,
			header: http.Header{"Forwarded": {"for=192.0.2.7;proto=https"}, "X-Forwarded-For": {client}},
			want:   origin(client, true, "canopy"),
		},
		{
			name: "both differ", peer: proxy,
			header: http.Header{"Forwarded": {"for=203.0.113.9;proto=https"}, "X-Forwarded-For": {client}, "X-Forwarded-Proto": {"https"}},
			want:   origin("10.0.0.1", false, "canopy"),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: c.peer, Host: "canopy", Header: c.header}
			if c.tls {
				r.TLS = new(tls.ConnectionState)
			}
			resolver := New(networks)
			if got := resolver.Of(r); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if got := resolver.Addr(r); got != c.want.Addr {
				t.Errorf("got address %v, want %v", got, c.want.Addr)
			}
		})
	}
}

func TestHost(t *testing.T) {
	for _, good := range []string{"canopy", "canopy:8080", "192.0.2.7:1", "[2001:db8::1]", "[2001:db8::1]:443", "a_b-c.D"} {
		if got := validHost(good); got != good {
			t.Errorf("%q was taken for %q", good, got)
		}
	}
	for _, bad := range []string{
		"", ":80", "a:b", "a:123456", "a:80:90", "a/b", "a b", "a@b", "a\r\nb", "ü", "a%2fb", "[::1", "[::1]x", "[192.0.2.7]", "[fe80::1%25eth0]",
		strings.Repeat("a", maxHost+1),
	} {
		if got := validHost(bad); got != "" {
			t.Errorf("%q was taken for %q", bad, got)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	r := &http.Request{RemoteAddr: "192.0.2.7:4711", Host: "canopy:8080", Header: http.Header{"X-Forwarded-For": {"10.0.0.1"}}}
	for name, resolver := range map[string]*Resolver{"nobody trusted": New(nil), "others trusted": New(networks)} {
		if n := testing.AllocsPerRun(100, func() { resolver.Of(r) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func FuzzOf(f *testing.F) {
	f.Add("192.0.2.7, 10.0.0.2", "https", "a,b", `for="[::1]:80";proto=http;host=x, for=_a`)
	f.Add("", ",,", "[::1]:80", `for="`)
	f.Add("[::1", "http", "a:1", `a="\`)
	f.Fuzz(func(t *testing.T, usual, proto, host, standard string) {
		r := &http.Request{RemoteAddr: "10.0.0.1:1", Host: "canopy", Header: http.Header{"X-Forwarded-Proto": {proto}, "X-Forwarded-Host": {host}}}
		if usual != "" {
			r.Header["X-Forwarded-For"] = []string{usual}
		}
		if standard != "" {
			r.Header["Forwarded"] = []string{standard}
		}
		o := New(networks).Of(r)
		if !o.Addr.IsValid() || o.Addr.Is4In6() || o.Addr.Zone() != "" {
			t.Errorf("address %v", o.Addr)
		}
		if o.Host == "" || validHost(o.Host) != o.Host {
			t.Errorf("host %q", o.Host)
		}
		// What a trusted proxy appends cannot be outdone by what stands left.
		if usual != "" && standard == "" {
			r.Header["X-Forwarded-For"] = []string{usual + ", 198.51.100.1"}
			if got := New(networks).Addr(r); got != netip.MustParseAddr("198.51.100.1") {
				t.Errorf("%q made the client %v", usual, got)
			}
		}
	})
}

func BenchmarkOf(b *testing.B) {
	r := &http.Request{RemoteAddr: "192.0.2.7:4711", Host: "canopy.example.org:8080"}
	resolver := New(nil)
	b.ReportAllocs()
	for b.Loop() {
		resolver.Of(r)
	}
}
