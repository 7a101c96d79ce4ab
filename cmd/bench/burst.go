package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// bursts measures what a rush of clients for something new does to endpoints,
// and how clients are shared out among equals.
func bursts(ctx context.Context, b *bench) error {
	url, stop, err := b.redis(ctx)
	if err != nil {
		return err
	}
	defer stop()
	for _, c := range []struct {
		what    string
		setting setting
	}{{"", setting{}}, {", Redis configured", setting{redis: url}}} {
		if err := b.burst(ctx, c.what, c.setting); err != nil {
			return err
		}
	}
	return b.shares(ctx)
}

func (b *bench) burst(ctx context.Context, what string, s setting) error {
	const crowd, files = 100, 20
	storages, closeAll, err := open(4, tree{"d": files}, everywhere)
	if err != nil {
		return err
	}
	defer closeAll()
	for _, s := range storages {
		s.delay = 20 * time.Millisecond
	}
	server, err := b.federation(ctx, storages, s, 2)
	if err != nil {
		return err
	}
	defer server.stop()
	clients := make([]*client, crowd)
	for i := range clients {
		c, err := dial(server.addr)
		if err != nil {
			return err
		}
		defer c.close()
		clients[i] = c
	}
	wrong, questions := 0, sample{}
	for n := range files {
		path := file("d", n)
		errs := make([]error, crowd)
		gate := make(chan struct{})
		var wg sync.WaitGroup
		for i, c := range clients {
			wg.Go(func() {
				<-gate
				_, errs[i] = c.took(request("GET", path), 302)
			})
		}
		close(gate)
		wg.Wait()
		for _, err := range errs {
			var other statusError
			if errors.As(err, &other) {
				wrong++
			} else if err != nil {
				return err
			}
		}
		for _, s := range storages {
			questions = append(questions, float64(s.questions(path)))
		}
	}
	b.none("100 first requests at once"+what+": no redirect", wrong, crowd*files)
	b.row("questions to each endpoint"+what, fmt.Sprintf("%.0f to %.0f", questions.quantile(0), questions.quantile(1)), "1",
		questions.quantile(0) == 1 && questions.quantile(1) == 1)

	return nil
}

// shares sends one client to one of four replicas a thousand times. With the
// default choice they are equal only as long as they answer equally fast.
func (b *bench) shares(ctx context.Context) error {
	const asked, replicas = 1000, 4
	storages, closeAll, err := open(replicas, tree{"d": 1}, everywhere)
	if err != nil {
		return err
	}
	defer closeAll()
	for _, choice := range []string{"random", ""} {
		server, err := b.federation(ctx, storages, setting{choice: choice}, 2)
		if err != nil {
			return err
		}
		defer server.stop()
		c, err := dial(server.addr)
		if err != nil {
			return err
		}
		defer c.close()
		shares := make(map[string]int)
		for range asked {
			if _, err := c.took(request("GET", file("d", 0)), 302); err != nil {
				return err
			}
			shares[string(c.last.location)]++
		}
		least, most := asked, 0
		for _, s := range storages {
			n := shares["http://"+s.addr+file("d", 0)]
			least, most = min(least, n), max(most, n)
		}
		measured := fmt.Sprintf("%d to %d each", least, most)
		if choice == "" {
			note("the same with the default choice, as latency is today", measured)
			continue
		}
		b.row("1,000 requests over 4 equals", measured, "225 to 275", least >= asked/replicas*9/10 && most <= asked/replicas*11/10)
	}
	return nil
}
