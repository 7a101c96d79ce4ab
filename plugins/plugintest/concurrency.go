package plugintest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"go.uber.org/goleak"

	"canopy/plugins"
)

func concurrencyChecks() []check {
	return []check{
		{name: "concurrency/mixed", run: concurrentlyMixed},
		{name: "leaks/after close", run: leavesNothing},
		{name: "close/unused", run: closeUnused},
	}
}

// concurrentlyMixed has 32 callers use all abilities of one endpoint at once
// and demands that each gets its own answers.
func concurrentlyMixed(b *bench) error {
	const callers, rounds = 32, 12
	contents := make([]string, 8)
	for i := range contents {
		contents[i] = alphabet(2000*i + i)
		b.seed(Node{Path: fmt.Sprintf("dir/file%d", i), Content: contents[i]})
	}
	errs := make([]error, callers)
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for r := range rounds {
				i := (c*7 + r) % len(contents)
				if err := b.mixed(c+r, b.at(fmt.Sprintf("dir/file%d", i)), contents[i], len(contents)); err != nil {
					errs[c] = fmt.Errorf("caller %d, round %d: %w", c, r, err)
					return
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// mixed asks one question, chosen by turn, about the file path with content in
// a directory of n files.
func (b *bench) mixed(turn int, path, content string, n int) error {
	switch turn % 8 {
	case 0:
		e, err := b.e.Stat(b.ctx, path)
		if err == nil && e.Size != int64(len(content)) {
			err = fmt.Errorf("size %d, want %d", e.Size, len(content))
		}
		return err
	case 1:
		_, err := b.e.Stat(b.ctx, path+"-absent")
		return b.fails("absent", err, plugins.NotFound)
	case 2:
		if b.able.Lister == nil {
			return nil
		}
		l, err := b.complete(b.at("dir"))
		if err == nil && len(l.entries) != n {
			err = fmt.Errorf("%d entries, want %d", len(l.entries), n)
		}
		return err
	case 3:
		if b.able.Reader == nil {
			return nil
		}
		return b.delivers(path, plugins.Whole, content, content)
	case 4:
		if b.able.Digester == nil {
			return nil
		}
		d, err := b.able.Digester.Digest(b.ctx, path, "adler32")
		if err != nil && plugins.KindOf(err) != plugins.Unsupported {
			return err
		}
		return digestsHold([]plugins.Digest{d}, content)
	case 5:
		if b.able.Locator == nil {
			return nil
		}
		_, err := b.able.Locator.Locate(path, http.MethodGet)
		return err
	case 6:
		ctx, cancel := context.WithCancel(b.ctx)
		cancel()
		_, err := b.e.Stat(ctx, path)
		return b.fails("canceled", err, plugins.Canceled, plugins.Timeout)
	default:
		if b.able.Spacer == nil {
			return nil
		}
		_, err := b.able.Spacer.Space(b.ctx, "/")
		return err
	}
}

// leavesNothing uses an endpoint in the ways that leave something behind most
// easily, closes it, and looks for goroutines.
func leavesNothing(b *bench) error {
	b.seed(append(numbered(200), Node{Path: "file", Content: alphabet(4 << 20)})...)
	before := goleak.IgnoreCurrent()
	e := b.s.Open(b.t, b.env())
	err := b.leaveBehind(e)
	return errors.Join(err, e.Close(), goleak.Find(before))
}

func (b *bench) leaveBehind(e plugins.Endpoint) error {
	able := plugins.AbilitiesOf(e)
	if _, err := e.Stat(b.ctx, b.dir); err != nil {
		return err
	}
	if able.Lister != nil {
		for _, err := range able.Lister.List(b.ctx, b.dir) {
			if err != nil {
				return err
			}
			break
		}
		ctx, cancel := context.WithCancel(b.ctx)
		defer cancel()
		for range able.Lister.List(ctx, b.dir) {
			cancel()
		}
	}
	if able.Reader != nil {
		ctx, cancel := context.WithCancel(b.ctx)
		defer cancel()
		for _, ctx := range []context.Context{b.ctx, ctx} {
			body, err := able.Reader.Open(ctx, b.at("file"), plugins.Whole)
			if err != nil {
				return err
			}
			defer body.Close()
			if _, err := io.ReadFull(body, make([]byte, 10)); err != nil {
				return err
			}
		}
	}
	return nil
}

// closeUnused closes an endpoint that was never used.
func closeUnused(b *bench) error {
	before := goleak.IgnoreCurrent()
	e := b.s.Open(b.t, b.env())
	return errors.Join(promptly("close", e.Close), goleak.Find(before))
}
