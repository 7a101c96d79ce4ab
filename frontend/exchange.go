package frontend

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"canopy/federator/choice"
	"canopy/federator/geo"
	"canopy/frontend/identity"
	"canopy/web"
)

// exchange is one request being answered. It is the http.ResponseWriter of all
// that answer it, so that what was sent is known at the end.
type exchange struct {
	http.ResponseWriter
	Exchange
	h *Handler

	// path is the path of the namespace that the request is about, slash
	// whether it ended in one.
	path   string
	slash  bool
	client choice.Client
	// id is the value of the header of that name: net/http reads it after
	// the handler has returned, so an exchange is never used again.
	id [1]string
}

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if x.Status == 0 && status >= 200 {
		x.Status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (x *exchange) Write(p []byte) (int, error) {
	if x.Status == 0 {
		x.Status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(p)
	x.Bytes += int64(n)
	return n, err
}

// Flush implements http.Flusher, which handlers of other packages may want.
func (x *exchange) Flush() {
	if x.Status == 0 {
		x.Status = http.StatusOK
	}
	// A connection that cannot be flushed sends what it has at the end.
	_ = http.NewResponseController(x.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController find what is inside.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// begin finds out who asks, as far as the request itself tells.
func (x *exchange) begin() {
	x.ID = x.h.requestID(x.Request.Header["X-Request-Id"])
	x.id[0] = x.ID
	x.Header()["X-Request-Id"] = x.id[:]
	x.Origin = x.h.options.Origin(x.Request)
}

// connection is the Origin that believes the connection alone.
func connection(r *http.Request) Origin {
	o := Origin{Host: r.Host, Secure: r.TLS != nil}
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		o.Addr = a.Addr().Unmap()
	}
	return o
}

// maxID is the longest id that is taken over from a request.
const maxID = 128

// requestID returns the id that the client, or a proxy, has given to the
// request if it is harmless, else one of its own.
func (h *Handler) requestID(lines []string) string {
	if len(lines) == 1 && lines[0] != "" && len(lines[0]) <= maxID && strings.Trim(lines[0], idLetters) == "" {
		return lines[0]
	}
	// A bijection of the counter (splitmix64), so that no two are alike.
	z := h.seed + h.count.Add(1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	var b [16]byte
	for i := range b {
		b[i] = "0123456789abcdef"[z>>60]
		z <<= 4
	}
	return string(b[:])
}

const idLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:"

// errBroken is what a handler returns when the answer has begun and cannot be
// completed: the connection is cut, so that nobody takes it for complete.
var errBroken = errors.New("the answer broke off")

// end is deferred: it turns panics into answers, cuts what broke off, and
// tells the observer.
func (x *exchange) end() {
	fault := recover()
	if fault != nil && fault != http.ErrAbortHandler {
		x.h.log.Error("panic", "request", x.ID, "method", x.Request.Method, "path", x.path, "panic", fault, "stack", string(debug.Stack()))
		if x.Status == 0 {
			x.show(&problem{status: http.StatusInternalServerError})
			fault = nil
		}
	}
	x.Broken = x.Broken || fault != nil
	if x.Status == 0 && !x.Broken {
		x.Status = http.StatusOK
	}
	if x.h.options.Observe != nil {
		x.Took = time.Since(x.Began)
		x.h.options.Observe(&x.Exchange)
	}
	if x.Broken {
		// The way in which net/http wants to be told to cut the connection.
		panic(http.ErrAbortHandler)
	}
}

// identify finds out who the user is.
func (x *exchange) identify() error {
	if x.h.options.Guard == nil {
		return nil
	}
	u, err := x.h.options.Guard.Identify(x.Request)
	switch {
	case err == nil:
	case errors.Is(err, identity.ErrBusy):
		return &problem{status: http.StatusServiceUnavailable, sentence: "Too many passwords are being checked. Try again later.", retry: soon, cause: err}
	case x.Request.Context().Err() != nil:
		return err
	default:
		return &problem{status: http.StatusUnauthorized, sentence: "What the request carries to prove who you are does not hold.", cause: err}
	}
	x.User = u
	return nil
}

// allow returns the error for a user who lacks a right at path.
func (x *exchange) allow(right Right, path string) error {
	g := x.h.options.Guard
	if g == nil {
		if right == Admin {
			return &problem{status: http.StatusForbidden}
		}
		return nil
	}
	if g.Allowed(&x.User, right, path) {
		return nil
	}
	if x.User.Name == "" && len(g.Challenges()) > 0 {
		return &problem{status: http.StatusUnauthorized}
	}
	return &problem{status: http.StatusForbidden}
}

// place finds out where the client is and what it wishes. Hints come by the
// query: prefer and avoid name endpoints or sites, near a site or a point,
// from another address to ask on behalf of, where that is allowed.
func (x *exchange) place(q url.Values, others bool) error {
	c := &x.client
	c.Addr, c.Secure = x.Origin.Addr, x.Origin.Secure
	if len(q) == 0 {
		c.Place = x.h.options.Atlas.Locate(c.Addr)
		return nil
	}
	c.Prefer, c.Avoid = names(q["prefer"]), names(q["avoid"])
	if from := q.Get("from"); from != "" && others {
		a, err := netip.ParseAddr(from)
		if err != nil {
			return invalid("\"from\" is not an IP address.")
		}
		c.Addr = a.Unmap().WithZone("")
	}
	c.Place = x.h.options.Atlas.Locate(c.Addr)
	if near := q.Get("near"); near != "" {
		p, ok := x.h.near(near)
		if !ok {
			return invalid("\"near\" is neither a site of this federation nor a latitude and longitude such as 46.2,6.1.")
		}
		c.Place = p
	}
	return nil
}

// maxNames bounds how many endpoints a client can prefer or avoid.
const maxNames = 32

func names(values []string) []string {
	var all []string
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			if len(all) == maxNames {
				return all
			}
			if name = strings.TrimSpace(name); name != "" {
				all = append(all, name)
			}
		}
	}
	return all
}

// near returns the place of a site, or of a point written as "lat,lon".
func (h *Handler) near(s string) (*geo.Place, bool) {
	if p, ok := h.options.Atlas.Site(s); ok {
		return p, true
	}
	a, b, _ := strings.Cut(s, ",")
	lat, err := strconv.ParseFloat(strings.TrimSpace(a), 64)
	lon, err2 := strconv.ParseFloat(strings.TrimSpace(b), 64)
	if err != nil || err2 != nil || !(lat >= -90 && lat <= 90) || !(lon >= -180 && lon <= 180) {
		return nil, false
	}
	return h.options.Atlas.At(geo.Point{Lat: coarse(lat), Lon: coarse(lon)}), true
}

// coarse rounds degrees to halves: the atlas remembers each place that it was
// asked for, and strangers are not to fill it.
func coarse(degrees float64) float64 {
	return float64(int64(degrees*2+1000.5)-1000) / 2
}

// page is what the pages that answer the request have in common.
func (x *exchange) page() web.Page {
	p := web.Page{Title: x.h.options.Title, Base: x.h.prefix + "/", Path: x.path, User: x.User.Name, RequestID: x.ID}
	_, p.Dashboard = x.h.options.Handlers["dashboard"]
	if x.slash && p.Path != "/" && p.Path != "" {
		p.Path += "/"
	}
	return p
}

// gone reports whether the client is no longer there to be answered.
func (x *exchange) gone() bool { return errors.Is(x.Request.Context().Err(), context.Canceled) }
