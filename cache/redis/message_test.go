package redis

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var messages = []message{
	{origin: 1, keys: []string{"a"}},
	{origin: 1 << 63, keys: []string{"", "a\x00b", strings.Repeat("x", maxKey)}},
	{origin: 3, everything: true},
	{origin: 4, call: 1},
	{origin: 5, answer: 1 << 63},
}

func TestMessageRoundTrip(t *testing.T) {
	for _, want := range messages {
		got, err := decodeMessage(string(want.encode()))
		if err != nil {
			t.Errorf("%.80v: %v", want, err)
		} else if diff := cmp.Diff(want, got, cmp.AllowUnexported(message{})); diff != "" {
			t.Error(diff)
		}
	}
}

// TestLargestRun checks that what a run may carry is what a message may.
func TestLargestRun(t *testing.T) {
	o := outbox{}
	o.init(fixed)
	for _, size := range []int{maxKey, 1, 40_000, maxKey} {
		o.remove(true, []string{strings.Repeat(string(rune('a'+size%26)), size)})
	}
	for n := range 1000 {
		o.remove(true, []string{strings.Repeat("k", n%50) + "x"})
	}
	for run := o.nextRemovals(); len(run) > 0; run = o.nextRemovals() {
		m := message{origin: 1}
		for _, r := range run {
			m.keys = append(m.keys, r.key)
		}
		if _, err := decodeMessage(string(m.encode())); err != nil {
			t.Errorf("a run of %d keys: %v", len(run), err)
		}
		o.removed(run)
	}
}

func TestMessageRefuses(t *testing.T) {
	good := string(messages[0].encode())
	many := message{keys: make([]string, maxMessageKeys+1)}
	for name, s := range map[string]string{
		"empty":               "",
		"cut in the header":   good[:9],
		"no keys":             good[:10],
		"cut in the key":      good[:11],
		"version 2":           "\x02" + good[1:],
		"kind 5":              good[:1] + "\x05" + good[2:],
		"call without number": good[:1] + "\x03" + good[2:10],
		"answer to no call":   good[:1] + "\x04" + good[2:10] + strings.Repeat("\x00", 8),
		"everything and keys": good[:1] + "\x02" + good[2:],
		"length without end":  good[:10] + strings.Repeat("\xff", 20),
		"long key":            string(message{keys: []string{strings.Repeat("x", maxKey+1)}}.encode()),
		"many keys":           string(many.encode()),
		"large":               good + strings.Repeat("\x00", maxMessage),
	} {
		if m, err := decodeMessage(s); err == nil {
			t.Errorf("%s: read as %.80v", name, m)
		}
	}
}

func FuzzDecodeMessage(f *testing.F) {
	for _, m := range messages {
		f.Add(string(m.encode()))
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := decodeMessage(s)
		if err != nil {
			return
		}
		again, err := decodeMessage(string(m.encode()))
		if diff := cmp.Diff(m, again, cmp.AllowUnexported(message{})); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	})
}
