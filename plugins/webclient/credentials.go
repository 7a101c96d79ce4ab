package webclient

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"canopy/plugins"
)

// credentials is what the storage gets to see.
type credentials struct {
	// fixed is the value of the Authorization header, or "".
	fixed string
	// header is the same where it comes from a file, or nil.
	header *reloaded[string]
	// certificate is the client certificate, or nil.
	certificate *reloaded[*tls.Certificate]
}

// authorization returns the value of the Authorization header, or "".
func (c *credentials) authorization() string {
	if c.header == nil {
		return c.fixed
	}
	value, _ := c.header.get()
	return value
}

// open reads the files that the configuration names.
func (c *Credentials) open(log *slog.Logger) (*credentials, error) {
	out := &credentials{}
	var err error
	key := ""
	switch {
	case c.Basic != nil && c.Basic.PasswordFile != "":
		key = "credentials.basic.password_file"
		user := c.Basic.User
		out.header, err = reload(log, func(files [][]byte) (string, error) {
			// Editors end a file with a newline that belongs to no password.
			return basicAuth(user, strings.TrimRight(string(files[0]), "\r\n"))
		}, c.Basic.PasswordFile)
	case c.Basic != nil:
		key = "credentials.basic.password"
		out.fixed, err = basicAuth(c.Basic.User, string(c.Basic.Password))
	case c.BearerFile != "":
		key = "credentials.bearer_file"
		out.header, err = reload(log, func(files [][]byte) (string, error) {
			token := strings.TrimSpace(string(files[0]))
			return "Bearer " + token, checkToken(token)
		}, c.BearerFile)
	case c.Bearer != "":
		out.fixed = "Bearer " + string(c.Bearer)
	case c.X509 != nil:
		key = "credentials.x509.certificate"
		files := []string{c.X509.Certificate}
		if c.X509.Key != "" && c.X509.Key != c.X509.Certificate {
			files = append(files, c.X509.Key)
		}
		out.certificate, err = reload(log, keyPair, files...)
	}
	if err != nil {
		return nil, &plugins.FieldError{Key: key, Problem: err.Error()}
	}
	return out, nil
}

func basicAuth(user, password string) (string, error) {
	if password == "" {
		return "", errors.New("holds no password")
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)), nil
}

// keyPair makes a certificate of one file that holds all, or of two.
func keyPair(files [][]byte) (*tls.Certificate, error) {
	cert, err := tls.X509KeyPair(files[0], files[len(files)-1])
	if err != nil {
		return nil, err
	}
	return &cert, nil
}

// roots reads the certificates that are trusted: a file, or every file of a
// directory. Files of a directory without a certificate (revocation lists,
// signing policies) are passed over.
func roots(name string) (*x509.CertPool, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	files := []string{name}
	if info.IsDir() {
		entries, err := os.ReadDir(name)
		if err != nil {
			return nil, err
		}
		files = files[:0]
		for _, e := range entries {
			// A hashed name is a link to the certificate and is followed.
			full := filepath.Join(name, e.Name())
			if info, err := os.Stat(full); err == nil && info.Mode().IsRegular() {
				files = append(files, full)
			}
		}
	}
	pool, found := x509.NewCertPool(), false
	for _, f := range files {
		data, _, err := readFile(f)
		if err != nil {
			return nil, err
		}
		found = pool.AppendCertsFromPEM(data) || found
	}
	if !found {
		return nil, fmt.Errorf("%s: holds no PEM certificate", name)
	}
	return pool, nil
}
