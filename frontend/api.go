package frontend

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"

	"github.com/go-chi/chi/v5"

	"canopy/cache"
	"canopy/web"
)

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
