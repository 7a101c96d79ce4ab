package redis

import (
	"context"
	"crypto/rand"
	"errors"
	jitter "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

const (
	// lease is for how long a turn outlasts a front end that has died. It is
	// renewed every third of that.
	lease = 5 * time.Second
	// turnPatience is how long a question about a turn may take; a server that
	// does not answer in that time is not asked again for turnPause.
	turnPatience = 250 * time.Millisecond
	turnPause    = time.Second
	// pollSoonest and pollLatest are the times between two questions of who
	// waits for his turn.
	pollSoonest = 2 * time.Millisecond
	pollLatest  = 50 * time.Millisecond
)

// Turns are those of front ends that change the same paths. A turn is a key that
// only one can set, and that goes away by itself when whoever has set it has died.
// Without the server everybody takes his turn at once. All methods may be called
// concurrently.
type Turns struct {
	client goredis.UniversalClient
	prefix string
	lease  time.Duration
	// sick is until when the server is not asked, in Unix nanoseconds.
	sick atomic.Int64
}

// NewTurns returns the turns of that name at the server of client, which the
// caller closes after all turns have ended.
func NewTurns(client goredis.UniversalClient, name string) *Turns {
	return &Turns{client: client, prefix: "canopy:turns:" + name + ":", lease: lease}
}

// Take waits until nobody else has his turn at path. release ends it, and may be
// called more than once. The error is that of ctx.
func (t *Turns) Take(ctx context.Context, path string) (release func(), err error) {
	key, token := t.prefix+path, rand.Text()
	for wait := pollSoonest; ; wait = min(2*wait, pollLatest) {
		taken, err := t.set(ctx, key, token)
		switch {
		case over(ctx):
			// It may have been set all the same.
			t.end(key, token)
			return nil, ctx.Err()
		case err != nil:
			return func() {}, nil
		case taken:
			return t.hold(key, token), nil
		}
		timer := time.NewTimer(wait/2 + jitter.N(wait/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

// over waits for the end of a context that is due: connections end with its
// deadline, a little earlier than it does.
func over(ctx context.Context) bool {
	if due, ok := ctx.Deadline(); ok && !time.Now().Before(due) {
		<-ctx.Done()
	}
	return ctx.Err() != nil
}

// set takes a turn that nobody has.
func (t *Turns) set(ctx context.Context, key, token string) (taken bool, err error) {
	err = t.ask(ctx, func(ctx context.Context) (err error) {
		taken, err = t.client.SetNX(ctx, key, token, t.lease).Result()
		return err
	})
	return taken, err
}

// errSick is the error of a question that is not asked.
var errSick = errors.New("the server did not answer a moment ago")

// ask asks the server, unless it is out of order.
func (t *Turns) ask(ctx context.Context, question func(context.Context) error) error {
	if time.Now().UnixNano() < t.sick.Load() {
		return errSick
	}
	asking, cancel := context.WithTimeout(ctx, turnPatience)
	defer cancel()
	err := question(asking)
	if err != nil && !over(ctx) {
		t.sick.Store(time.Now().Add(turnPause).UnixNano())
	}
	return err
}

// hold renews a turn until it is released.
func (t *Turns) hold(key, token string) (release func()) {
	var (
		mu    sync.Mutex
		ended bool
		timer *time.Timer
	)
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(t.lease/3, func() {
		mu.Lock()
		defer mu.Unlock()
		if !ended {
			t.renew(key, token)
			timer.Reset(t.lease / 3)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		if ended {
			return
		}
		ended = true
		timer.Stop()
		t.end(key, token)
	}
}

// A turn that was lost is not touched: somebody else has it now.
var (
	renewing = goredis.NewScript(`if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`)
	ending   = goredis.NewScript(`if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`)
)

func (t *Turns) renew(key, token string) {
	// A turn that cannot be renewed is lost; nothing can be done about that.
	_ = t.ask(context.Background(), func(ctx context.Context) error {
		return renewing.Run(ctx, t.client, []string{key}, token, t.lease.Milliseconds()).Err()
	})
}

func (t *Turns) end(key, token string) {
	// One that cannot be ended ends by itself.
	_ = t.ask(context.Background(), func(ctx context.Context) error {
		return ending.Run(ctx, t.client, []string{key}, token).Err()
	})
}
