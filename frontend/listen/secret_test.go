package listen

import (
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestReload: certificates are read anew, and those that cannot be used leave
// the old ones in force.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		authority := issue(t, "authority", nil)
		dir := t.TempDir()
		files := issue(t, "first", authority).save(t, dir)
		var said record
		s, err := newSecret(files, said.logger())
		if err != nil {
			t.Fatal(err)
		}
		subject := func() string {
			time.Sleep(time.Second)
			c, err := s.config.GetConfigForClient(nil)
			if err != nil {
				t.Fatal(err)
			}
			return c.Certificates[0].Leaf.Subject.CommonName
		}
		issue(t, "second", authority).save(t, dir)
		if got := subject(); got != "second" {
			t.Errorf("got the certificate %s", got)
		}
		third := issue(t, "third", authority)
		other := third.save(t, t.TempDir())
		move := func(from, to string) {
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
		move(other.Certificate, files.Certificate) // with the key of another
		if got := subject(); got != "second" {
			t.Errorf("got the certificate %s, whose key is not there", got)
		}
		move(other.Key, files.Key)
		if got := subject(); got != "third" {
			t.Errorf("got the certificate %s", got)
		}
		if log := said.String(); strings.Count(log, "cannot be used") != 1 || strings.Count(log, "read anew") != 2 {
			t.Errorf("logged:\n%s", log)
		}
	})
}

// TestClientCertificates: they are asked for where it is configured, may be
// missing, and must be of the authority.
func TestClientCertificates(t *testing.T) {
	authority, stranger := issue(t, "authority", nil), issue(t, "stranger", nil)
	dir := t.TempDir()
	plain := issue(t, "server", authority).save(t, dir)
	asking := plain
	asking.ClientCA = filepath.Join(dir, "ca.pem")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.cert.Raw})
	if err := os.WriteFile(asking.ClientCA, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	s := server(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, chain := range r.TLS.VerifiedChains {
			w.Write([]byte(chain[0].Subject.CommonName))
		}
	})}, Listener{Address: "127.0.0.1:0", TLS: &plain}, Listener{Address: "localhost:0", TLS: &asking})
	if plain, asking := s.open[0], s.open[1]; plain.tls.Load().files.ClientCA != "" || asking.tls.Load().files.ClientCA == "" {
		t.Fatal("listeners are mixed up")
	}

	for _, c := range []struct {
		name string
		at   int
		own  []tls.Certificate
		want string
	}{
		{"none, not asked", 0, nil, ""},
		{"good, not asked", 0, []tls.Certificate{issue(t, "ann", authority).pair()}, ""},
		{"none", 1, nil, ""},
		{"good", 1, []tls.Certificate{issue(t, "ann", authority).pair()}, "ann"},
	} {
		if _, body := get(t, client(t, authority.cert, c.own...), url(s, c.at)); body != c.want {
			t.Errorf("%s: got %q", c.name, body)
		}
	}

	// A client that offers what it was not asked for.
	own := issue(t, "eve", stranger).pair()
	config := client(t, authority.cert).Transport.(*http.Transport).TLSClientConfig
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	if resp, err := (&http.Client{Transport: transport}).Get(url(s, 1)); err == nil {
		resp.Body.Close()
		t.Error("a stranger's certificate was accepted")
	}
}

// url is the address of a listener by number, as the certificate has it.
func url(s *Server, i int) string {
	b := s.Bound()[i]
	_, port, _ := strings.Cut(b.URL()[len("https://"):], ":")
	return "https://127.0.0.1:" + port
}

func TestOldTLS(t *testing.T) {
	authority := issue(t, "authority", nil)
	files := issue(t, "server", authority).save(t, t.TempDir())
	s := server(t, Options{Handler: protocol}, Listener{Address: "127.0.0.1:0", TLS: &files})
	config := client(t, authority.cert).Transport.(*http.Transport).TLSClientConfig
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if conn, err := tls.Dial("tcp", s.Bound()[0].Addr.String(), config); err == nil {
		conn.Close()
		t.Error("TLS 1.1 was accepted")
	}
	config.MaxVersion = tls.VersionTLS12
	conn, err := tls.Dial("tcp", s.Bound()[0].Addr.String(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
}

func TestSecretFails(t *testing.T) {
	files := issue(t, "server", nil).save(t, t.TempDir())
	withCA := files
	withCA.ClientCA = files.Key
	for want, files := range map[string]TLS{
		"certificate " + files.Key + " with key " + files.Key + ": tls: failed to find certificate PEM data in certificate input": {Certificate: files.Key, Key: files.Key},
		"client_ca " + files.Key + ": there is no certificate in it":                                                              withCA,
	} {
		if _, err := newSecret(files, new(record).logger()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
