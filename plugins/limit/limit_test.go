package limit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"canopy/plugins"

	"github.com/google/go-cmp/cmp"
)

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		config Config
		key    string
	}{
		{Config{}, ""},
		{Config{Requests: 1, Queue: -1, Bodies: 1, Timeout: 1}, ""},
		{Config{Requests: -1}, "requests"},
		{Config{Queue: -2}, "queue"},
		{Config{Bodies: -1}, "bodies"},
		{Config{Timeout: -1}, "timeout"},
	} {
		key := ""
		var e *plugins.FieldError
		if errors.As(c.config.Validate(), &e) {
			key = e.Key
		}
		if key != c.key {
			t.Errorf("%+v: blames %q, want %q", c.config, key, c.key)
		}
	}
}

func TestDefaults(t *testing.T) {
	for _, c := range []struct{ given, want Config }{
		{Config{}, Config{Requests: 64, Queue: 256, Bodies: 64}},
		{Config{Requests: 3}, Config{Requests: 3, Queue: 12, Bodies: 3}},
		{Config{Requests: 3, Queue: -1, Bodies: 5}, Config{Requests: 3, Queue: 0, Bodies: 5}},
		{Config{Requests: 3, Queue: 1, Timeout: 7}, Config{Requests: 3, Queue: 1, Bodies: 3, Timeout: 7}},
	} {
		if diff := cmp.Diff(c.want, c.given.withDefaults()); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.given, diff)
		}
	}
}

// TestAbilities: all of the inside's and no more, and none passed on unlimited
// but Locate and Copies. A new ability in the contract must be decided on here.
func TestAbilities(t *testing.T) {
	inside := &slow{}
	can := plugins.AbilitiesOf(New(inside, Config{}))
	if !can.Ordered {
		t.Error("the order is lost")
	}
	fields := reflect.ValueOf(can)
	for i := range fields.NumField() {
		name := fields.Type().Field(i).Name
		if fields.Field(i).Kind() != reflect.Interface {
			continue
		}
		if fields.Field(i).IsNil() {
			t.Errorf("%s is lost", name)
		} else if bare := fields.Field(i).Interface() == any(inside); bare != (name == "Locator") {
			t.Errorf("%s is the inside's own: %v", name, bare)
		}
	}
	can = plugins.AbilitiesOf(New(onlyStat{inside}, Config{}))
	if can.Prober == nil {
		t.Error("no Prober")
	}
	can.Prober = nil
	if can != (plugins.Abilities{}) {
		t.Errorf("%v, want none", can.Names())
	}
}

func TestAnswersPassThrough(t *testing.T) {
	inside := &slow{}
	e := New(inside, Config{Requests: 1})
	can := e.Abilities()
	ctx := t.Context()
	if entry, err := e.Stat(ctx, "/f"); err != nil || entry.Name != "f" {
		t.Errorf("stat: %v, %v", entry, err)
	}
	if d, err := can.Digester.Digest(ctx, "/f", "md5"); err != nil || d != (plugins.Digest{Algorithm: "md5", Sum: "sum"}) {
		t.Errorf("digest: %v, %v", d, err)
	}
	if s, err := can.Spacer.Space(ctx, "/f"); err != nil || s != (plugins.Space{Used: 1, Free: 2}) {
		t.Errorf("space: %v, %v", s, err)
	}
	if i, err := can.Inspector.Inspect(ctx, "/f"); err != nil || i != (plugins.Inspection{Writable: plugins.Yes}) {
		t.Errorf("inspect: %v, %v", i, err)
	}
	if e, err := can.Writer.Store(ctx, "/f", strings.NewReader("four"), plugins.Upload{Size: 4}); err != nil || e.Size != 4 || !can.Writer.Atomic() {
		t.Errorf("store: %v, %v", e, err)
	}
	if n, err := can.Sweeper.Sweep(ctx, time.Hour); err != nil || n != 3 {
		t.Errorf("sweep: %v, %v", n, err)
	}
	if err := errors.Join(can.Remover.Remove(ctx, "/f"), can.Maker.MakeDirectory(ctx, "/f"), can.Mover.Move(ctx, "/f", "/g", true)); err != nil {
		t.Errorf("remove, make, move: %v", err)
	}
	if err := can.Prober.Probe(ctx, "/f"); err != nil {
		t.Errorf("probe: %v", err)
	}
	if l, err := can.Locator.Locate("/f", "GET"); err != nil || l.URL != "http://storage/f" {
		t.Errorf("locate: %v, %v", l, err)
	}
	wantLoad(t, e, Load{})

	inside.err = &plugins.Error{Kind: plugins.NotFound, RetryAfter: time.Second}
	_, err := e.Stat(ctx, "/f")
	wantError(t, err, plugins.NotFound, "stat", "/f")
	if e := new(plugins.Error); !errors.As(err, &e) || e.RetryAfter != time.Second {
		t.Errorf("the retry time is lost: %v", err)
	}
	_, err = can.Digester.Digest(ctx, "/f", "md5")
	wantError(t, err, plugins.NotFound, "digest", "/f")
	_, err = can.Spacer.Space(ctx, "/f")
	wantError(t, err, plugins.NotFound, "space", "/f")
	_, err = can.Inspector.Inspect(ctx, "/f")
	wantError(t, err, plugins.NotFound, "inspect", "/f")
	_, err = can.Writer.Store(ctx, "/f", strings.NewReader("four"), plugins.Upload{Size: 4})
	wantError(t, err, plugins.NotFound, "store", "/f")
	_, err = can.Sweeper.Sweep(ctx, time.Hour)
	wantError(t, err, plugins.NotFound, "sweep", "/")
	wantError(t, can.Remover.Remove(ctx, "/f"), plugins.NotFound, "remove", "/f")
	wantError(t, can.Maker.MakeDirectory(ctx, "/f"), plugins.NotFound, "mkdir", "/f")
	wantError(t, can.Mover.Move(ctx, "/f", "/g", true), plugins.NotFound, "move", "/f")
	wantError(t, can.Prober.Probe(ctx, "/f"), plugins.NotFound, "probe", "/f")
	if err := e.Close(); !errors.Is(err, inside.err) || !inside.closed {
		t.Errorf("close: %v, closed %v", err, inside.closed)
	}
}

// TestQueue: two at once, the others in the order they came.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside := &slow{think: time.Second}
		e := New(inside, Config{Requests: 2, Queue: 5, Timeout: time.Minute})
		now := clock()
		var mu sync.Mutex
		var done []string
		for i := range 7 {
			go func() {
				entry, err := e.Stat(t.Context(), fmt.Sprintf("/%d", i/2))
				mu.Lock()
				defer mu.Unlock()
				done = append(done, fmt.Sprint(now(), " ", entry.Name, " ", err))
			}()
			synctest.Wait()
		}
		wantLoad(t, e, Load{InFlight: 2, Queued: 5})
		_, err := e.Stat(t.Context(), "/late")
		wantError(t, err, plugins.Busy, "stat", "/late")
		if now() != 0 {
			t.Errorf("the refusal took %v", now())
		}
		<-time.After(time.Second)
		synctest.Wait()
		wantLoad(t, e, Load{InFlight: 2, Queued: 3})
		<-time.After(time.Minute)
		synctest.Wait()
		want := []string{"1s 0 <nil>", "1s 0 <nil>", "2s 1 <nil>", "2s 1 <nil>", "3s 2 <nil>", "3s 2 <nil>", "4s 3 <nil>"}
		if diff := cmp.Diff(want, done); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if most := inside.most(); most != 2 {
			t.Errorf("%d at once", most)
		}
		wantLoad(t, e, Load{})
	})
}

func TestNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(&slow{think: time.Second}, Config{Requests: 1, Queue: -1})
		go e.Stat(t.Context(), "/first")
		synctest.Wait()
		_, err := e.Stat(t.Context(), "/second")
		wantError(t, err, plugins.Busy, "stat", "/second")
	})
}

// TestTimeout: the wait in the queue counts, and who never left it blames
// nobody.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(&slow{think: 2 * time.Second}, Config{Requests: 1, Timeout: 3 * time.Second})
		now := clock()
		var all sync.WaitGroup
		ask := func(path string, kind plugins.Kind, at time.Duration) {
			all.Go(func() {
				_, err := e.Stat(t.Context(), path)
				if kind == 0 && err != nil {
					t.Errorf("%s: %v", path, err)
				} else if kind != 0 {
					wantError(t, err, kind, "stat", path)
				}
				if now() != at {
					t.Errorf("%s: answer after %v, want %v", path, now(), at)
				}
			})
			synctest.Wait()
		}
		ask("/answered", 0, 2*time.Second)
		ask("/asked for a second", plugins.Busy, 3*time.Second)
		ask("/not asked", plugins.Busy, 3*time.Second)
		<-time.After(1750 * time.Millisecond)
		ask("/asked for 1.75 seconds", plugins.Timeout, 4750*time.Millisecond)
		all.Wait()
		wantLoad(t, e, Load{})
	})
}

// TestTimeoutKind: an endpoint that calls it Canceled is corrected, every
// question is bounded, and without a timeout none is.
func TestTimeoutKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside := &canceler{slow: slow{think: time.Hour}}
		e := New(inside, Config{Timeout: time.Second})
		can := e.Abilities()
		for _, c := range []struct {
			op  string
			ask func() error
		}{
			{"stat", func() error { _, err := e.Stat(t.Context(), "/f"); return err }},
			{"digest", func() error { _, err := can.Digester.Digest(t.Context(), "/f", "md5"); return err }},
			{"space", func() error { _, err := can.Spacer.Space(t.Context(), "/f"); return err }},
			{"inspect", func() error { _, err := can.Inspector.Inspect(t.Context(), "/f"); return err }},
			{"remove", func() error { return can.Remover.Remove(t.Context(), "/f") }},
			{"mkdir", func() error { return can.Maker.MakeDirectory(t.Context(), "/f") }},
			{"move", func() error { return can.Mover.Move(t.Context(), "/f", "/g", false) }},
			{"probe", func() error { return can.Prober.Probe(t.Context(), "/f") }},
		} {
			now := clock()
			wantError(t, c.ask(), plugins.Timeout, c.op, "/f")
			if now() != time.Second {
				t.Errorf("%s took %v", c.op, now())
			}
		}
		now := clock()
		if _, err := New(inside, Config{}).Stat(t.Context(), "/f"); err != nil || now() != time.Hour {
			t.Errorf("%v after %v", err, now())
		}
	})
}

// canceler says Canceled of every Stat that its context ends.
type canceler struct{ slow }

func (c *canceler) Stat(ctx context.Context, path string) (plugins.Entry, error) {
	if err := c.wait(ctx, c.think); err != nil {
		return plugins.Entry{}, &plugins.Error{Kind: plugins.Canceled, Err: err}
	}
	return plugins.Entry{}, nil
}

// TestCallerLeaves: in the queue or in service, and the slot is not lost.
func TestCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(&slow{think: 10 * time.Second}, Config{Requests: 1, Timeout: time.Minute})
		now := clock()
		var all sync.WaitGroup
		ask := func(path string, patience time.Duration, kind plugins.Kind, at time.Duration) {
			all.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				defer time.AfterFunc(patience, cancel).Stop()
				_, err := e.Stat(ctx, path)
				if plugins.KindOf(err) != kind {
					t.Errorf("%s: %v, want %v", path, err, kind)
				}
				if now() != at {
					t.Errorf("%s: after %v, want %v", path, now(), at)
				}
			})
			synctest.Wait()
		}
		ask("/leaves in service", 5*time.Second, plugins.Canceled, 5*time.Second)
		ask("/leaves in the queue", 3*time.Second, plugins.Canceled, 3*time.Second)
		ask("/stays", time.Hour, 0, 15*time.Second)
		all.Wait()
		wantLoad(t, e, Load{})

		go e.Stat(t.Context(), "/holds the slot")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := e.Stat(ctx, "/deadline in the queue")
		wantError(t, err, plugins.Canceled, "stat", "/deadline in the queue")
		_, err = e.Stat(ctx, "/too late to begin")
		wantError(t, err, plugins.Canceled, "stat", "/too late to begin")
	})
}

func TestProbePassesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside := &slow{think: time.Second}
		e := New(inside, Config{Requests: 1, Queue: 1})
		go e.Stat(t.Context(), "/in service")
		go e.Stat(t.Context(), "/in the queue")
		synctest.Wait()
		now := clock()
		if err := e.Abilities().Prober.Probe(t.Context(), "/"); err != nil || now() != time.Second {
			t.Errorf("%v after %v", err, now())
		}
		<-time.After(time.Minute)
	})
}

// TestProbeByStat: any answer is life.
func TestProbeByStat(t *testing.T) {
	inside := &slow{}
	e := New(onlyStat{inside}, Config{})
	for kind := plugins.NotFound; kind <= plugins.Canceled; kind++ {
		inside.err = &plugins.Error{Kind: kind}
		err := e.Abilities().Prober.Probe(t.Context(), "/")
		if kind.Silent() || kind == plugins.Canceled {
			wantError(t, err, kind, "probe", "/")
		} else if err != nil {
			t.Errorf("%v: %v", kind, err)
		}
	}
}

// TestCrowd: no limit is ever passed and no slot lost, whoever leaves when.
func TestCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside := &slow{think: 3 * time.Millisecond}
		e := New(inside, Config{Requests: 4, Queue: 8, Timeout: 9 * time.Millisecond})
		rnd := rand.New(rand.NewPCG(1, 2))
		var all sync.WaitGroup
		var mu sync.Mutex
		kinds := make(map[plugins.Kind]int)
		for range 3000 {
			begin, patience := time.Duration(rnd.IntN(1500)), time.Duration(1+rnd.IntN(20))
			all.Go(func() {
				<-time.After(begin * time.Millisecond)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				defer time.AfterFunc(patience*time.Millisecond, cancel).Stop()
				_, err := e.Stat(ctx, "/f")
				mu.Lock()
				defer mu.Unlock()
				kinds[plugins.KindOf(err)]++
			})
		}
		all.Wait()
		wantLoad(t, e, Load{})
		if most := inside.most(); most > 4 {
			t.Errorf("%d at once", most)
		}
		for _, kind := range []plugins.Kind{0, plugins.Busy, plugins.Canceled} {
			if kinds[kind] == 0 {
				t.Errorf("nobody met %v: %v", kind, kinds)
			}
		}
	})
}

// TestGateOrder: who leaves the queue does not disturb the others.
func TestGateOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate{capacity: 1, room: 10}
		if _, err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		var entered []int
		var leave [6]context.CancelFunc
		for i := range leave {
			var ctx context.Context
			ctx, leave[i] = context.WithCancel(t.Context())
			go func() {
				if _, err := g.enter(ctx); err == nil {
					entered = append(entered, i) // one at a time is inside
				}
			}()
			synctest.Wait()
		}
		leave[0]()
		leave[3]()
		synctest.Wait()
		for range 4 {
			g.leave()
			synctest.Wait()
		}
		// A turn and the end of patience at once lose nothing.
		g.leave()
		leave[5]()
		if want := []int{1, 2, 4, 5}; !slices.Equal(entered, want) {
			t.Errorf("entered %v, want %v", entered, want)
		}
		if inside, waiting := g.load(); inside != 0 || waiting != 0 {
			t.Errorf("%d inside, %d waiting", inside, waiting)
		}
		for _, cancel := range leave {
			cancel()
		}
	})
}
