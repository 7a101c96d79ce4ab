package plugintest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"canopy/plugins"
)

// answer is a proper HTTP answer with something wrong inside or behind it. A
// question that does not look there may be taken in by it, so each answer says
// who must not be.
type answer struct {
	name string
	how  breakage
	// kinds are what the questions in suspects must fail with.
	kinds    []plugins.Kind
	suspects string
	// retry is what RetryAfter must be where the kinds are errors; 0 is any.
	retry time.Duration
}

const (
	// all are the questions that must get somewhere to succeed.
	all = "stat list read read-part store remove mkdir move"
	// deep are those that need a body to do so.
	deep = "list read read-part"
)

func brokenHTTPChecks() []check {
	silent := []plugins.Kind{plugins.Unavailable, plugins.Timeout, plugins.Malformed}
	faulty := []plugins.Kind{plugins.Faulty}
	pushed := []plugins.Kind{plugins.Faulty, plugins.Busy}
	var checks []check
	for _, a := range []answer{
		{name: "500", how: status("500 Internal Server Error"), kinds: faulty, suspects: all},
		{name: "502", how: status("502 Bad Gateway"), kinds: faulty, suspects: all},
		{name: "503", how: status("503 Service Unavailable", "Retry-After: 7"), kinds: pushed, suspects: all, retry: 7 * time.Second},
		{name: "429", how: status("429 Too Many Requests", "Retry-After: 9"), kinds: pushed, suspects: all, retry: 9 * time.Second},
		{name: "401", how: status("401 Unauthorized", `WWW-Authenticate: Basic realm="x"`), kinds: []plugins.Kind{plugins.Denied}, suspects: all},
		{name: "403", how: status("403 Forbidden"), kinds: []plugins.Kind{plugins.Denied}, suspects: all},
		{name: "redirect loop", how: status("302 Found", "Location: /loop"), kinds: silent, suspects: all},
		{name: "redirect to nowhere", how: status("302 Found"), kinds: silent, suspects: all},
		{name: "redirect to another scheme", how: status("302 Found", "Location: file:///etc/passwd"), kinds: silent, suspects: all},
		{
			name: "body cut", kinds: silent, suspects: deep,
			how: say("{status}\r\nContent-Length: 1000\r\nContent-Type: application/xml\r\n\r\n<?xml version=\"1.0\"?>"),
		},
		{
			name: "chunk cut", kinds: silent, suspects: deep,
			how: say("{status}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
		},
		{
			name: "body stalls", kinds: []plugins.Kind{plugins.Timeout}, suspects: "list read",
			how: sayAndHang("{status}\r\nContent-Length: 100000\r\nContent-Type: application/xml\r\n\r\n<?xml version=\"1.0\"?>"),
		},
		{
			name: "body is garbage", kinds: silent, suspects: "list",
			how: say("{status}\r\nContent-Length: 9\r\nConnection: close\r\n\r\n\xff\x00\xfe<&<\x01>&"),
		},
		{
			name: "body never ends", kinds: silent, suspects: "list",
			how: babble("{status}\r\nContent-Type: application/xml\r\nConnection: close\r\n\r\n", "    "),
		},
		{
			name: "range ignored", kinds: silent, suspects: "read-part",
			how: say("{status}\r\nContent-Length: 10\r\nConnection: close\r\n\r\n0123456789"),
		},
		{
			name: "another range", kinds: silent, suspects: "read-part",
			how: say("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-3/10\r\nContent-Length: 4\r\nConnection: close\r\n\r\n0123"),
		},
		{
			name: "range too short", kinds: silent, suspects: "read-part",
			how: say("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 3-4/10\r\nContent-Length: 2\r\nConnection: close\r\n\r\n34"),
		},
		{
			name: "range without its place", kinds: silent, suspects: "read-part",
			how: say("HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\nConnection: close\r\n\r\n3456"),
		},
	} {
		checks = append(checks, check{name: "broken/answers " + a.name, run: func(b *bench) error { return b.isSuspicious(a) }})
	}
	return append(checks, check{name: "broken/answers nonsense to stat", lack: NoBrokenStat, run: statIsSuspicious})
}

// status answers with a status, headers and no body.
func status(line string, headers ...string) breakage {
	return say("HTTP/1.1 " + line + "\r\n" + strings.Join(append(headers, "Content-Length: 0", "Connection: close"), "\r\n") + "\r\n\r\n")
}

func (b *bench) isSuspicious(a answer) error {
	if b.s.OpenAt == nil {
		return nil
	}
	e := b.openAt(startBroken(b.t, a.how).addr, short)
	return b.each(e, func(question string, ask func(context.Context) error) error {
		if !slices.Contains(strings.Fields(a.suspects), question) {
			// It may go on as long as it is told lies.
			ctx, cancel := context.WithTimeout(b.ctx, 2*short)
			defer cancel()
			if err := ask(ctx); plugins.KindOf(err) == plugins.NotFound {
				return fmt.Errorf("%s: an answer that does not deny the path counts as a denial: %w", question, err)
			}
			return nil
		}
		err := ask(b.ctx)
		if err := b.fails(question, err, a.kinds...); err != nil {
			return err
		}
		var e *plugins.Error
		if errors.As(err, &e) && a.retry != 0 && e.RetryAfter != a.retry {
			return fmt.Errorf("%s: retry after %v, want %v", question, e.RetryAfter, a.retry)
		}
		return nil
	})
}

// statIsSuspicious gives Stat a success without any substance.
func statIsSuspicious(b *bench) error {
	if b.s.OpenAt == nil {
		return nil
	}
	var errs []error
	for _, how := range []breakage{
		say("{status}\r\nContent-Length: 9\r\nConnection: close\r\n\r\n\xff\x00\xfe<&<\x01>&"),
		say("{status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
		babble("{status}\r\nContent-Type: application/xml\r\nConnection: close\r\n\r\n", "    "),
	} {
		e := b.openAt(startBroken(b.t, how).addr, short)
		errs = append(errs, promptly("stat", func() error {
			_, err := e.Stat(b.ctx, b.at("file"))
			return b.unanswered("stat", err)
		}))
	}
	return errors.Join(errs...)
}
