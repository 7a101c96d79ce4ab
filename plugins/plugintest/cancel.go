package plugintest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"canopy/plugins"
)

func cancelChecks() []check {
	return []check{
		{name: "cancel/before", run: cancelBefore},
		{name: "cancel/deadline past", run: deadlinePast},
		{name: "cancel/while listing", needs: NoList, run: cancelWhileListing},
		{name: "cancel/while reading", needs: NoRead, run: cancelWhileReading},
	}
}

// ended are the kinds of a question whose context has ended.
func ended() []plugins.Kind { return []plugins.Kind{plugins.Canceled, plugins.Timeout} }

// questions returns one question of each ability, about a file and a
// directory. Each returns the error it came to.
func (b *bench) questions(e plugins.Endpoint, file, dir string) map[string]func(context.Context) error {
	able := plugins.AbilitiesOf(e)
	q := map[string]func(context.Context) error{
		"stat": func(ctx context.Context) error {
			_, err := e.Stat(ctx, file)
			return err
		},
	}
	if able.Lister != nil {
		q["list"] = func(ctx context.Context) error {
			l, form := b.list(ctx, able.Lister, dir)
			return errors.Join(form, l.err)
		}
	}
	if able.Reader != nil {
		q["read"] = func(ctx context.Context) error {
			_, _, err := b.read(ctx, able.Reader, file, plugins.Whole)
			return err
		}
		q["read-part"] = func(ctx context.Context) error {
			_, _, err := b.read(ctx, able.Reader, file, plugins.Range{Offset: 3, Length: 4})
			return err
		}
	}
	if able.Digester != nil {
		q["digest"] = func(ctx context.Context) error {
			_, err := able.Digester.Digest(ctx, file, "adler32")
			return err
		}
	}
	if able.Spacer != nil {
		q["space"] = func(ctx context.Context) error {
			_, err := able.Spacer.Space(ctx, dir)
			return err
		}
	}
	if able.Inspector != nil {
		q["inspect"] = func(ctx context.Context) error {
			_, err := able.Inspector.Inspect(ctx, file)
			return err
		}
	}
	if able.Prober != nil {
		q["probe"] = func(ctx context.Context) error { return able.Prober.Probe(ctx, dir) }
	}
	// What is written is none of what the other questions are about.
	if able.Writer != nil {
		q["store"] = func(ctx context.Context) error {
			_, err := able.Writer.Store(ctx, dir+"/stored", plain{strings.NewReader("0123456789")}, plugins.Upload{Size: 10})
			return err
		}
	}
	if able.Remover != nil {
		q["remove"] = func(ctx context.Context) error { return able.Remover.Remove(ctx, dir+"/removed") }
	}
	if able.Maker != nil {
		q["mkdir"] = func(ctx context.Context) error { return able.Maker.MakeDirectory(ctx, dir+"/made") }
	}
	if able.Mover != nil {
		q["move"] = func(ctx context.Context) error { return able.Mover.Move(ctx, dir+"/moved", dir+"/there", false) }
	}
	return q
}

// each puts all questions at once, by way of put, which asks and judges.
func (b *bench) each(e plugins.Endpoint, put func(question string, ask func(context.Context) error) error) error {
	questions := b.questions(e, b.at("file"), b.dir)
	outcomes := make(chan error, len(questions))
	for question, ask := range questions {
		go func() {
			outcomes <- promptly(question, func() error { return put(question, ask) })
		}()
	}
	var errs []error
	for range questions {
		errs = append(errs, <-outcomes)
	}
	return errors.Join(errs...)
}

func cancelBefore(b *bench) error {
	b.seed(Node{Path: "file", Content: "0123456789"})
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	return b.each(b.e, func(question string, ask func(context.Context) error) error {
		err := ask(ctx)
		if question == "digest" && plugins.KindOf(err) == plugins.Unsupported {
			return nil // known without asking
		}
		return b.fails(question, err, plugins.Canceled)
	})
}

func deadlinePast(b *bench) error {
	b.seed(Node{Path: "file", Content: "0123456789"})
	ctx, cancel := context.WithDeadline(b.ctx, time.Unix(1, 0))
	defer cancel()
	return b.each(b.e, func(question string, ask func(context.Context) error) error {
		err := ask(ctx)
		if question == "digest" && plugins.KindOf(err) == plugins.Unsupported {
			return nil
		}
		return b.fails(question, err, ended()...)
	})
}

// cancelWhileListing cancels after the first entry: what has already arrived
// may still come, but the listing must not pretend to be complete.
func cancelWhileListing(b *bench) error {
	const n = 3000
	b.seed(numbered(n)...)
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	return promptly("canceled listing", func() error {
		var last error
		entries := 0
		for _, err := range b.able.Lister.List(ctx, b.dir) {
			if last = err; err == nil {
				entries++
			}
			cancel()
		}
		if entries == 0 {
			return fmt.Errorf("no entry before the end: %w", last)
		}
		return b.fails(fmt.Sprintf("after %d of %d entries", entries, n), last, ended()...)
	})
}

// cancelWhileReading cancels with most of a body unread: it must end in an
// error, not in io.EOF, and not deliver all of it.
func cancelWhileReading(b *bench) error {
	const size = 16 << 20
	b.seed(Node{Path: "file", Content: alphabet(size)})
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	body, err := b.able.Reader.Open(ctx, b.at("file"), plugins.Whole)
	if err != nil {
		return err
	}
	if _, err := io.ReadFull(body, make([]byte, 1000)); err != nil {
		return errors.Join(err, body.Close())
	}
	cancel()
	return promptly("reading a canceled body", func() error {
		n, err := io.Copy(io.Discard, body)
		body.Close()
		if err == nil {
			return fmt.Errorf("%d bytes were delivered after the context had ended, and then a proper end", n)
		}
		return b.fails("reading on", err, ended()...)
	})
}
