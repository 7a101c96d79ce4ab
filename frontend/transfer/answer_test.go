package transfer

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"canopy/frontend/transfer/guard"
	"canopy/plugins"
	"canopy/plugins/wire/marker"
)

// agent returns one that may go anywhere.
func agent(t *testing.T, o Options) *Agent {
	t.Helper()
	c, err := guard.New(guard.Options{Private: true, Idle: 2 * time.Second, Agent: "canopy/test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	a := New(c, o)
	a.large = 1 << 20
	return a
}

// order makes one of lines of a header.
func order(t *testing.T, lines ...string) *Order {
	t.Helper()
	o, err := Parse(header(lines...))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// reading is what an answer says.
type reading struct {
	markers []marker.Marker
	outcome marker.Outcome
}

func read(t *testing.T, w *httptest.ResponseRecorder) reading {
	t.Helper()
	if w.Code != http.StatusAccepted || w.Header().Get("Content-Type") != "text/perf-marker-stream" || !w.Flushed {
		t.Errorf("answer %d, %v", w.Code, w.Header())
	}
	var r reading
	var err error
	if r.outcome, err = marker.Read(w.Body, func(m marker.Marker) { r.markers = append(r.markers, m) }); err != nil {
		t.Errorf("%v: %q", err, w.Body)
	}
	return r
}

func TestMarkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, o := agent(t, Options{}), order(t, "Source: https://192.0.2.1/f")
		began := time.Now()
		tr, err := a.begin(t.Context(), o, func(tr *Transfer) (func() error, error) {
			return func() error {
				tr.flow()
				for range 12 {
					<-time.After(time.Second)
					tr.bytes.Add(10)
				}
				tr.connected(netip.AddrPort{}, netip.MustParseAddrPort("[::ffff:192.0.2.1]:443"))
				tr.connected(netip.AddrPort{}, netip.MustParseAddrPort("192.0.2.1:443"))
				tr.connected(netip.AddrPort{}, netip.MustParseAddrPort("[2001:db8::1]:8443"))
				return nil
			}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		if err := tr.Run(w); err != nil || time.Since(began) != 12*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		got := read(t, w)
		if got.outcome != (marker.Outcome{State: marker.Success, Message: "Created"}) || len(got.markers) != 4 {
			t.Fatalf("%+v", got)
		}
		for i, want := range []struct{ after, least, most int64 }{{0, 0, 0}, {5, 40, 50}, {10, 90, 100}, {12, 120, 120}} {
			m := got.markers[i]
			if m.Time.Unix()-began.Unix() != want.after || m.Bytes < want.least || m.Bytes > want.most || m.Stripe != 0 || m.Stripes != 1 {
				t.Errorf("marker %d: %+v", i, m)
			}
		}
		if remote := strings.Join(got.markers[3].Remote, " "); remote != "tcp:192.0.2.1:443 tcp:[2001:db8::1]:8443" {
			t.Errorf("RemoteConnections: %s", remote)
		}
	})
}

func TestReasons(t *testing.T) {
	unreachable := &plugins.Error{Kind: plugins.Unavailable, Op: "GET", Err: &guard.StatusError{Status: 502, Origin: "https://a", Method: "GET"}}
	inner := &plugins.Error{Kind: plugins.Full, Op: "store", Endpoint: "inside", Path: "/inside/f", Err: errors.New("dial 10.1.1.1")}
	for want, err := range map[string]error{
		"the source: unavailable: https://a answered 502 Bad Gateway to GET": &other{unreachable},
		"the destination here: no room":                                      inner,
		"the checksum of what passed is not the one that was stated":         &other{errSum},
		"the source leads to a network from and to which nothing is copied":  &other{&plugins.Error{Kind: plugins.Invalid, Err: &guard.Refused{Host: "10.1.1.1"}}},
		"the copy was ended":                                              context.Canceled,
		"the source: malformed answer: success: Created":                  &other{wrong(plugins.Malformed, "\r\nsuccess: Created")},
		"the source has changed while it was read":                        &other{&plugins.Error{Kind: plugins.Changed, Err: errChanged}},
		"there is no checksum to verify the copy by, and one is required": errUnsure,
	} {
		a, o := agent(t, Options{}), order(t, "Source: https://a/f")
		tr, begun := a.begin(t.Context(), o, func(tr *Transfer) (func() error, error) {
			return func() error { tr.flow(); return err }, nil
		})
		if begun != nil {
			t.Fatal(begun)
		}
		w := httptest.NewRecorder()
		if got := tr.Run(w); !errors.Is(got, err) {
			t.Errorf("%s: Run says %v", want, got)
		}
		got := read(t, w).outcome
		got.Message = strings.Join(strings.Fields(got.Message), " ")
		if got.State != marker.Failure || got.Message != want {
			t.Errorf("%+v, want %q", got, want)
		}
	}
}

func TestTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, o := agent(t, Options{Longest: time.Hour}), order(t, "Source: https://a/f")
		began := time.Now()
		tr, err := a.begin(t.Context(), o, func(tr *Transfer) (func() error, error) {
			return func() error { <-tr.ctx.Done(); return tr.ctx.Err() }, nil
		})
		// Nothing flows, and the client is not left without a word for ever.
		if err != nil || time.Since(began) != settled {
			t.Fatal(err, time.Since(began))
		}
		w := httptest.NewRecorder()
		if err := tr.Run(w); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Hour {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if got := read(t, w).outcome.Message; got != errLong.Error() {
			t.Error(got)
		}
	})
}

// gone is a client that has closed its connection.
type gone struct{ http.ResponseWriter }

func (gone) Write([]byte) (int, error) { return 0, http.ErrHandlerTimeout }

func TestClientGone(t *testing.T) {
	a, o := agent(t, Options{Most: 1}), order(t, "Source: https://a/f")
	begin := func(ctx context.Context) (*Transfer, error) {
		return a.begin(ctx, o, func(tr *Transfer) (func() error, error) {
			return func() error { tr.flow(); <-tr.ctx.Done(); return tr.ctx.Err() }, nil
		})
	}
	tr, err := begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var refusal *Refusal
	if _, err := begin(t.Context()); !errors.As(err, &refusal) || refusal.Status != http.StatusServiceUnavailable {
		t.Errorf("a second one: %v", err)
	}
	if err := tr.Run(gone{httptest.NewRecorder()}); !errors.Is(err, context.Canceled) || !errors.Is(err, http.ErrHandlerTimeout) {
		t.Errorf("a write failed: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if tr, err = begin(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	w := httptest.NewRecorder()
	if err := tr.Run(w); !errors.Is(err, context.Canceled) || read(t, w).outcome.Message != "the copy was ended" {
		t.Errorf("the request has ended: %v", err)
	}
}

func TestRefuse(t *testing.T) {
	c, err := guard.New(guard.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	a := New(c, Options{})
	sink := errors.New("of the sink")
	for status, err := range map[int]error{
		404: &plugins.Error{Kind: plugins.NotFound}, 403: &plugins.Error{Kind: plugins.Denied}, 409: &plugins.Error{Kind: plugins.NoParent},
		412: &plugins.Error{Kind: plugins.Exists}, 507: &plugins.Error{Kind: plugins.Full}, 504: &plugins.Error{Kind: plugins.Timeout},
		502: &plugins.Error{Kind: plugins.Faulty}, 501: errUnsure,
	} {
		var refusal *Refusal
		o := order(t, "Destination: https://a.example.org/f")
		_, got := a.begin(t.Context(), o, func(*Transfer) (func() error, error) { return nil, &other{err} })
		if !errors.As(got, &refusal) || refusal.Status != status || !strings.Contains(refusal.Sentence, "destination") || !errors.Is(got, err) {
			t.Errorf("%v: %v", err, got)
		}
	}
	for text, want := range map[string]int{"https://10.0.0.1/f": 403, "https://a.example.org/f": 0} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		var refusal *Refusal
		_, got := a.begin(t.Context(), &Order{Mode: Pull, Remote: u}, func(*Transfer) (func() error, error) {
			return func() error { return sink }, nil
		})
		if want == 0 && got != sink || want != 0 && (!errors.As(got, &refusal) || refusal.Status != want) {
			t.Errorf("%s: %v", text, got)
		}
	}
}
