package redis

import (
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// NewClient returns a client of the server that URL, the passwords and TLS of
// opt name, for another use of it than the cache: with connections of its own,
// that are made when they are needed. It does not wait for the server. The
// caller closes it. Errors are those of the options.
func NewClient(opt Options) (goredis.UniversalClient, error) {
	place, err := parseURL(opt.URL)
	if err != nil {
		return nil, err
	}
	dial, err := place.options(opt)
	if err != nil {
		return nil, err
	}
	dial.MinIdleConns = 0
	dial.PoolSize, dial.MaxIdleConns, dial.MaxActiveConns = separateConns, separateConns, separateConns
	logging.Disable() // as Open does, for the same reason
	return goredis.NewUniversalClient(dial), nil
}

// separateConns is how many connections such a client has at most. A question
// takes a fraction of a millisecond.
const separateConns = 16
