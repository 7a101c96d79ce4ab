package plugintest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"canopy/plugins"
)

// Limits which endpoints are given for one question: short where the storage is
// to run into it, long where it must not, however busy the machine.
const (
	short = 500 * time.Millisecond
	long  = 30 * time.Second
)

// broken is a storage that treats every connection in the same bad way.
type broken struct {
	addr string
	// asked receives a token for each request that has arrived.
	asked chan struct{}
	done  chan struct{}
}

// breakage answers the request that begins with line until done is closed or
// the client is gone; then the connection is closed.
type breakage func(c net.Conn, line string, done <-chan struct{})

// startBroken runs a broken storage until the test ends.
func startBroken(t testing.TB, how breakage) *broken {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &broken{addr: l.Addr().String(), asked: make(chan struct{}, 1024), done: make(chan struct{})}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { s.serve(c, how) })
		}
	})
	t.Cleanup(func() {
		close(s.done)
		l.Close()
		all.Wait()
	})
	return s
}

func (s *broken) serve(c net.Conn, how breakage) {
	defer c.Close()
	// A client that never leaves must not keep the test from ending.
	gone := make(chan struct{})
	defer close(gone)
	go func() {
		select {
		case <-s.done:
			c.Close()
		case <-gone:
		}
	}()
	r := bufio.NewReader(c)
	line, err := r.ReadString('\n')
	for header := line; err == nil && strings.TrimSpace(header) != ""; {
		header, err = r.ReadString('\n')
	}
	if err != nil {
		return
	}
	select {
	case s.asked <- struct{}{}:
	default:
	}
	how(c, line, s.done)
}

// hang says nothing.
func hang(_ net.Conn, _ string, done <-chan struct{}) { <-done }

// reset ends the connection with a RST.
func reset(c net.Conn, _ string, _ <-chan struct{}) {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
}

// say writes text and closes; "{status}" is what a server would say to a
// request that it can fulfil.
func say(text string) breakage {
	return func(c net.Conn, line string, _ <-chan struct{}) {
		io.WriteString(c, fitting(text, line))
	}
}

// sayAndHang writes text and then nothing.
func sayAndHang(text string) breakage {
	return func(c net.Conn, line string, done <-chan struct{}) {
		io.WriteString(c, fitting(text, line))
		<-done
	}
}

// babble writes text and then repeats the rest without end.
func babble(text, rest string) breakage {
	return func(c net.Conn, line string, _ <-chan struct{}) {
		_, err := io.WriteString(c, fitting(text, line))
		if bodyless(text, line) {
			return
		}
		for much := strings.Repeat(rest, 1+32<<10/len(rest)); err == nil; {
			_, err = io.WriteString(c, much)
		}
	}
}

// drip writes text and then a byte of rest now and then, without end.
func drip(text, rest string) breakage {
	return func(c net.Conn, line string, done <-chan struct{}) {
		_, err := io.WriteString(c, fitting(text, line))
		tick := time.NewTicker(short / 8)
		defer tick.Stop()
		for i := 0; err == nil; i++ {
			select {
			case <-done:
				return
			case <-tick.C:
				_, err = io.WriteString(c, rest[i%len(rest):][:1])
			}
		}
	}
}

// fitting returns the text that goes with the request line: even a liar sends
// no body after the header that answers a HEAD.
func fitting(text, line string) string {
	if header, _, ok := strings.Cut(text, "\r\n\r\n"); ok && bodyless(text, line) {
		text = header + "\r\n\r\n"
	}
	status := "HTTP/1.1 200 OK"
	if strings.HasPrefix(line, "PROPFIND ") {
		status = "HTTP/1.1 207 Multi-Status"
	}
	return strings.ReplaceAll(text, "{status}", status)
}

// bodyless reports whether the answer to the request ends with its header.
func bodyless(text, line string) bool {
	return strings.HasPrefix(line, "HEAD ") && strings.Contains(text, "\r\n\r\n")
}

// openAt opens an endpoint at address with a limit for each question.
func (b *bench) openAt(address string, limit time.Duration) plugins.Endpoint {
	b.t.Helper()
	env := b.env()
	env.Timeout = limit
	e := b.s.OpenAt(b.t, address, env)
	b.t.Cleanup(func() { b.close(e) })
	return e
}

func brokenChecks() []check {
	silent := []plugins.Kind{plugins.Unavailable, plugins.Timeout, plugins.Malformed}
	checks := []check{
		{name: "broken/refuses", run: brokenRefuses},
		{name: "broken/hangs while canceled", run: brokenCanceled},
	}
	for _, c := range []struct {
		name  string
		how   breakage
		kinds []plugins.Kind
	}{
		{"hangs", hang, []plugins.Kind{plugins.Timeout}},
		{"resets", reset, silent},
		{"says nothing", say(""), silent},
		{"garbage", say("\x00\x01\x02\xff SSH-2.0-OpenSSH_9\r\n\r\n"), silent},
		{"endless garbage", babble("", "\xfe garbage"), silent},
		{"half a status line", say("HTTP/1.1 404 Not Fo"), silent},
		{"half a header", say("HTTP/1.1 404 Not Found\r\nContent-Le"), silent},
		{"impossible status", say("HTTP/1.1 999999 OK\r\n\r\n"), silent},
		{"negative length", say("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello"), silent},
		{"two lengths", say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nhello"), silent},
		{"endless header", babble("HTTP/1.1 200 OK\r\nX-Long: ", "header"), silent},
		{"endless headers", babble("HTTP/1.1 200 OK\r\n", "X-Again: and again\r\n"), silent},
		{"dripping header", drip("HTTP/1.1 200 OK\r\nX-Slow: ", "drip"), []plugins.Kind{plugins.Timeout}},
	} {
		checks = append(checks, check{name: "broken/" + c.name, run: func(b *bench) error {
			return b.allFail(c.how, c.kinds)
		}})
	}
	return checks
}

// allFail demands that no question gets an answer from a storage broken so.
func (b *bench) allFail(how breakage, kinds []plugins.Kind) error {
	if b.s.OpenAt == nil {
		return nil
	}
	e := b.openAt(startBroken(b.t, how).addr, short)
	return b.each(e, func(question string, ask func(context.Context) error) error {
		err := ask(b.ctx)
		switch k := plugins.KindOf(err); {
		case (question == "digest" || question == "space") && k == plugins.Unsupported:
			return nil
		case question == "probe" && err != nil:
			return b.unanswered(question, err)
		}
		return b.fails(question, err, kinds...)
	})
}

// brokenRefuses has nothing listen at all.
func brokenRefuses(b *bench) error {
	if b.s.OpenAt == nil {
		return nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := l.Close(); err != nil {
		return err
	}
	e := b.openAt(l.Addr().String(), long)
	return b.each(e, func(question string, ask func(context.Context) error) error {
		err := ask(b.ctx)
		if question == "digest" && plugins.KindOf(err) == plugins.Unsupported {
			return nil
		}
		return b.fails(question, err, plugins.Unavailable)
	})
}

// brokenCanceled cancels questions while a storage hangs over them, long before
// the endpoint's own limit.
func brokenCanceled(b *bench) error {
	if b.s.OpenAt == nil {
		return nil
	}
	s := startBroken(b.t, hang)
	e := b.openAt(s.addr, long)
	var errs []error
	for name, ask := range b.questions(e, b.at("file"), b.dir) {
		errs = append(errs, promptly(name, func() error {
			ctx, cancel := context.WithCancel(b.ctx)
			defer cancel()
			answer := make(chan error, 1)
			go func() { answer <- ask(ctx) }()
			select {
			case <-s.asked:
			case err := <-answer:
				if plugins.KindOf(err) == plugins.Unsupported {
					return nil
				}
				return fmt.Errorf("%s: ended without asking: %w", name, err)
			}
			cancel()
			return b.fails(name, <-answer, plugins.Canceled)
		}))
	}
	return errors.Join(errs...)
}
