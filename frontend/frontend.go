// Package frontend is the federation as HTTP and WebDAV clients see it: from
// request to federator call, and from answer to response. The federator
// decides facts; status codes and headers are decided here.
//
// # Paths
//
// The path of a request is decoded once, cleaned of dot segments and double
// slashes, and in that form goes to rules, rights and endpoints. It is never
// redirected to be clean. A target may be absolute, of whatever scheme. Names
// hold any byte but a slash and NUL; in every address that is sent all but a
// few safe bytes are percent-encoded, so that each leads back to exactly the
// name it stands for. Where a name stands in JSON, what is not valid UTF-8 is
// replaced by U+FFFD, and "href" next to it is the address without loss.
//
// # What is answered here
//
// Metadata always: HEAD, PROPFIND and listings. The bytes of a file are
// answered by a redirect to a replica; they are carried where the replica has
// no address for clients, or the client cannot follow (package agents).
//
// # Headers of its own
//
// Canopy-Incomplete names the endpoints whose word is not in the answer; it is
// a trailer where the answer had begun before that was known. Canopy-Stale is
// "true" for what is served although its time has passed; Age then says how
// old it is.
package frontend

import (
	"errors"
	"hash/fnv"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"canopy/frontend/agents"
	"canopy/web"
)

// Handler is the front end of a federation. It may be used by any number of
// goroutines at once, and has none of its own.
type Handler struct {
	options Options
	log     *slog.Logger
	prefix  string // of the namespace in URLs; "" is none
	agents  *agents.Table
	api     http.Handler  // of what is not the namespace
	look    uint64        // changes with the appearance of pages
	lookups chan struct{} // holds a token for each path of many that is looked up

	lockless atomic.Int64 // until when locks are not asked for, Unix nanoseconds

	seed  uint64
	count atomic.Uint64 // of the requests that were given an id
}

// New returns the front end that o describes. The error is that of a pattern
// in Proxy, or of something required that is not there.
func New(o Options) (*Handler, error) {
	if o.Federator == nil || o.Pages == nil {
		return nil, errors.New("a front end needs a federator and pages")
	}
	if o.Origin == nil {
		o.Origin = connection
	}
	if o.Lookups <= 0 {
		o.Lookups = DefaultLookups
	}
	h := &Handler{options: o, log: o.Log, seed: o.Seed, lookups: make(chan struct{}, o.Lookups)}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	var ok bool
	if h.prefix, ok = cleanNamespace(o.Namespace); !ok {
		return nil, errors.New("the namespace must begin at an absolute path outside of /-/")
	}
	var err error
	if h.agents, err = agents.New(o.Proxy); err != nil {
		return nil, err
	}
	// An empty page has every address of a style sheet or script in it.
	look := fnv.New64a()
	if err := o.Pages.Listing(look, web.Listing{Page: web.Page{Title: o.Title}, Federated: true, Writable: true}); err != nil {
		return nil, err
	}
	h.look = look.Sum64()
	h.api = h.routes()
	return h, nil
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{ResponseWriter: w, h: h, Exchange: Exchange{Request: r, Began: time.Now()}}
	defer x.end()
	x.begin()
	if err := x.serve(); err != nil {
		x.fail(err)
	}
}

// allowed are the methods that the namespace takes.
func (h *Handler) allowed() string {
	if h.options.Writer == nil {
		return "OPTIONS, GET, HEAD, PROPFIND"
	}
	if h.options.Locks == nil {
		return "OPTIONS, GET, HEAD, PROPFIND, PROPPATCH, PUT, DELETE, MKCOL, MOVE, COPY"
	}
	return "OPTIONS, GET, HEAD, PROPFIND, PROPPATCH, PUT, DELETE, MKCOL, MOVE, COPY, LOCK, UNLOCK"
}

// classes are those of RFC 4918 section 18 that are complied with.
func (h *Handler) classes() []string {
	if h.options.Writer == nil || h.options.Locks == nil {
		return []string{"1"}
	}
	return []string{"1, 2"}
}

// serve routes the request: nothing stands between the path that came and the
// federation, since routers like to clean paths by a redirect.
func (x *exchange) serve() error {
	r := x.Request
	if r.URL.Path == "*" && r.Method == http.MethodOptions {
		return x.tell()
	}
	x.Header()["Access-Control-Allow-Origin"] = anybody
	path, slash, ok := cleanPath(r.URL.Path)
	if !ok {
		return invalid("The path is too long, or holds a byte that no name can have.")
	}
	if reserved(path) {
		x.h.api.ServeHTTP(x, r)
		return nil
	}
	if r.Method == http.MethodOptions {
		return x.tell()
	}
	if x.path, ok = x.h.within(path); !ok {
		if path == "/" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			return x.redirect(http.StatusFound, x.h.href("/", true))
		}
		return &problem{status: http.StatusNotFound, sentence: "The federation's tree begins at " + x.h.href("/", true) + "."}
	}
	x.slash = slash || x.path == "/"
	if err := x.identify(); err != nil {
		return err
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return x.get()
	case "PROPFIND":
		return x.propfind()
	case "PROPPATCH":
		return x.proppatch()
	case http.MethodPut:
		return x.put()
	case http.MethodDelete:
		return x.remove()
	case "MKCOL":
		return x.mkcol()
	case "MOVE", "COPY":
		return x.move()
	case "LOCK":
		return x.lock()
	case "UNLOCK":
		return x.unlock()
	}
	return x.refuse()
}

// redirect sends the client to another address of the front end.
func (x *exchange) redirect(status int, to string) error {
	x.Header()["Location"] = []string{to}
	x.Header()["Cache-Control"] = uncached
	x.WriteHeader(status)
	return nil
}

// addSlash sends the client to the directory that it named without its slash.
func (x *exchange) addSlash() error { return x.moved(true) }

// moved sends the client to the path with its slash, or without.
func (x *exchange) moved(directory bool) error {
	to := x.h.href(x.path, directory)
	if q := x.Request.URL.RawQuery; q != "" {
		to += "?" + q
	}
	return x.redirect(http.StatusMovedPermanently, to)
}
