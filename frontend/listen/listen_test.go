package listen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// protocol answers with what was spoken.
var protocol = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s tls=%v", r.Proto, r.TLS != nil)
})

func TestApply(t *testing.T) {
	authority := issue(t, "authority", nil)
	files := issue(t, "server", authority).save(t, t.TempDir())
	c := client(t, authority.cert)

	s := server(t, Options{Handler: protocol}, Listener{Address: "127.0.0.1:0"})
	first := s.Bound()[0]
	if _, body := get(t, c, first.URL()); body != "HTTP/1.1 tls=false" {
		t.Errorf("got %s", body)
	}

	// Another one beside it; the first stays where it is.
	if err := s.Apply([]Listener{{Address: "localhost:0", TLS: &files}, {Address: "127.0.0.1:0"}}); err != nil {
		t.Fatal(err)
	}
	bound := s.Bound()
	if bound[1] != first {
		t.Errorf("the first listener moved from %v to %v", first, bound[1])
	}
	second := bound[0]
	if *second.TLS != files || !strings.HasPrefix(second.URL(), "https://") {
		t.Errorf("got %+v at %s", second, second.URL())
	}
	if _, body := get(t, c, second.URL()); body != "HTTP/2.0 tls=true" {
		t.Errorf("got %s", body)
	}

	// Without the first; and the second becomes plain on the same socket.
	if err := s.Apply([]Listener{{Address: "localhost:0"}}); err != nil {
		t.Fatal(err)
	}
	s.leaving.Wait()
	if conn, err := net.Dial("tcp", first.Addr.String()); err == nil {
		conn.Close()
		t.Errorf("%v still accepts", first.Addr)
	}
	if now := s.Bound()[0]; now.Addr != second.Addr {
		t.Errorf("the second listener moved from %v to %v", second.Addr, now.Addr)
	}
	if _, body := get(t, c, s.Bound()[0].URL()); body != "HTTP/1.1 tls=false" {
		t.Errorf("got %s", body)
	}
}

// TestApplyFails: a bad set of listeners changes nothing.
func TestApplyFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	s := server(t, Options{Handler: protocol}, Listener{Address: "127.0.0.1:0"})
	before := s.Bound()
	for _, c := range []struct {
		listeners []Listener
		want      string
	}{
		{
			[]Listener{{Address: "localhost:0"}, {Address: address}},
			"listen on " + address + ": another program listens there already; stop it or choose another address",
		},
		{[]Listener{{Address: "localhost:0"}, {Address: "localhost:0"}}, "listen on localhost:0: it is there twice; keep one"},
		{
			[]Listener{{Address: "192.0.2.1:0"}},
			"listen on 192.0.2.1:0: this machine does not have that address; choose one of its own, or leave out the host",
		},
		{[]Listener{{Address: "127.0.0.1:0", TLS: &TLS{"/nowhere/c", "/nowhere/k", ""}}}, "listen on 127.0.0.1:0: stat /nowhere/c: no such file or directory"},
	} {
		if err := s.Apply(c.listeners); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	if now := s.Bound(); len(now) != 1 || now[0] != before[0] {
		t.Errorf("got %v, was %v", now, before)
	}
	if _, body := get(t, client(t, nil), before[0].URL()); body != "HTTP/1.1 tls=false" {
		t.Errorf("got %s", body)
	}
}

// "OPTIONS *" is for the handler, which knows what the server can do.
func TestAsterisk(t *testing.T) {
	s := server(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Dav", r.RequestURI)
	})}, Listener{Address: "127.0.0.1:0"})
	request, err := http.NewRequest(http.MethodOptions, s.Bound()[0].URL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.URL.Opaque = "*"
	response, err := client(t, nil).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if got := response.Header.Get("Dav"); got != "*" {
		t.Errorf("the handler was asked for %q", got)
	}
}

func TestURL(t *testing.T) {
	for want, b := range map[string]Bound{
		"http://localhost:80":     {Addr: &net.TCPAddr{IP: net.IPv6unspecified, Port: 80}},
		"https://[2001:db8::1]:1": {Listener{TLS: &TLS{}}, &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 1}},
		"http://127.0.0.1:8080":   {Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}},
	} {
		if got := b.URL(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestDrain: what runs is finished, and nothing new is begun.
func TestDrain(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	s := server(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(began)
		<-finish
		io.WriteString(w, "finished")
	})}, Listener{Address: "127.0.0.1:0"}, Listener{Address: "localhost:0"})
	bound := s.Bound()
	answered := make(chan string)
	go func() {
		_, body := get(t, client(t, nil), bound[0].URL())
		answered <- body
	}()
	<-began
	drained := make(chan error)
	go func() { drained <- s.Drain(t.Context()) }()
	for _, b := range bound {
		// The sockets are closed some time after Drain was called.
		for {
			conn, err := net.Dial("tcp", b.Addr.String())
			if err != nil {
				break
			}
			conn.Close()
		}
	}
	close(finish)
	if body := <-answered; body != "finished" {
		t.Errorf("got %q", body)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if err := s.Apply([]Listener{{Address: "127.0.0.1:0"}}); !errors.Is(err, ErrDrained) {
		t.Errorf("got %v", err)
	}
}

// TestDrainCuts: a request that does not end is cut off when the time is up.
func TestDrainCuts(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	s := server(t, Options{Drain: time.Millisecond, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		close(ended)
	})}, Listener{Address: "127.0.0.1:0"})
	url := s.Bound()[0].URL()
	failed := make(chan error)
	go func() {
		_, err := client(t, nil).Get(url)
		failed <- err
	}()
	<-began
	if err := s.Drain(t.Context()); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "requests at 127.0.0.1:0 were cut off") {
		t.Errorf("got %v", err)
	}
	<-ended
	if err := <-failed; err == nil {
		t.Error("the client got an answer")
	}
}

// TestConnections: beyond the limit a connection waits until another ends.
func TestConnections(t *testing.T) {
	s := server(t, Options{Handler: protocol, Connections: 1}, Listener{Address: "127.0.0.1:0"})
	bound := s.Bound()[0]
	first, err := net.Dial("tcp", bound.Addr.String())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(first, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := first.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	answered := make(chan string)
	go func() {
		_, body := get(t, client(t, nil), bound.URL())
		answered <- body
	}()
	select {
	case <-answered:
		t.Error("two connections at once")
	default:
	}
	if n := len(s.open[0].socket.room); n != 1 {
		t.Errorf("%d connections", n)
	}
	first.Close()
	if body := <-answered; body != "HTTP/1.1 tls=false" {
		t.Errorf("got %s", body)
	}
}

// TestHostileHeaders: what is too large or malformed is refused, and the log
// of it has one line.
func TestHostileHeaders(t *testing.T) {
	var said record
	s := server(t, Options{Handler: protocol, Log: said.logger()}, Listener{Address: "127.0.0.1:0"})
	for request, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", maxHeader+8<<10) + "\r\n\r\n": "HTTP/1.1 431",
		"GET / HTTP/1.1\r\nHost: x\r\n bad\r\n\r\n":                                            "HTTP/1.1 400",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                                                     "HTTP/1.1 505",
	} {
		conn, err := net.Dial("tcp", s.Bound()[0].Addr.String())
		if err != nil {
			t.Fatal(err)
		}
		go io.WriteString(conn, request)
		answer, _ := io.ReadAll(conn)
		if !strings.HasPrefix(string(answer), want) {
			t.Errorf("got %.40q, want %s", answer, want)
		}
		conn.Close()
	}
}
