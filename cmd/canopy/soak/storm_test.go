package soak

import (
	"sync"
	"testing"
	"time"

	"canopy/plugins/plugintest/rig"
)

// storm is what a federation is put through.
type storm struct {
	clients int
	// window is how long each victim stays dead, and how long all is well
	// before the next.
	window time.Duration
	// rounds is how often each victim is killed.
	rounds int
	// reloads is how often the configuration is replaced, with a pause
	// between two.
	reloads int
	pause   time.Duration
}

func (s storm) run(t *testing.T) {
	f := newFederation(t)
	c := newCrowd(f)
	c.start(s.clients)
	var reloads sync.WaitGroup
	defer reloads.Wait()
	defer c.stop()
	reloads.Go(func() {
		for n := range s.reloads {
			c.wait(s.pause)
			config, err := f.config(n + 1)
			if err == nil {
				err = f.service.Reload(t.Context(), config)
			}
			if err != nil {
				t.Errorf("reload %d: %v", n+1, err)
			}
		}
	})
	for range s.rounds {
		for i, victim := range f.servers {
			c.wait(s.window)
			s.kill(c, victim)
			c.recovered(i)
		}
		s.kill(c, f.redis)
		// Both at once: what is known only through Redis and what only the
		// victim could say again are gone together.
		f.redis.Stop()
		s.kill(c, f.servers[0])
		c.recovered(0)
		f.redis.Start()
		c.wait(s.window)
	}
	reloads.Wait()
	c.stop()
	c.judge(t)
}

func (s storm) kill(c *crowd, victim *rig.Server) {
	c.note(victim.Addr(), true)
	victim.Stop()
	c.wait(s.window)
	victim.Start()
	c.note(victim.Addr(), false)
}
