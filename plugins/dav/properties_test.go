package dav

import (
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"canopy/plugins"
)

var (
	author = plugins.Property{Name: xml.Name{Space: "urn:u", Local: "author"}, Value: "Ada"}
	year   = plugins.Property{Name: xml.Name{Space: "urn:u", Local: "year"}, Value: "1843"}
)

const kept = `<x:author xmlns:x="urn:u">Ada</x:author>`

// keepingStorage answers PROPFIND and PROPPATCH with what is given,
// after an OPTIONS that allows both.
type keepingStorage struct {
	propfind, proppatch string // responses; a status is one that begins with a digit
	options             atomic.Int32
	asked               atomic.Value // the body of the latest PROPPATCH
}

func (k *keepingStorage) serve(t *testing.T) *endpoint {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		answer := k.propfind
		switch r.Method {
		case http.MethodOptions:
			k.options.Add(1)
			w.Header().Add("Allow", "OPTIONS,PROPFIND")
			w.Header().Add("Allow", "PROPPATCH, LOCK")
			return
		case "PROPPATCH":
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			k.asked.Store(string(body))
			answer = k.proppatch
		}
		switch answer {
		case "403":
			w.WriteHeader(http.StatusForbidden)
			return
		case "200":
			return
		}
		w.WriteHeader(http.StatusMultiStatus)
		io.WriteString(w, `<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">`+answer+`</D:multistatus>`)
	})
}

// stated makes a response with a status for each of the properties.
func stated(href string, pairs ...string) string {
	var b strings.Builder
	b.WriteString("<D:response><D:href>" + href + "</D:href>")
	for i := 0; i < len(pairs); i += 2 {
		b.WriteString("<D:propstat><D:prop>" + pairs[i] + "</D:prop><D:status>HTTP/1.1 " + pairs[i+1] + "</D:status></D:propstat>")
	}
	return b.String() + "</D:response>"
}

func TestProperties(t *testing.T) {
	for name, c := range map[string]struct {
		responses string
		names     []xml.Name
		want      int
		kind      plugins.Kind
	}{
		"all":             {response("/d/f", file+kept+`<q:getetag xmlns:q="DAV:">"1"</q:getetag><mode xmlns="LCGDM:">1</mode>`), nil, 1, 0},
		"named":           {stated("/d/f", "<D:resourcetype/>"+kept, "200 OK", `<x:year xmlns:x="urn:u"/>`, "404 Not Found"), []xml.Name{author.Name, year.Name}, 1, 0},
		"not named":       {response("/d/f", kept), []xml.Name{year.Name}, 0, 0},
		"absolute":        {response("http://elsewhere/d/f", kept), nil, 1, 0},
		"astray":          {response("/d/g", kept), nil, 0, plugins.Malformed},
		"below":           {response("/d/f/g", kept), nil, 0, plugins.Malformed},
		"of a status":     {failed("/d/f", "404 Not Found"), nil, 0, plugins.NotFound},
		"locked":          {failed("/d/f", "423 Locked"), nil, 0, plugins.Locked},
		"nobody":          {"", nil, 0, plugins.Malformed},
		"no XML":          {"<", nil, 0, plugins.Malformed},
		"no multistatus":  {"200", nil, 0, plugins.Malformed},
		"refused":         {"403", nil, 0, plugins.Denied},
		"very long":       {response("/d/f", "<a>"+strings.Repeat("x", 1<<20)+"</a>"), nil, 0, plugins.Malformed},
		"an evil value":   {response("/d/f", `<x:author xmlns:x="urn:u">&bomb;</x:author>`), nil, 0, plugins.Malformed},
		"other languages": {response("/d/f", `<x:author xmlns:x="urn:u"><![CDATA[Ada]]></x:author>`), nil, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			e := (&keepingStorage{propfind: c.responses}).serve(t)
			found, err := e.Properties(t.Context(), "/f", c.names)
			wantKind(t, err, c.kind)
			if len(found) != c.want || c.want == 1 && found[0] != author {
				t.Errorf("%+v", found)
			}
		})
	}
}

func TestSetProperties(t *testing.T) {
	name := func(p plugins.Property) string { return "<" + p.Name.Local + ` xmlns="urn:u"/>` }
	for what, c := range map[string]struct {
		answer string
		kind   plugins.Kind
	}{
		"done":             {response("/d/f", name(author)+name(year)), 0},
		"done, separately": {stated("/d/f", name(author), "200 OK", name(year), "204 No Content"), 0},
		"full":             {stated("/d/f", name(author), "424 Failed Dependency", name(year), "507 Insufficient Storage"), plugins.Full},
		"full first":       {stated("/d/f", name(year), "507 Insufficient Storage", name(author), "424 Failed Dependency"), plugins.Full},
		"one is not kept":  {stated("/d/f", name(author), "424 Failed Dependency", name(year), "403 Forbidden"), plugins.Denied},
		"none is kept":     {stated("/d/f", name(author), "403 Forbidden", name(year), "403 Forbidden"), plugins.Unsupported},
		"denied":           {"403", plugins.Denied},
		"locked":           {failed("/d/f", "423 Locked"), plugins.Locked},
		"said nothing":     {"200", plugins.Malformed},
	} {
		t.Run(what, func(t *testing.T) {
			k := &keepingStorage{propfind: response("/d/f", file), proppatch: c.answer}
			err := k.serve(t).SetProperties(t.Context(), "/f", []plugins.Property{author}, []xml.Name{year.Name})
			wantKind(t, err, c.kind)
			const want = `<?xml version="1.0" encoding="utf-8"?>
<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x:author xmlns:x="urn:u">Ada</x:author></D:prop></D:set><D:remove><D:prop><x:year xmlns:x="urn:u"/></D:prop></D:remove></D:propertyupdate>
`
			if got := k.asked.Load(); got != want {
				t.Errorf("asked %q", got)
			}
		})
	}
}

// Whether a storage keeps properties is asked once.
func TestKeeps(t *testing.T) {
	k := &keepingStorage{propfind: response("/d/f", file)}
	e := k.serve(t)
	for range 3 {
		if _, err := e.Properties(t.Context(), "/f", nil); err != nil {
			t.Error(err)
		}
	}
	if n := k.options.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	for what, h := range map[string]http.HandlerFunc{
		"no OPTIONS": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) },
		"no PROPPATCH": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", "GET, PROPFIND, NOPROPPATCH")
		},
		"rclone": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Server", "rclone/v1.60.1")
			w.Header().Set("Allow", "PROPPATCH")
		},
	} {
		t.Run(what, func(t *testing.T) {
			var asked atomic.Int32
			e := serve(t, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				h(w, r)
			})
			for range 2 {
				_, err := e.Properties(t.Context(), "/f", nil)
				wantKind(t, err, plugins.Unsupported)
				wantKind(t, e.SetProperties(t.Context(), "/f", []plugins.Property{author}, nil), plugins.Unsupported)
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
	// What was no answer is asked again.
	var heals atomic.Bool
	e = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !heals.Load() {
			w.WriteHeader(http.StatusBadGateway)
		} else if r.Method == "PROPFIND" {
			w.WriteHeader(http.StatusMultiStatus)
			io.WriteString(w, `<D:multistatus xmlns:D="DAV:">`+response("/d/f", kept)+`</D:multistatus>`)
		} else {
			w.Header().Set("Allow", "PROPPATCH")
		}
	})
	_, err := e.Properties(t.Context(), "/f", nil)
	wantKind(t, err, plugins.Faulty)
	heals.Store(true)
	if found, err := e.Properties(t.Context(), "/f", nil); err != nil || len(found) != 1 {
		t.Error(found, err)
	}
}
