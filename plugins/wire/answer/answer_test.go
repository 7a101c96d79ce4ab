package answer

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"canopy/plugins"
)

func TestKind(t *testing.T) {
	for status, want := range map[int]plugins.Kind{
		304: plugins.Malformed, 400: plugins.Invalid, 401: plugins.Denied, 403: plugins.Denied, 404: plugins.NotFound, 405: plugins.Unsupported,
		408: plugins.Timeout, 409: plugins.Invalid, 410: plugins.NotFound, 411: plugins.Unsupported, 412: plugins.Changed, 416: plugins.OutOfRange,
		423: plugins.Locked, 429: plugins.Busy, 500: plugins.Faulty, 501: plugins.Unsupported, 503: plugins.Faulty, 504: plugins.Timeout, 599: plugins.Faulty,
	} {
		if got := Kind(status); got != want {
			t.Errorf("%d: %v, want %v", status, got, want)
		}
	}
}

func TestRedirects(t *testing.T) {
	for _, c := range []struct {
		status int
		method string
		want   bool
	}{
		{301, "PUT", true}, {302, "GET", true}, {307, "PUT", true}, {308, "PROPFIND", true},
		{303, "GET", true}, {303, "HEAD", true}, {303, "PUT", false}, {300, "GET", false}, {304, "GET", false}, {200, "GET", false},
	} {
		if got := Redirects(c.status, c.method); got != c.want {
			t.Errorf("%d to %s: %v", c.status, c.method, got)
		}
	}
}

// body counts what is read of it, and is silent after its text until it is closed.
type body struct {
	io.Reader
	closed chan struct{}
	silent bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF && b.silent {
		<-b.closed
		return n, http.ErrBodyReadAfterClose
	}
	return n, err
}

func (b *body) Close() error {
	select {
	case <-b.closed:
	default:
		close(b.closed)
	}
	return nil
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		short := strings.NewReader("short")
		Drain(&body{Reader: short, closed: make(chan struct{})})
		if short.Len() > 0 {
			t.Errorf("%d bytes are left of what is short", short.Len())
		}
		long := strings.NewReader(strings.Repeat("x", 2*DrainBytes))
		Drain(&body{Reader: long, closed: make(chan struct{})})
		if long.Len() != DrainBytes {
			t.Errorf("%d bytes are left of what is long", long.Len())
		}
		began := time.Now()
		Drain(&body{Reader: strings.NewReader(""), closed: make(chan struct{}), silent: true})
		if took := time.Since(began); took != DrainTime {
			t.Errorf("what is silent took %v", took)
		}
	})
}
