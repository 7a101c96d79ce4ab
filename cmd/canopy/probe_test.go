package main

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"canopy/configs"
	"canopy/plugins"
	"canopy/plugins/all"
)

func TestSkew(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                                   "+0.0s",
		-40 * time.Millisecond:              "+0.0s",
		340 * time.Millisecond:              "+0.3s",
		-59500 * time.Millisecond:           "-59.5s",
		59960 * time.Millisecond:            "+1m0s",
		-2*time.Hour - 400*time.Millisecond: "-2h0m0s",
	} {
		if got := skew(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// TestExamine: what an endpoint is configured for and cannot do is a fault,
// what it is not configured for is none.
func TestExamine(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodOptions:
			w.Header().Set("Allow", "GET, HEAD")
		case http.MethodHead:
		default:
			http.Error(w, "no", http.StatusInternalServerError)
		}
	}))
	defer s.Close()
	for name, c := range map[string]struct {
		keys               string
		write              bool
		listable, writable string
		fault              string
	}{
		"to be read":    {"list: false", false, "not used", "no (not used)", ""},
		"to be written": {"list: false", true, "not used", "no", "takes no files, and is configured with write: true; "},
		"to be listed":  {"listing: index", false, "no: failed at the storage", "no (not used)", "cannot be listed: failed at the storage: " + s.URL},
		"without lists": {"listing: none", false, "no", "no (not used)", ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := "endpoints: [{name: web, type: http, url: \"" + s.URL + "\", " + c.keys + "}]"
			config, err := configs.Parse("test.yaml", []byte(text), all.Registry(), nil)
			if err != nil {
				t.Fatal(err)
			}
			config.Endpoints[0].Write = c.write // which no file can say yet
			h := examine(t.Context(), &config.Endpoints[0])
			if h.reachable != "yes" || h.listable != c.listable || h.writable != c.writable {
				t.Errorf("got %+v", h)
			}
			if got := strings.Join(h.faults, "\n"); !strings.HasPrefix(got, c.fault) || (got == "") != (c.fault == "") {
				t.Errorf("faults %q, want %q", got, c.fault)
			}
		})
	}
}

// TestAdvice: an error says what to do, and says it once.
func TestAdvice(t *testing.T) {
	unknown := &plugins.Error{Kind: plugins.Unavailable, Err: &net.DNSError{Err: "no such host", Name: "h", IsNotFound: true}}
	for want, err := range map[string]error{
		"unavailable: lookup h: no such host":                  unknown,
		"timed out; see that it runs, or raise limits.timeout": &plugins.Error{Kind: plugins.Timeout, Op: "stat", Path: "/"},
		"malformed answer: odd; its own log may say more":      &plugins.Error{Kind: plugins.Malformed, Err: errors.New("odd")},
		"busy": &plugins.Error{Kind: plugins.Busy},
		"odd; see that it runs, and that the file names it correctly":   errors.New("odd"),
		"denied: odd; correct its credentials":                          &plugins.Error{Kind: plugins.Denied, Err: errors.New("odd")},
		"failed at the storage: answered 500; its own log may say more": &plugins.Error{Kind: plugins.Faulty, Err: errors.New("answered 500")},
	} {
		if got := advised(err); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := (&access{}).failure("ls", unknown).Error(); strings.Contains(got, "try again") {
		t.Errorf("got %s", got)
	}
}
