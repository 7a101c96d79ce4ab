package redis

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseURL(t *testing.T) {
	for _, tc := range []struct {
		url  string
		want place
	}{
		{"redis://cache.example.org", place{addrs: []string{"cache.example.org:6379"}}},
		{"redis://127.0.0.1:6380/3", place{addrs: []string{"127.0.0.1:6380"}, db: 3}},
		{"rediss://me:se%2Fcr%40t@h/", place{addrs: []string{"h:6379"}, tls: true, user: "me", password: "se/cr@t"}},
		{"redis://:pw@[2001:db8::1]:7000", place{addrs: []string{"[2001:db8::1]:7000"}, password: "pw"}},
		{"redis://:p@w@h", place{addrs: []string{"h:6379"}, password: "p@w"}},
		{"redis://[::1]", place{addrs: []string{"[::1]:6379"}}},
		{"redis+sentinel://u:p@a:1,b/main/2", place{sentinel: true, addrs: []string{"a:1", "b:26379"}, user: "u", password: "p", master: "main", db: 2}},
		{"rediss+sentinel://a/my%20main", place{sentinel: true, tls: true, addrs: []string{"a:26379"}, master: "my main"}},
		{"redis+cluster://a,b:7001,[::1]:7002/", place{cluster: true, addrs: []string{"a:6379", "b:7001", "[::1]:7002"}}},
	} {
		got, err := parseURL(tc.url)
		if err != nil {
			t.Errorf("%s: %v", tc.url, err)
		} else if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(place{})); diff != "" {
			t.Errorf("%s: %s", tc.url, diff)
		}
	}
}

func TestParseURLErrors(t *testing.T) {
	for _, tc := range []struct{ url, want string }{
		{"", "must begin with"},
		{"http://secret@h", "must begin with"},
		{"redis:h", "must begin with"},
		{"redis://", "no host"},
		{"redis://:secret@", "no host"},
		{"redis://a,b", "redis+sentinel or redis+cluster"},
		{"rediss://a,b", "rediss+sentinel"},
		{"redis://h:0", "port"},
		{"redis://h:70000", "port"},
		{"redis://h:", "port"},
		{"redis://:sec/ret@h", "%2F"},
		{"redis://u:1/ret@h", "%2F"},
		{"redis://a:b:c", "not host:port"},
		{"redis://h/x", "database"},
		{"redis://h/-1", "database"},
		{"redis://h/70000", "database"},
		{"redis://:sec%zzret@h", "percent-encoded"},
		{"redis://:secret@h?db=1", "no query"},
		{"redis://h h", "no host has"},
		{"redis+sentinel://h", "master"},
		{"redis+sentinel://h//1", "master"},
		{"redis+sentinel://h/m/x", "database"},
		{"redis+cluster://h/1", "no databases"},
		{"redis+cluster://" + strings.Repeat("h,", 64) + "h", "65 hosts"},
	} {
		p, err := parseURL(tc.url)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: error %v, want %q", tc.url, err, tc.want)
		} else if strings.Contains(err.Error(), "sec") {
			t.Errorf("%q: the error repeats the password: %v", tc.url, err)
		}
		if diff := cmp.Diff(place{}, p, cmp.AllowUnexported(place{})); diff != "" {
			t.Errorf("%q: a place in spite of the error: %s", tc.url, diff)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{
		"redis://u:p@h:1/2", "rediss+sentinel://[::1]:1,b/m/3", "redis+cluster://a,b", "redis://%", "redis://@:@/",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parseURL(s)
		if err != nil {
			return
		}
		if len(p.addrs) == 0 || p.sentinel != (p.master != "") || p.cluster && p.db != 0 {
			t.Errorf("%q: %+v", s, p)
		}
		for _, addr := range p.addrs {
			if again, err := address(addr, "1"); err != nil || again != addr {
				t.Errorf("%q: address %q is read again as %q, %v", s, addr, again, err)
			}
		}
	})
}

func TestOptions(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, empty, huge := file("good", "pw1\r\nnotes\n"), file("empty", "\npw"), file("huge", strings.Repeat("x", 5000))

	for _, tc := range []struct {
		opt  Options
		want string
	}{
		{Options{URL: "ftp://h"}, "must begin with"},
		{Options{URL: "redis://:a@h", PasswordFile: good}, "keep one"},
		{Options{URL: "redis://h", PasswordFile: filepath.Join(dir, "none")}, "no such file"},
		{Options{URL: "redis://h", PasswordFile: empty}, "empty"},
		{Options{URL: "redis://h", PasswordFile: huge}, "larger than 4096 bytes"},
		{Options{URL: "redis://h", SentinelPasswordFile: good}, "no sentinels"},
	} {
		if _, err := Open(tc.opt); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: error %v, want %q", tc.opt, err, tc.want)
		}
	}

	p, err := parseURL("redis+sentinel://me@h/main")
	if err != nil {
		t.Fatal(err)
	}
	o, err := p.options(Options{PasswordFile: good, SentinelPasswordFile: good})
	if err != nil {
		t.Fatal(err)
	}
	if o.SentinelPassword != "pw1" || o.MaxRetries != -1 || o.MasterName != "main" {
		t.Errorf("sentinel password %q, retries %d, master %q", o.SentinelPassword, o.MaxRetries, o.MasterName)
	}
	// The file may change while the level is open.
	file("good", "pw2")
	user, password, err := o.CredentialsProviderContext(t.Context())
	if user != "me" || password != "pw2" || err != nil {
		t.Errorf("credentials %q %q %v", user, password, err)
	}
}
