package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"canopy/federator"
	"canopy/federator/choice"
	"canopy/federator/geo"
	"canopy/federator/record"
	"canopy/frontend"
	"canopy/nametrans"
	"canopy/plugins"
	"canopy/web"
)

// heap measures what a full cache takes, and what collecting garbage does to
// the slowest answers when there is so much to look through. It is collected
// every four seconds, which is more often than it would be by itself at full
// load, while two thousand requests a second leave time to see it.
func heap(ctx context.Context, b *bench) error {
	const few, many = 10_000, 1_000_000
	var servers []*process
	var live []int64
	for _, n := range []int{few, many} {
		p, err := b.start(ctx, "instant", strconv.Itoa(n), 2)
		if err != nil {
			return err
		}
		defer p.stop()
		bytes, err := p.heap()
		if err != nil {
			return err
		}
		servers, live = append(servers, p), append(live, bytes)
	}
	each := float64(live[1]-live[0]) / (many - few)
	b.row("live heap for an entry with 2 replicas", fmt.Sprintf("%.0f bytes", each), "<= 500 bytes", each <= 500)
	// What the machine itself does to the slowest answers is in both.
	const visible = 5 * time.Millisecond
	var slowest [2]time.Duration
	for i, p := range servers {
		// One after the other, else each would wait for the other's collections.
		if err := p.tell("collect"); err != nil {
			return err
		}
		l := load{addr: p.addr, conns: 4, every: 2 * time.Millisecond, right: func(_ int, a *answer) bool { return a.status == 302 }}
		for n := range few {
			l.requests = append(l.requests, request("GET", file("d", n)))
		}
		t, err := l.during(10 * turn)
		if err != nil {
			return err
		}
		if t.wrong > 0 {
			return fmt.Errorf("%d wrong answers, first %s", t.wrong, t.first)
		}
		slowest[i] = t.quantile(0.99)
		p.stop()
	}
	note("p99 of redirects, 10,000 entries", show(slowest[0]))
	b.most("p99 of redirects, 1,000,000 entries", slowest[1], slowest[0]+visible)
	return nil
}

// store is a storage that has every file and answers at once.
type store struct{ base string }

// Stat implements plugins.Endpoint.
func (s store) Stat(_ context.Context, path string) (plugins.Entry, error) {
	_, n, ok := tree{"d": 10_000_000}.find(path)
	if !ok || n < 0 {
		return plugins.Entry{Kind: plugins.Directory}, nil
	}
	return plugins.Entry{
		Name: path[len("/d/"):], Kind: plugins.File, Size: int64(1000 + n),
		ModTime: time.Unix(1_795_253_025, 0), ETag: fmt.Sprintf(`"1-660c5%x"`, n),
	}, nil
}

// Close implements plugins.Endpoint.
func (store) Close() error { return nil }

// Locate implements plugins.Locator.
func (s store) Locate(path, _ string) (plugins.Location, error) {
	return plugins.Location{URL: s.base + path}, nil
}

// instant is a front end over two storages that answer at once, which knows as
// many files as about says before it serves.
func instant(ctx context.Context, about string) (string, error) {
	var n int
	if _, err := fmt.Sscan(about, &n); err != nil {
		return "", err
	}
	names, err := nametrans.Compile("/", nil)
	if err != nil {
		return "", err
	}
	where, err := geo.New(nil, "")
	if err != nil {
		return "", err
	}
	f := federator.New(federator.Bounds{Entries: 2 * n, Bytes: 4 << 30}, nil, federator.Outside{Seed: 1})
	var endpoints []federator.Endpoint
	for i, name := range []string{"geneva", "bologna"} {
		endpoints = append(endpoints, federator.Endpoint{
			Name: name, ID: record.ID(i + 1), Fingerprint: name, Type: "instant", Mount: "/", Names: names,
			Open: func(context.Context) (plugins.Endpoint, error) { return store{"http://" + name + ".example"}, nil },
			Read: true, List: true, Weight: 1, ProbeEvery: time.Minute, ProbeTimeout: time.Second, ProbePath: "/",
		})
	}
	settings := federator.Settings{
		Deadline: 10 * time.Second, Grace: grace,
		EntryTTL: time.Hour, ListingTTL: time.Hour, AbsentTTL: time.Minute, Stale: time.Hour,
		Select: []string{"site", "geo", "latency", "load", "random"}, Atlas: where,
	}
	if err := f.Reload(ctx, settings, endpoints); err != nil {
		return "", err
	}
	if err := learn(ctx, f, where, n); err != nil {
		return "", err
	}
	pages, err := web.New()
	if err != nil {
		return "", err
	}
	h, err := frontend.New(frontend.Options{Federator: f, Pages: pages, Atlas: where})
	if err != nil {
		return "", err
	}
	return listen(h)
}

// learn looks up n files.
func learn(ctx context.Context, f *federator.Federator, where *geo.Atlas, n int) error {
	client := &choice.Client{Place: where.Locate(netip.Addr{})}
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if err := insist(ctx, f, file("d", int(i)), client); err != nil {
					failed.Store(&err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// insist looks a file up until it is known at both storages: on a busy machine
// even they may seem to be overdue.
func insist(ctx context.Context, f *federator.Federator, path string, client *choice.Client) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return until(ctx, func() (bool, error) {
		found, err := f.Lookup(ctx, path, federator.All, client)
		var unknown *federator.Unknown
		if errors.As(err, &unknown) {
			return false, nil
		}
		return err == nil && len(found.Missing) == 0, err
	})
}
