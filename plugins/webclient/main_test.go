package webclient

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"canopy/plugins"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testEnv is what a test's endpoint gets from the outside world.
func testEnv() plugins.Env {
	return plugins.Env{Name: "geneva", Log: slog.New(slog.DiscardHandler), Timeout: 5 * time.Second}
}

// newClient makes a client that is closed at the end of the test.
func newClient(t *testing.T, cfg Config, env plugins.Env) *Client {
	t.Helper()
	c, err := New(cfg, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// serve runs a server, and returns it with a client of its path prefix.
func serve(t *testing.T, prefix string, h http.HandlerFunc) (*httptest.Server, *Client) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s, newClient(t, Config{URL: s.URL + prefix}, testEnv())
}

// wantKind fails the test unless err has the kind.
func wantKind(t *testing.T, err error, want plugins.Kind) {
	t.Helper()
	if got := plugins.KindOf(err); got != want {
		t.Errorf("kind = %v, want %v; error: %v", got, want, err)
	}
}
