package rig

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// ThirdParty makes XRootD copy files from and to other servers when it is asked
// by COPY. XRootD 5.5 loads that part only where it has a certificate, so it
// gets one of its own making; it goes on to answer without TLS.
func ThirdParty() Option { return func(s *Server) { s.thirdParty = true } }

// thirdPartyLines are the lines for it in XRootD's configuration file.
func (s *Server) thirdPartyLines() string {
	cert, key := s.certificate()
	return fmt.Sprintf(`xrd.tls %[1]s %[2]s
xrd.tlsca certfile %[1]s
http.exthandler xrdtpc libXrdHttpTPC.so
`, cert, key)
}

// certificate writes a certificate for this machine that vouches for itself,
// and returns the names of its files.
func (s *Server) certificate() (cert, key string) {
	s.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatalf("rig: %v", err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	public, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		s.t.Fatalf("rig: %v", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		s.t.Fatalf("rig: %v", err)
	}
	cert = s.file("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public})))
	key = s.secret("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	return cert, key
}

// secret is file for what only the server's account may read.
func (s *Server) secret(name, content string) string {
	s.t.Helper()
	path := filepath.Join(s.work, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatalf("rig: %v", err)
	}
	return path
}
