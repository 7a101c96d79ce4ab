// Package answer is what whoever asks over HTTP makes of an answer, whoever gave
// it: a storage, or another server of a third-party copy.
package answer

import (
	"io"
	"net/http"
	"net/url"
	"time"

	"canopy/plugins"
)

// Kind is the table from a status, from 300 on, to what kind of error it is. What
// it means for certain methods or with certain fields is for the caller to say.
func Kind(status int) plugins.Kind {
	switch status {
	case http.StatusNotFound, http.StatusGone:
		return plugins.NotFound
	case http.StatusUnauthorized, http.StatusForbidden:
		return plugins.Denied
	case http.StatusMethodNotAllowed, http.StatusNotImplemented, http.StatusLengthRequired:
		return plugins.Unsupported
	case http.StatusLocked:
		return plugins.Locked
	case http.StatusPreconditionFailed:
		return plugins.Changed
	case http.StatusRequestedRangeNotSatisfiable:
		return plugins.OutOfRange
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return plugins.Timeout
	case http.StatusTooManyRequests:
		return plugins.Busy
	}
	switch {
	case status >= 500:
		return plugins.Faulty
	case status >= 400:
		return plugins.Invalid
	}
	return plugins.Malformed
}

// Redirects reports whether an answer of that status sends the question
// elsewhere. A 303 means GET, whatever was asked (RFC 9110 section 15.4.4).
func Redirects(status int, method string) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	case http.StatusSeeOther:
		return method == http.MethodGet || method == http.MethodHead
	}
	return false
}

// Origin is the part of a URL that can hold no secret.
func Origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// What Drain reads at most.
const (
	DrainBytes = 64 << 10
	DrainTime  = 500 * time.Millisecond
)

// Drain reads the rest of an unwanted body, so that its connection can be used
// again, and closes it.
func Drain(body io.ReadCloser) {
	timer := time.AfterFunc(DrainTime, func() { body.Close() })
	defer timer.Stop()
	// Its only purpose is the connection, so no error matters.
	_, _ = io.Copy(io.Discard, io.LimitReader(body, DrainBytes))
	body.Close()
}
