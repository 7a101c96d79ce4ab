package redis

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// ask is the question of one request. The lane that answers it writes values
// and then closes done; a request that leaves before never looks at values.
type ask struct {
	ctx    context.Context
	phase  *phase
	names  []string // "" is a key not to be asked for
	values [][]byte // frames
	good   bool     // whether values may be used
	began  time.Time
	done   chan struct{}
}

// Get implements cache.Shared.
func (l *Level) Get(ctx context.Context, keys ...string) [][]byte {
	values := make([][]byte, len(keys))
	found := 0
	if a := l.ask(ctx, keys); a != nil && l.await(a) {
		for i, frame := range a.values {
			if values[i] = l.accept(a.phase, keys[i], frame); values[i] != nil {
				found++
			}
		}
	}
	l.count.hits.Add(uint64(found))
	l.count.misses.Add(uint64(len(keys) - found))
	return values
}

// ask hands a question to the lanes; nil when there is nothing to be asked.
func (l *Level) ask(ctx context.Context, keys []string) *ask {
	p := l.breaker.phase()
	if p == nil {
		l.count.skipped.Add(uint64(len(keys)))
		return nil
	}
	a := &ask{ctx: ctx, phase: p, names: make([]string, len(keys)), began: l.opt.Now(), done: make(chan struct{})}
	wanted := 0
	for i, key := range keys {
		if len(key) <= maxKey && !l.outbox.doubts(key) {
			a.names[i] = l.names.value(key)
			wanted++
		}
	}
	l.count.skipped.Add(uint64(len(keys) - wanted))
	if wanted == 0 {
		return nil
	}
	select {
	case l.asks <- a:
		return a
	default:
		l.count.skipped.Add(uint64(wanted))
		return nil
	}
}

// await waits for the answer and reports whether there is a usable one.
func (l *Level) await(a *ask) bool {
	window := l.breaker.window()
	timer := time.NewTimer(window)
	defer timer.Stop()
	select {
	case <-a.done:
		return a.good
	case <-a.ctx.Done():
		return false
	case <-a.phase.over:
		return false
	case <-timer.C:
	}
	// On a busy machine the answer may have been there all along.
	select {
	case <-a.done:
		return a.good
	default:
	}
	l.count.overdue.Add(1)
	if l.breaker.blames(l.opt.Now().Sub(a.began), window) {
		l.suspect(a.phase, a.first(), errOverdue)
	}
	return false
}

// accept takes the value out of a frame, nil when there is none or it does not
// count.
func (l *Level) accept(p *phase, key string, frame []byte) []byte {
	// The key may have been invalidated while the answer was under way.
	if frame == nil || l.outbox.doubts(key) {
		return nil
	}
	value, err := l.codec.decode(frame, p.generation, key)
	if err != nil {
		if errors.Is(err, errCorrupt) {
			l.count.corrupt.Add(1)
		}
		return nil
	}
	return value
}

// first returns the first name that was asked for.
func (a *ask) first() string {
	for _, name := range a.names {
		if name != "" {
			return name
		}
	}
	return ""
}

// laneRun is how many questions a lane sends at once.
const laneRun = 64

// lane answers questions until the level is closed.
func (l *Level) lane() {
	run := make([]*ask, 0, laneRun)
	for {
		select {
		case <-l.ctx.Done():
			return
		case a := <-l.asks:
			run = append(run[:0], a)
		}
		for more := true; more && len(run) < laneRun; {
			select {
			case a := <-l.asks:
				run = append(run, a)
			default:
				more = false
			}
		}
		l.answer(run)
		clear(run)
	}
}

// answer sends a run of questions as one pipeline. Questions of a phase that
// is over have nobody waiting for them and are left out.
func (l *Level) answer(run []*ask) {
	p := l.breaker.phase()
	if p == nil {
		return
	}
	pipe := l.client.Pipeline()
	var asked []*ask
	var replies [][]*goredis.StringCmd
	for _, a := range run {
		if a.phase != p || a.ctx.Err() != nil {
			continue
		}
		cmds := make([]*goredis.StringCmd, len(a.names))
		for i, name := range a.names {
			if name != "" {
				cmds[i] = pipe.Get(l.ctx, name)
			}
		}
		asked, replies = append(asked, a), append(replies, cmds)
	}
	if len(asked) == 0 {
		return
	}
	// The generation is read last: while it is unchanged, all that was read
	// before it counts.
	generation := pipe.Get(l.ctx, l.names.generation())
	// Every reply has its own error.
	_, _ = pipe.Exec(l.ctx)
	err := sameGeneration(generation, p.generation)
	for i, a := range asked {
		a.values = make([][]byte, len(a.names))
		for j, cmd := range replies[i] {
			if cmd == nil {
				continue
			}
			frame, fault := reply(cmd)
			if fault != nil && err == nil {
				err = fault
			}
			a.values[j] = frame
		}
	}
	if err != nil {
		l.suspect(p, asked[0].first(), err)
		return // phase.over has told everybody
	}
	l.breaker.observe(l.opt.Now().Sub(asked[0].began))
	for _, a := range asked {
		a.good = true
		close(a.done)
	}
}

// reply returns the value of a GET, nil when there is none. An error means
// that the server, not the key, is at fault.
func reply(cmd *goredis.StringCmd) ([]byte, error) {
	b, err := cmd.Bytes()
	switch {
	case err == nil:
		return b, nil
	case errors.Is(err, goredis.Nil):
		return nil, nil
	case isReply(err) && strings.HasPrefix(err.Error(), "WRONGTYPE "):
		// Somebody else uses our prefix.
		return nil, nil
	}
	return nil, err
}

// isReply is whether the server itself said the error, and so is alive.
func isReply(err error) bool {
	var reply goredis.Error
	return errors.As(err, &reply)
}

func sameGeneration(cmd *goredis.StringCmd, want uint64) error {
	b, err := reply(cmd)
	if err != nil {
		return err
	}
	if len(b) != 8 || binary.BigEndian.Uint64(b) != want {
		return errNewGeneration
	}
	return nil
}
