package guard

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func TestPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"1.1.1.1": true, "137.138.1.1": true, "172.15.255.255": true, "172.32.0.0": true, "100.63.255.255": true, "100.128.0.1": true,
		"2001:1458::1": true, "2606:4700:4700::1111": true, "64:ff9b::101:101": true, "::ffff:1.1.1.1": true,

		"0.0.0.0": false, "10.1.2.3": false, "100.64.0.1": false, "100.100.100.200": false, "127.0.0.1": false, "127.255.0.1": false,
		"169.254.169.254": false, "172.16.0.1": false, "172.31.255.255": false, "192.0.0.192": false, "192.0.2.1": false,
		"192.168.1.1": false, "198.18.0.1": false, "198.51.100.1": false, "203.0.113.9": false, "224.0.0.1": false,
		"239.255.255.255": false, "240.0.0.1": false, "255.255.255.255": false, "168.63.129.16": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd00:ec2::254": false, "ff02::1": false,
		"2001::1": false, "2001:db8::1": false, "2002:7f00:1::": false, "3fff::1": false, "2606:4700::1%eth0": false,
		"::ffff:127.0.0.1": false, "::ffff:a9fe:a9fe": false, "::127.0.0.1": false, "64:ff9b::7f00:1": false, "64:ff9b:1::1": false,
		"5f00::1": false, "100::1": false,
	} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	if public(netip.Addr{}) {
		t.Error("no address is one of the Internet's")
	}
}

func TestAllow(t *testing.T) {
	r, err := newRules(false, []string{"10.1.2.3/8", "192.168.7.7", "::ffff:192.168.7.8", "Storage.Example.org.", ".site.example", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		host, address string
		want          bool
	}{
		{"anything", "10.9.9.9", true},
		{"anything", "::ffff:10.9.9.9", true},
		{"anything", "192.168.7.7", true},
		{"anything", "192.168.7.8", true},
		{"anything", "192.168.7.9", false},
		{"anything", "fd12::1", true},
		{"anything", "1.1.1.1", true},
		{"storage.example.ORG", "127.0.0.1", true},
		{"storage.example.org.", "127.0.0.1", true},
		{"x.storage.example.org", "127.0.0.1", false},
		{"pool7.site.example", "127.0.0.1", true},
		{"site.example", "127.0.0.1", false},
		{"evilsite.example", "127.0.0.1", false},
		{"", "127.0.0.1", false},
	} {
		if got := r.allowed(c.host, netip.MustParseAddr(c.address)); got != c.want {
			t.Errorf("%s at %s: %v", c.host, c.address, got)
		}
	}
	for _, entry := range []string{"", ".", "http://x", "a b", "10.0.0.0/33", "host:80", "*.example.org", "[::1]", "me@host"} {
		if _, err := newRules(false, []string{entry}); err == nil || !strings.Contains(err.Error(), "neither") {
			t.Errorf("%q: %v", entry, err)
		}
	}
}

func TestFollows(t *testing.T) {
	r, err := newRules(false, []string{"friend.test", "127.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		stated, at string
		want       bool
	}{
		{"https://a.example.org/f", "https://a.example.org/g", true},
		{"https://a.example.org/f", "https://A.example.org.:443/g", true},
		{"http://a.example.org/f", "http://a.example.org:80/g", true},
		{"https://a.example.org/f", "https://a.example.org:8443/g", true},
		{"https://a.example.org/f", "https://pool.b.example.org:24000/g", true},
		{"http://a.example.org/f", "https://b.example.org/g", true},
		{"https://door/f", "https://door:2880/g", true},
		{"https://1.1.1.1/f", "https://1.1.1.1:8443/g", true},
		{"https://a.example.org/f", "https://friend.test/g", true},
		{"http://a.example.org/f", "http://friend.test:1/g", true},
		{"http://a.example.org/f", "http://127.0.0.1:9/g", true},

		{"http://a.example.org/f", "http://a.example.org:8080/g", false},
		{"https://a.example.org/f", "http://a.example.org/g", false},
		{"https://a.example.org/f", "http://friend.test/g", false},
		{"http://a.example.org/f", "http://b.example.org/g", false},
		{"https://a.example.org/f", "https://example.com/g", false},
		{"https://a.example.org/f", "https://a.example.org.evil.com/g", false},
		{"https://a.example.org/f", "https://evilexample.org/g", false},
		{"https://one.co.uk/f", "https://two.co.uk/g", false},
		{"https://one.s3.amazonaws.com/f", "https://two.s3.amazonaws.com/g", false},
		{"https://door/f", "https://pool/g", false},
		{"https://1.1.1.1/f", "https://1.1.1.2/g", false},
		{"https://a.example.org/f", "https://[2001:1458::1]/g", false},
	} {
		stated, err := url.Parse(c.stated)
		if err != nil {
			t.Fatal(err)
		}
		at, err := url.Parse(c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.follows(stated, at); got != c.want {
			t.Errorf("%s to %s: %v", c.stated, c.at, got)
		}
	}
}
