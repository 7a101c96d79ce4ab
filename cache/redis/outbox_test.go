package redis

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func testOutbox(now func() time.Time) *outbox {
	o := &outbox{}
	o.init(now)
	return o
}

func keysOf[E any](run []E, key func(E) string) []string {
	var keys []string
	for _, e := range run {
		keys = append(keys, key(e))
	}
	slices.Sort(keys)
	return keys
}

func writeKey(w write) string { return w.key }

func TestRemovalsComeFirst(t *testing.T) {
	o := testOutbox(fixed)
	o.put(write{key: "a", value: []byte("old")})
	o.put(write{key: "b"})
	o.remove(true, []string{"a"})
	o.put(write{key: "a", value: []byte("new")})
	if !o.doubts("a") || o.doubts("b") {
		t.Error("a is to be removed, b is not")
	}
	if run := o.nextWrites(); run != nil {
		t.Errorf("writes before the removal: %v", run)
	}
	run := o.nextRemovals()
	if len(run) != 1 || run[0].key != "a" || !run[0].tell {
		t.Fatalf("removals %v", run)
	}
	// Removed again while the first removal is on its way.
	o.remove(true, []string{"a"})
	if o.removed(run); !o.doubts("a") {
		t.Error("the second removal was struck off with the first")
	}
	if o.removed(o.nextRemovals()); o.doubts("a") {
		t.Error("still in doubt")
	}
	got := keysOf(o.nextWrites(), writeKey)
	if want := []string{"b"}; !slices.Equal(got, want) {
		t.Errorf("writes of %v, want %v", got, want)
	}
	if o.writeBytes != 0 || o.removalBytes != 0 {
		t.Errorf("%d and %d bytes left", o.writeBytes, o.removalBytes)
	}
}

// TestWordsInOrder: what was said first is told first, unless it is said again.
func TestWordsInOrder(t *testing.T) {
	o := testOutbox(fixed)
	for i := range 2 * removalRun {
		o.remove(true, []string{fmt.Sprint(i)})
	}
	o.remove(true, []string{"0"})
	last := o.lastTurn()
	var got []string
	for ok := false; !ok; ok, _, _ = o.done(last) {
		run := o.nextRemovals()
		o.remove(true, []string{"later"})
		o.removed(run)
		for _, r := range run {
			if r.key != "later" {
				got = append(got, r.key)
			}
		}
	}
	if len(got) != 2*removalRun || got[0] != "1" || got[len(got)-1] != "0" || got[removalRun] != fmt.Sprint(removalRun+1) {
		t.Errorf("%d words: %q", len(got), got)
	}
	o.remove(true, []string{"more"})
	o.stick()
	if ok, stuck, _ := o.done(o.lastTurn()); ok || !stuck {
		t.Errorf("of what could not be done: %v, %v", ok, stuck)
	}
	o.removed(o.nextRemovals())
	if ok, _, _ := o.done(o.lastTurn()); !ok || o.stuck {
		t.Error("not done in the end")
	}
	o.stick()
	o.lose()
	if ok, stuck, _ := o.done(last); ok || !stuck {
		t.Error("done, when all that waited was lost")
	}
	o.settle()
	o.remove(true, []string{"anew"})
	if ok, stuck, _ := o.done(o.lastTurn()); ok || stuck {
		t.Errorf("of what has not been tried: %v, %v", ok, stuck)
	}
}

func TestWriteBounds(t *testing.T) {
	o := testOutbox(fixed)
	for i := range maxWrites {
		if !o.put(write{key: fmt.Sprint(i)}) {
			t.Fatalf("no room for write %d", i)
		}
	}
	if o.put(write{key: "more"}) || !o.put(write{key: "7"}) {
		t.Error("the bound holds for new keys, not for replaced ones")
	}
	total := 0
	for run := o.nextWrites(); len(run) > 0; run = o.nextWrites() {
		if total += len(run); len(run) > writeRun {
			t.Errorf("a run of %d writes", len(run))
		}
	}
	if total != maxWrites {
		t.Errorf("%d writes came out", total)
	}
	if o.put(write{key: "k", value: make([]byte, maxWriteBytes)}) {
		t.Error("more bytes than the bound were accepted")
	}
	if !o.put(write{key: "k", value: make([]byte, maxWriteBytes-1)}) || len(o.nextWrites()) != 1 || o.writeBytes != 0 {
		t.Error("a large write does not pass")
	}
}

func TestOverflow(t *testing.T) {
	o := testOutbox(fixed)
	o.put(write{key: "w"})
	for i := range maxRemovals {
		if !o.remove(true, []string{fmt.Sprint(i)}) {
			t.Fatalf("overflow at %d", i)
		}
	}
	if o.remove(true, []string{"more"}) || !o.overflowed() || !o.doubts("any key") {
		t.Error("no overflow")
	}
	if o.waiting() != 0 || o.nextWrites() != nil || o.removalBytes != 0 {
		t.Error("an overflow leaves nothing to be done but a new generation")
	}
	o.settle()
	o.remove(true, []string{"later"})
	if o.doubts("any key") || !o.doubts("later") {
		t.Error("after the new generation only later removals count")
	}
	if o.unsettle(); !o.doubts("any key") {
		t.Error("a new generation that failed settles nothing")
	}
}

// TestHeard checks that a removal heard from elsewhere is repeated for keys
// that were written shortly before, and only for those.
func TestHeard(t *testing.T) {
	now := fixed()
	o := testOutbox(func() time.Time { return now })
	put := func(key string) {
		o.put(write{key: key})
		o.nextWrites()
	}
	hear := func(key string, want bool) {
		t.Helper()
		o.heard([]string{key})
		if got := o.doubts(key); got != want {
			t.Errorf("removal of %s repeated: %v, want %v", key, got, want)
		}
		o.removed(o.nextRemovals())
	}
	put("a")
	hear("a", true)
	hear("never written", false)
	now = now.Add(memory)
	put("b")
	hear("a", true)
	hear("b", true)
	now = now.Add(memory)
	hear("a", false)
	hear("b", true)
	now = now.Add(2 * memory)
	hear("b", false)

	o.put(write{key: "queued"})
	if o.heard([]string{"queued"}); o.nextWrites() != nil {
		t.Error("a write was sent although its key was removed elsewhere")
	}
}
