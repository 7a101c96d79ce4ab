package webclient

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"canopy/plugins"
	"canopy/plugins/wire/answer"
)

// wire is a network whose every connection is served by play, in order of
// being made. The last one serves all that follow.
type wire struct {
	dials int
	play  []func(conn net.Conn, requests <-chan string)
}

func (w *wire) env() plugins.Env {
	env := testEnv()
	env.Dial = func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		play := w.play[min(w.dials, len(w.play)-1)]
		w.dials++
		requests := make(chan string)
		gone := make(chan struct{})
		go func() {
			defer close(requests)
			in := bufio.NewReader(far)
			for {
				r, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				io.Copy(io.Discard, r.Body)
				select {
				case requests <- r.Method:
				case <-gone:
					return
				}
			}
		}()
		go func() {
			defer close(gone)
			defer far.Close()
			play(far, requests)
		}()
		return near, nil
	}
	return env
}

// once answers the first request of a connection and then does as after says.
func once(answer string, after func(conn net.Conn, requests <-chan string)) func(net.Conn, <-chan string) {
	return func(conn net.Conn, requests <-chan string) {
		<-requests
		io.WriteString(conn, answer)
		after(conn, requests)
	}
}

// hang says nothing more until the client goes away.
func hang(_ net.Conn, requests <-chan string) {
	for range requests {
	}
}

func hangUp(net.Conn, <-chan string) {}

// trickle sends text byte by byte, one every pause.
func trickle(text string, pause time.Duration) func(net.Conn, <-chan string) {
	return func(conn net.Conn, requests <-chan string) {
		for i := range len(text) {
			select {
			case <-time.After(pause):
			case <-requests: // the client went away
				return
			}
			if _, err := io.WriteString(conn, text[i:i+1]); err != nil {
				return
			}
		}
		hang(conn, requests)
	}
}

func flood(text string) func(net.Conn, <-chan string) {
	return func(conn net.Conn, _ <-chan string) {
		for {
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
		}
	}
}

func TestHostileServers(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
	for _, c := range []struct {
		name string
		play func(net.Conn, <-chan string)
		ask  plugins.Kind // of Do
		read plugins.Kind // of the body
		took time.Duration
	}{
		{"good", once(head+"0123456789", hang), 0, 0, 0},
		{"hangs", once("", hang), plugins.Timeout, 0, 5 * time.Second},
		{"hangs in the header", once("HTTP/1.1 200 OK\r\n", hang), plugins.Timeout, 0, 5 * time.Second},
		{"trickles the header", once("", trickle("HTTP/1.1 200 OK\r\nA: b\r\n\r\n", time.Second)), plugins.Timeout, 0, 5 * time.Second},
		{"hangs up", once("", hangUp), plugins.Unavailable, 0, 0},
		{"hangs up in the header", once("HTTP/1.1 200 OK\r\nA: b", hangUp), plugins.Unavailable, 0, 0},
		{"speaks another protocol", once("SSH-2.0-OpenSSH_9.2\r\n", hang), plugins.Malformed, 0, 0},
		{"header without end", once("HTTP/1.1 200 OK\r\n", flood("X: "+strings.Repeat("y", 1000)+"\r\n")), plugins.Malformed, 0, 0},
		{"header line without end", once("HTTP/1.1 200 OK\r\nX: ", flood("yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy")), plugins.Malformed, 0, 0},
		{"two lengths", once("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", hang), plugins.Malformed, 0, 0},
		{"switches protocols", once("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", hang), plugins.Malformed, 0, answer.DrainTime},
		{"error body without end", once("HTTP/1.1 404 Not Found\r\n\r\n", flood("no")), plugins.NotFound, 0, 0},
		{"error body that hangs", once("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nno", hang), plugins.NotFound, 0, answer.DrainTime},
		{"ends early", once(head+"01234", hangUp), 0, plugins.Malformed, 0},
		{"ends chunks early", once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n", hangUp), 0, plugins.Malformed, 0},
		{"chunks are none", once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", hang), 0, plugins.Malformed, 0},
		{"hangs in the body", once(head+"01234", hang), 0, plugins.Timeout, 5 * time.Second},
		{"trickles the body", once(head, trickle("0123456789", 4*time.Second)), 0, 0, 40 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{play: []func(net.Conn, <-chan string){c.play}}
				client := newClient(t, Config{URL: "http://h"}, w.env())
				start := time.Now()
				resp, err := client.Do(t.Context(), Request{Op: "open", Method: http.MethodGet, Path: "/x"})
				wantKind(t, err, c.ask)
				if err == nil {
					_, err := io.ReadAll(resp.Body)
					wantKind(t, err, c.read)
					if _, again := resp.Body.Read(make([]byte, 1)); err != nil && again != err {
						t.Errorf("reading on gives %v, want %v again", again, err)
					}
					resp.Body.Close()
				}
				if took := time.Since(start); took != c.took {
					t.Errorf("took %v, want %v", took, c.took)
				}
			})
		})
	}
}

func TestSlowReaderIsNotSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{play: []func(net.Conn, <-chan string){once("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", trickle("abc", time.Second))}}
		client := newClient(t, Config{URL: "http://h"}, w.env())
		resp, err := client.Do(t.Context(), Request{Method: http.MethodGet, Path: "/x"})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		for _, want := range "abc" {
			<-time.After(time.Hour)
			b := make([]byte, 1)
			if _, err := io.ReadFull(resp.Body, b); err != nil || b[0] != byte(want) {
				t.Fatalf("read %q, %v", b, err)
			}
		}
	})
}

func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{play: []func(net.Conn, <-chan string){hang}}
		client := newClient(t, Config{URL: "http://h"}, w.env())
		for _, c := range []struct{ wait, want time.Duration }{{0, 5 * time.Second}, {time.Second, time.Second}, {-1, time.Hour}} {
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			_, err := client.Do(ctx, Request{Method: http.MethodHead, Path: "/x", Wait: c.wait})
			cancel()
			wantKind(t, err, plugins.Timeout)
			if took := time.Since(start); took != c.want {
				t.Errorf("Wait %v took %v, want %v", c.wait, took, c.want)
			}
		}
	})
}

func TestConnectTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := testEnv()
		env.Timeout = time.Minute
		env.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		client := newClient(t, Config{URL: "http://h"}, env)
		start := time.Now()
		_, err := client.Do(t.Context(), Request{Method: http.MethodGet, Path: "/x"})
		wantKind(t, err, plugins.Timeout)
		if took := time.Since(start); took != connectTime {
			t.Errorf("took %v, want %v", took, connectTime)
		}
	})
}

// A connection that was kept and has died is replaced, once, for a question
// that may be asked twice.
func TestDeadKeptConnection(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	dies := once(ok, func(_ net.Conn, requests <-chan string) { <-requests })
	for _, c := range []struct {
		method string
		next   func(net.Conn, <-chan string)
		kind   plugins.Kind
		dials  int
	}{
		{"PROPFIND", once(ok, hang), 0, 2},
		{"GET", once(ok, hang), 0, 2},
		{"PROPFIND", once("", hangUp), plugins.Unavailable, 2},
		{"MOVE", once(ok, hang), 0, 2},
		{"COPY", once(ok, hang), plugins.Unavailable, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := &wire{play: []func(net.Conn, <-chan string){dies, c.next}}
			client := newClient(t, Config{URL: "http://h"}, w.env())
			ask := func() error {
				resp, err := client.Do(t.Context(), Request{Method: c.method, Path: "/x", Body: []byte("<propfind/>")})
				if err == nil {
					resp.Body.Close()
				}
				return err
			}
			wantKind(t, ask(), 0)
			wantKind(t, ask(), c.kind)
			if w.dials != c.dials {
				t.Errorf("%s: %d connections, want %d", c.method, w.dials, c.dials)
			}
		})
	}
}

func TestReset(t *testing.T) {
	_, c := serve(t, "", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		if r.URL.Path == "/body" {
			w.(http.Flusher).Flush()
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		// No lingering: the kernel sends a reset.
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	})
	_, err := c.Do(t.Context(), Request{Method: http.MethodGet, Path: "/header"})
	wantKind(t, err, plugins.Unavailable)
	resp, err := c.Do(t.Context(), Request{Method: http.MethodGet, Path: "/body"})
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	wantKind(t, err, plugins.Unavailable)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the cause is lost: %v", err)
	}
}

func TestCloseEndsDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := testEnv()
		env.Timeout = 0
		env.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		client := newClient(t, Config{URL: "http://h"}, env)
		done := make(chan error)
		go func() {
			_, err := client.Do(context.Background(), Request{Method: http.MethodGet, Path: "/x"})
			done <- err
		}()
		synctest.Wait()
		client.Close()
		wantKind(t, <-done, plugins.Canceled)
	})
}
