package redis

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"canopy/frontend/lock"
	"canopy/frontend/lock/lockinfo"
)

// A record is a lock as Redis has it, but for its token and its end. Its fields
// are separated by NUL, which none of them can hold:
//
//	version (1), flags, root, holder, owner
//
// The flags are two letters: x or s for the scope, 0 or i for the depth.
const (
	recordVersion = "1"
	recordFields  = 5
	// maxRecord is the length of the longest record.
	maxRecord = lock.MaxPath + lock.MaxHolder + lock.MaxOwner + 64
)

func encode(l *lock.Lock) string {
	return strings.Join([]string{recordVersion, flags(l), l.Root, l.Holder, l.Owner}, "\x00")
}

func flags(l *lock.Lock) string {
	switch {
	case l.Scope == lock.Exclusive && l.Deep:
		return "xi"
	case l.Scope == lock.Exclusive:
		return "x0"
	case l.Deep:
		return "si"
	}
	return "s0"
}

// decode reads a record. It trusts nothing of it.
func decode(token, record string) (lock.Lock, error) {
	if len(record) > maxRecord {
		return lock.Lock{}, errors.New("a record that is too long")
	}
	f := strings.Split(record, "\x00")
	if len(f) != recordFields || f[0] != recordVersion {
		return lock.Lock{}, errors.New("a record of an unknown version")
	}
	l := lock.Lock{Token: token, Root: f[2], Holder: f[3], Owner: f[4], Scope: lock.Exclusive}
	switch f[1] {
	case "x0":
	case "xi":
		l.Deep = true
	case "s0":
		l.Scope = lock.Shared
	case "si":
		l.Scope, l.Deep = lock.Shared, true
	default:
		return lock.Lock{}, errors.New("a record with unknown flags")
	}
	if err := l.Validate(); err != nil {
		return lock.Lock{}, fmt.Errorf("a record with %w", err)
	}
	if !lockinfo.Sound(l.Owner) {
		return lock.Lock{}, errors.New("a record with an owner that is not what it was")
	}
	return l, nil
}

// locks reads an answer: token, record and the milliseconds left, for each.
// One that cannot be read is an error for all: what it locks is not known.
func locks(op string, now time.Time, answer []any) ([]lock.Lock, error) {
	const fields = 3
	if len(answer)%fields != 0 || len(answer) > fields*lock.MaxFound {
		return nil, malformed(op, errors.New("an answer of the wrong length"))
	}
	var found []lock.Lock
	for ; len(answer) > 0; answer = answer[fields:] {
		token, ok1 := answer[0].(string)
		record, ok2 := answer[1].(string)
		left, ok3 := answer[2].(string)
		if !ok1 || !ok2 || !ok3 {
			return nil, malformed(op, errors.New("an answer of the wrong type"))
		}
		l, err := decode(token, record)
		if err != nil {
			return nil, malformed(op, err)
		}
		ms, err := strconv.ParseUint(left, 10, 32)
		if err != nil {
			return nil, malformed(op, errors.New("a time that is no number"))
		}
		l.Expires = now.Add(min(time.Duration(ms)*time.Millisecond, lock.MaxTimeout))
		found = append(found, l)
	}
	return found, nil
}
