package main

import (
	"context"
	"fmt"
	"time"
)

// million lists one very large directory of which nothing is known.
func million(ctx context.Context, b *bench) error {
	const size = 1_000_000
	storages, closeAll, err := open(4, tree{"d": size}, halves)
	if err != nil {
		return err
	}
	defer closeAll()
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
	count := &counter{what: []byte("href>")}
	c.sink = count
	attempts := []string{"cold"}
	if b.long {
		attempts = append(attempts, "again")
	}
	for _, what := range attempts {
		if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		*count = counter{what: count.what}
		began := time.Now()
		a, err := c.ask(propfind("d", properties))
		if err != nil {
			return err
		}
		took := time.Since(began)
		got := count.n/2 - 1
		b.row(what+": entries that came", fmt.Sprint(got), fmt.Sprint(size), a.status == 207 && got == size)
		note(what+": first byte, last byte", show(count.begun.Sub(began))+", "+show(took))
		if what == "cold" {
			peak, err := server.resident()
			if err != nil {
				return err
			}
			b.row("most memory resident", fmt.Sprintf("%d MiB", peak>>20), "< 600 MiB", peak < 600<<20)
		}
	}
	return nil
}
