package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// grace is the default of lookup.grace.
	grace = 50 * time.Millisecond
	// lookups are what one turn asks, over lookers connections.
	lookups, lookers = 400, 8
)

// frozen measures first requests for files that healthy endpoints hold, while
// another endpoint is well, freezes, is known to be down, and refuses.
func frozen(ctx context.Context, b *bench) error {
	const endpoints, timeout = 6, time.Second
	storages, closeAll, err := open(endpoints, tree{"d": 10_000_000}, func(i int, _ string, n int) bool { return n%(endpoints-1) == i })
	if err != nil {
		return err
	}
	defer closeAll()
	for _, s := range storages {
		s.delay = 2 * time.Millisecond
	}
	server, err := b.federation(ctx, storages, setting{timeout: timeout}, 2)
	if err != nil {
		return err
	}
	defer server.stop()
	victim := storages[endpoints-1]
	next, wrong := 0, 0
	what := ""
	round := func() (*tally, error) {
		l := load{addr: server.addr, conns: lookers, right: func(_ int, a *answer) bool { return a.status == 302 }}
		for range lookups {
			l.requests = append(l.requests, request("GET", file("d", next)))
			next++
		}
		t, err := l.once()
		if err == nil {
			wrong += t.wrong
			what = cmp.Or(what, t.first)
		}
		return t, err
	}
	turns := func() (t times, err error) {
		for range b.rounds {
			r, err := round()
			if err != nil {
				return nil, err
			}
			t = append(t, r.quantile(0.99))
		}
		return t, nil
	}
	if _, err := round(); err != nil { // makes the connections
		return err
	}
	healthy, err := turns()
	if err != nil {
		return err
	}
	note("all well: p99, median and range", healthy.ranged())
	usual, noise := healthy.quantile(0.5), healthy.quantile(1)*6/5

	victim.freeze()
	froze := time.Now()
	var down atomic.Int64
	watched := make(chan error, 1)
	watch, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	go func() {
		err := until(watch, func() (bool, error) { is, err := server.is(watch, victim.name, "down"); return is, err })
		down.Store(int64(time.Since(froze)))
		watched <- err
	}()
	var first times
	for down.Load() == 0 {
		t, err := round()
		if err != nil {
			return err
		}
		first = append(first, t.quantile(0.99))
	}
	if err := <-watched; err != nil {
		return fmt.Errorf("the frozen endpoint is not known to be down: %w", err)
	}
	b.most("one frozen, not yet known: worst p99 of a turn", first.quantile(1), max(usual, noise)+grace)
	b.most("time until it is known to be down", time.Duration(down.Load()), 2*timeout)
	known, err := turns()
	if err != nil {
		return err
	}
	b.row("known to be down: p99, median and range", known.ranged(), "as if all well", known.quantile(0.5) <= noise)

	victim.heal()
	if err := until(watch, func() (bool, error) { is, err := server.is(watch, victim.name, "up"); return is, err }); err != nil {
		return fmt.Errorf("the endpoint does not come back: %w", err)
	}
	victim.close()
	refused, err := turns()
	if err != nil {
		return err
	}
	b.row("refusing, from the first on: p99", refused.ranged(), "as if all well", refused[0] <= noise && refused.quantile(0.5) <= noise)
	b.right("wrong answers", wrong, next, what)
	return nil
}

// ranged is the median and the range of a sample.
func (t times) ranged() string {
	return fmt.Sprintf("%s (%s-%s)", show(t.quantile(0.5)), show(t.quantile(0)), show(t.quantile(1)))
}

// is reports whether the federation holds an endpoint to be in a condition.
func (p *process) is(ctx context.Context, name, condition string) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.addr+"/-/api/v1/endpoints", nil)
	if err != nil {
		return false, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	var all struct {
		Endpoints []struct{ Name, State string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		return false, fmt.Errorf("the state of endpoints: %s: %w", resp.Status, err)
	}
	for _, e := range all.Endpoints {
		if e.Name == name {
			return e.State == condition, nil
		}
	}
	return false, fmt.Errorf("no endpoint %s among %v", name, all.Endpoints)
}
