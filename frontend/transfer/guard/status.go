package guard

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"canopy/plugins"
	"canopy/plugins/wire/answer"
)

// StatusError is the cause of an error that an answer's status made. Nothing
// else that the host wrote is in it.
type StatusError struct {
	Status int
	// Origin is the scheme and host that answered, Method what it was asked.
	Origin, Method string
}

// Error returns who answered what to which method.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s answered %d %s to %s", e.Origin, e.Status, http.StatusText(e.Status), e.Method)
}

// statusError makes an error of an answer's status.
func statusError(resp *http.Response) *plugins.Error {
	r := resp.Request
	return &plugins.Error{
		Kind: kindOf(resp.StatusCode, r.Method),
		Err:  &StatusError{Status: resp.StatusCode, Origin: answer.Origin(r.URL), Method: r.Method},
	}
}

// kindOf is what a status means where a file is read or stored.
func kindOf(status int, method string) plugins.Kind {
	switch status {
	case http.StatusConflict:
		return plugins.NoParent
	case http.StatusPreconditionFailed:
		if method == http.MethodPut {
			return plugins.Exists
		}
	case http.StatusRequestEntityTooLarge, http.StatusInsufficientStorage:
		return plugins.Full
	case http.StatusServiceUnavailable:
		return plugins.Busy
	}
	return answer.Kind(status)
}

// broken makes an error of a failed exchange.
func broken(ctx context.Context, at *url.URL, err error) *plugins.Error {
	var refused *Refused
	if errors.As(err, &refused) {
		return &plugins.Error{Kind: plugins.Invalid, Err: refused}
	}
	if e := ended(ctx, answer.Origin(at)); e != nil {
		return e
	}
	var (
		fault   *plugins.Error
		timeout net.Error
		lookup  *net.DNSError
		cert    *tls.CertificateVerificationError
		op      *net.OpError
		errno   syscall.Errno
	)
	say := func(kind plugins.Kind, what string) *plugins.Error {
		return &plugins.Error{Kind: kind, Err: errors.New(answer.Origin(at) + ": " + what)}
	}
	switch {
	case errors.As(err, &fault): // of what was to be sent
		e := *fault
		return &e
	case errors.As(err, &timeout) && timeout.Timeout():
		return say(plugins.Timeout, "no connection in time")
	case errors.As(err, &lookup):
		return say(plugins.Unavailable, "the name cannot be resolved")
	case errors.As(err, &cert):
		return say(plugins.Unavailable, "the certificate does not hold: "+cert.Err.Error())
	case errors.As(err, &errno):
		return say(plugins.Unavailable, errno.Error())
	case errors.As(err, &op):
		return say(plugins.Unavailable, "the connection failed")
	}
	// What net/http says may quote the answer, which may quote the request.
	return say(plugins.Unavailable, "the connection broke, or the answer is not sound HTTP")
}

// ended makes an error of a context that has ended; nil if it has not.
func ended(ctx context.Context, from string) *plugins.Error {
	if ctx.Err() == nil {
		return nil
	}
	if errors.Is(context.Cause(ctx), errSilent) {
		return &plugins.Error{Kind: plugins.Timeout, Err: fmt.Errorf("%s: %w", from, errSilent)}
	}
	return &plugins.Error{Kind: plugins.KindOf(ctx.Err()), Err: ctx.Err()}
}

// roots returns the system's authorities and those in a file, or in the files
// of a directory. Files that hold no certificate are passed over there: such
// directories also hold policies and revocation lists.
func roots(path string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	files := []string{path}
	if info.IsDir() {
		members, err := os.ReadDir(path)
		if err != nil {
			return nil, err
		}
		files = files[:0]
		for _, m := range members {
			files = append(files, filepath.Join(path, m.Name()))
		}
	}
	found := false
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || !info.Mode().IsRegular() || info.Size() > maxBundle {
			continue
		}
		pem, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		found = pool.AppendCertsFromPEM(pem) || found
	}
	if !found {
		return nil, fmt.Errorf("%s: there is no certificate in PEM form", path)
	}
	return pool, nil
}

// maxBundle bounds a file of certificates.
const maxBundle = 16 << 20
