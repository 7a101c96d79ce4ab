package federator

import (
	"sync"
	"time"
)

// lately is which keys of the shared cache were made void in the last moments, and
// when. Another front end may have learned something before that, and give it to the
// shared cache afterwards: it takes that back as soon as it hears, but who asks in
// between is not to believe it.
type lately struct {
	mu   sync.Mutex
	when map[string]int64 // in Unix nanoseconds
	next int64            // when there may be some to drop
}

// latelyFor is more than front ends are behind each other, and their clocks apart.
const latelyFor = 5 * time.Second

func (l *lately) add(keys []string, now int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now > l.next {
		for k, at := range l.when {
			if now-at > int64(latelyFor) {
				delete(l.when, k)
			}
		}
		l.next = now + int64(latelyFor)
	}
	if l.when == nil {
		l.when = make(map[string]int64)
	}
	for _, k := range keys {
		switch kind, _, _ := cut(k); kind {
		case entryKey, listingKey:
			l.when[k] = now
		}
	}
}

// believes reports whether what was learned then has not become void since.
func (l *lately) believes(key string, learned int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return learned > l.when[key]
}
