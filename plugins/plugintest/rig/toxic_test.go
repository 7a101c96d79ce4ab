package rig

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// origin is a server that answers every GET with n bytes.
func origin(t *testing.T, n int) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, strings.Repeat("x", n))
	}))
	t.Cleanup(s.Close)
	return s
}

func TestToxicFaithful(t *testing.T) {
	p := Toxic(t, origin(t, 1<<20).URL+"/base")
	if !strings.HasSuffix(p.URL(), p.Addr()+"/base") {
		t.Errorf("URL: %s", p.URL())
	}
	if _, body := mustAsk(t, "GET", p.URL()); len(body) != 1<<20 {
		t.Errorf("%d bytes", len(body))
	}
	if n := p.Passed(); n < 1<<20 || n > 1<<20+100_000 {
		t.Errorf("%d bytes passed", n)
	}
	if p.Accepted() != 1 {
		t.Errorf("%d connections", p.Accepted())
	}
}

func TestToxicLatency(t *testing.T) {
	p := Toxic(t, origin(t, 8<<20).URL)
	p.Latency(20*time.Millisecond, 30*time.Millisecond)
	begin := time.Now()
	if _, body := mustAsk(t, "GET", p.URL()); len(body) != 8<<20 {
		t.Errorf("%d bytes", len(body))
	}
	// 512 chunks, each delayed in turn, would take 15 s.
	if d := time.Since(begin); d < 50*time.Millisecond || d > 10*time.Second {
		t.Errorf("took %v", d)
	}
}

func TestToxicHang(t *testing.T) {
	p := Toxic(t, origin(t, 10).URL)
	p.Hang()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := ask(ctx, "GET", p.URL()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	answered := make(chan string, 1)
	go func() {
		_, body, err := ask(t.Context(), "GET", p.URL())
		if err != nil {
			body = err.Error()
		}
		answered <- body
	}()
	for p.Accepted() < 2 {
		select {
		case body := <-answered:
			t.Fatalf("answered %q", body)
		default:
			runtime.Gosched()
		}
	}
	p.Heal()
	if body := <-answered; body != strings.Repeat("x", 10) {
		t.Errorf("after healing: %q", body)
	}
}

func TestToxicReset(t *testing.T) {
	p := Toxic(t, origin(t, 10).URL)
	open, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	for p.Accepted() < 1 {
		runtime.Gosched()
	}
	p.Reset()
	if _, err := open.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("open connection: %v", err)
	}
	if _, _, err := ask(t.Context(), "GET", p.URL()); err == nil {
		t.Error("a new connection was served")
	}
	p.Heal()
	mustAsk(t, "GET", p.URL())
}

func TestToxicCut(t *testing.T) {
	p := Toxic(t, origin(t, 1<<20).URL)
	p.Cut(5000)
	_, body, err := ask(t.Context(), "GET", p.URL())
	if err == nil || len(body) >= 5000 || len(body) < 4000 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	p.Cut(0)
	if _, _, err := ask(t.Context(), "GET", p.URL()); err == nil {
		t.Error("an answer of no bytes was taken for one")
	}
}

func TestToxicRefuse(t *testing.T) {
	p := Toxic(t, origin(t, 10).URL)
	for range 2 {
		p.Refuse()
		if _, _, err := ask(t.Context(), "GET", p.URL()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got %v", err)
		}
		p.Heal()
		mustAsk(t, "GET", p.URL())
	}
}

func TestToxicTargetDown(t *testing.T) {
	s := origin(t, 10)
	p := Toxic(t, s.Listener.Addr().String())
	s.Close()
	if _, _, err := ask(t.Context(), "GET", p.URL()); err == nil {
		t.Error("answered for a target that is down")
	}
}
