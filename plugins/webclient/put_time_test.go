package webclient

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"canopy/plugins"
)

// pause waits in the time of the bubble.
func pause(d time.Duration) { <-time.After(d) }

// pipe runs a storage at the other end of pipes, in a bubble of synctest.
func pipe(serve func(conn net.Conn, r *bufio.Reader)) plugins.Env {
	return plugins.Env{Timeout: 8 * time.Second, Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			serve(far, bufio.NewReader(far))
		}()
		return near, nil
	}}
}

// header reads up to the empty line.
func header(r *bufio.Reader) {
	for {
		if line, err := r.ReadString('\n'); err != nil || line == "\r\n" {
			return
		}
	}
}

// slowly delivers n bytes at intervals.
type slowly struct {
	n     int
	pause time.Duration
}

func (s *slowly) Read(p []byte) (int, error) {
	if s.n == 0 {
		return 0, io.EOF
	}
	pause(s.pause)
	s.n--
	p[0] = 'x'
	return 1, nil
}

// TestPutTime: what counts is the patience with the storage, in each phase.
func TestPutTime(t *testing.T) {
	const ok = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
	const goOn = "HTTP/1.1 100 Continue\r\n\r\n"
	for name, v := range map[string]struct {
		content io.Reader
		size    int64
		serve   func(conn net.Conn, r *bufio.Reader)
		kind    plugins.Kind
		took    time.Duration
	}{
		"never says whether it wants it": {&slowly{n: 3}, 3, func(conn net.Conn, r *bufio.Reader) {
			header(r)
			io.CopyN(io.Discard, r, 3)
			io.WriteString(conn, ok)
		}, 0, 6 * time.Second},
		"content is slow": {&slowly{n: 3, pause: time.Hour}, 3, func(conn net.Conn, r *bufio.Reader) {
			header(r)
			io.WriteString(conn, goOn)
			io.CopyN(io.Discard, r, 3)
			io.WriteString(conn, ok)
		}, 0, 3 * time.Hour},
		"storage is slow": {bytes.NewReader(make([]byte, 320<<10)), 320 << 10, func(conn net.Conn, r *bufio.Reader) {
			header(r)
			io.WriteString(conn, goOn)
			for range 320 {
				pause(100 * time.Millisecond)
				io.CopyN(io.Discard, r, 1<<10)
			}
			io.WriteString(conn, ok)
		}, 0, 32 * time.Second},
		"storage stops": {bytes.NewReader(make([]byte, 1<<20)), 1 << 20, func(conn net.Conn, r *bufio.Reader) {
			header(r)
			io.WriteString(conn, goOn)
			io.CopyN(io.Discard, r, 1<<10)
			pause(time.Hour)
		}, plugins.Timeout, 8 * time.Second},
		"storage settles": {strings.NewReader("123"), 3, func(conn net.Conn, r *bufio.Reader) {
			header(r)
			io.WriteString(conn, goOn)
			io.CopyN(io.Discard, r, 3)
			pause(79 * time.Second)
			io.WriteString(conn, ok)
		}, 0, 79 * time.Second},
		"storage never settles": {strings.NewReader("123"), 3, func(conn net.Conn, r *bufio.Reader) {
			header(r)
			io.WriteString(conn, goOn)
			io.CopyN(io.Discard, r, 3)
			pause(time.Hour)
		}, plugins.Timeout, 80 * time.Second},
		"storage is silent": {strings.NewReader(""), 0, func(conn net.Conn, r *bufio.Reader) {
			header(r)
			pause(time.Hour)
		}, plugins.Timeout, 8 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, err := New(Config{URL: "http://h/d"}, pipe(v.serve))
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			_, err = c.Put(t.Context(), "/x", plain{v.content}, v.size, nil)
			if took := time.Since(start); plugins.KindOf(err) != v.kind || took != v.took {
				t.Errorf("%s: %v after %v, want kind %q after %v", name, err, took, v.kind, v.took)
			}
			c.Close()
			pause(2 * time.Hour) // for the storage to end
		})
	}
}

// TestPutCanceled: an upload ends with its caller's patience, even if the
// content hangs, and reads no more of it.
func TestPutCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stored := make(chan int64, 1)
		c, err := New(Config{URL: "http://h/d"}, pipe(func(conn net.Conn, r *bufio.Reader) {
			header(r)
			io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
			n, _ := io.Copy(io.Discard, r)
			stored <- n
		}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		content, feed := io.Pipe()
		start := time.Now()
		go fmt.Fprint(feed, "12345")
		_, err = c.Put(ctx, "/x", content, 10, nil)
		if took := time.Since(start); plugins.KindOf(err) != plugins.Timeout || took != time.Minute+farewell {
			t.Errorf("%v after %v", err, took)
		}
		if n := <-stored; n != 5 {
			t.Errorf("%d bytes came", n)
		}
		feed.Close()
		c.Close()
	})
}
