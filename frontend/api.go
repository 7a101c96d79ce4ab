package frontend

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"canopy/cache"
	"canopy/web"
)

// routes returns the handler of what lies below /-/.
func (h *Handler) routes() http.Handler {
	r := chi.NewRouter()
	r.NotFound(answered(func(*exchange) error {
		return &problem{status: http.StatusNotFound, sentence: "There is no such page."}
	}))
	r.MethodNotAllowed(answered(func(x *exchange) error {
		takes := []string{http.MethodOptions}
		for _, method := range [...]string{http.MethodGet, http.MethodHead, http.MethodPost} {
			if r.Match(chi.NewRouteContext(), method, x.Request.URL.Path) {
				takes = append(takes, method)
			}
		}
		if x.Request.Method == http.MethodOptions {
			return x.permit(strings.Join(takes, ", "))
		}
		return &problem{status: http.StatusMethodNotAllowed, sentence: "This address does not take " + safeMethod(x.Request.Method) + ".", allow: strings.Join(takes, ", ")}
	}))
	both := func(pattern string, f func(*exchange) error) {
		r.Get(pattern, answered(f))
		r.Head(pattern, answered(f))
	}
	both(web.StaticPath+"{name}", (*exchange).asset)
	both("/-/api/v1/endpoints", (*exchange).endpoints)
	both("/-/api/v1/cache", (*exchange).cache)
	r.Post("/-/api/v1/replicas", answered((*exchange).bulk))
	r.Post("/-/api/v1/drain", answered((*exchange).drain))
	for name, handler := range h.options.Handlers {
		r.Handle("/-/"+name, handler)
		r.Handle("/-/"+name+"/*", handler)
	}
	return r
}

// answered makes an http.HandlerFunc of a method of the exchange, which is the
// http.ResponseWriter that the router was given.
func answered(f func(*exchange) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		x := w.(*exchange)
		x.Request = r // with what the router found
		err := x.identify()
		if err == nil {
			err = f(x)
		}
		if err != nil {
			x.fail(err)
		}
	}
}

// asset sends a static file of the pages.
func (x *exchange) asset() error {
	content, contentType, ok := x.h.options.Pages.Asset(chi.URLParam(x.Request, "name"))
	if !ok {
		return &problem{status: http.StatusNotFound, sentence: "There is no such file."}
	}
	h := x.Header()
	h["Cache-Control"] = []string{web.AssetCacheControl}
	return x.send(contentType, content)
}

// endpoint is the state of one endpoint, as JSON.
type endpoint struct {
	Name      string   `json:"name"`
	Type      string   `json:"type"`
	Mount     string   `json:"mount"`
	Site      string   `json:"site,omitempty"`
	State     string   `json:"state"`
	Draining  bool     `json:"draining"`
	Since     string   `json:"since,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	Latency   float64  `json:"latency,omitempty"` // seconds
	Load      float64  `json:"load"`              // clients sent there per second
	Sent      uint64   `json:"sent"`
	Read      bool     `json:"read"`
	List      bool     `json:"list"`
	Abilities []string `json:"abilities"`
}

// endpoints answers with the state of all endpoints.
func (x *exchange) endpoints() error {
	if err := x.allow(List, "/"); err != nil {
		return err
	}
	all := []endpoint{}
	for _, s := range x.h.options.Federator.Endpoints() {
		all = append(all, endpoint{
			Name: s.Name, Type: s.Type, Mount: s.Mount, Site: s.Site, State: s.Condition.String(), Draining: s.Draining,
			Since: stamp(s.Since), Reason: s.Reason, Latency: s.Latency.Seconds(), Load: s.Load, Sent: s.Sent,
			Read: s.Read, List: s.List, Abilities: append([]string{}, s.Abilities...),
		})
	}
	return x.reply(map[string]any{"endpoints": all})
}

// store is what one of the caches did, as JSON.
type store struct {
	Hits      uint64 `json:"hits"`
	Stale     uint64 `json:"stale"`
	Misses    uint64 `json:"misses"`
	Evictions uint64 `json:"evictions"`
	Refused   uint64 `json:"refused"`
}

func storeOf(s cache.Stats) store { return store(s) }

// cache answers with figures of the cache.
func (x *exchange) cache() error {
	if err := x.allow(List, "/"); err != nil {
		return err
	}
	f := x.h.options.Federator
	entries, listings := f.CacheStats()
	n := f.Counters()
	return x.reply(map[string]any{
		"entries": storeOf(entries), "listings": storeOf(listings),
		"hits": n.Hits.Load(), "stale_hits": n.StaleHits.Load(), "misses": n.Misses.Load(),
	})
}

// maxOrder is the longest body of a request that changes something, in bytes.
const maxOrder = 64 << 10

// drain takes an endpoint out of the choice, or puts it back.
func (x *exchange) drain() error {
	if err := x.allow(Admin, "/"); err != nil {
		return err
	}
	// A browser sends the user's password along with what any page makes it
	// post; only the pages of this origin may do so.
	if err := http.NewCrossOriginProtection().Check(x.Request); err != nil {
		return &problem{status: http.StatusForbidden, sentence: "This can not be done from a page of another origin.", cause: err}
	}
	if media, _, err := mime.ParseMediaType(x.Request.Header.Get("Content-Type")); err != nil || media != typeJSON {
		return &problem{status: http.StatusUnsupportedMediaType, sentence: "Send JSON, as application/json."}
	}
	var order struct {
		Endpoint string `json:"endpoint"`
		Drain    *bool  `json:"drain"`
	}
	in := json.NewDecoder(io.LimitReader(x.Request.Body, maxOrder))
	in.DisallowUnknownFields()
	if err := in.Decode(&order); err != nil || order.Endpoint == "" || order.Drain == nil {
		return &problem{status: http.StatusBadRequest, sentence: `Send {"endpoint": "NAME", "drain": true} or false.`, cause: err}
	}
	if !x.h.options.Federator.Drain(order.Endpoint, *order.Drain) {
		return &problem{status: http.StatusNotFound, sentence: "There is no endpoint by this name."}
	}
	x.h.log.Info("an operator changed an endpoint", "request", x.ID, "user", x.User.Name, "endpoint", order.Endpoint, "drain", *order.Drain)
	return x.reply(map[string]any{"endpoint": order.Endpoint, "draining": *order.Drain})
}

// reply sends v as JSON.
func (x *exchange) reply(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return x.send(typeJSON, append(b, '\n'))
}
