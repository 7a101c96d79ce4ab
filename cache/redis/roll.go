package redis

import (
	"context"
	"maps"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// roll is by what a front end knows that the others have taken in what they were
// told: it calls them, and each answers when it has taken in all that came before.
// Calls are numbered; who has answered one has answered those before it.
type roll struct {
	mu    sync.Mutex
	peers map[uint64]*peer // by origin
	// last is the number of the last call that was sent, sent of the last of
	// which that is certain, failed of the last that could not be; wanted is
	// that of the last which somebody waits for.
	last, sent, failed, wanted uint64
	// receivers is how many have got the last call, this front end among them;
	// 0 is not known.
	receivers int
	// owed are the calls of others that are to be answered, by origin.
	owed map[uint64]uint64
	// news is closed and replaced when something has changed.
	news chan struct{}
	// work has an element when the speaker should look.
	work chan struct{}
}

// peer is another front end.
type peer struct {
	answered uint64
	// mute is that it has not answered in time, and is not waited for until it
	// does.
	mute bool
}

// mostPeers bounds how many of them are known: there is no limit to what a
// stranger in Redis could pretend to be.
const mostPeers = 1000

func (r *roll) init() {
	r.peers = make(map[uint64]*peer)
	r.owed = make(map[uint64]uint64)
	r.news = make(chan struct{})
	r.work = make(chan struct{}, 1)
}

func (r *roll) wake() {
	select {
	case r.work <- struct{}{}:
	default:
	}
}

// meet returns the peer of an origin. r.mu is held.
func (r *roll) meet(origin uint64) *peer {
	p := r.peers[origin]
	if p == nil {
		p = &peer{}
		if len(r.peers) < mostPeers {
			r.peers[origin] = p
		}
	}
	return p
}

// introduce makes a call for which nobody waits, so that all know each other.
func (r *roll) introduce() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wanted = r.last + 1
	r.wake()
}

// called notes a call of somebody else.
func (r *roll) called(origin, call uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.meet(origin)
	if len(r.owed) < mostPeers {
		r.owed[origin] = call
	}
	r.wake()
}

// answered notes that somebody has answered a call.
func (r *roll) answered(origin, call uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.meet(origin)
	p.answered, p.mute = max(p.answered, min(call, r.last)), false
	r.signal()
}

func (r *roll) signal() {
	close(r.news)
	r.news = make(chan struct{})
}

// all waits until all other front ends have taken in what they were told before. It
// is not ok if ctx ends first, or they cannot be called. Who has not answered by then
// is not waited for again before he does; muted is how many those are now.
func (r *roll) all(ctx context.Context) (ok bool, muted int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.peers) == 0 {
		return true, 0
	}
	// One that has been sent may have gone out before they were told.
	call := r.last + 1
	r.wanted = call
	r.wake()
	for {
		switch {
		case r.sent >= call && r.answer(call):
			return true, 0
		case r.failed >= call:
			return false, 0
		}
		news := r.news
		r.mu.Unlock()
		select {
		case <-news:
			r.mu.Lock()
		case <-ctx.Done():
			r.mu.Lock()
			for _, p := range r.peers {
				if !p.mute && p.answered < call {
					p.mute = true
					muted++
				}
			}
			return false, muted
		}
	}
}

// answer reports whether all have answered a call. r.mu is held.
func (r *roll) answer(call uint64) bool {
	answers, late := 0, 0
	for _, p := range r.peers {
		switch {
		case p.answered >= call:
			answers++
		case !p.mute:
			late++
		}
	}
	if r.receivers == 0 || answers < r.receivers-1 {
		return late == 0
	}
	// Nobody else listens any more.
	maps.DeleteFunc(r.peers, func(_ uint64, p *peer) bool { return p.answered < call })
	return true
}

// due returns what is to be sent: the number of a call, 0 if none is, and answers.
func (r *roll) due() (call uint64, answers map[uint64]uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wanted > r.last {
		r.last++
		call = r.last
	}
	answers, r.owed = r.owed, make(map[uint64]uint64)
	return call, answers
}

// said notes what became of a call: how many have got it, or an error.
func (r *roll) said(call uint64, receivers int64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.failed = call
	} else {
		r.sent, r.receivers = call, int(receivers)
	}
	r.signal()
}

// speak sends calls and answers until the level ends.
func (l *Level) speak() {
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-l.roll.work:
		}
		call, answers := l.roll.due()
		pipe := l.client.Pipeline()
		for origin, n := range answers {
			pipe.Publish(l.ctx, l.names.answers(origin), message{origin: l.origin, answer: n}.encode())
		}
		var got *goredis.IntCmd
		if call > 0 {
			got = pipe.Publish(l.ctx, l.names.channel(), message{origin: l.origin, call: call}.encode())
		}
		if pipe.Len() == 0 {
			continue
		}
		_, err := pipe.Exec(l.ctx)
		if call > 0 {
			receivers := got.Val()
			if _, cluster := l.client.(*goredis.ClusterClient); cluster {
				receivers = 0 // it counts those at one of its servers
			}
			l.roll.said(call, receivers, err)
		}
	}
}
