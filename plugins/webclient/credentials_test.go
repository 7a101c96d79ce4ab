package webclient

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"canopy/plugins"
)

// put replaces a file as those who renew credentials do.
func put(t *testing.T, name string, parts ...[]byte) {
	t.Helper()
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	if err := os.WriteFile(name+".new", all, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

func TestTokenFileIsReadAnew(t *testing.T) {
	for _, c := range []struct {
		name   string
		config func(file string) Credentials
		want   func(secret string) string
	}{
		{"bearer", func(f string) Credentials { return Credentials{BearerFile: f} }, func(s string) string { return "Bearer " + s }},
		{"basic", func(f string) Credentials { return Credentials{Basic: &Basic{User: "u", PasswordFile: f}} }, func(s string) string {
			v, _ := basicAuth("u", s)
			return v
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "secret")
				put(t, file, []byte("one\n"))
				var log strings.Builder
				config := c.config(file)
				creds, err := config.open(slog.New(slog.NewTextHandler(&log, nil)))
				if err != nil {
					t.Fatal(err)
				}
				expect := func(secret string) {
					t.Helper()
					if got := creds.authorization(); got != c.want(secret) {
						t.Errorf("got %q, want that of %q", got, secret)
					}
				}
				expect("one")
				put(t, file, []byte("two\n"))
				expect("one") // looked at less than a second ago
				<-time.After(recheck)
				expect("two")

				// While the file is away or empty, the last one is used.
				os.Remove(file)
				<-time.After(recheck)
				expect("two")
				put(t, file, []byte("\n"))
				for range 3 {
					<-time.After(recheck)
					expect("two")
				}
				if n := strings.Count(log.String(), "level=WARN"); n != 1 {
					t.Errorf("%d warnings, want 1: %s", n, log.String())
				}
				put(t, file, []byte("three"))
				<-time.After(recheck)
				expect("three")
				if strings.Contains(log.String(), "two") {
					t.Errorf("the log shows a secret: %s", log.String())
				}
			})
		})
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		full := filepath.Join(dir, name)
		put(t, full, []byte(text))
		return full
	}
	for _, c := range []struct {
		key string
		cfg Config
	}{
		{"credentials.bearer_file", Config{Credentials: Credentials{BearerFile: filepath.Join(dir, "absent")}}},
		{"credentials.bearer_file", Config{Credentials: Credentials{BearerFile: file("empty", " \n")}}},
		{"credentials.bearer_file", Config{Credentials: Credentials{BearerFile: file("two lines", "hunter2\nhunter2")}}},
		{"credentials.bearer_file", Config{Credentials: Credentials{BearerFile: file("huge", strings.Repeat("x", maxFile+1))}}},
		{"credentials.bearer_file", Config{Credentials: Credentials{BearerFile: dir}}},
		{"credentials.basic.password_file", Config{Credentials: Credentials{Basic: &Basic{User: "u", PasswordFile: filepath.Join(dir, "absent")}}}},
		{"credentials.x509.certificate", Config{Credentials: Credentials{X509: &X509{Certificate: file("pem", "hunter2")}}}},
		{"tls.ca", Config{TLS: TLS{CA: filepath.Join(dir, "absent")}}},
		{"tls.ca", Config{TLS: TLS{CA: file("none.pem", "hunter2")}}},
		{"tls.ca", Config{TLS: TLS{CA: t.TempDir()}}},
	} {
		c.cfg.URL = "https://h"
		_, err := New(c.cfg, testEnv())
		var field *plugins.FieldError
		if !errors.As(err, &field) || field.Key != c.key || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error %v, want one about %s", err, c.key)
		}
	}
}

// issuer is a certificate authority.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// issue makes a certificate, signed by ca or, if that is nil, by itself.
func issue(t *testing.T, ca *issuer, name string) (cert *issuer, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{name}, IsCA: ca == nil, BasicConstraintsValid: true,
	}
	out := &issuer{cert: c, key: private}
	if ca == nil {
		ca = out
	}
	der, err := x509.CreateCertificate(rand.Reader, c, ca.cert, &private.PublicKey, ca.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	out.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return out, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// secured runs a server of ca that wants client certificates, and answers with
// the name in the one it got.
func secured(t *testing.T, ca *issuer) *httptest.Server {
	t.Helper()
	cert, key := issue(t, ca, "dav.example.org")
	pair, err := tls.X509KeyPair(cert.pem, key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca.pem)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"`+r.TLS.PeerCertificates[0].Subject.CommonName+`"`)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestClientCertificateAndPrivateCA(t *testing.T) {
	ca, _ := issue(t, nil, "ca")
	s := secured(t, ca)
	dir := t.TempDir()
	proxy, cas := filepath.Join(dir, "proxy.pem"), filepath.Join(dir, "certificates")
	if err := os.Mkdir(cas, 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(cas, "ca.pem"), ca.pem)
	put(t, filepath.Join(cas, "ca.signing_policy"), []byte("access_id_CA X509 'ca'\n"))
	if err := os.Symlink("ca.pem", filepath.Join(cas, "0a1b2c3d.0")); err != nil {
		t.Fatal(err)
	}

	// A grid proxy: certificate and key in one file.
	alice, aliceKey := issue(t, ca, "alice")
	put(t, proxy, alice.pem, aliceKey)
	cfg := Config{
		URL: s.URL, TLS: TLS{CA: cas, ServerName: "dav.example.org"},
		Credentials: Credentials{X509: &X509{Certificate: proxy}},
	}
	c := newClient(t, cfg, testEnv())
	who := func(c *Client) string {
		t.Helper()
		e, err := c.Head(t.Context(), "/x")
		if err != nil {
			t.Fatal(err)
		}
		return e.ETag
	}
	if got := who(c); got != `"alice"` {
		t.Errorf("the storage saw %s, want alice", got)
	}
	// A new certificate is used although a connection is open.
	bob, bobKey := issue(t, ca, "bob")
	put(t, proxy, bob.pem, bobKey)
	c.credentials.certificate.checked = time.Time{}
	if got := who(c); got != `"bob"` {
		t.Errorf("the storage saw %s, want bob", got)
	}
	// Two files, and the CA as a file.
	put(t, filepath.Join(dir, "cert.pem"), alice.pem)
	put(t, filepath.Join(dir, "key.pem"), aliceKey)
	cfg.TLS.CA = filepath.Join(cas, "ca.pem")
	cfg.Credentials.X509 = &X509{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	if got := who(newClient(t, cfg, testEnv())); got != `"alice"` {
		t.Errorf("the storage saw %s, want alice", got)
	}

	for _, x := range []struct {
		name   string
		change func(*Config)
		want   plugins.Kind
	}{
		{"no certificate", func(c *Config) { c.Credentials = Credentials{} }, plugins.Denied},
		{"unknown CA", func(c *Config) { c.TLS.CA = "" }, plugins.Unavailable},
		{"another name", func(c *Config) { c.TLS.ServerName = "other.example.org" }, plugins.Unavailable},
		{"anything goes", func(c *Config) { c.TLS = TLS{InsecureSkipVerify: true} }, 0},
	} {
		changed := cfg
		x.change(&changed)
		_, err := newClient(t, changed, testEnv()).Head(t.Context(), "/x")
		if got := plugins.KindOf(err); got != x.want {
			t.Errorf("%s: kind %v, want %v; error: %v", x.name, got, x.want, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{URL: "http://h", Credentials: Credentials{Bearer: "t"}}, "without encryption"},
		{Config{URL: "https://h", TLS: TLS{InsecureSkipVerify: true}}, "not checked"},
		{Config{URL: "https://h", Credentials: Credentials{Bearer: "t"}}, ""},
	} {
		var log strings.Builder
		env := testEnv()
		env.Log = slog.New(slog.NewTextHandler(&log, nil))
		newClient(t, c.cfg, env)
		if got := log.String(); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("log %q, want %q", got, c.want)
		}
	}
}
