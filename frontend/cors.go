package frontend

import (
	"io"
	"net/http"
	"strings"
)

// Values of headers, which net/http does not change.
var (
	anybody  = []string{"*"}
	uncached = []string{"no-store"}
	exposed  = []string{"Link, Location, Digest, Repr-Digest, ETag, Content-Length, Content-Range, Accept-Ranges, Age, " +
		"Canopy-Incomplete, Canopy-Stale, X-Request-Id"}
)

// expose lets scripts of other origins read the headers of an answer. A
// redirect needs none of it: what it leads to counts.
func (x *exchange) expose() { x.Header()["Access-Control-Expose-Headers"] = exposed }

// requestHeaders are those that a script of another origin may send.
const requestHeaders = "Accept, Authorization, Content-Type, Depth, If-Match, If-Modified-Since, If-None-Match, If-Range, " +
	"If-Unmodified-Since, Prefer, Range, Want-Digest, Want-Repr-Digest, X-Request-Id"

// tell answers OPTIONS for the namespace.
func (x *exchange) tell() error {
	h := x.Header()
	h["Dav"] = x.h.classes()
	h["Ms-Author-Via"] = []string{"DAV"}
	return x.permit(x.h.allowed())
}

// readers returns those of the methods that change nothing. POST is how to ask
// for much.
func readers(methods string) string {
	var all []string
	for m := range strings.SplitSeq(methods, ", ") {
		switch m {
		case http.MethodOptions, http.MethodGet, http.MethodHead, "PROPFIND", http.MethodPost:
			all = append(all, m)
		}
	}
	return strings.Join(all, ", ")
}

// permit tells which methods can be used, also to browsers that ask before a
// request of another origin.
func (x *exchange) permit(methods string) error {
	h := x.Header()
	h["Allow"] = []string{methods}
	if r := x.Request.Header; r.Get("Origin") != "" && r.Get("Access-Control-Request-Method") != "" {
		h["Access-Control-Allow-Origin"] = anybody
		// A page of another origin may read what anybody may. To change
		// something in the name of whoever looks at it is not for it.
		h["Access-Control-Allow-Methods"] = []string{readers(methods)}
		h["Access-Control-Allow-Headers"] = []string{requestHeaders}
		h["Access-Control-Max-Age"] = []string{"86400"}
	}
	h["Content-Length"] = []string{"0"}
	x.WriteHeader(http.StatusOK)
	return nil
}

// maxDrain is how much of a body that nobody wants is read, in bytes: a neon
// client that is still writing when the connection is closed never reads the
// answer.
const maxDrain = 1 << 20

// refuse answers a method that the namespace does not take.
func (x *exchange) refuse() error {
	r := x.Request
	// Somebody who waits for "100 Continue" is not made to send the body.
	if r.Header.Get("Expect") == "" && r.ContentLength != 0 && r.ContentLength <= maxDrain {
		if _, err := io.CopyN(io.Discard, r.Body, maxDrain); err != nil && err != io.EOF {
			return errBroken
		}
	}
	return &problem{status: http.StatusMethodNotAllowed, sentence: safeMethod(r.Method) + " is not possible here.", allow: x.h.allowed()}
}

// safeMethod returns a method in a form that can be shown.
func safeMethod(m string) string {
	if len(m) > 32 {
		return "this method"
	}
	return m
}
