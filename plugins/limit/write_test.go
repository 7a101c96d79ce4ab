package limit

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"canopy/plugins"
)

// trickle is content that takes a while for each byte.
type trickle struct {
	r     io.Reader
	every time.Duration
}

func (c *trickle) Read(p []byte) (int, error) {
	<-time.After(c.every)
	return c.r.Read(p[:min(1, len(p))])
}

var errSpoilt = errors.New("the content ends here")

// spoilt is content that fails after its first byte.
func spoilt() io.Reader { return io.MultiReader(strings.NewReader("0"), failing{}) }

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errSpoilt }

// TestStore: an upload takes as long as it takes, in one slot, and nothing but
// the endpoint's own silence counts against it.
func TestStore(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name         string
		think, every time.Duration
		content      io.Reader
		kind         plugins.Kind
		took         time.Duration
	}{
		{"longer than the timeout in all", 2 * s, 0, strings.NewReader("0123"), 0, 10 * s},
		{"content is slow", s, time.Hour, strings.NewReader("01"), 0, 3 * (time.Hour + s)},
		{"endpoint is silent", 4 * s, 0, strings.NewReader("01"), plugins.Timeout, 3 * s},
		{"content fails", s, s, spoilt(), plugins.Canceled, 4 * s},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := New(&slow{think: c.think}, Config{Requests: 1, Timeout: 3 * s})
				now := clock()
				time.AfterFunc(s/2, func() { wantLoad(t, e, Load{InFlight: 1}) })
				_, err := e.Abilities().Writer.Store(t.Context(), "/f", &trickle{c.content, c.every}, plugins.Upload{Size: -1})
				if plugins.KindOf(err) != c.kind || now() != c.took {
					t.Errorf("%v after %v, want %v after %v", err, now(), c.kind, c.took)
				}
				if c.kind == plugins.Canceled && !errors.Is(err, errSpoilt) {
					t.Errorf("the cause is lost: %v", err)
				}
				wantLoad(t, e, Load{})
			})
		})
	}
}

// TestStoreSilentMidway: what was sent before does not make up for silence, nor
// does a wait in the queue count twice.
func TestStoreSilentMidway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside := &slow{think: time.Second}
		e := New(inside, Config{Requests: 1, Timeout: 3 * time.Second})
		go e.Stat(t.Context(), "/first")
		synctest.Wait()
		now := clock()
		stuck := func([]byte) (int, error) {
			inside.think = time.Hour
			return 1, nil
		}
		_, err := e.Abilities().Writer.Store(t.Context(), "/f", readerFunc(stuck), plugins.Upload{Size: -1})
		wantError(t, err, plugins.Timeout, "store", "/f")
		if now() != 5*time.Second { // in the queue, before the first byte, after it
			t.Errorf("after %v", now())
		}
		wantLoad(t, e, Load{})
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestStoreInTheQueue: an upload waits its turn as others do.
func TestStoreInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(&slow{think: time.Second}, Config{Requests: 1, Queue: 1, Timeout: 3 * time.Second})
		w := e.Abilities().Writer
		go w.Store(t.Context(), "/first", &trickle{strings.NewReader("01"), time.Minute}, plugins.Upload{Size: 2})
		synctest.Wait()
		now := clock()
		_, err := w.Store(t.Context(), "/second", strings.NewReader(""), plugins.Upload{})
		wantError(t, err, plugins.Busy, "store", "/second")
		if now() != 3*time.Second {
			t.Errorf("refused after %v", now())
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer time.AfterFunc(time.Second, cancel).Stop()
		_, err = w.Store(ctx, "/third", strings.NewReader(""), plugins.Upload{})
		wantError(t, err, plugins.Canceled, "store", "/third")
		<-time.After(time.Hour)
		wantLoad(t, e, Load{})
	})
}

// TestCopy: a third-party copy waits for its turn among bodies, and then takes as
// long as it takes.
func TestCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(&slow{think: time.Hour}, Config{Requests: 1, Queue: 1, Timeout: 3 * time.Second})
		c := e.Abilities().Copier
		done := make(chan error)
		go func() { done <- c.Copy(t.Context(), "/first", plugins.ThirdParty{}) }()
		synctest.Wait()
		wantLoad(t, e, Load{Bodies: 1})
		now := clock()
		wantError(t, c.Copy(t.Context(), "/second", plugins.ThirdParty{}), plugins.Busy, "copy", "/second")
		if now() != 3*time.Second {
			t.Errorf("refused after %v", now())
		}
		if err := <-done; err != nil || now() != time.Hour {
			t.Errorf("%v after %v", err, now())
		}
		wantLoad(t, e, Load{})
	})
}
