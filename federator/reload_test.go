package federator_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"canopy/federator"
	"canopy/plugins"
)

func TestReloadIsATransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", files(2)), newSite("b", files(2))
		f := federate(t, settings(), nil, a)
		broken := newSite("broken", nil).endpoint(t)
		broken.Open = func(context.Context) (plugins.Endpoint, error) { return nil, errors.New("no such certificate") }
		err := f.Reload(t.Context(), settings(), []federator.Endpoint{b.endpoint(t), broken})
		if err == nil || !strings.Contains(err.Error(), "broken") {
			t.Fatalf("reload: %v", err)
		}
		if !b.closed.Load() {
			t.Error("what was opened in vain is not closed")
		}
		if a.closed.Load() || len(f.Endpoints()) != 1 || f.Endpoints()[0].Name != "a" {
			t.Error("the old generation is not in force")
		}
		equal(t, "lookup", verdict(f, "/d/f00001"), "file")
		s := settings()
		s.Select = []string{"nearest"}
		if err := f.Reload(t.Context(), s, nil); err == nil {
			t.Error("an unknown policy is taken")
		}
		if err := f.Reload(t.Context(), settings(), []federator.Endpoint{a.endpoint(t), a.endpoint(t)}); err == nil {
			t.Error("one endpoint is taken twice")
		}
	})
}

func TestReloadKeepsWhatStaysTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", files(2)), newSite("b", files(2))
		f := federate(t, settings(), nil, a, b)
		time.Sleep(time.Second)
		b.refused.Store(true)
		verdict(f, "/x")
		synctest.Wait()
		again := b.endpoint(t)
		again.Open = func(context.Context) (plugins.Endpoint, error) {
			t.Error("opened again")
			return nil, errors.New("again")
		}
		c := newSite("c", map[string]string{"/d/f00001": "x", "/new": "x"})
		if err := f.Reload(t.Context(), settings(), []federator.Endpoint{again, c.endpoint(t)}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !a.closed.Load() || b.closed.Load() {
			t.Errorf("a is closed: %t, b: %t", a.closed.Load(), b.closed.Load())
		}
		equal(t, "b", f.Endpoints()[0].Condition.String(), "down")
		// What was settled without c is asked of c.
		d, err := f.Locate(t.Context(), "/d/f00001", federator.Best, nobody)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "replicas", order(d), "c")
		equal(t, "on the new one only", verdict(f, "/new"), "file")
	})
}

func TestOldEndpointIsClosedAfterItsLastUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := delayed("a", time.Second, map[string]string{"/f": "content"})
		f := federate(t, settings(), nil, a)
		looked := make(chan error)
		go func() {
			_, err := f.Locate(context.Background(), "/f", federator.Best, nobody)
			looked <- err
		}()
		synctest.Wait()
		if err := f.Reload(t.Context(), settings(), []federator.Endpoint{newSite("b", nil).endpoint(t)}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if a.closed.Load() {
			t.Error("closed while it is asked")
		}
		<-looked
		synctest.Wait()
		if !a.closed.Load() {
			t.Error("never closed")
		}
	})
}

func TestEqualsHaveEqualShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sites []*site
		for i := range 4 {
			sites = append(sites, newSite(fmt.Sprint("s", i), files(100)))
		}
		f := federate(t, settings(), nil, sites...)
		time.Sleep(2 * time.Second)
		shares := make(map[string]int)
		for i := range 1000 {
			d, err := f.Locate(t.Context(), fmt.Sprintf("/d/f%05d", i%100), federator.All, nobody)
			if err != nil {
				t.Fatal(err)
			}
			shares[d.Replicas[d.Deal()].Endpoint]++
		}
		for _, s := range sites {
			if n := shares[s.name]; n < 225 || n > 275 {
				t.Errorf("%s had %d of 1000", s.name, n)
			}
		}
	})
}

func TestExpiredEntryIsServedWhileRefreshed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := delayed("a", 10*time.Millisecond, map[string]string{"/f": "1"})
		f := federate(t, settings(), nil, s)
		time.Sleep(time.Second)
		verdict(f, "/f")
		s.Put("/f", memFile("longer"))
		time.Sleep(10*time.Minute + time.Second)
		began := time.Now()
		found, err := f.Lookup(t.Context(), "/f", federator.First, nobody)
		if err != nil || !found.Stale || found.Size() != 1 || time.Since(began) != 0 || found.Age < 10*time.Minute {
			t.Errorf("%+v, %v", found, err)
		}
		time.Sleep(time.Second)
		found, err = f.Lookup(t.Context(), "/f", federator.First, nobody)
		if err != nil || found.Stale || found.Size() != 6 {
			t.Errorf("then %+v, %v", found, err)
		}
		equal(t, "questions", s.stats.Load(), 2)
		time.Sleep(2 * time.Hour)
		began = time.Now()
		verdict(f, "/f")
		equal(t, "beyond stale", time.Since(began), 10*time.Millisecond)
	})
}

// TestExpiredEntryOfTheDead: what has expired is not served where it names nobody who
// lives. Others may have the file by now.
func TestExpiredEntryOfTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", map[string]string{"/f": "1"}), delayed("b", 10*time.Millisecond, nil)
		f := federate(t, settings(), nil, a, b)
		time.Sleep(time.Second)
		equal(t, "before", verdict(f, "/f"), "file")
		time.Sleep(time.Second) // b has denied it
		b.Put("/f", memFile("1"))
		a.refused.Store(true)
		time.Sleep(10*time.Minute + time.Second)
		d, err := f.Locate(t.Context(), "/f", federator.Best, nobody)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "from", d.Replicas[0].Endpoint, "b")
	})
}

// readAll opens a decided file as a client's request would.
func readAll(f *federator.Federator, path string, r plugins.Range) (string, error) {
	d, err := f.Locate(context.Background(), path, federator.All, nobody)
	if err != nil {
		return "", err
	}
	c, err := f.Open(context.Background(), d, d.Deal(), r)
	if err != nil {
		return "", err
	}
	defer c.Close()
	text, err := io.ReadAll(c)
	return string(text), err
}

// short is a storage that breaks off in the middle of every file.
type short struct{ *site }

func (s short) Open(ctx context.Context, p string, r plugins.Range) (*plugins.Body, error) {
	b, err := s.site.Endpoint.Open(ctx, p, r)
	if err != nil {
		return nil, err
	}
	inner := b.ReadCloser
	b.ReadCloser = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(inner, 3), failing{}), inner}
	return b, nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, &plugins.Error{Kind: plugins.Unavailable} }

func TestReadingGoesOnElsewhere(t *testing.T) {
	tree := map[string]string{"/f": "0123456789"}
	a, b := newSite("a", tree), newSite("b", tree)
	broken := a.endpoint(t)
	broken.Open = func(context.Context) (plugins.Endpoint, error) { return short{a}, nil }
	f := start(t, settings(), nil, broken, b.endpoint(t))
	for range 4 { // whoever's turn it is
		for _, c := range []struct {
			r    plugins.Range
			want string
		}{
			{plugins.Whole, "0123456789"}, {plugins.Range{Offset: 2, Length: 6}, "234567"}, {plugins.Range{Offset: 5, Length: -1}, "56789"},
		} {
			got, err := readAll(f, "/f", c.r)
			if err != nil || got != c.want {
				t.Errorf("%+v: %q, %v", c.r, got, err)
			}
		}
	}
	b.Drop("/f")
	f.ForgetAll()
	if got, err := readAll(f, "/f", plugins.Whole); err == nil || got != "012" && got != "" {
		t.Errorf("a part is passed off as the whole: %q, %v", got, err)
	}
}

func TestReadingNeverMixesContents(t *testing.T) {
	a, b := newSite("a", map[string]string{"/f": "0123456789"}), newSite("b", map[string]string{"/f": "0123456789"})
	broken := a.endpoint(t)
	broken.Open = func(context.Context) (plugins.Endpoint, error) { return short{a}, nil }
	f := start(t, settings(), nil, broken, b.endpoint(t))
	if _, err := f.Locate(t.Context(), "/f", federator.All, nobody); err != nil {
		t.Fatal(err)
	}
	b.Put("/f", memFile("another content"))
	for range 4 {
		if got, err := readAll(f, "/f", plugins.Whole); err == nil && got != "another content" {
			t.Errorf("got %q", got)
		}
	}
}
