package configs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"canopy/configs"
	"canopy/configs/scalar"
	"canopy/configs/source"

	"github.com/google/go-cmp/cmp"
)

const oneEndpoint = "endpoints: [{name: a, type: local, root: /data}]\n"

func mustParse(t *testing.T, text string) *configs.Config {
	t.Helper()
	c, err := configs.Parse("canopy.yaml", []byte(text), registry(), environment)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "canopy.yaml")
	text := "title: ${CANOPY_TEST_TITLE}\nauth: {basic: {htpasswd: users}}\n" + oneEndpoint
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CANOPY_TEST_TITLE", "from outside")
	c, err := configs.Load(name, registry())
	if err != nil {
		t.Fatal(err)
	}
	if c.Title != "from outside" || c.Auth.Basic.Htpasswd != filepath.Join(dir, "users") {
		t.Errorf("title %q, htpasswd %q", c.Title, c.Auth.Basic.Htpasswd)
	}
	if _, err := configs.Load(filepath.Join(dir, "none.yaml"), registry()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestTooLarge(t *testing.T) {
	name := filepath.Join(t.TempDir(), "canopy.yaml")
	if err := os.WriteFile(name, make([]byte, source.MaxBytes+1000), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := configs.Load(name, registry())
	if want := name + ":1:1: the file is larger than"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s…", err, want)
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "canopy.yaml")
	text := `listen: [{address: ":1", tls: {certificate: host.pem, key: /abs/host.key}}]
cache: {redis: "redis://h", redis_password_file: secrets/redis}
auth: {basic: {htpasswd: .}}
geo: {database: city.mmdb}
endpoints:
  - {name: a, type: local, root: city.mmdb}
  - {name: b, type: dav, url: "https://b/", credentials: {bearer_file: b.token}}
`
	if err := os.WriteFile(filepath.Join(dir, "city.mmdb"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := configs.Parse(name, []byte(text), registry(), environment)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range c.Files() {
		rel, ok := strings.CutPrefix(f.Name, dir)
		if !ok {
			rel = f.Name
		}
		names = append(names, rel)
	}
	want := []string{"/canopy.yaml", "/host.pem", "/abs/host.key", "/secrets/redis", "", "/city.mmdb", "/city.mmdb", "/b.token"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}

	got := strings.ReplaceAll(c.CheckFiles().Error(), dir, "DIR")
	wantProblems := `DIR/canopy.yaml:1:45: listen[0].tls.certificate: cannot be read: open DIR/host.pem: no such file or directory; create it or correct the name
DIR/canopy.yaml:1:60: listen[0].tls.key: cannot be read: open /abs/host.key: no such file or directory; create it or correct the name
DIR/canopy.yaml:2:50: cache.redis_password_file: cannot be read: open DIR/secrets/redis: no such file or directory; create it or correct the name
DIR/canopy.yaml:3:26: auth.basic.htpasswd: DIR is a directory; name a file in it
DIR/canopy.yaml:6:34: endpoints[0].root: DIR/city.mmdb is not a directory; name one
DIR/canopy.yaml:7:72: endpoints[1].credentials.bearer_file: cannot be read: open DIR/b.token: no such file or directory; create it or correct the name`
	if diff := cmp.Diff(wantProblems, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if err := mustParse(t, strings.Replace(oneEndpoint, "/data", dir, 1)).CheckFiles(); err != nil {
		t.Errorf("all is well, and still: %v", err)
	}
}

// A name that is relative to a file whose own name is so becomes a whole one.
func TestLoadRelative(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	text := "geo: {database: ../city.mmdb}\nendpoints: [{name: a, type: local, root: data}]\n"
	if err := os.MkdirAll(filepath.Join("conf", "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("city.mmdb", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join("conf", "canopy.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := configs.Load(name, registry())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{name, filepath.Join(dir, "city.mmdb"), filepath.Join(dir, "conf", "data")}
	for i, f := range c.Files() {
		if f.Name != want[i] {
			t.Errorf("got %s, want %s", f.Name, want[i])
		}
	}
	if err := c.CheckFiles(); err != nil {
		t.Error(err)
	}
}

// The identity follows what the storage is and where it is mounted, not how
// it is used or what opens it.
func TestIdentity(t *testing.T) {
	endpoint := func(keys string) configs.Endpoint {
		return mustParse(t, "endpoints: [{name: a, type: dav, "+keys+"}]\n").Endpoints[0]
	}
	base := endpoint(`url: "https://a/", credentials: {bearer: one}`)
	if len(base.Identity) != 32 {
		t.Errorf("identity %q", base.Identity)
	}
	for _, keys := range []string{
		`url: "https://a/", credentials: {bearer: two}`,
		`url: "https://a/", credentials: {bearer_file: two}`,
		`url: "https://a/", credentials: {bearer: one}, weight: 3, limits: {requests: 2}, mount: /`,
	} {
		if e := endpoint(keys); e.Identity != base.Identity || e.Same(&base) {
			t.Errorf("%s: identity %s, want %s, same %t", keys, e.Identity, base.Identity, e.Same(&base))
		}
	}
	for _, keys := range []string{
		`url: "https://b/"`,
		`url: "https://a/", depth: 2`,
		`url: "https://a/", mount: /x`,
		`url: "https://a/", translate: [{replace: /a, with: /b}]`,
		`url: "https://a/", headers: {X: y}`,
	} {
		if e := endpoint(keys); e.Identity == base.Identity || e.Same(&base) {
			t.Errorf("%s: the identity stays", keys)
		}
	}
	if again := endpoint(`url: "https://a/", credentials: {bearer: one}, tier: tape`); !again.Same(&base) {
		t.Error("a change of tier needs a new endpoint")
	}
}

// The defaults are those of the published interface.
func TestDefaults(t *testing.T) {
	c := mustParse(t, oneEndpoint)
	e := c.Endpoints[0]
	got := fmt.Sprintln(c.Listen, c.Title, c.Namespace, c.Cache.Entries, c.Cache.TTL, c.Cache.Stale, c.Lookup, c.Select, c.MakeParents,
		e.Mount, e.Access, e.Read, e.List, e.Write, e.Weight, e.Limits, e.Health, e.Draining)
	want := fmt.Sprintln("[{:8080 <nil>}] Canopy / 1000000 {10m0s 5m0s 30s} 1h0m0s {10s 50ms evidence 30s} [site latency load random] false",
		"/ auto true true false 1 {64 256 5s} {10s /} false")
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	if withPlaces := mustParse(t, "geo: {database: x}\n"+oneEndpoint); len(withPlaces.Select) != 5 {
		t.Errorf("with a database, select is %v", withPlaces.Select)
	}
}

// A list that is given and empty is not one that is missing: it gives the
// right to nobody.
func TestNobody(t *testing.T) {
	r := mustParse(t, "access: [{path: /, read: []}]\n"+oneEndpoint).Access[0]
	if r.Read == nil || len(r.Read) != 0 || r.List != nil {
		t.Errorf("read %#v, list %#v", r.Read, r.List)
	}
}

func TestRedis(t *testing.T) {
	for text, want := range map[string]configs.Redis{
		"redis://h":                               {Scheme: "redis", Addresses: []string{"h:6379"}},
		"rediss://u:p%40s@[::1]:7/2":              {Scheme: "rediss", Addresses: []string{"[::1]:7"}, Database: 2, User: "u", Password: "p@s"},
		"redis+sentinel://:p@a,b:1/my%20main/3":   {Scheme: "redis+sentinel", Addresses: []string{"a:26379", "b:1"}, Master: "my main", Database: 3, Password: "p"},
		"rediss+sentinel://u@a/main":              {Scheme: "rediss+sentinel", Addresses: []string{"a:26379"}, Master: "main", User: "u"},
		"redis+cluster://10.0.0.1,[2001:db8::1]/": {Scheme: "redis+cluster", Addresses: []string{"10.0.0.1:6379", "[2001:db8::1]:6379"}},
	} {
		var got configs.Redis
		if err := got.UnmarshalText([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func FuzzRedis(f *testing.F) {
	for _, s := range []string{"redis://u:p@h:1/2", "rediss+sentinel://[::1]:1,b/m%2F/3", "redis+cluster://a,b", "redis://%", "redis://@:@/", "redis://::@h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var r, again configs.Redis
		if r.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(r.URL())); err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%q becomes %q: %v", text, r.URL(), err)
		}
		if err := again.UnmarshalText([]byte(r.String())); err != nil || again.Password != "" && again.Password != scalar.Redacted {
			t.Fatalf("%q is printed as %q: %v", text, r, err)
		}
	})
}

func TestAgentPattern(t *testing.T) {
	for _, c := range []struct {
		pattern, agent, method string
		want                   bool
	}{
		{"cadaver/*", "cadaver/0.24 neon/0.32", "GET", true},
		{"cadaver/*", "xcadaver/0.24", "GET", false},
		{"rclone/* PUT", "rclone/v1.60", "PUT", true},
		{"rclone/* PUT", "rclone/v1.60", "GET", false},
		{"My Agent", "My Agent", "GET", true},
		{"My Agent", "My Agent 2", "GET", false},
		{"*bot*v2*", "a bot of v2.1", "GET", true},
		{"*bot*v2*", "v2 bot", "GET", false},
		{"a*a", "a", "GET", false},
		{"* PUT", "", "PUT", true},
	} {
		var p configs.AgentPattern
		if err := p.UnmarshalText([]byte(c.pattern)); err != nil {
			t.Fatal(err)
		}
		if got := p.Matches(c.agent, c.method); got != c.want {
			t.Errorf("%q matches %q %s: %t", c.pattern, c.agent, c.method, got)
		}
	}
}
