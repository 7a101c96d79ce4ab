package frontend

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"canopy/federator"
	"canopy/frontend/accept"
	"canopy/plugins"
	"canopy/web"
)

// problem is a request that is not fulfilled: what the client is told, and
// what only the log is.
type problem struct {
	status int
	// sentence is what went wrong; "" is the usual text for the status.
	sentence string
	missing  []string
	retry    time.Duration
	allow    string // the value of Allow
	// document is an answer of its own, in XML.
	document []byte
	cause    error
}

func (p *problem) Error() string {
	if p.cause != nil {
		return p.cause.Error()
	}
	return p.text()
}

func (p *problem) Unwrap() error { return p.cause }

// invalid is a request that makes no sense.
func invalid(sentence string) *problem {
	return &problem{status: http.StatusBadRequest, sentence: sentence}
}

// statusGone is what the log says of a client that did not wait for its
// answer, after a habit of nginx.
const statusGone = 499

// statusOf is what a kind of error of a storage comes to.
func statusOf(k plugins.Kind) int {
	switch k {
	case plugins.NotFound, plugins.NotDirectory:
		return http.StatusNotFound
	case plugins.IsDirectory, plugins.NoParent, plugins.NotEmpty:
		return http.StatusConflict
	case plugins.Exists:
		return http.StatusPreconditionFailed
	case plugins.Full:
		return http.StatusInsufficientStorage
	case plugins.Locked:
		return http.StatusLocked
	case plugins.OutOfRange:
		return http.StatusRequestedRangeNotSatisfiable
	case plugins.Unsupported:
		return http.StatusNotImplemented
	case plugins.Invalid:
		return http.StatusBadRequest
	case plugins.Changed, plugins.Unavailable, plugins.Busy:
		return http.StatusServiceUnavailable
	case plugins.Denied: // it is Canopy whom the storage refuses
		return http.StatusBadGateway
	case plugins.Faulty, plugins.Malformed:
		return http.StatusBadGateway
	case plugins.Timeout:
		return http.StatusGatewayTimeout
	case plugins.Canceled:
		return statusGone
	}
	return http.StatusInternalServerError
}

// soon is what clients are told to wait where the storage did not say.
const soon = 5 * time.Second

// problemOf returns what an error comes to for the client.
func problemOf(err error) *problem {
	var p *problem
	var absent *federator.Absent
	var unknown *federator.Unknown
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &absent):
		return &problem{status: http.StatusNotFound, missing: absent.Missing, cause: err}
	case errors.As(err, &unknown):
		return &problem{status: http.StatusServiceUnavailable, missing: unknown.Missing, retry: unknown.RetryAfter, cause: err}
	case errors.Is(err, context.Canceled):
		return &problem{status: statusGone, cause: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &problem{status: http.StatusGatewayTimeout, retry: soon, cause: err}
	}
	var e *plugins.Error
	if !errors.As(err, &e) {
		return &problem{status: http.StatusInternalServerError, cause: err}
	}
	p = &problem{status: statusOf(e.Kind), retry: e.RetryAfter, cause: err}
	if p.status == http.StatusServiceUnavailable && p.retry == 0 {
		p.retry = soon
	}
	return p
}

// fail answers with what err comes to.
func (x *exchange) fail(err error) {
	p := problemOf(err)
	level := slog.LevelDebug
	if p.status >= 500 {
		level = slog.LevelWarn
	}
	if x.h.log.Enabled(x.Request.Context(), level) {
		x.h.log.Log(x.Request.Context(), level, "request failed", "request", x.ID, "method", x.Request.Method, "path", x.path, "status", p.status, "err", err)
	}
	if x.Status != 0 || errors.Is(err, errBroken) {
		x.Broken = true
		return
	}
	if p.status == statusGone {
		// Nobody is there to read it; should somebody be, it is no success.
		x.ResponseWriter.WriteHeader(http.StatusServiceUnavailable)
		x.Status = statusGone
		return
	}
	x.show(p)
}

// show sends the problem in the form that the client understands.
func (x *exchange) show(p *problem) {
	h := x.Header()
	// A panic may have left what was meant for another answer.
	for _, name := range [...]string{"Etag", "Last-Modified", "Link", "Digest", "Repr-Digest", "Content-Disposition", "Trailer"} {
		delete(h, name)
	}
	h["Cache-Control"] = uncached
	x.expose()
	x.incomplete(p.missing)
	if p.retry > 0 {
		h["Retry-After"] = []string{strconv.FormatInt(int64((p.retry+time.Second-1)/time.Second), 10)}
	}
	if p.allow != "" {
		h["Allow"] = []string{p.allow}
	}
	if p.status == http.StatusUnauthorized && x.h.options.Guard != nil {
		h["Www-Authenticate"] = x.h.options.Guard.Challenges()
	}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	var body []byte
	switch form := accept.Named(x.Request.Header["Accept"], "text/html", "application/json"); {
	case p.document != nil:
		h["Content-Type"] = []string{"application/xml; charset=utf-8"}
		body = p.document
	case form == "text/html":
		for name, value := range web.Headers() {
			h.Set(name, value)
		}
		var b strings.Builder
		page := web.ErrorPage{Page: x.page(), Status: p.status, Incomplete: len(p.missing) > 0, Sentence: p.sentence, Details: p.missing, RetryAfter: p.retry}
		if err := x.h.options.Pages.Error(&b, page); err != nil {
			x.h.log.Error("no page for an error", "request", x.ID, "err", err)
		}
		body = []byte(b.String())
	case form == "application/json":
		h["Content-Type"] = []string{"application/json"}
		body = p.json(x.ID)
	default:
		h["Content-Type"] = []string{"text/plain; charset=utf-8"}
		body = []byte(p.text() + "\nRequest " + x.ID + "\n")
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	x.WriteHeader(p.status)
	if x.Request.Method != http.MethodHead {
		x.Write(body) // a client that has gone is of no concern here
	}
}

// text returns what to say in a sentence or two.
func (p *problem) text() string {
	s := p.sentence
	if s == "" {
		s = sentence(p.status)
	}
	if len(p.missing) > 0 {
		s += " Not asked, or silent: " + strings.Join(p.missing, ", ") + "."
	}
	return s
}

// sentence is the usual text for a status.
func sentence(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "This is open only to those who prove who they are."
	case http.StatusForbidden:
		return "You are not allowed to do this here."
	case http.StatusNotFound:
		return "No endpoint that could be asked has this path."
	case http.StatusPreconditionFailed:
		return "The file is not the one that the request is meant for."
	case http.StatusInternalServerError:
		return "An error inside of Canopy kept it from answering."
	case http.StatusBadGateway:
		return "The storage that was asked gave an answer that cannot be used."
	case http.StatusServiceUnavailable:
		return "An endpoint that may hold this path cannot be asked now. Try again later."
	case http.StatusGatewayTimeout:
		return "The storage did not answer in time."
	}
	return http.StatusText(status) + "."
}

// json returns the problem as JSON.
func (p *problem) json(id string) []byte {
	b, err := json.Marshal(struct {
		Error      string   `json:"error"`
		Status     int      `json:"status"`
		Incomplete []string `json:"incomplete,omitempty"`
		Request    string   `json:"request,omitempty"`
	}{p.text(), p.status, p.missing, id})
	if err != nil {
		return []byte("{}\n") // strings and numbers always marshal
	}
	return append(b, '\n')
}

// incomplete tells who is missing in the answer, if anybody.
func (x *exchange) incomplete(missing []string) {
	if len(missing) > 0 {
		x.Header()["Canopy-Incomplete"] = []string{strings.Join(missing, ", ")}
	}
}

// aged tells that what is sent has passed its time.
func (x *exchange) aged(stale bool, age time.Duration) {
	if stale {
		x.Header()["Age"] = []string{seconds(age)}
		x.Header()["Canopy-Stale"] = []string{"true"}
	}
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(max(0, d)/time.Second), 10) }
