package limit

import (
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"canopy/plugins"

	"github.com/google/go-cmp/cmp"
)

// drain lists "/d" and returns what came when; it thinks about each entry.
func drain(t *testing.T, ctx context.Context, e *Endpoint, think time.Duration) []string {
	t.Helper()
	now := clock()
	var got []string
	for entry, err := range e.Abilities().Lister.List(ctx, "/d") {
		what := entry.Name
		if err != nil {
			what = plugins.KindOf(err).String()
			wantError(t, err, plugins.KindOf(err), "list", "/d")
		}
		got = append(got, fmt.Sprint(now(), " ", what))
		<-time.After(think)
	}
	return append(got, fmt.Sprint(now(), " end"))
}

func TestList(t *testing.T) {
	const s = time.Second
	broken := &plugins.Error{Kind: plugins.Unavailable}
	for _, c := range []struct {
		name   string
		inside *slow
		think  time.Duration
		want   []string
	}{
		{"longer than the timeout in all", &slow{gaps: []time.Duration{2 * s, 2 * s, 2 * s}}, 0, []string{"2s a", "4s b", "6s c", "6s end"}},
		{"caller is slow", &slow{gaps: []time.Duration{s, s}}, 10 * s, []string{"1s a", "12s b", "22s end"}},
		{"empty", &slow{}, 0, []string{"0s end"}},
		{"silent at first", &slow{gaps: []time.Duration{4 * s}}, 0, []string{"3s timed out", "3s end"}},
		{"silent in between", &slow{gaps: []time.Duration{s, 4 * s}}, 0, []string{"1s a", "4s timed out", "4s end"}},
		{"silent after a slow caller", &slow{gaps: []time.Duration{s, 4 * s}}, 5 * s, []string{"1s a", "9s timed out", "14s end"}},
		{"cut off and mute", &slow{gaps: []time.Duration{s, 4 * s}, mute: true}, 0, []string{"1s a", "4s timed out", "4s end"}},
		{"broken", &slow{gaps: []time.Duration{s}, err: broken}, 0, []string{"1s unavailable", "1s end"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := New(c.inside, Config{Timeout: 3 * s})
				if diff := cmp.Diff(c.want, drain(t, t.Context(), e, c.think)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				wantLoad(t, e, Load{})
			})
		})
	}
}

// TestNoTimeout: without one, nothing is too slow.
func TestNoTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(&slow{think: time.Hour, gaps: []time.Duration{time.Hour, time.Hour}}, Config{})
		if diff := cmp.Diff([]string{"1h0m0s a", "2h0m0s b", "2h0m0s end"}, drain(t, t.Context(), e, 0)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		body, err := e.Abilities().Reader.Open(t.Context(), "/f", plugins.Whole)
		if err != nil {
			t.Fatal(err)
		}
		body.Close()
	})
}

// TestListSlot: a listing holds its slot while it runs, its caller's time
// included, and the wait for one counts as silence.
func TestListSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(&slow{think: time.Second, gaps: []time.Duration{2 * time.Second, time.Second}}, Config{Requests: 1, Queue: 1, Timeout: 3 * time.Second})
		go drain(t, t.Context(), e, 5*time.Second)
		synctest.Wait()
		wantLoad(t, e, Load{InFlight: 1})
		if diff := cmp.Diff([]string{"3s busy", "3s end"}, drain(t, t.Context(), e, 0)); diff != "" {
			t.Errorf("in the queue (-want +got):\n%s", diff)
		}
		go e.Stat(t.Context(), "/in the queue")
		synctest.Wait()
		if diff := cmp.Diff([]string{"0s busy", "0s end"}, drain(t, t.Context(), e, 0)); diff != "" {
			t.Errorf("no room (-want +got):\n%s", diff)
		}
		<-time.After(time.Minute)
		wantLoad(t, e, Load{})
	})
}

func TestListCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(&slow{gaps: []time.Duration{time.Second, time.Second}}, Config{Requests: 1, Timeout: 3 * time.Second})
		for range e.Abilities().Lister.List(t.Context(), "/d") {
			break
		}
		wantLoad(t, e, Load{})
		ctx, cancel := context.WithCancel(t.Context())
		defer time.AfterFunc(1500*time.Millisecond, cancel).Stop()
		if diff := cmp.Diff([]string{"1s a", "1.5s canceled", "1.5s end"}, drain(t, ctx, e, 0)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"0s canceled", "0s end"}, drain(t, ctx, e, 0)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		wantLoad(t, e, Load{})
	})
}

// TestOpen: a body has a slot of its own kind until it is closed, and is not
// bounded by the timeout once it is open.
func TestOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(&slow{think: time.Second}, Config{Requests: 1, Bodies: 2, Queue: 1, Timeout: 3 * time.Second})
		r := e.Abilities().Reader
		first, err := r.Open(t.Context(), "/f", plugins.Whole)
		if err != nil {
			t.Fatal(err)
		}
		second, err := r.Open(t.Context(), "/f", plugins.Whole)
		if err != nil {
			t.Fatal(err)
		}
		wantLoad(t, e, Load{Bodies: 2})
		if _, err := e.Stat(t.Context(), "/f"); err != nil {
			t.Errorf("stat beside the bodies: %v", err)
		}
		now := clock()
		_, err = r.Open(t.Context(), "/f", plugins.Whole)
		wantError(t, err, plugins.Busy, "open", "/f")
		if now() != 3*time.Second {
			t.Errorf("refused after %v", now())
		}

		<-time.After(time.Hour)
		if content, err := io.ReadAll(first); err != nil || string(content) != "content" || first.Length != 7 {
			t.Errorf("read %q, %v", content, err)
		}
		opened := make(chan error)
		go func() {
			third, err := r.Open(t.Context(), "/f", plugins.Whole)
			if err == nil {
				third.Close()
			}
			opened <- err
		}()
		synctest.Wait()
		wantLoad(t, e, Load{Bodies: 2, BodiesQueued: 1})
		_, err = r.Open(t.Context(), "/full", plugins.Whole)
		wantError(t, err, plugins.Busy, "open", "/full")
		for range 2 { // a second Close gives nothing back
			if err := second.Close(); err == nil {
				t.Error("the error of Close is lost")
			}
		}
		if err := <-opened; err != nil {
			t.Errorf("in the queue: %v", err)
		}
		synctest.Wait()
		wantLoad(t, e, Load{Bodies: 1})
		first.Close()
		wantLoad(t, e, Load{})
	})
}

func TestOpenFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside := &slow{think: 5 * time.Second}
		e := New(inside, Config{Requests: 1, Timeout: 3 * time.Second})
		r := e.Abilities().Reader
		now := clock()
		_, err := r.Open(t.Context(), "/slow", plugins.Whole)
		wantError(t, err, plugins.Timeout, "open", "/slow")
		if now() != 3*time.Second {
			t.Errorf("given up after %v", now())
		}
		wantLoad(t, e, Load{})

		ctx, cancel := context.WithCancel(t.Context())
		defer time.AfterFunc(time.Second, cancel).Stop()
		_, err = r.Open(ctx, "/left", plugins.Whole)
		wantError(t, err, plugins.Canceled, "open", "/left")

		inside.think, inside.err = 0, &plugins.Error{Kind: plugins.Changed}
		_, err = r.Open(t.Context(), "/changed", plugins.Whole)
		wantError(t, err, plugins.Changed, "open", "/changed")
		wantLoad(t, e, Load{})
	})
}

// TestOpenAtTheLastMoment: a body whose context was just ended is closed and
// not handed out.
func TestOpenAtTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside := &stubborn{body: &bytesOf{ctx: t.Context()}}
		e := New(inside, Config{Timeout: time.Second})
		_, err := e.Abilities().Reader.Open(t.Context(), "/f", plugins.Whole)
		wantError(t, err, plugins.Timeout, "open", "/f")
		if inside.body.closed != 1 {
			t.Errorf("closed %d times", inside.body.closed)
		}
		wantLoad(t, e, Load{})
	})
}

// stubborn opens a file although its context has ended.
type stubborn struct {
	slow
	body *bytesOf
}

func (s *stubborn) Open(ctx context.Context, _ string, _ plugins.Range) (*plugins.Body, error) {
	<-ctx.Done()
	return &plugins.Body{ReadCloser: s.body}, nil
}
