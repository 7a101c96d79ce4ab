package splice

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// content is what the storage holds.
var content = func() []byte {
	b := make([]byte, 5<<20+123)
	r := rand.NewChaCha8([32]byte{7})
	r.Read(b)
	return b
}()

// whole serves it.
func whole(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// storage is one whose connections can move what they receive.
type storage struct {
	client http.Client
	url    string
	// held is how often a client was being waited for, less how often no more.
	held, ever atomic.Int32
}

func newStorage(t *testing.T, serve http.HandlerFunc) *storage {
	server := httptest.NewServer(serve)
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return Wrap(c), nil
	}}
	t.Cleanup(func() { transport.CloseIdleConnections(); server.Close() })
	return &storage{client: http.Client{Transport: transport}, url: server.URL}
}

// open asks for the content.
func (s *storage) open(t *testing.T, ctx context.Context) io.ReadCloser {
	t.Helper()
	if p := From(ctx); p != nil {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
			Arm(got.Conn, p, func() { s.held.Add(1); s.ever.Add(1) }, func() { s.held.Add(-1) })
		}})
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Body
}

// pair is a connection, its two ends.
func pair(t *testing.T) (ours, theirs *net.TCPConn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a.(*net.TCPConn), b.(*net.TCPConn)
}

// send sends all of body to a client, and returns how many bytes this process
// has seen, and what the body ended with.
func send(p *Pipe, body io.Reader, to *net.TCPConn) (seen int, err error) {
	for {
		rest, err := p.Read(body)
		seen += len(rest)
		if _, failed := to.Write(rest); failed != nil {
			return seen, failed
		}
		if err != nil {
			return seen, err
		}
	}
}

func TestPipe(t *testing.T) {
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		want  []byte
		end   error
		moves bool
	}{
		"whole": {serve: whole, want: content, end: io.EOF, moves: true},
		"short": {serve: func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("short")) }, want: []byte("short"), end: io.EOF},
		"empty": {serve: func(w http.ResponseWriter, r *http.Request) {}, end: io.EOF},
		"chunked": {serve: func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			for part := range slices.Chunk(content, 100_000) {
				w.Write(part)
			}
		}, want: content, end: io.EOF},
		"broken": {serve: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(content)))
			w.Write(content[:3<<20])
			panic(http.ErrAbortHandler)
		}, want: content[:3<<20], end: io.ErrUnexpectedEOF, moves: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStorage(t, c.serve)
			ours, theirs := pair(t)
			p := New()
			defer p.Close()
			body := s.open(t, With(t.Context(), p))
			defer body.Close()
			p.Lead(ours)
			var seen int
			ended := make(chan error)
			go func() {
				var err error
				seen, err = send(p, body, ours)
				ours.CloseWrite()
				ended <- err
			}()
			got, err := io.ReadAll(theirs)
			if err != nil {
				t.Fatal(err)
			}
			if err := <-ended; !errors.Is(err, c.end) || p.Err() != nil {
				t.Errorf("it ended with %v, the client with %v", err, p.Err())
			}
			if !bytes.Equal(got, c.want) {
				t.Errorf("the client got %d bytes, want %d, or others", len(got), len(c.want))
			}
			if most := len(c.want) / 4; c.moves && runtime.GOOS == "linux" && seen > most {
				t.Errorf("%d bytes were not moved, want %d at most", seen, most)
			}
			if s.held.Load() != 0 {
				t.Error("the storage is not being waited for any more")
			}
		})
	}
}

// TestConnectionIsKept: what was a pipe's connection serves others after it.
func TestConnectionIsKept(t *testing.T) {
	var connections atomic.Int32
	last := ""
	s := newStorage(t, func(w http.ResponseWriter, r *http.Request) {
		if r.RemoteAddr != last {
			connections.Add(1)
			last = r.RemoteAddr
		}
		whole(w, r)
	})
	ours, theirs := pair(t)
	go io.Copy(io.Discard, theirs)
	for range 3 {
		p := New()
		body := s.open(t, With(t.Context(), p))
		p.Lead(ours)
		if _, err := send(p, body, ours); err != io.EOF {
			t.Fatal(err)
		}
		body.Close()
		p.Close()
		plain := s.open(t, t.Context())
		if got, err := io.ReadAll(plain); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		plain.Close()
	}
	ours.Close()
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections to the storage", n)
	}
}

// TestGreedy: a body that reads more than once for one Read is sent in its order.
func TestGreedy(t *testing.T) {
	s := newStorage(t, whole)
	ours, theirs := pair(t)
	p := New()
	defer p.Close()
	body := s.open(t, With(t.Context(), p))
	defer body.Close()
	p.Lead(ours)
	go func() {
		send(p, greedy{body}, ours)
		ours.CloseWrite()
	}()
	if got, err := io.ReadAll(theirs); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the client got %d bytes, or others; %v", len(got), err)
	}
}

// greedy fills the buffer.
type greedy struct{ io.Reader }

func (g greedy) Read(p []byte) (int, error) { return io.ReadFull(g.Reader, p) }
