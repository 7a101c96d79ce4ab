package redis

import (
	"encoding/binary"
	"errors"
	"time"
)

const (
	// generationTTL is how long Redis keeps the generation, renewed every
	// generationCare.
	generationTTL  = 30 * 24 * time.Hour
	generationCare = time.Hour
)

// generation returns the generation that counts, and begins a new one when
// there is none or invalidations have been lost.
func (l *Level) generation() (uint64, error) {
	fresh, err := l.random()
	if err != nil {
		return 0, err
	}
	name, token := l.names.generation(), binary.BigEndian.AppendUint64(nil, fresh)
	if l.outbox.overflowed() {
		return fresh, l.begin(name, token)
	}
	for range 2 {
		b, err := reply(l.client.Get(l.ctx, name))
		if err != nil {
			return 0, err
		}
		if len(b) == 8 && binary.BigEndian.Uint64(b) != 0 {
			return binary.BigEndian.Uint64(b), l.renew()
		}
		// Several front ends may do this at once; one of them wins, and all
		// read which.
		pipe := l.client.Pipeline()
		if b != nil {
			pipe.Del(l.ctx, name)
		}
		pipe.SetNX(l.ctx, name, token, generationTTL)
		if _, err := pipe.Exec(l.ctx); err != nil {
			return 0, err
		}
	}
	return 0, errors.New("the server does not keep the generation")
}

// begin declares all values dead. The old generation is deleted before the new
// one is set, because a full server still deletes.
func (l *Level) begin(name string, token []byte) error {
	// Removals from now on are not covered and are kept again.
	l.outbox.settle()
	pipe := l.client.Pipeline()
	pipe.Del(l.ctx, name)
	pipe.Set(l.ctx, name, token, generationTTL)
	_, err := pipe.Exec(l.ctx)
	if err == nil {
		err = l.publish(message{origin: l.origin, everything: true})
	}
	if err != nil {
		l.outbox.unsettle()
		return err
	}
	l.renewed = l.opt.Now()
	l.count.generations.Add(1)
	l.opt.Log.Warn("too many invalidations could not be delivered in time; all shared values have been declared dead")
	return nil
}

// renew keeps the generation from expiring.
func (l *Level) renew() error {
	err := l.client.Expire(l.ctx, l.names.generation(), generationTTL).Err()
	if err == nil {
		l.renewed = l.opt.Now()
	}
	return err
}
