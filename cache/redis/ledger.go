package redis

import (
	"context"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Ledger keeps what must outlive all front ends, such as what is still to be
// removed: unlike what a Level keeps, it is not forgotten. It is as durable as
// the server: one without persistence loses it when it stops. Its methods may
// be called concurrently; each waits for the server for ledgerPatience at most.
type Ledger struct {
	client goredis.UniversalClient
	key    string
}

// ledgerPatience is how long a question to the server may take.
const ledgerPatience = 2 * time.Second

// NewLedger returns the ledger of that name at the server of client, which the
// caller closes.
func NewLedger(client goredis.UniversalClient, name string) *Ledger {
	return &Ledger{client, "canopy:ledger:" + name}
}

// Put keeps value under key.
func (l *Ledger) Put(ctx context.Context, key string, value []byte) error {
	ctx, cancel := context.WithTimeout(ctx, ledgerPatience)
	defer cancel()
	return l.client.HSet(ctx, l.key, key, value).Err()
}

// Delete forgets what is under key, if anything.
func (l *Ledger) Delete(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, ledgerPatience)
	defer cancel()
	return l.client.HDel(ctx, l.key, key).Err()
}

// Has reports whether anything is kept under key.
func (l *Ledger) Has(ctx context.Context, key string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, ledgerPatience)
	defer cancel()
	return l.client.HExists(ctx, l.key, key).Result()
}

// ledgerPage is how many values are read at a time.
const ledgerPage = 1000

// All returns everything that was kept all the while, by key. What was put or
// deleted meanwhile may be in it or not.
func (l *Ledger) All(ctx context.Context) (map[string][]byte, error) {
	all := make(map[string][]byte)
	for cursor := uint64(0); ; {
		page, cancel := context.WithTimeout(ctx, ledgerPatience)
		fields, next, err := l.client.HScan(page, l.key, cursor, "", ledgerPage).Result()
		cancel()
		if err != nil {
			return nil, err
		}
		for i := 0; i+1 < len(fields); i += 2 {
			all[fields[i]] = []byte(fields[i+1])
		}
		if cursor = next; cursor == 0 {
			return all, nil
		}
	}
}
