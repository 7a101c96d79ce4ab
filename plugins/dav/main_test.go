package dav

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"canopy/plugins"
	"canopy/plugins/webclient"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens an endpoint that is closed at the end of the test.
func open(t testing.TB, cfg *Config, env plugins.Env) *endpoint {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	e, err := cfg.Open(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e.(*endpoint)
}

// serve runs h as a storage whose root is at /d.
func serve(t *testing.T, h http.HandlerFunc) *endpoint {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	cfg := &Config{Config: webclient.Config{URL: s.URL + "/d"}, Checksums: true, Quota: true}
	return open(t, cfg, plugins.Env{Name: "geneva", Log: slog.New(slog.DiscardHandler), Timeout: 5 * time.Second})
}

// says is a storage that answers every PROPFIND with these responses.
func says(t *testing.T, responses string) *endpoint {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "PROPFIND" {
			http.Error(w, "", http.StatusMethodNotAllowed)
			return
		}
		w.WriteHeader(http.StatusMultiStatus)
		w.Write([]byte(`<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">` + responses + `</D:multistatus>`))
	})
}

// response makes a response element of properties that were found.
func response(href, properties string) string {
	return `<D:response><D:href>` + href + `</D:href><D:propstat><D:prop>` + properties +
		`</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>`
}

// failed makes a response element of a status.
func failed(href, status string) string {
	return `<D:response><D:href>` + href + `</D:href><D:status>HTTP/1.1 ` + status + `</D:status></D:response>`
}

const (
	dir  = `<D:resourcetype><D:collection/></D:resourcetype>`
	file = `<D:resourcetype/><D:getcontentlength>5</D:getcontentlength>`
)

func wantKind(t *testing.T, err error, want plugins.Kind) {
	t.Helper()
	if got := plugins.KindOf(err); got != want {
		t.Errorf("kind = %v, want %v; error: %v", got, want, err)
	}
}
