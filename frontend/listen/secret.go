package listen

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"

	"canopy/frontend/listen/reload"
)

// secret is how a listener proves who it is, as its files have it.
type secret struct {
	files TLS
	// config is for every connection; it looks up the present one.
	config *tls.Config
}

// newSecret reads the files, and fails where they are of no use.
func newSecret(files TLS, log *slog.Logger) (*secret, error) {
	names := []string{files.Certificate, files.Key}
	if files.ClientCA != "" {
		names = append(names, files.ClientCA)
	}
	current, err := reload.New(
		func(contents [][]byte) (*tls.Config, error) { return parseSecret(files, contents) },
		func(err error) {
			if err != nil {
				log.Warn("certificate files cannot be used, the last good ones stay in force", "err", err)
				return
			}
			log.Info("certificate files were read anew", "certificate", files.Certificate)
		},
		names...)
	if err != nil {
		return nil, err
	}
	return &secret{files, &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return current.Get(), nil },
	}}, nil
}

// parseSecret makes a configuration of the contents of the files.
func parseSecret(files TLS, contents [][]byte) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(contents[0], contents[1])
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", files.Certificate, files.Key, err)
	}
	c := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
		Certificates: []tls.Certificate{pair},
	}
	if files.ClientCA != "" {
		c.ClientCAs = x509.NewCertPool()
		if !c.ClientCAs.AppendCertsFromPEM(contents[2]) {
			return nil, fmt.Errorf("client_ca %s: there is no certificate in it", files.ClientCA)
		}
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return c, nil
}
