package redis

import (
	"context"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

const (
	// heartbeat is how often the subscription is tried, and silence how long
	// nothing may come before it counts as lost.
	heartbeat = 3 * time.Second
	silence   = 2*heartbeat + ioTimeout
)

// listen keeps a subscription to the invalidations of other front ends until
// the level is closed.
func (l *Level) listen() {
	var wait pause
	for broken := false; l.ctx.Err() == nil; broken = true {
		if l.subscribe(broken) {
			wait = 0
		}
		wait = wait.longer()
		timer := time.NewTimer(time.Duration(wait))
		select {
		case <-l.ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// subscribe holds one subscription until it breaks, and reports whether it was
// ever established. broken is whether there was time to miss something that
// this front end would have had to know before it writes what is waiting.
func (l *Level) subscribe(broken bool) (established bool) {
	sub := l.client.Subscribe(l.ctx, l.names.channel(), l.names.answers(l.origin))
	defer l.count.subscribed.Store(false)

	// The heart beats until the subscription is closed, which also ends the
	// wait for a message.
	ctx, cancel := context.WithCancel(l.ctx)
	var heart sync.WaitGroup
	heart.Go(func() { beat(ctx, sub) })
	defer func() {
		cancel()
		heart.Wait()
	}()

	for {
		event, err := sub.ReceiveTimeout(ctx, silence)
		if err != nil {
			return established
		}
		switch event := event.(type) {
		case *goredis.Subscription:
			if event.Channel != l.names.channel() {
				l.roll.introduce() // now answers arrive
				continue
			}
			// A second one means that the library has connected again.
			if broken || established {
				l.count.dropped.Add(uint64(l.outbox.forgetWrites()))
			}
			established = true
			l.count.subscribed.Store(true)
			l.opt.OnReconnect()
		case *goredis.Message:
			l.hear(event.Payload)
		}
	}
}

// beat sends a ping now and then and closes sub when ctx ends.
func beat(ctx context.Context, sub *goredis.PubSub) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			// A failure shows as silence.
			_ = sub.Ping(ctx)
		case <-ctx.Done():
			// It has no more to say.
			_ = sub.Close()
			return
		}
	}
}

// hear takes in one message.
func (l *Level) hear(payload string) {
	m, err := decodeMessage(payload)
	switch {
	case err != nil:
		l.count.malformed.Add(1)
	case m.origin == l.origin:
	case m.answer > 0:
		l.roll.answered(m.origin, m.answer)
	case m.call > 0:
		l.roll.called(m.origin, m.call)
	case m.everything:
		l.count.dropped.Add(uint64(l.outbox.forgetWrites()))
		l.suspect(l.breaker.phase(), l.names.generation(), errNewGeneration)
		l.opt.OnReconnect()
	default:
		l.count.heard.Add(uint64(len(m.keys)))
		if !l.outbox.heard(m.keys) {
			l.suspect(l.breaker.phase(), l.names.generation(), errOverflow)
		}
		l.opt.OnInvalidate(m.keys)
	}
}
