package federator

import (
	"context"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"canopy/federator/choice"
	"canopy/federator/geo"
	"canopy/federator/health"
	"canopy/plugins"
)

// member is an endpoint in use: the open storage, its health, and what was
// measured of it.
type member struct {
	Endpoint
	storage plugins.Endpoint
	can     plugins.Abilities
	state   *health.State
	observe func(endpoint, op string, kind plugins.Kind, took time.Duration)

	ctx      context.Context // ends when the generation in force has it no more
	retire   context.CancelFunc
	held     int           // generations that hold it; guarded by Federator.life
	released chan struct{} // closed when none does

	secure bool          // clients reach it by https
	family atomic.Uint32 // bit 0: IPv4, bit 1: IPv6

	sent        atomic.Uint64 // clients sent there, ever
	counted     uint64        // sent at the last tick; of tick alone
	load        float64       // per second, smoothed; of tick alone
	measured    atomic.Bool   // whether there is a latency at all
	latencyBand atomic.Int32
	loadBand    atomic.Int32
	loadShown   atomic.Uint64 // milli-requests per second
}

func (f *Federator) newMember(e Endpoint, storage plugins.Endpoint) *member {
	m := &member{
		Endpoint: e, storage: storage, can: plugins.AbilitiesOf(storage),
		state: f.healthOf(e.ID), observe: f.outside.Observe, released: make(chan struct{}),
	}
	m.ctx, m.retire = context.WithCancel(context.Background())
	if m.can.Locator != nil {
		if l, err := m.can.Locator.Locate("/", "GET"); err == nil {
			u, err := url.Parse(l.URL)
			m.secure = err == nil && u.Scheme == "https"
		}
	}
	return m
}

// watch probes the endpoint as long as the generation in force has it, and
// closes it when the last use by an older one has ended.
func (m *member) watch(f *Federator) {
	var wg sync.WaitGroup
	wg.Go(func() { m.resolve(f) })
	p := health.Prober{State: m.state, Every: m.ProbeEvery, Timeout: m.ProbeTimeout, Ask: func(ctx context.Context) error {
		err := m.probe(ctx)
		if m.stepLatency() {
			f.changed()
		}
		return err
	}}
	p.Run(m.ctx)
	wg.Wait()
	<-m.released
	m.close(f)
}

func (m *member) close(f *Federator) {
	if err := m.storage.Close(); err != nil {
		f.log.Warn("closing an endpoint failed", "endpoint", m.Name, "err", err)
	}
}

func (m *member) probe(ctx context.Context) error {
	began := time.Now()
	var err error
	if m.can.Prober != nil {
		err = m.can.Prober.Probe(ctx, m.ProbePath)
	} else {
		_, err = m.storage.Stat(ctx, m.ProbePath)
	}
	m.observed("probe", err, time.Since(began))
	return err
}

func (m *member) observed(op string, err error, took time.Duration) {
	if m.observe != nil {
		m.observe(m.Name, op, plugins.KindOf(err), took)
	}
}

// How often the addresses of an endpoint are looked up: now and then, since
// they may change, and soon again after a failure.
const (
	resolveEvery = 10 * time.Minute
	resolveAgain = 30 * time.Second
)

// resolve keeps up by which families of addresses clients reach the endpoint.
func (m *member) resolve(f *Federator) {
	if m.can.Locator == nil || f.outside.Addresses == nil {
		return
	}
	l, err := m.can.Locator.Locate("/", "GET")
	if err != nil {
		return
	}
	u, err := url.Parse(l.URL)
	if err != nil {
		return
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		m.reached(f, a.Unmap().Is4(), !a.Unmap().Is4())
		return
	}
	for {
		wait := resolveEvery
		if v4, v6, err := f.outside.Addresses(m.ctx, u.Hostname()); err == nil {
			m.reached(f, v4, v6)
		} else {
			wait = resolveAgain
		}
		timer := time.NewTimer(wait)
		select {
		case <-m.ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// reached notes the families by which clients reach the endpoint.
func (m *member) reached(f *Federator, v4, v6 bool) {
	var bits uint32
	if v4 {
		bits |= 1
	}
	if v6 {
		bits |= 2
	}
	if m.family.Swap(bits) != bits {
		f.changed()
	}
}

// target is the member as the policies see it.
func (m *member) target(a *geo.Atlas) choice.Target {
	t := choice.Target{
		ID: m.ID, Name: m.Name, Site: m.Site,
		Latency: m.state.Latency(health.Stat), LatencyBand: int(m.latencyBand.Load()),
		Load: float64(m.loadShown.Load()) / 1000, LoadBand: int(m.loadBand.Load()),
		Weight: m.Weight, Tier: m.Tier, Secure: m.secure,
		Carried:  !m.redirects(),
		Draining: m.state.Draining(), Slow: m.state.Condition() == health.Slow,
	}
	family := m.family.Load()
	t.IPv4, t.IPv6 = family&1 != 0, family&2 != 0
	if p, ok := a.Site(m.Site); ok {
		t.Point, t.Placed = p.Point, p.Placed
	}
	return t
}

// redirects reports whether clients are sent to the endpoint itself.
func (m *member) redirects() bool { return m.can.Locator != nil && m.Access != Proxy }

var (
	latencyBands = choice.Band{Least: float64(2 * time.Millisecond), Ratio: 1.5}
	loadBands    = choice.Band{Least: 16, Ratio: 2}
)

const (
	// tickEvery is how often measured values are looked at anew.
	tickEvery = time.Second
	// loadMemory is the part of the load of before that is left after a tick,
	// a half-life of about three seconds.
	loadMemory = 0.8
	// atlasEvery is how many ticks pass between looks at the geo database.
	atlasEvery = 30
)

// tick keeps the measured values by which policies compare.
func (f *Federator) tick() {
	t := time.NewTicker(tickEvery)
	defer t.Stop()
	for n := 1; ; n++ {
		select {
		case <-f.ctx.Done():
			return
		case <-t.C:
		}
		g := f.gen.Load()
		moved := false
		for _, m := range g.members {
			moved = m.measure() || moved
		}
		if n%atlasEvery == 0 && g.Atlas != nil {
			again, err := g.Atlas.Reload()
			if err != nil {
				f.log.Warn("the geo database cannot be used, the old one stays in force", "err", err)
			}
			moved = moved || again
		}
		if moved {
			f.changed()
		}
	}
}

// measure brings the steps up to date and reports whether any has changed.
func (m *member) measure() (moved bool) {
	sent := m.sent.Load()
	m.load = m.load*loadMemory + float64(sent-m.counted)/tickEvery.Seconds()*(1-loadMemory)
	m.counted = sent
	m.loadShown.Store(uint64(m.load * 1000))
	load := int32(loadBands.Step(m.load/max(m.Weight, 1e-3), int(m.loadBand.Load())))
	moved = m.loadBand.Swap(load) != load
	return m.stepLatency() || moved
}

// stepLatency does so for the latency, which is also done after each probe:
// the very first one matters at once.
func (m *member) stepLatency() (moved bool) {
	latency := m.state.Latency(health.Stat)
	if latency == 0 {
		return false
	}
	step := int32(latencyBands.Step(float64(latency), int(m.latencyBand.Load())))
	moved = m.latencyBand.Swap(step) != step
	return !m.measured.Swap(true) || moved
}
