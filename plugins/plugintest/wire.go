package plugintest

import (
	"context"
	"fmt"
	"io"
	"time"

	"canopy/plugins"
	"canopy/plugins/plugintest/rig"
)

// faultyWireChecks break the network between the endpoint and its real storage
// and mend it again.
func faultyWireChecks() []check {
	return []check{
		{name: "wire/refuses and recovers", run: func(b *bench) error {
			return b.recovers((*rig.Proxy).Refuse, long, plugins.Unavailable)
		}},
		{name: "wire/resets and recovers", run: func(b *bench) error {
			return b.recovers((*rig.Proxy).Reset, long, plugins.Unavailable)
		}},
		{name: "wire/hangs and recovers", run: func(b *bench) error {
			return b.recovers((*rig.Proxy).Hang, short, plugins.Timeout)
		}},
		{name: "wire/cut while reading", needs: NoRead, run: cutWhileReading},
		{name: "wire/hangs while reading", needs: NoRead, run: hangsWhileReading},
		{name: "wire/canceled while it hangs in a body", needs: NoRead, run: canceledInHangingBody},
	}
}

// recovers breaks the wire under a working endpoint and mends it.
func (b *bench) recovers(spoil func(*rig.Proxy), limit time.Duration, kind plugins.Kind) error {
	if b.s.Addr == "" {
		return nil
	}
	b.seed(Node{Path: "file", Content: "0123456789"})
	proxy := rig.Toxic(b.t, b.s.Addr)
	e := b.openAt(proxy.Addr(), limit)
	works := func(when string) error {
		if _, err := e.Stat(b.ctx, b.at("file")); err != nil {
			return fmt.Errorf("%s: %w", when, err)
		}
		return nil
	}
	if err := works("at first"); err != nil {
		return err
	}
	for range 2 {
		spoil(proxy)
		err := b.each(e, func(question string, ask func(context.Context) error) error {
			err := ask(b.ctx)
			if question == "digest" && plugins.KindOf(err) == plugins.Unsupported {
				return nil
			}
			return b.fails(question, err, kind)
		})
		if err != nil {
			return err
		}
		proxy.Heal()
		if err := works("after it was mended"); err != nil {
			return err
		}
	}
	return nil
}

// bodyOnWire begins to read a file, larger than what the kernel buffers,
// through a proxy.
func (b *bench) bodyOnWire(ctx context.Context, limit time.Duration, before func(*rig.Proxy)) (*rig.Proxy, *plugins.Body, error) {
	b.seed(Node{Path: "file", Content: alphabet(32 << 20)})
	proxy := rig.Toxic(b.t, b.s.Addr)
	before(proxy)
	able := plugins.AbilitiesOf(b.openAt(proxy.Addr(), limit))
	body, err := able.Reader.Open(ctx, b.at("file"), plugins.Whole)
	if err != nil {
		return nil, nil, err
	}
	_, err = io.ReadFull(body, make([]byte, 1000))
	return proxy, body, err
}

// ends demands that the rest of body ends in an error of one of the kinds.
func (b *bench) ends(body *plugins.Body, kinds ...plugins.Kind) error {
	return promptly("reading on", func() error {
		_, err := io.Copy(io.Discard, body)
		body.Close()
		return b.fails("reading on", err, kinds...)
	})
}

func cutWhileReading(b *bench) error {
	if b.s.Addr == "" {
		return nil
	}
	_, body, err := b.bodyOnWire(b.ctx, long, func(p *rig.Proxy) { p.Cut(1 << 20) })
	if err != nil {
		return err
	}
	return b.ends(body, plugins.Unavailable, plugins.Malformed)
}

func hangsWhileReading(b *bench) error {
	if b.s.Addr == "" {
		return nil
	}
	proxy, body, err := b.bodyOnWire(b.ctx, short, func(*rig.Proxy) {})
	if err != nil {
		return err
	}
	proxy.Hang()
	return b.ends(body, plugins.Timeout)
}

func canceledInHangingBody(b *bench) error {
	if b.s.Addr == "" {
		return nil
	}
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	proxy, body, err := b.bodyOnWire(ctx, long, func(*rig.Proxy) {})
	if err != nil {
		return err
	}
	proxy.Hang()
	reading := make(chan error, 1)
	go func() { reading <- b.ends(body, plugins.Canceled) }()
	cancel()
	return <-reading
}
