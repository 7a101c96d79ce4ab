//go:build soak

package soak

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestSoakNothingIsNoticed goes on for some ten minutes.
func TestSoakNothingIsNoticed(t *testing.T) {
	storm{clients: 32, window: 8 * time.Second, rounds: 8, reloads: 200, pause: 2 * time.Second}.run(t)
}

// TestSoakHotFile asks for one file ten million times over 32 connections. No
// answer may be wrong, and none may take a second.
func TestSoakHotFile(t *testing.T) {
	const hits, connections = 10_000_000, 32
	f := newFederation(t)
	c := newCrowd(f)
	defer c.stop()
	address := c.at("/sent/" + c.names[0])
	var left, slowest, wrong atomic.Int64
	left.Store(hits)
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
			if err != nil {
				t.Error(err)
				return
			}
			for left.Add(-1) >= 0 {
				began := time.Now()
				resp, err := transport.RoundTrip(req)
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") == "" {
					wrong.Add(1)
				}
				for took := int64(time.Since(began)); ; {
					s := slowest.Load()
					if took <= s || slowest.CompareAndSwap(s, took) {
						break
					}
				}
			}
		})
	}
	wg.Wait()
	if n := wrong.Load(); n > 0 {
		t.Errorf("%d of %d answers are no redirects", n, hits)
	}
	if d := time.Duration(slowest.Load()); d > time.Second {
		t.Errorf("the slowest answer took %v", d)
	}
}
