package webclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"canopy/plugins"
)

func TestValidate(t *testing.T) {
	const good = "https://dav.example.org/atlas"
	for _, c := range []struct {
		name string
		cfg  Config
		key  string // "" is sound
	}{
		{"plain", Config{URL: good}, ""},
		{"http", Config{URL: "http://h:8080"}, ""},
		{"basic", Config{URL: good, Credentials: Credentials{Basic: &Basic{User: "u", Password: "p"}}}, ""},
		{"basic file", Config{URL: good, Credentials: Credentials{Basic: &Basic{User: "u", PasswordFile: "p"}}}, ""},
		{"bearer", Config{URL: good, Credentials: Credentials{Bearer: "t"}}, ""},
		{"x509", Config{URL: "HTTPS://h", Credentials: Credentials{X509: &X509{Certificate: "proxy.pem"}}}, ""},
		{"proxy", Config{URL: good, Proxy: "http://proxy:3128"}, ""},

		{"none", Config{}, "url"},
		{"scheme", Config{URL: "ftp://h/"}, "url"},
		{"davs", Config{URL: "davs://h/"}, "url"},
		{"relative", Config{URL: "h/a"}, "url"},
		{"no host", Config{URL: "https:///a"}, "url"},
		{"user", Config{URL: "https://user:hunter2@h/"}, "url"},
		{"query", Config{URL: "https://h/?token=hunter2"}, "url"},
		{"empty query", Config{URL: "https://h/?"}, "url"},
		{"fragment", Config{URL: "https://h/#hunter2"}, "url"},
		{"unsound", Config{URL: "https://hunter2:x/%zz"}, "url"},
		{"dots", Config{URL: "https://h/a/../b"}, "url"},
		{"slash", Config{URL: "https://h/a%2fb"}, "url"},
		{"host", Config{URL: "https://dåta.example.org/"}, "url"},
		{"proxy user", Config{URL: good, Proxy: "http://u:hunter2@proxy"}, "proxy"},
		{"two", Config{URL: good, Credentials: Credentials{Bearer: "hunter2", BearerFile: "f"}}, "credentials"},
		{"bearer newline", Config{URL: good, Credentials: Credentials{Bearer: "hunter2\r\nX: y"}}, "credentials.bearer"},
		{"no user", Config{URL: good, Credentials: Credentials{Basic: &Basic{Password: "hunter2"}}}, "credentials.basic.user"},
		{"colon", Config{URL: good, Credentials: Credentials{Basic: &Basic{User: "a:b", Password: "hunter2"}}}, "credentials.basic.user"},
		{"two passwords", Config{URL: good, Credentials: Credentials{Basic: &Basic{User: "u", Password: "hunter2", PasswordFile: "f"}}}, "credentials.basic"},
		{"no password", Config{URL: good, Credentials: Credentials{Basic: &Basic{User: "u"}}}, "credentials.basic.password_file"},
		{"no certificate", Config{URL: good, Credentials: Credentials{X509: &X509{Key: "k"}}}, "credentials.x509.certificate"},
		{"x509 on http", Config{URL: "http://h", Credentials: Credentials{X509: &X509{Certificate: "c"}}}, "credentials.x509"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.cfg.Validate()
			var field *plugins.FieldError
			switch {
			case c.key == "" && err != nil:
				t.Errorf("error %v, want none", err)
			case c.key != "" && (!errors.As(err, &field) || field.Key != c.key):
				t.Errorf("error %v, want one about %s", err, c.key)
			case err != nil && strings.Contains(err.Error(), "hunter2"):
				t.Errorf("error %q repeats a secret", err)
			}
		})
	}
}

func TestConfigDecodes(t *testing.T) {
	var section struct {
		Config `yaml:",inline"`
	}
	const text = `
url: https://dav.example.org/atlas
credentials: {basic: {user: ops, password: hunter2}}
tls: {ca: /etc/grid-security/certificates, server_name: dav.example.org}
`
	if err := yaml.Unmarshal([]byte(text), &section); err != nil {
		t.Fatal(err)
	}
	if b := section.Credentials.Basic; b == nil || b.User != "ops" || b.Password != "hunter2" {
		t.Errorf("basic = %+v", b)
	}
	if section.TLS.CA != "/etc/grid-security/certificates" || section.URL != "https://dav.example.org/atlas" {
		t.Errorf("decoded %+v", section)
	}
}

func TestSecretIsNotPrinted(t *testing.T) {
	b := Basic{User: "ops", Password: "hunter2"}
	asJSON, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(b), fmt.Sprintf("%+v %#v %q %s %v", b, b, b, b.Password, &b), string(asJSON), string(asYAML)} {
		if strings.Contains(s, "hunter2") {
			t.Errorf("%s shows the secret", s)
		}
	}
	if Secret("").String() != "" {
		t.Error("an empty secret prints as if it were set")
	}
}
