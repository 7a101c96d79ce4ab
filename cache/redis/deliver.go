package redis

import "time"

const (
	// maxTTL bounds the time to live of a value.
	maxTTL = 7 * 24 * time.Hour
	// fullPause is how long no value is written after the server refused all
	// of a run, most likely for lack of memory.
	fullPause = time.Second
)

// deliver deletes what is to be removed and then tells the others, who find
// nothing when they look again.
func (l *Level) deliver() error {
	for {
		run := l.outbox.nextRemovals()
		if len(run) == 0 {
			return nil
		}
		if err := l.remove(run); err != nil {
			l.outbox.stick()
			return err
		}
		l.outbox.removed(run)
	}
}

func (l *Level) remove(run []removal) error {
	pipe := l.client.Pipeline()
	var told []string
	for _, r := range run {
		pipe.Del(l.ctx, l.names.value(r.key))
		if r.tell {
			told = append(told, r.key)
		}
	}
	if _, err := pipe.Exec(l.ctx); err != nil {
		return err
	}
	if len(told) == 0 {
		return nil
	}
	if err := l.publish(message{origin: l.origin, keys: told}); err != nil {
		return err
	}
	l.count.invalidated.Add(uint64(len(told)))
	return nil
}

func (l *Level) publish(m message) error {
	return l.client.Publish(l.ctx, l.names.channel(), m.encode()).Err()
}

// store writes values. What the server refuses is counted; only a server that
// does not answer is an error.
func (l *Level) store(p *phase, run []write) error {
	pipe := l.client.Pipeline()
	now := l.opt.Now()
	for _, w := range run {
		ttl := w.until.Sub(now)
		frame, err := l.codec.encode(p.generation, w.key, w.value)
		if err != nil || ttl < time.Millisecond {
			l.count.dropped.Add(1)
			continue
		}
		pipe.Set(l.ctx, l.names.value(w.key), frame, ttl)
	}
	if pipe.Len() == 0 {
		return nil
	}
	cmds, _ := pipe.Exec(l.ctx)
	refused, fault := 0, error(nil)
	for _, cmd := range cmds {
		switch err := cmd.Err(); {
		case err == nil:
			l.count.written.Add(1)
		case isReply(err):
			refused++
			l.refusal(err)
		default:
			l.count.dropped.Add(1)
			fault = err
		}
	}
	l.count.refused.Add(uint64(refused))
	switch {
	case refused == len(cmds):
		l.full = now.Add(fullPause)
	case refused == 0 && fault == nil:
		l.refusing = false
	}
	return fault
}

// refusal logs the first of a series.
func (l *Level) refusal(err error) {
	if !l.refusing {
		l.refusing = true
		l.opt.Log.Warn("shared cache refuses values; is it full, with maxmemory-policy noeviction?", "error", err)
	}
}
