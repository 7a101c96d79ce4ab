package frontend

import (
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"canopy/frontend/resume"
	"canopy/web"
)

// outside is where what is not of the namespace begins.
const outside = "/-/"

// routes returns the handler of what lies below /-/. To read there takes the
// right to read that path, by the rules for the namespace. Excepted are the
// list of it all and the static files of the pages, which tell nothing; health,
// which is for machines that know no password; and where many paths are asked
// for, or something is changed, which have rules of their own.
func (h *Handler) routes() http.Handler {
	r := chi.NewRouter()
	r.NotFound(answered(notThere))
	r.MethodNotAllowed(answered(func(x *exchange) error { return x.misused(r) }))
	var places []web.Place
	both := func(pattern string, f http.HandlerFunc) {
		r.Get(pattern, f)
		r.Head(pattern, f)
	}
	read := func(path, about string, f http.HandlerFunc) {
		both(path, f)
		places = append(places, web.Place{Path: path, Readable: true, Methods: "GET, HEAD", About: about})
	}
	post := func(path, about string, f func(*exchange) error) {
		r.Post(path, answered(f))
		places = append(places, web.Place{Path: path, Methods: "POST", About: about})
	}
	for _, name := range slices.Sorted(maps.Keys(h.options.Handlers)) {
		path, handler := outside+name, h.options.Handlers[name]
		switch name {
		case "healthz":
			read(path, "whether the process is alive", handler.ServeHTTP)
		case "readyz":
			read(path, "whether requests should be sent here", handler.ServeHTTP)
		case "metrics":
			read(path, "figures for Prometheus", guarded(path, handler))
		default:
			r.Handle(path, guarded(path, handler))
			r.Handle(path+"/*", guarded(path, handler))
			places = append(places, web.Place{Path: path, Readable: true, Methods: "GET, HEAD", About: "for people"})
		}
	}
	const api = outside + "api/v1/"
	read(api+"endpoints", "the state of all endpoints", guarded(api+"endpoints", answered((*exchange).endpoints)))
	read(api+"cache", "what the cache did", guarded(api+"cache", answered((*exchange).cache)))
	post(api+"replicas", "the replicas of many paths", (*exchange).bulk)
	post(api+"drain", "takes an endpoint out of the choice, or puts it back", (*exchange).drain)
	if h.options.Uploads != nil && h.options.Writer != nil {
		r.Handle(resume.Address, answered((*exchange).uploads))
		r.Handle(resume.Address+"{id}", answered((*exchange).uploads))
		places = append(places, web.Place{Path: resume.Address, Methods: "POST", About: "resumable uploads, by tus 1.0"})
	}
	both(web.StaticPath+"{name}", answered((*exchange).asset))
	both(outside, answered(func(x *exchange) error { return x.index(places) }))
	both(strings.TrimSuffix(outside, "/"), answered(func(x *exchange) error { return x.redirect(http.StatusMovedPermanently, outside) }))
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

// guarded lets those pass who may read path, and whoever asks what can be done
// there.
func guarded(path string, next http.Handler) http.HandlerFunc {
	return answered(func(x *exchange) error {
		if x.Request.Method != http.MethodOptions {
			if err := x.allow(Read, path); err != nil {
				return err
			}
		}
		next.ServeHTTP(x, x.Request)
		return nil
	})
}

func notThere(*exchange) error {
	return &problem{status: http.StatusNotFound, sentence: "There is no such page."}
}

// misused answers a method that an address does not take, and OPTIONS.
func (x *exchange) misused(r chi.Routes) error {
	takes := []string{http.MethodOptions}
	for _, method := range [...]string{http.MethodGet, http.MethodHead, http.MethodPost} {
		if r.Match(chi.NewRouteContext(), method, x.Request.URL.Path) {
			takes = append(takes, method)
		}
	}
	switch {
	case len(takes) == 1:
		return notThere(x)
	case x.Request.Method == http.MethodOptions:
		return x.permit(strings.Join(takes, ", "))
	}
	return &problem{status: http.StatusMethodNotAllowed, sentence: "This address does not take " + safeMethod(x.Request.Method) + ".", allow: strings.Join(takes, ", ")}
}

// page is an address that can be had below /-/, as JSON.
type page struct {
	Path    string `json:"path"`
	Methods string `json:"methods"`
	About   string `json:"about"`
}

// index answers with a list of what there is below /-/.
func (x *exchange) index(places []web.Place) error {
	x.Header()["Vary"] = []string{"Accept"}
	if x.wantsPage(x.Request.URL.Query(), true) {
		i := web.IndexPage{Page: x.page(), Places: places}
		i.Alternates = []web.Link{{Text: "JSON", Href: "?format=json", Type: typeJSON}}
		return x.sendPage(func(b *bytes.Buffer) error { return x.h.options.Pages.Index(b, i) })
	}
	pages := make([]page, len(places))
	for i, p := range places {
		pages[i] = page{p.Path, p.Methods, p.About}
	}
	return x.reply(map[string]any{"pages": pages})
}
