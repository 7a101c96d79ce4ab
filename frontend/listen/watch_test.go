package listen

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// pipes is a listener whose connections have no buffer and tell fake time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// outcome is how a handler fared with one client.
type outcome struct {
	err  error
	took time.Duration
}

// serving runs handle, with a patience of a minute, and behaves like the
// client that visit is.
func serving(t *testing.T, s *secret, handle func(w http.ResponseWriter, r *http.Request) error, visit func(net.Conn)) (got outcome) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		done := make(chan outcome, 1)
		server := New(Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began := time.Now()
			err := handle(w, r)
			done <- outcome{err, time.Since(began)}
		})})
		inner := &pipes{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
		p := server.port("pipe", inner)
		p.tls.Store(s)
		go p.serve()
		near, far := net.Pipe()
		inner.conns <- far
		visit(near)
		near.Close()
		if err := p.drain(t.Context(), time.Hour); err != nil {
			t.Error(err)
		}
		// An HTTP/2 connection can be gone before the handler of its stream is.
		synctest.Wait()
		select {
		case got = <-done:
		default:
		}
	})
	return got
}

const size = 1 << 20

// answerMuch writes a megabyte, in one piece.
func answerMuch(w http.ResponseWriter, _ *http.Request) error {
	_, err := w.Write(make([]byte, size))
	return err
}

// copyMuch is answerMuch by a copy, as a proxy does it.
func copyMuch(w http.ResponseWriter, _ *http.Request) error {
	_, err := io.Copy(w, io.LimitReader(bytes.NewReader(make([]byte, 2*size)), size))
	return err
}

func request(c net.Conn, head string) { io.WriteString(c, head+"\r\n\r\n") }

func TestStalledDownload(t *testing.T) {
	for name, handle := range map[string]func(http.ResponseWriter, *http.Request) error{"write": answerMuch, "copy": copyMuch} {
		got := serving(t, nil, handle, func(c net.Conn) {
			request(c, "GET / HTTP/1.1\r\nHost: x")
			time.Sleep(time.Hour)
		})
		if !errors.Is(got.err, os.ErrDeadlineExceeded) || got.took != time.Minute {
			t.Errorf("%s: %v after %v", name, got.err, got.took)
		}
	}
}

// TestSlowDownload: a client that takes its time, but takes, is served.
func TestSlowDownload(t *testing.T) {
	for name, handle := range map[string]func(http.ResponseWriter, *http.Request) error{"write": answerMuch, "copy": copyMuch} {
		var length int64
		got := serving(t, nil, handle, func(c net.Conn) {
			request(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close")
			resp, err := http.ReadResponse(bufio.NewReaderSize(c, portion/2), nil)
			if err != nil {
				t.Error(err)
				return
			}
			for buffer := make([]byte, portion/2); err == nil; {
				time.Sleep(20 * time.Second)
				var n int
				n, err = io.ReadFull(resp.Body, buffer)
				length += int64(n)
			}
			resp.Body.Close()
		})
		if got.err != nil || length != size {
			t.Errorf("%s: %v after %v and %d bytes", name, got.err, got.took, length)
		}
		if got.took < 4*time.Minute {
			t.Errorf("%s: it took %v only, which shows nothing", name, got.took)
		}
	}
}

func readAll(_ http.ResponseWriter, r *http.Request) error {
	_, err := io.Copy(io.Discard, r.Body)
	return err
}

func TestStalledUpload(t *testing.T) {
	got := serving(t, nil, readAll, func(c net.Conn) {
		request(c, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9")
		time.Sleep(30 * time.Second)
		io.WriteString(c, "1234")
		io.Copy(io.Discard, c)
	})
	if !errors.Is(got.err, os.ErrDeadlineExceeded) || got.took != 90*time.Second {
		t.Errorf("%v after %v", got.err, got.took)
	}
}

// TestSlowHandler: the patience is for the client, not for whoever makes the
// answer, before, between and after body and answer.
func TestSlowHandler(t *testing.T) {
	var answer string
	got := serving(t, nil, func(w http.ResponseWriter, r *http.Request) error {
		one := make([]byte, 1)
		for range 4 {
			time.Sleep(time.Hour)
			if _, err := io.ReadFull(r.Body, one); err != nil {
				return err
			}
		}
		for range 3 {
			time.Sleep(time.Hour)
			if _, err := w.Write(one); err != nil {
				return err
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				return err
			}
		}
		return r.Context().Err()
	}, func(c net.Conn) {
		go request(c, "PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\n1234")
		all, _ := io.ReadAll(c)
		answer = string(all)
	})
	if got.err != nil || got.took != 7*time.Hour || !strings.HasSuffix(answer, "1\r\n4\r\n0\r\n\r\n") {
		t.Errorf("%v after %v: %q", got.err, got.took, answer)
	}
}

// TestUnreadBody: the server does not wait for ever for what nobody read.
func TestUnreadBody(t *testing.T) {
	var took time.Duration
	serving(t, nil, func(http.ResponseWriter, *http.Request) error { return nil }, func(c net.Conn) {
		began := time.Now()
		request(c, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000")
		io.Copy(io.Discard, c)
		took = time.Since(began)
	})
	// The server waits half a second more before it closes, lest the answer
	// be lost.
	if took < time.Minute || took > time.Minute+time.Second {
		t.Errorf("closed after %v", took)
	}
}

func TestSlowHeader(t *testing.T) {
	for name, c := range map[string]struct {
		sent string
		want time.Duration
	}{
		"nothing":   {"", headerTime},
		"half":      {"GET / HTTP/1.1\r\nHost:", headerTime},
		"idle":      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", idleTime},
		"next half": {"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET ", headerTime},
	} {
		var took time.Duration
		serving(t, nil, func(http.ResponseWriter, *http.Request) error { return nil }, func(conn net.Conn) {
			began := time.Now()
			io.WriteString(conn, c.sent)
			io.Copy(io.Discard, conn)
			took = time.Since(began)
		})
		if took < c.want || took > c.want+time.Second {
			t.Errorf("%s: closed after %v", name, took)
		}
	}
}

// TestStalledStream: over HTTP/2 the connection may be alive while a stream
// stands still.
func TestStalledStream(t *testing.T) {
	s := &secret{config: &tls.Config{NextProtos: []string{"h2"}, Certificates: []tls.Certificate{issue(t, "server", nil).pair()}}}
	for name, c := range map[string]struct {
		handle func(http.ResponseWriter, *http.Request) error
		err    error
		took   time.Duration
	}{
		"much":   {answerMuch, os.ErrDeadlineExceeded, time.Minute},
		"little": {func(w http.ResponseWriter, _ *http.Request) error { _, err := io.WriteString(w, "x"); return err }, nil, 0},
		"flushed": {func(w http.ResponseWriter, _ *http.Request) error {
			io.WriteString(w, "x")
			return http.NewResponseController(w).Flush()
		}, os.ErrDeadlineExceeded, time.Minute},
	} {
		var reset time.Duration
		got := serving(t, s, c.handle, func(conn net.Conn) {
			var err error
			if reset, err = standStill(conn); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		if (c.err == nil) != (got.err == nil) || got.took != c.took {
			t.Errorf("%s: %v after %v", name, got.err, got.took)
		}
		if reset != time.Minute {
			t.Errorf("%s: the stream was reset after %v", name, reset)
		}
	}
}

// TestSlowStream: as long as nobody waits for the client, it may be silent.
func TestSlowStream(t *testing.T) {
	s := &secret{config: &tls.Config{NextProtos: []string{"h2"}, Certificates: []tls.Certificate{issue(t, "server", nil).pair()}}}
	got := serving(t, s, func(_ http.ResponseWriter, r *http.Request) error {
		if _, err := io.ReadFull(r.Body, make([]byte, 1)); err != nil {
			return err
		}
		time.Sleep(3 * time.Hour)
		rest, err := io.ReadAll(r.Body)
		if err == nil && string(rest) != "23" {
			err = fmt.Errorf("got %q", rest)
		}
		return err
	}, func(conn net.Conn) {
		c := &http.Transport{
			ForceAttemptHTTP2: true,
			DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
				return c, c.HandshakeContext(ctx)
			},
		}
		defer c.CloseIdleConnections()
		from, to := io.Pipe()
		go func() {
			io.WriteString(to, "1")
			time.Sleep(2 * time.Hour)
			io.WriteString(to, "23")
			to.Close()
		}()
		r, err := http.NewRequest("PUT", "https://x/", from)
		if err != nil {
			t.Error(err)
			return
		}
		resp, err := c.RoundTrip(r)
		if err != nil {
			t.Error(err)
			return
		}
		if resp.Body.Close(); resp.ProtoMajor != 2 {
			t.Errorf("spoke %s", resp.Proto)
		}
	})
	if got.err != nil || got.took != 3*time.Hour {
		t.Errorf("%v after %v", got.err, got.took)
	}
}

// standStill asks for something over HTTP/2, lets none of it come, and returns
// the time until the stream is reset.
func standStill(conn net.Conn) (time.Duration, error) {
	c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	defer c.Close()
	began := time.Now()
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		return 0, err
	}
	f := http2.NewFramer(c, c)
	var head bytes.Buffer
	encoder := hpack.NewEncoder(&head)
	for _, field := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "x"}, {":path", "/"}} {
		encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	go func() {
		f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head.Bytes(), EndStream: true, EndHeaders: true})
	}()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return 0, err
		}
		switch frame := frame.(type) {
		case *http2.RSTStreamFrame:
			return time.Since(began), nil
		case *http2.DataFrame:
			if len(frame.Data()) > 0 {
				return 0, fmt.Errorf("%d bytes came through a window of none", len(frame.Data()))
			}
		}
	}
}
