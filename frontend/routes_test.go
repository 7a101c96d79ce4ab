package frontend

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"canopy/frontend/access"
	"canopy/frontend/identity"
)

// A script of another origin must ask before it may post JSON.
func TestOptionsOfPages(t *testing.T) {
	teapot := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	w := two(t, Options{Handlers: map[string]http.Handler{"healthz": teapot, "readyz": teapot, "metrics": teapot, "dashboard": teapot}})
	w.ask("OPTIONS", "/-/api/v1/endpoints").status(t, 200).has(t, "Allow: OPTIONS, GET, HEAD", "Dav:", "Access-Control-Allow-Methods:")
	w.ask("OPTIONS", "/-/api/v1/replicas", "Origin: https://a.example", "Access-Control-Request-Method: POST").status(t, 200).
		has(t, "Allow: OPTIONS, POST", "Access-Control-Allow-Methods: OPTIONS, POST", "Access-Control-Allow-Origin: *", "Access-Control-Allow-Credentials:")
	w.ask("OPTIONS", "/-/none").status(t, 404)
	w.ask("PUT", "/-/api/v1/endpoints").status(t, 405).has(t, "Allow: OPTIONS, GET, HEAD")
	// What machines watch is only read.
	for _, target := range []string{"/-/healthz", "/-/readyz", "/-/metrics", "/-/"} {
		w.ask("OPTIONS", target).status(t, 200).has(t, "Allow: OPTIONS, GET, HEAD")
		for _, method := range []string{"POST", "PUT", "DELETE", "PROPFIND", "BREW"} {
			w.ask(method, target).status(t, 405).has(t, "Allow: OPTIONS, GET, HEAD")
		}
		w.ask("PROPFIND", target+"x").status(t, 404)
		if target != "/-/" {
			w.ask("GET", target).status(t, 418)
			w.ask("HEAD", target).status(t, 418)
			w.ask("GET", target+"/x").status(t, 404)
		}
	}
	// Another handler answers for itself.
	w.ask("OPTIONS", "/-/dashboard").status(t, 418)
	w.ask("POST", "/-/dashboard/x").status(t, 418)
}

func TestIndex(t *testing.T) {
	teapot := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	w := two(t, Options{Title: "Fed", Handlers: map[string]http.Handler{"healthz": teapot, "dashboard": teapot}})
	r := w.ask("GET", "/-/").status(t, 200).has(t, "Content-Type: text/html; charset=utf-8", "Vary: Accept", "Cache-Control: no-store")
	contains(t, r.body, "<!DOCTYPE html>", "what Fed serves", `<a href="/-/healthz">`, `<a href="/-/api/v1/endpoints">`, "/-/api/v1/replicas", `href="?format=json"`)
	if strings.Contains(r.body, "readyz") {
		t.Error("it lists what is not there")
	}
	golden(t, "index.json", indent(t, w.ask("GET", "/-/", "Accept: application/json").status(t, 200).has(t, "Content-Type: application/json").body))
	w.ask("GET", "/-/?format=json", "Accept: text/html").status(t, 200).has(t, "Content-Type: application/json")
	w.ask("HEAD", "/-/").status(t, 200)
	w.ask("GET", "/-").status(t, 301).has(t, "Location: /-/")
	// All of it is there.
	var list struct{ Pages []page }
	if err := json.Unmarshal([]byte(w.ask("GET", "/-/?format=json").body), &list); err != nil || len(list.Pages) != 6 {
		t.Fatal(list, err)
	}
	for _, p := range list.Pages {
		method, _, _ := strings.Cut(p.Methods, ",")
		if r := w.ask(method, p.Path); r.StatusCode == 404 || r.StatusCode == 405 {
			t.Errorf("%s %s: %s", method, p.Path, r.Status)
		}
	}
}

// rules are a guard by the rules of package access, for whom the header names.
type rules struct {
	*guard
	*access.Rules
}

func (r rules) Allowed(u *User, right Right, path string) bool {
	who := identity.Identity{Name: u.Name}
	return r.Allows(path, map[Right]access.Right{Read: access.Read, List: access.List, Admin: access.Admin}[right], &who)
}

// What lies below /-/ has the rules that name it, or those of the whole.
func TestAccessOutside(t *testing.T) {
	teapot := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	anyone, known := []access.Principal{{Kind: access.Anyone}}, []access.Principal{{Kind: access.Authenticated}}
	ada := []access.Principal{{Kind: access.User, Name: "ada"}}
	nobody := []access.Principal{}
	type answers map[string][3]int // of nobody known, ben, ada
	for name, c := range map[string]struct {
		rules []access.Rule
		want  answers
	}{
		"default": {nil, answers{"metrics": {418, 418, 418}, "dashboard": {418, 418, 418}, "api/v1/endpoints": {200, 200, 200}, "api/v1/cache": {200, 200, 200}}},
		"private": {[]access.Rule{{Path: "/", Read: known}},
			answers{"metrics": {401, 418, 418}, "dashboard": {401, 418, 418}, "api/v1/endpoints": {401, 200, 200}, "api/v1/cache": {401, 200, 200}}},
		"named": {[]access.Rule{{Path: "/-/metrics", Read: ada}, {Path: "/-/api", Read: nobody}},
			answers{"metrics": {401, 403, 418}, "dashboard": {418, 418, 418}, "api/v1/endpoints": {401, 403, 403}, "api/v1/cache": {401, 403, 403}}},
		"opened": {[]access.Rule{{Path: "/", Read: ada, List: ada}, {Path: "/-/metrics", Read: anyone}, {Path: "/-/api/v1/cache", Read: known}},
			answers{"metrics": {418, 418, 418}, "api/v1/endpoints": {401, 403, 200}, "api/v1/cache": {401, 200, 200}}},
		"other rights": {[]access.Rule{{Path: "/", List: nobody}, {Path: "/d", Read: nobody}},
			answers{"metrics": {418, 418, 418}, "api/v1/endpoints": {200, 200, 200}}},
	} {
		t.Run(name, func(t *testing.T) {
			made, err := access.New(c.rules)
			if err != nil {
				t.Fatal(err)
			}
			o := Options{Guard: rules{new(guard), made}, Handlers: map[string]http.Handler{"healthz": teapot, "readyz": teapot, "metrics": teapot, "dashboard": teapot}}
			w := build(t, o, newSite(t, "geneva", map[string]string{"/open/f": "1"}))
			for target, want := range c.want {
				for i, user := range []string{"", "ben", "ada"} {
					for _, method := range []string{"GET", "HEAD"} {
						if r := w.ask(method, "/-/"+target, "User: "+user).status(t, want[i]); want[i] == 401 {
							r.has(t, `Www-Authenticate: Basic realm="canopy"`)
						}
					}
				}
				w.ask("GET", "/-/"+target, "User: liar").status(t, 401)
				if r := w.ask("OPTIONS", "/-/"+target); r.StatusCode == 401 || r.StatusCode == 403 {
					t.Error(r.Status)
				}
			}
			// Health is for everybody, whatever they say of themselves.
			for _, user := range []string{"", "ben", "liar"} {
				w.ask("GET", "/-/healthz", "User: "+user).status(t, 418)
				w.ask("GET", "/-/readyz", "User: "+user).status(t, 418)
			}
			w.ask("GET", "/-/").status(t, 200)
		})
	}
	// Of many paths each has its own rule.
	made, err := access.New([]access.Rule{{Path: "/", Read: nobody}, {Path: "/open", Read: anyone}})
	if err != nil {
		t.Fatal(err)
	}
	w := build(t, Options{Guard: rules{new(guard), made}}, newSite(t, "geneva", map[string]string{"/open/f": "1"}))
	body := w.ask("POST", "/-/api/v1/replicas", `{"paths":["/open/f","/f"]}`).status(t, 200).body
	contains(t, body, `"endpoint":"geneva"`, `"status":401`)
}

func TestReserved(t *testing.T) {
	teapot := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })
	w := build(t, Options{Handlers: map[string]http.Handler{"healthz": teapot, "dashboard": teapot}}, newSite(t, "geneva", map[string]string{"/f": "1"}))
	w.ask("GET", "/-/healthz").status(t, 418)
	w.ask("GET", "/-/dashboard/events").status(t, 418)
	w.ask("GET", "/-/none").status(t, 404)
	w.ask("GET", "/-/none/").status(t, 404)
	w.ask("GET", "/x/../-/healthz").status(t, 404)
	contains(t, w.ask("GET", "/").body, `href="/-/dashboard"`)
	contains(t, w.ask("GET", "/-/api/v1/cache").status(t, 200).body, `"entries":{`)
}
