package main

import (
	"context"
	"fmt"
	"time"
)

// hot asks for one file over and over, which is where locks that are taken in
// a different order, or lost wake-ups, show in the end.
func hot(ctx context.Context, b *bench) error {
	storages, closeAll, err := open(2, tree{"d": 1}, everywhere)
	if err != nil {
		return err
	}
	defer closeAll()
	server, err := b.federation(ctx, storages, setting{}, 2)
	if err != nil {
		return err
	}
	defer server.stop()
	n := 200_000
	if b.long {
		n = 10_000_000
	}
	t, err := hits(server.addr, storages, 1, 32).times(n)
	if err != nil {
		return err
	}
	note("hits, and how many a second", fmt.Sprintf("%d, %.0f/s", t.n, t.rate()))
	note("median and p99", show(t.quantile(0.5))+", "+show(t.quantile(0.99)))
	b.most("slowest", t.max, time.Second)
	b.right("wrong answers", t.wrong, t.n, t.first)
	return nil
}
