package frontend

import (
	"testing"
	"testing/synctest"
	"time"

	"canopy/plugins"
	"canopy/plugins/faults"
	"canopy/plugins/plugintest/mem"
)

// TestTheLastOfTwoDies: the first copy's endpoint died and has come back
// without anybody having noticed when that of the second dies.
func TestTheLastOfTwoDies(t *testing.T) {
	for _, carried := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a := newSite(t, "geneva", nil).put("/f", "content", mem.File{})
			b := newSite(t, "bologna", nil).put("/f", "content", mem.File{})
			if carried {
				a.carried()
				b.carried()
			}
			w := build(t, Options{}, a, b)
			time.Sleep(time.Second)
			want := 302
			if carried {
				want = 200
			}
			dead := faults.Rule{Fail: plugins.Unavailable}
			a.Inject(dead)
			w.ask("GET", "/none") // finds out
			w.ask("GET", "/f").status(t, want)
			time.Sleep(time.Second) // probes are rare by now
			a.Heal()
			b.Inject(dead)
			if !carried {
				w.ask("GET", "/none2") // nobody else finds out
			}
			w.ask("GET", "/f").status(t, want)
		})
	}
}

// TestExplainWithoutALiveReplica: whoever wants to know why there is none is
// the last who should be turned away.
func TestExplainWithoutALiveReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newSite(t, "geneva", nil).put("/f", "content", mem.File{})
		w := build(t, Options{}, a)
		time.Sleep(time.Second)
		w.ask("GET", "/f").status(t, 302)
		a.Inject(faults.Rule{Fail: plugins.Unavailable})
		w.ask("GET", "/none")
		w.ask("GET", "/f").status(t, 503).has(t, "Retry-After: 5")
		w.ask("GET", "/f?replicas").status(t, 503)
		contains(t, w.ask("GET", "/f?explain").status(t, 200).body, `"endpoint":"geneva"`, `"refused":"down: connection refused or cut"`, `"replicas":[]`)
		contains(t, w.ask("GET", "/f?explain", "Accept: text/html").status(t, 200).body, "geneva", "down: connection refused or cut")
	})
}
