package frontend

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"canopy/federator"
	"canopy/plugins/faults"
	"canopy/plugins/plugintest/mem"
)

func TestOptions(t *testing.T) {
	w := two(t, Options{})
	for _, target := range []string{"/", "/d/f", "/none", "/-/x"} {
		r := w.ask("OPTIONS", target)
		if target == "/-/x" {
			r.status(t, 404)
			continue
		}
		r.status(t, 200).has(t, "Dav: 1", "Allow: OPTIONS, GET, HEAD, PROPFIND", "Ms-Author-Via: DAV", "Content-Length: 0", "Access-Control-Allow-Methods:")
	}
	w.ask("OPTIONS", "/d/f", "Origin: https://a.example", "Access-Control-Request-Method: PROPFIND").status(t, 200).
		has(t, "Access-Control-Allow-Origin: *", "Access-Control-Allow-Methods: OPTIONS, GET, HEAD, PROPFIND", "Access-Control-Allow-Credentials:")
}

func TestRefusedMethods(t *testing.T) {
	w := two(t, Options{})
	for _, method := range []string{"PUT", "DELETE", "MKCOL", "MOVE", "COPY", "LOCK", "UNLOCK", "PROPPATCH", "POST", "PATCH", "BREW"} {
		r := w.ask(method, "/d/f", "some body").status(t, 405).has(t, "Allow: OPTIONS, GET, HEAD, PROPFIND")
		contains(t, r.body, method)
	}
	w.ask("POST", "/d/f", "Content-Type: application/macaroon-request", `{ "caveats": ["activity:LIST"]}`).status(t, 405)
}

// A body that nobody wants is not waited for where the client waits for us,
// and is read where it is on its way.
func TestRefusedBody(t *testing.T) {
	w := two(t, Options{})
	for expect, want := range map[string]int{"": 0, "100-continue": 1000} {
		body := strings.NewReader(strings.Repeat("x", 1000))
		r := httptest.NewRequest("PUT", "/d/f", body)
		if expect != "" {
			r.Header.Set("Expect", expect)
		}
		w.serve(r).status(t, 405)
		if body.Len() != want {
			t.Errorf("Expect %q: %d bytes left", expect, body.Len())
		}
	}
}

func TestErrorForms(t *testing.T) {
	w := two(t, Options{Title: "Fed"})
	for accept, want := range map[string]string{
		"":                      "text/plain; charset=utf-8",
		"*/*":                   "text/plain; charset=utf-8",
		"application/json, */*": "application/json",
		"text/html,*/*;q=0.8":   "text/html; charset=utf-8",
	} {
		r := w.ask("GET", "/none/<b>", "Accept: "+accept, "X-Request-Id: abc-1").status(t, 404).has(t, "Content-Type: "+want, "Cache-Control: no-store", "X-Request-Id: abc-1")
		contains(t, r.body, "abc-1")
		if strings.Contains(r.body, "<b>") {
			t.Error(r.body)
		}
	}
	if r := w.ask("HEAD", "/none"); r.body != "" {
		t.Error(r.body)
	}
}

func TestRequestID(t *testing.T) {
	w := two(t, Options{Seed: 7})
	seen := map[string]bool{}
	for _, sent := range []string{"", "", "bad id", "<x>", strings.Repeat("x", maxID+1), "\xff"} {
		r := httptest.NewRequest("GET", "/d/f", http.NoBody)
		if sent != "" {
			r.Header["X-Request-Id"] = []string{sent}
		}
		id := w.serve(r).Header.Get("X-Request-Id")
		if len(id) != 16 || strings.Trim(id, idLetters) != "" || seen[id] {
			t.Errorf("%q for %q", id, sent)
		}
		seen[id] = true
	}
	w.ask("GET", "/d/f", "X-Request-Id: of:the-client_1.2").has(t, "X-Request-Id: of:the-client_1.2")
}

// guard lets those in who name themselves.
type guard struct {
	rights map[string][]Right
	asked  []string
}

func (g *guard) Identify(r *http.Request) (User, error) {
	name := r.Header.Get("User")
	if name == "liar" {
		return User{}, errors.New("the password is wrong")
	}
	return User{Name: name}, nil
}

func (g *guard) Allowed(u *User, right Right, path string) bool {
	g.asked = append(g.asked, path)
	return slices.Contains(g.rights[u.Name], right)
}

func (g *guard) Challenges() []string { return []string{`Basic realm="canopy"`} }

func TestGuard(t *testing.T) {
	g := &guard{rights: map[string][]Right{"reader": {Read}, "lister": {List}, "both": {Read, List}, "root": {Read, List, Admin}}}
	a := newSite(t, "geneva", nil).put("/d/f", "1", mem.File{})
	w := build(t, Options{Guard: g}, a)
	for _, c := range []struct {
		user, method, target string
		want                 int
	}{
		{"", "GET", "/d/f", 401}, {"liar", "GET", "/d/f", 401}, {"other", "GET", "/d/f", 403},
		{"reader", "GET", "/d/f", 302}, {"reader", "HEAD", "/d/f", 200}, {"reader", "GET", "/d/f?replicas", 200},
		{"reader", "GET", "/d/", 403}, {"reader", "HEAD", "/d/", 403}, {"reader", "PROPFIND", "/d/", 403},
		{"lister", "GET", "/d/f", 403}, {"lister", "HEAD", "/d/f", 403}, {"lister", "GET", "/d/f?explain", 403}, {"lister", "GET", "/d", 301},
		{"lister", "GET", "/d/", 200}, {"lister", "PROPFIND", "/d/", 207}, {"lister", "GET", "/d/f?metalink", 403},
		{"reader", "GET", "/d?replicas", 403}, {"both", "GET", "/d?replicas", 200}, {"", "PROPFIND", "/d", 401},
		{"", "OPTIONS", "/d", 200}, {"both", "GET", "/-/api/v1/endpoints", 200}, {"", "GET", "/-/api/v1/endpoints", 401}, {"", "GET", "/-/api/v1/cache", 401},
	} {
		r := w.ask(c.method, c.target, "User: "+c.user, "Depth: 1").status(t, c.want)
		if c.want == 401 {
			r.has(t, `Www-Authenticate: Basic realm="canopy"`)
		}
		if strings.Contains(r.body, "password") {
			t.Error(r.body)
		}
	}
	// A refusal asks no storage.
	a.Forget()
	w.ask("GET", "/fresh", "User: other").status(t, 403)
	w.ask("PROPFIND", "/fresh", "User: other", "Depth: 1").status(t, 403)
	if n := a.Calls(""); n != 0 {
		t.Errorf("%d questions", n)
	}
	// Of many paths each is checked; files in a metalink are, too.
	contains(t, w.ask("POST", "/-/api/v1/replicas", "User: lister", `{"paths":["/d/f"]}`).status(t, 200).body, `"status":403`)
	if r := w.ask("GET", "/d/?metalink", "User: lister").status(t, 200); strings.Contains(r.body, "geneva") {
		t.Error(r.body)
	}
	// Rights hang on the clean path.
	g.asked = nil
	w.ask("GET", "//d/../d/%66", "User: reader").status(t, 302)
	if !slices.Equal(g.asked, []string{"/d/f"}) {
		t.Errorf("%q", g.asked)
	}
}

func TestDrain(t *testing.T) {
	g := &guard{rights: map[string][]Right{"root": {Read, List, Admin}, "both": {Read, List}}}
	a := newSite(t, "geneva", map[string]string{"/f": "1"})
	b := newSite(t, "oslo", map[string]string{"/f": "1"})
	w := build(t, Options{Guard: g}, a, b)
	post := func(want int, fields ...string) {
		t.Helper()
		w.ask("POST", "/-/api/v1/drain", append([]string{"Content-Type: application/json"}, fields...)...).status(t, want)
	}
	const order = `{"endpoint": "geneva", "drain": true}`
	post(401, order)
	post(403, "User: both", order)
	post(403, "User: root", "Sec-Fetch-Site: cross-site", order)
	post(400, "User: root", `{"endpoint": "geneva"}`)
	post(400, "User: root", `{"endpoint": "geneva", "drain": true, "x": 1}`)
	post(404, "User: root", `{"endpoint": "none", "drain": true}`)
	w.ask("POST", "/-/api/v1/drain", "User: root", "Content-Type: text/plain", order).status(t, 415)
	w.ask("GET", "/f?replicas", "User: root")
	w.ask("GET", "/f", "User: root").has(t, "Location: http://geneva.example/data/f")
	post(200, "User: root", order)
	w.ask("GET", "/f", "User: root").has(t, "Location: http://oslo.example/data/f")
	var state struct{ Endpoints []endpoint }
	if err := json.Unmarshal([]byte(w.ask("GET", "/-/api/v1/endpoints", "User: root").body), &state); err != nil || len(state.Endpoints) != 2 || !state.Endpoints[0].Draining || state.Endpoints[0].State != "up" {
		t.Error(state, err)
	}
	// Without a guard nobody may.
	two(t, Options{}).ask("POST", "/-/api/v1/drain", "Content-Type: application/json", order).status(t, 403)
}

// What happens is told once, whatever becomes of it.
func TestObserve(t *testing.T) {
	var seen []Exchange
	boom := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })
	late := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("x")); panic("late") })
	o := Options{Observe: func(x *Exchange) { seen = append(seen, *x) }, Log: slog.New(slog.DiscardHandler), Handlers: map[string]http.Handler{"boom": boom, "late": late}}
	a := newSite(t, "geneva", map[string]string{"/f": "1"})
	a.Inject(faults.Rule{Op: "stat", Path: faults.Exactly("/fresh"), Hang: true})
	w := build(t, o, a, newSite(t, "oslo", map[string]string{"/p": digits}).carried())
	w.ask("GET", "/f")
	w.ask("GET", "/p")
	w.ask("GET", "/none")
	w.ask("GET", "/-/boom").status(t, 500)
	if r := w.ask("GET", "/-/late"); !r.broken {
		t.Error("not cut")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.serve(httptest.NewRequestWithContext(ctx, "GET", "/fresh", http.NoBody))
	var got []string
	for _, x := range seen {
		got = append(got, strings.TrimSpace(strings.Join([]string{x.Request.URL.Path, http.StatusText(x.Status), x.Endpoint}, " ")))
		if x.Took <= 0 || x.ID == "" || !x.Origin.Addr.IsValid() {
			t.Errorf("%+v", x)
		}
	}
	want := []string{"/f Found geneva", "/p OK oslo", "/none Not Found", "/-/boom Internal Server Error", "/-/late OK", "/fresh"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if !seen[1].Proxied || seen[1].Bytes != 10 || !seen[4].Broken || seen[5].Status != statusGone {
		t.Errorf("%+v", seen)
	}
}

func TestNewErrors(t *testing.T) {
	w := two(t, Options{})
	good := w.h.options
	for what, change := range map[string]func(*Options){
		"no federator": func(o *Options) { o.Federator = nil },
		"no pages":     func(o *Options) { o.Pages = nil },
		"pattern":      func(o *Options) { o.Proxy = []string{""} },
		"namespace":    func(o *Options) { o.Namespace = "data" },
		"reserved":     func(o *Options) { o.Namespace = "/-/data" },
	} {
		o := good
		if change(&o); true {
			if _, err := New(o); err == nil {
				t.Error(what)
			}
		}
	}
	var unknown *federator.Unknown
	if errors.As(problemOf(errors.New("x")), &unknown) || problemOf(errors.New("x")).status != 500 {
		t.Error("an error of unknown origin is ours")
	}
}
