package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// cold asks for what is not cached, of endpoints at various distances.
func cold(ctx context.Context, b *bench) error {
	const each = 40
	delays := []time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond}
	dirs := tree{}
	for i := range each {
		dirs[fmt.Sprintf("d%02d", i)] = 100
	}
	dirs["near"], dirs["far"], dirs["warm"] = each, each, 1
	storages, closeAll, err := open(len(delays), dirs, func(i int, dir string, _ int) bool {
		switch dir {
		case "near":
			return i == 0
		case "far":
			return i == len(delays)-1
		}
		return true
	})
	if err != nil {
		return err
	}
	defer closeAll()
	for i, s := range storages {
		s.delay = delays[i]
	}
	server, err := b.federation(ctx, storages, setting{}, 2)
	if err != nil {
		return err
	}
	defer server.stop()
	c, err := dial(server.addr)
	if err != nil {
		return err
	}
	defer c.close()
	// The first question to each endpoint makes the connection, which costs a
	// service that has run for a while nothing.
	if _, err := c.took(request("GET", file("warm", 0)), 302); err != nil {
		return err
	}
	for _, f := range []struct {
		what    string
		limit   time.Duration
		request func(n int) []byte
		status  int
	}{
		{"file on the endpoint at 5 ms", 15 * time.Millisecond, func(n int) []byte { return request("GET", file("near", n)) }, 302},
		{"file on the endpoint at 100 ms", 115 * time.Millisecond, func(n int) []byte { return request("GET", file("far", n)) }, 302},
		{"listing", 115 * time.Millisecond, func(n int) []byte { return propfind(fmt.Sprintf("d%02d", n), properties) }, 207},
	} {
		var t times
		wrong := 0
		for n := range each {
			d, err := c.took(f.request(n), f.status)
			var other statusError
			if errors.As(err, &other) {
				wrong++
			} else if err != nil {
				return err
			}
			t = append(t, d)
		}
		b.row(f.what, t.spread(), "p95 <= "+show(f.limit), t.quantile(0.95) <= f.limit)
		b.none(f.what+": wrong answers", wrong, each)
	}
	return nil
}

// took asks and returns how long the whole answer took, which must be of the
// given status.
func (c *client) took(req []byte, status int) (time.Duration, error) {
	began := time.Now()
	if err := c.conn.SetDeadline(began.Add(patience)); err != nil {
		return 0, err
	}
	a, err := c.ask(req)
	if err == nil && a.status != status {
		err = statusError{status, a.status, req}
	}
	return time.Since(began), err
}

// statusError is an answer of another status than was expected.
type statusError struct {
	want, got int
	to        []byte
}

// Error says what was asked and what came.
func (e statusError) Error() string {
	return fmt.Sprintf("%d was expected, and %d came to %.60q", e.want, e.got, e.to)
}
