package webclient

import (
	"fmt"
	"net/url"
	"strings"

	"canopy/plugins"
)

// Config is what every endpoint type that speaks HTTP has in common. A type
// embeds it in its own configuration with `yaml:",inline"`.
type Config struct {
	// URL is the address of the endpoint's root, http or https, without user,
	// password, query or fragment: https://dav.example.org/atlas
	URL string `yaml:"url"`
	// Credentials is what the storage wants to see from Canopy; at most one
	// kind. Clients never get it.
	Credentials Credentials `yaml:"credentials,omitempty"`
	// TLS is how the storage's certificate is judged.
	TLS TLS `yaml:"tls,omitempty"`
	// Proxy is the URL of an HTTP proxy between Canopy and the storage.
	// Without it there is none; the environment is not looked at.
	Proxy string `yaml:"proxy,omitempty"`
}

// Credentials is one way to authenticate to a storage, or none.
type Credentials struct {
	// Basic is a user name with a password.
	Basic *Basic `yaml:"basic,omitempty"`
	// Bearer is a token. Better is bearer_file.
	Bearer Secret `yaml:"bearer,omitempty"`
	// BearerFile is a file that holds a token. It may change at any time and
	// is read anew within a second.
	BearerFile string `yaml:"bearer_file,omitempty"`
	// X509 is a client certificate.
	X509 *X509 `yaml:"x509,omitempty"`
}

// Basic is a user name with a password, either written out or in a file.
type Basic struct {
	// User is the name.
	User string `yaml:"user"`
	// Password is the password. Better is password_file.
	Password Secret `yaml:"password,omitempty"`
	// PasswordFile is a file that holds the password; it may change.
	PasswordFile string `yaml:"password_file,omitempty"`
}

// X509 is a client certificate in PEM files, which may change at any time.
type X509 struct {
	// Certificate is the file of the certificate and its chain.
	Certificate string `yaml:"certificate" config:"file"`
	// Key is the file of the private key; default is the file of the
	// certificate, as a grid proxy holds both.
	Key string `yaml:"key,omitempty" config:"file"`
}

// TLS is how the certificate of the storage is judged.
type TLS struct {
	// CA is a file of PEM certificates, or a directory of such files, that are
	// trusted instead of those of the system.
	CA string `yaml:"ca,omitempty"`
	// ServerName is the name that the certificate must have; default is the
	// host of the URL.
	ServerName string `yaml:"server_name,omitempty"`
	// InsecureSkipVerify accepts any certificate. Anybody on the way can then
	// read the credentials and change the data: for tests only.
	InsecureSkipVerify bool `yaml:"insecure_skip_verify,omitempty"`
}

// Secret is a string that is never printed, logged or marshalled.
type Secret string

const redacted = "***"

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString hides the secret.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// MarshalText hides the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Validate reports the first setting that cannot work as a
// *plugins.FieldError, without touching the network or a file.
func (c *Config) Validate() error {
	if _, err := parseBase(c.URL); err != nil {
		return &plugins.FieldError{Key: "url", Problem: err.Error()}
	}
	if c.Proxy != "" {
		if _, err := parseBase(c.Proxy); err != nil {
			return &plugins.FieldError{Key: "proxy", Problem: err.Error()}
		}
	}
	return c.Credentials.validate(strings.HasPrefix(strings.ToLower(c.URL), "https:"))
}

func (c *Credentials) validate(https bool) error {
	var kinds []string
	for _, k := range []struct {
		name string
		set  bool
	}{
		{"basic", c.Basic != nil}, {"bearer", c.Bearer != ""},
		{"bearer_file", c.BearerFile != ""}, {"x509", c.X509 != nil},
	} {
		if k.set {
			kinds = append(kinds, k.name)
		}
	}
	if len(kinds) > 1 {
		return &plugins.FieldError{Key: "credentials", Problem: "keep one of " + strings.Join(kinds, " and ")}
	}
	fault := func(key, problem string) error {
		return &plugins.FieldError{Key: "credentials." + key, Problem: problem}
	}
	switch b := c.Basic; {
	case b == nil:
	case b.User == "" || strings.Contains(b.User, ":"):
		return fault("basic.user", "give a user name without a colon")
	case b.Password != "" && b.PasswordFile != "":
		return fault("basic", "keep one of password and password_file")
	case b.Password == "" && b.PasswordFile == "":
		return fault("basic.password_file", "give a password or a password_file")
	}
	if c.Bearer != "" {
		if err := checkToken(string(c.Bearer)); err != nil {
			return fault("bearer", err.Error())
		}
	}
	switch x := c.X509; {
	case x == nil:
	case x.Certificate == "":
		return fault("x509.certificate", "name the PEM file of the certificate")
	case !https:
		return fault("x509", "a client certificate needs an https url")
	}
	return nil
}

// checkToken refuses what cannot stand in a header. It never repeats the token.
func checkToken(s string) error {
	if s == "" {
		return fmt.Errorf("is empty")
	}
	for _, b := range []byte(s) {
		if b <= ' ' || b >= 0x7f {
			return fmt.Errorf("holds a space or a character that cannot stand in a header")
		}
	}
	return nil
}

// parseBase checks an http or https URL without anything that does not belong
// into the address of a server. Its error never repeats the URL, which may
// hold a password.
func parseBase(s string) (*url.URL, error) {
	if s == "" {
		return nil, fmt.Errorf("is missing; give an address such as https://dav.example.org/data")
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("is no URL")
	}
	switch scheme := strings.ToLower(u.Scheme); {
	case scheme == "davs", scheme == "dav":
		return nil, fmt.Errorf("the scheme is written https here, or http for one without encryption")
	case scheme != "http" && scheme != "https":
		return nil, fmt.Errorf("must begin with https:// or http://")
	case u.User != nil:
		return nil, fmt.Errorf("must not hold a user or password; use credentials")
	case u.Hostname() == "":
		return nil, fmt.Errorf("names no host")
	case strings.ContainsFunc(u.Host, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`<>"\^{}|`+"`", r) }):
		return nil, fmt.Errorf("the host must be ASCII; write an international name in its xn-- form")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(s, "#"):
		return nil, fmt.Errorf("must not hold a query or fragment")
	}
	if _, ok := Split(u.EscapedPath()); !ok {
		return nil, fmt.Errorf("the path must not hold .., an encoded slash or NUL")
	}
	u.Scheme = strings.ToLower(u.Scheme)
	return u, nil
}
