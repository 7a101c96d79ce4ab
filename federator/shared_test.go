package federator_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"canopy/federator"
)

// memory is a second level that several federators share.
type memory struct {
	mu sync.Mutex
	m  map[string][]byte
	// away: it answers nothing.
	away bool
	// tell is called with what is no longer right; nil is nobody.
	tell func(keys []string)
}

func (s *memory) Get(_ context.Context, keys ...string) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	values := make([][]byte, len(keys))
	for i, k := range keys {
		if !s.away {
			values[i] = s.m[k]
		}
	}
	return values
}

func (s *memory) Set(key string, value []byte, _ time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = make(map[string][]byte)
	}
	s.m[key] = value
}

func (s *memory) Invalidate(keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		delete(s.m, k)
	}
	if s.tell != nil {
		go s.tell(keys)
	}
}

func (s *memory) Told(context.Context) bool { return true }

func (s *memory) Close() error { return nil }

func TestFrontEndsShareWhatTheyLearn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &memory{}
		a, b := newSite("a", files(20)), newSite("b", files(10))
		one := federate(t, settings(), shared, a, b)
		two := federate(t, settings(), shared, a, b)
		time.Sleep(2 * time.Second)
		equal(t, "asked by one", verdict(one, "/d/f00000"), "file")
		equal(t, "absent for one", verdict(one, "/none"), "absent")
		names, missing := listing(t, one, "/d")
		equal(t, "missing", missing, "")
		time.Sleep(time.Second)
		asked := a.stats.Load() + a.lists.Load() + b.stats.Load() + b.lists.Load()
		again, missing := listing(t, two, "/d")
		equal(t, "listing of two", again+missing, names)
		equal(t, "two", verdict(two, "/d/f00000"), "file")
		equal(t, "absent for two", verdict(two, "/none"), "absent")
		equal(t, "by its parent's listing", verdict(two, "/d/f00011"), "file")
		d, err := two.Locate(t.Context(), "/d/f00003", federator.Best, nobody)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "replicas", len(d.Replicas), 2)
		equal(t, "questions", a.stats.Load()+a.lists.Load()+b.stats.Load()+b.lists.Load(), asked)
	})
}

// TestLateWordIsNotBelieved: a front end that has learned something before it became
// wrong gives it to the shared cache after that.
func TestLateWordIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &memory{}
		a := newSite("a", nil)
		a.Mkdir("/d")
		slow, other := federate(t, settings(), shared, a), federate(t, settings(), shared, a)
		time.Sleep(time.Second)
		equal(t, "learned", verdict(slow, "/d/f"), "absent")
		names, missing := listing(t, slow, "/d")
		equal(t, "learned", names+missing, "")
		time.Sleep(time.Second) // what they learned is in the shared cache
		a.Put("/d/f", memFile("1"))
		other.Forget([]string{"e:/d/f", "l:/d"})
		equal(t, "the other", verdict(other, "/d/f"), "file")
		names, missing = listing(t, other, "/d")
		equal(t, "the other", names+missing, "f")
	})
}

func TestHostileValuesAreMisses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &memory{m: map[string][]byte{
			"e:/d/f00000": []byte("\x01r\xff\xff"), "l:/d": []byte("\x01lgarbage"), "e:/d/f00001": nil,
		}}
		f := federate(t, settings(), shared, newSite("a", files(2)))
		equal(t, "entry", verdict(f, "/d/f00000"), "file")
		names, missing := listing(t, f, "/d")
		equal(t, "listing", names+missing, "f00000 f00001")
	})
}

func TestManyFirstRequestsWithASharedCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newSite("a", files(2)), newSite("b", files(2))
		f := federate(t, settings(), &memory{}, a, b)
		time.Sleep(2 * time.Second)
		at(100, func(int) {
			if _, err := f.Locate(t.Context(), "/d/f00001", federator.Best, nobody); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		equal(t, "questions to a", a.stats.Load(), 1)
		equal(t, "questions to b", b.stats.Load(), 1)
	})
}

func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newSite("a", files(2))
		f := federate(t, settings(), nil, a)
		time.Sleep(time.Second)
		listing(t, f, "/d")
		verdict(f, "/d/f00000")
		a.Drop("/d/f00000")
		f.Forget([]string{"e:/d/f00000", "l:/d", "nonsense"})
		equal(t, "forgotten", verdict(f, "/d/f00000"), "absent")
	})
}
