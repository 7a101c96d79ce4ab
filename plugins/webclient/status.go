package webclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"canopy/plugins"
	"canopy/plugins/wire/answer"
)

// longestPause bounds what a storage may ask for with Retry-After.
const longestPause = time.Hour

// kindOf is what a status means; retryAfter is whether the storage said when to
// come back.
func kindOf(status int, retryAfter bool) plugins.Kind {
	if status == http.StatusServiceUnavailable && retryAfter {
		return plugins.Busy
	}
	return answer.Kind(status)
}

// StatusError is the cause of an error that an answer's status made. Nothing
// else that the storage wrote is in it.
type StatusError struct {
	Status int
	// Origin is the scheme and host that answered, Method what it was asked.
	Origin, Method string
	// foreign is whether the endpoint redirected to that host.
	foreign bool
}

// Error returns who answered what to which method.
func (e *StatusError) Error() string {
	s := fmt.Sprintf("%s answered %d %s to %s", e.Origin, e.Status, http.StatusText(e.Status), e.Method)
	if e.foreign {
		s += " (the endpoint redirected there; that host gets no credentials)"
	}
	return s
}

// statusError makes an error of an answer's status.
func statusError(resp *http.Response, foreign bool) *plugins.Error {
	pause, asked := retryAfter(resp.Header.Get("Retry-After"))
	e := &plugins.Error{Kind: kindOf(resp.StatusCode, asked)}
	if full(resp) {
		e.Kind = plugins.Full
	}
	if e.Kind == plugins.Busy {
		e.RetryAfter = pause
	}
	e.Err = &StatusError{Status: resp.StatusCode, Origin: answer.Origin(resp.Request.URL), Method: resp.Request.Method, foreign: foreign}
	return e
}

// full reports whether a storage says that what was sent is more than it has
// room for. To a question the same statuses are faults of its own.
func full(resp *http.Response) bool {
	switch resp.Request.Method {
	case http.MethodPut, "MKCOL", "MOVE", "COPY":
		return resp.StatusCode == http.StatusInsufficientStorage || resp.StatusCode == http.StatusRequestEntityTooLarge
	}
	return false
}

// retryAfter reads the header of that name: seconds or a date (RFC 9110
// section 10.2.3).
func retryAfter(value string) (time.Duration, bool) {
	if value == "" {
		return 0, false
	}
	if n, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, longestPause), true
	}
	if t, err := http.ParseTime(value); err == nil {
		return min(max(time.Until(t), 0), longestPause), true
	}
	return 0, false
}

// broken makes an error of a failed exchange. answered is whether a byte of an
// answer had arrived.
func broken(req *http.Request, err error, answered bool) *plugins.Error {
	e := &plugins.Error{Kind: plugins.Unavailable, Err: fmt.Errorf("%s: %w", answer.Origin(req.URL), err)}
	var (
		timeout net.Error
		op      *net.OpError
		errno   syscall.Errno
		cert    *tls.CertificateVerificationError
		lookup  *net.DNSError
	)
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		e.Kind = plugins.Timeout
	case errors.As(err, &op) && op.Op == "remote error" && !answered:
		// A TLS alert before any answer: the storage does not like our
		// certificate, or wants one.
		e.Kind = plugins.Denied
	case errors.Is(err, context.Canceled):
		e.Kind = plugins.Canceled
	case errors.As(err, &lookup) && lookup.IsNotFound:
		e.Err = fmt.Errorf("%s: %w; check the name in the url, and DNS", answer.Origin(req.URL), err)
	case op != nil, errors.As(err, &errno), errors.As(err, &cert),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
	case answered:
		// What net/http says quotes the answer, which may quote the request.
		e.Kind, e.Err = plugins.Malformed, fmt.Errorf("%s: the answer is not sound HTTP, or its header is longer than %d bytes", answer.Origin(req.URL), maxHeader)
	}
	return e
}

// ended makes an error of a context that has ended, by the caller or for
// silence; nil if it has not. The cause decides where it is a *plugins.Error.
func ended(ctx context.Context) *plugins.Error {
	if ctx.Err() == nil {
		return nil
	}
	var e *plugins.Error
	if errors.As(context.Cause(ctx), &e) {
		return &plugins.Error{Kind: e.Kind, Err: e.Err}
	}
	return &plugins.Error{Kind: plugins.KindOf(ctx.Err()), Err: ctx.Err()}
}
