package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"
)

const listed = 10_000

// properties is what a client asks for that lists a directory in detail.
const properties = `<?xml version="1.0" encoding="utf-8"?><D:propfind xmlns:D="DAV:"><D:prop>` +
	`<D:resourcetype/><D:getcontentlength/><D:getlastmodified/><D:getetag/></D:prop></D:propfind>`

// propfind asks for a directory by depth 1; body may be "", which is allprop.
func propfind(dir, body string) []byte {
	return append(request("PROPFIND", "/"+dir+"/", "Depth", "1", "Content-Type", "application/xml", "Content-Length", strconv.Itoa(len(body))), body...)
}

// halves gives each file to two of four storages.
func halves(i int, _ string, n int) bool { return n%4 == i || (n+1)%4 == i }

// listings measures a cached, merged directory against x/net/webdav, which has
// its entries in memory too.
func listings(ctx context.Context, b *bench) error {
	storages, closeAll, err := open(4, tree{"d": listed}, halves)
	if err != nil {
		return err
	}
	defer closeAll()
	ours, err := b.federation(ctx, storages, setting{}, 1)
	if err != nil {
		return err
	}
	defer ours.stop()
	theirs, err := b.start(ctx, "webdav", strconv.Itoa(listed), 1)
	if err != nil {
		return err
	}
	defer theirs.stop()
	for _, c := range []struct{ what, body string }{{"named properties", properties}, {"all properties", ""}} {
		req := propfind("d", c.body)
		for _, p := range []*process{ours, theirs} {
			if n, err := entries(p.addr, req); err != nil || n != listed {
				return fmt.Errorf("%d entries instead of %d: %w", n, listed, err)
			}
		}
		var ratio, rates sample
		for range b.rounds {
			a, _, err := measured(ours, lists(ours.addr, 1, req), turn)
			if err != nil {
				return err
			}
			z, _, err := measured(theirs, lists(theirs.addr, 1, req), turn)
			if err != nil {
				return err
			}
			if a.wrong+z.wrong > 0 {
				return fmt.Errorf("wrong answers: %s%s", a.first, z.first)
			}
			ratio = append(ratio, a.rate()/z.rate())
			rates = append(rates, a.rate()*listed/1e6)
		}
		b.least(c.what+": entries/s, ratio", ratio, 8)
		note(c.what+": million entries/s", rates.String())
	}
	t, err := lists(ours.addr, 32, propfind("d", properties)).during(3 * time.Second)
	if err != nil {
		return err
	}
	b.right("32 clients at once: wrong answers", t.wrong, t.n, t.first)
	return nil
}

// lists is a load of listings, of which only the status and the length are
// looked at: each must be as long as the first.
func lists(addr string, conns int, req []byte) load {
	l := load{addr: addr, conns: conns, requests: [][]byte{req}}
	lengths := make(chan int64, 1)
	l.right = func(_ int, a *answer) bool {
		want := a.body
		select {
		case lengths <- a.body:
		case want = <-lengths:
			lengths <- want
		}
		return a.status == 207 && a.body == want
	}
	return l
}

// entries counts the children in the answer to req.
func entries(addr string, req []byte) (int, error) {
	c, err := dial(addr)
	if err != nil {
		return 0, err
	}
	defer c.close()
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	count := &counter{what: []byte("href>")}
	c.sink = count
	a, err := c.ask(req)
	if err != nil {
		return 0, err
	}
	if a.status != 207 {
		return 0, fmt.Errorf("207 was expected, and %d came", a.status)
	}
	return count.n/2 - 1, nil // an element ends as well as it begins
}

// counter counts how often something occurs in what is written.
type counter struct {
	what []byte
	n    int
	rest []byte
	// begun is when the first bytes came.
	begun time.Time
}

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	if c.begun.IsZero() {
		c.begun = time.Now()
	}
	c.rest = append(c.rest, p...)
	c.n += bytes.Count(c.rest, c.what)
	c.rest = append(c.rest[:0], c.rest[max(0, len(c.rest)-len(c.what)+1):]...)
	return len(p), nil
}
