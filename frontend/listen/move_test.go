package listen

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// free returns a port that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// TestMove: the new address may be one that only the old one stands in the way
// of, and requests on the old one are finished.
func TestMove(t *testing.T) {
	port := free(t)
	everywhere, here := ":"+port, "127.0.0.1:"+port
	for _, c := range []struct{ from, to string }{
		{everywhere, here}, {here, everywhere}, {here, "localhost:" + port}, {here, "0.0.0.0:" + port},
	} {
		t.Run(c.from+" to "+c.to, func(t *testing.T) {
			began, finish := make(chan struct{}), make(chan struct{})
			s := server(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/long" {
					close(began)
					<-finish
				}
				io.WriteString(w, r.URL.Path)
			})}, Listener{Address: c.from})
			answered := make(chan string)
			go func() {
				_, body := get(t, client(t, nil), "http://"+here+"/long")
				answered <- body
			}()
			<-began
			if err := s.Apply([]Listener{{Address: c.to}}); err != nil {
				t.Fatal(err)
			}
			if bound := s.Bound(); len(bound) != 1 || bound[0].Address != c.to {
				t.Errorf("bound to %v", bound)
			}
			if _, body := get(t, client(t, nil), "http://"+here+"/new"); body != "/new" {
				t.Errorf("at the new address: %q", body)
			}
			close(finish)
			if body := <-answered; body != "/long" {
				t.Errorf("at the old address: %q", body)
			}
			// And back at once, as a reload does that fails later on.
			if err := s.Apply([]Listener{{Address: c.from}}); err != nil {
				t.Fatal(err)
			}
			if _, body := get(t, client(t, nil), "http://"+here+"/back"); body != "/back" {
				t.Errorf("back at the old address: %q", body)
			}
			s.leaving.Wait()
		})
	}
}

// TestMoveFails: if the new addresses cannot all be had, the old one is put
// back with its connections.
func TestMoveFails(t *testing.T) {
	port := free(t)
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	// Somebody else has the port at another address of this machine, so that
	// all of it cannot be had.
	neighbour, err := net.Listen("tcp", "127.0.0.2:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer neighbour.Close()
	here := "127.0.0.1:" + port
	s := server(t, Options{Handler: protocol}, Listener{Address: here})
	before := s.Bound()[0]
	c := client(t, nil)
	get(t, c, before.URL())
	for _, next := range [][]Listener{
		{{Address: ":" + port}},
		{{Address: "localhost:" + port}, {Address: other.Addr().String()}},
		{{Address: "localhost:" + port}, {Address: ":" + port}},
		{{Address: "localhost:" + port}, {Address: here + "0", TLS: &TLS{Certificate: "none"}}},
	} {
		err := s.Apply(next)
		if err == nil || !strings.HasPrefix(err.Error(), "listen on ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v", next, err)
		}
		if now := s.Bound(); len(now) != 1 || fmt.Sprint(now[0]) != fmt.Sprint(before) {
			t.Errorf("%v: it is %v, was %v", next, now, before)
		}
		// On the connection that was, and on a new one.
		for _, c := range []*http.Client{c, client(t, nil)} {
			if _, body := get(t, c, before.URL()); body != "HTTP/1.1 tls=false" {
				t.Errorf("%v: got %s", next, body)
			}
		}
	}
	if n := len(s.open[0].socket.room); n > 1+4+1 {
		t.Errorf("%d connections are counted", n)
	}
}

// TestMoveLost: an address that made room and was taken by somebody else
// meanwhile is given up, and said to be.
func TestMoveLost(t *testing.T) {
	s := server(t, Options{Handler: protocol}, Listener{Address: "127.0.0.1:0"})
	address := s.Bound()[0].Addr.String()
	c := &change{server: s}
	if err := c.makeRoom(address); err != nil {
		t.Fatal(err)
	}
	quicker, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	const want = "something else failed\nand no longer: listen on 127.0.0.1:0: another program listens there already; stop it or choose another address"
	if err := c.undo(errors.New("something else failed")); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if bound := s.Bound(); len(bound) != 0 {
		t.Errorf("bound to %v", bound)
	}
	s.leaving.Wait()
	quicker.Close()
	if err := s.Apply([]Listener{{Address: address}}); err != nil {
		t.Error(err)
	}
}
