package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

var (
	errOverdue       = errors.New("no answer within the budget")
	errNewGeneration = errors.New("another generation of values has begun")
	errOverflow      = errors.New("too many invalidations are waiting")
)

// probeBudgets is how many budgets the keeper's own question may take. A busy
// machine lets the keeper wait more than those who answer clients; should the
// server really be that slow, the next request finds out, and the pauses grow.
const probeBudgets = 4

// noticeFrom is the attempt from which an outage is worth a log line; most are
// over before.
const noticeFrom = 3

// Set implements cache.Shared. A ttl above seven days is cut to that.
func (l *Level) Set(key string, value []byte, ttl time.Duration) {
	if ttl < time.Millisecond || len(key) > maxKey || len(value) > maxValue ||
		!l.outbox.put(write{key, value, l.opt.Now().Add(min(ttl, maxTTL))}) {
		l.count.dropped.Add(1)
	}
}

// Invalidate implements cache.Shared. Keys beyond 64 KiB are ignored; no level
// stores them.
func (l *Level) Invalidate(keys ...string) {
	tooLong := func(key string) bool { return len(key) > maxKey }
	if slices.ContainsFunc(keys, tooLong) {
		keys = slices.DeleteFunc(slices.Clone(keys), tooLong)
	}
	if !l.outbox.remove(true, keys) {
		l.suspect(l.breaker.phase(), l.names.generation(), errOverflow)
	}
}

// Told implements cache.Shared.
func (l *Level) Told(ctx context.Context) bool {
	turn := l.outbox.lastTurn()
	for {
		ok, stuck, news := l.outbox.done(turn)
		switch {
		case ok:
			all, muted := l.roll.all(ctx)
			if muted > 0 {
				l.opt.Log.Info("other front ends are slow to take in what they are told; they are not waited for until they have", "front_ends", muted)
			}
			return all
		case stuck:
			return false
		}
		select {
		case <-news:
		case <-ctx.Done():
			return false
		}
	}
}

// suspect takes the level out of use because of a failure in phase p. The
// keeper will ask for name, which is on the server that failed.
func (l *Level) suspect(p *phase, name string, reason error) {
	if l.breaker.trip(p) {
		l.count.suspect.Add(1)
		l.failure.Store(&failure{name, reason})
		l.outbox.wake()
	}
}

// failure is what made the level suspect.
type failure struct {
	name   string
	reason error
}

// why returns what the level was last suspected for, nil at the start.
func (l *Level) why() error {
	if f := l.failure.Load(); f != nil {
		return f.reason
	}
	return nil
}

// keep is the keeper: it does what is in the outbox, and brings a suspect
// level back into use. A level begins as suspect.
func (l *Level) keep() {
	defer close(l.kept)
	var wait pause
	var used *phase
	for attempt := 1; ; {
		closing := l.isClosing()
		if p := l.breaker.phase(); p != nil {
			if err := l.flush(p); err != nil {
				l.suspect(p, l.names.generation(), err)
			} else if !l.idle() {
				return
			}
			continue
		}
		if used != nil {
			wait, used, attempt = wait.after(l.opt.Now().Sub(used.began)), nil, 1
		}
		l.rest(time.Duration(wait))
		p, err := l.resume()
		if err == nil {
			if attempt > noticeFrom {
				l.opt.Log.Info("shared cache is in use again", "attempts", attempt)
			}
			used = p
			continue
		}
		if closing {
			return
		}
		if attempt == noticeFrom {
			log := l.opt.Log
			if first := l.why(); first != nil {
				log = log.With("at_first", first)
			}
			log.Warn("shared cache is out of use; requests go on without it", "err", err)
		}
		attempt++
		wait = wait.longer()
	}
}

func (l *Level) isClosing() bool {
	select {
	case <-l.closing:
		return true
	default:
		return false
	}
}

// rest waits for d or until the level is being closed. Meanwhile it delivers what is
// to be removed: a server that is too slow for questions is not too slow for that.
func (l *Level) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for work := l.outbox.work; ; {
		if l.deliver() != nil {
			work = nil // until it is tried again in any case
		}
		select {
		case <-work:
		case <-l.closing:
			return
		case <-timer.C:
			return
		}
	}
}

// idle waits for work, and reports false when the level is closed and there is
// none left.
func (l *Level) idle() bool {
	timer := time.NewTimer(l.nextCare())
	defer timer.Stop()
	select {
	case <-l.outbox.work:
		return true
	case <-timer.C:
		return true
	case <-l.closing:
	}
	select {
	case <-l.outbox.work:
		return true
	default:
		return false
	}
}

// nextCare is the time until the keeper has something to do of itself.
func (l *Level) nextCare() time.Duration {
	now := l.opt.Now()
	next := l.renewed.Add(generationCare)
	if l.full.After(now) && l.full.Before(next) {
		next = l.full
	}
	return max(next.Sub(now), time.Millisecond)
}

// resume brings a suspect level back into use: the server must answer
// promptly, the generation be known, and every invalidation delivered.
func (l *Level) resume() (*phase, error) {
	began := l.opt.Now()
	name := l.names.generation()
	if f := l.failure.Load(); f != nil {
		name = f.name
	}
	// EXISTS goes to the server that holds the name and costs it nothing,
	// whatever the size of the value.
	if err := l.client.Exists(l.ctx, name).Err(); err != nil {
		return nil, err
	}
	took := l.opt.Now().Sub(began)
	l.breaker.observe(took)
	if took > probeBudgets*l.opt.Budget {
		return nil, fmt.Errorf("%w: it took %v, the budget of a request is %v", errOverdue, took.Round(time.Microsecond), l.opt.Budget)
	}
	generation, err := l.generation()
	if err != nil {
		return nil, err
	}
	if l.known != 0 && l.known != generation {
		l.count.dropped.Add(uint64(l.outbox.forgetWrites()))
	}
	l.known = generation
	if err := l.deliver(); err != nil {
		return nil, err
	}
	p := l.breaker.reset(l.opt.Now(), generation)
	if l.outbox.overflowed() {
		l.suspect(p, l.names.generation(), errOverflow)
		return nil, errOverflow
	}
	return p, nil
}

// flush does all that is in the outbox.
func (l *Level) flush(p *phase) error {
	if l.opt.Now().Sub(l.renewed) >= generationCare {
		if err := l.renew(); err != nil {
			return err
		}
	}
	for {
		if err := l.deliver(); err != nil {
			return err
		}
		if l.opt.Now().Before(l.full) {
			return nil
		}
		run := l.outbox.nextWrites()
		if len(run) == 0 && l.outbox.waiting() == 0 {
			return nil
		}
		if err := l.store(p, run); err != nil {
			return err
		}
	}
}
