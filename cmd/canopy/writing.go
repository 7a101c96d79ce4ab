package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jedib0t/go-pretty/v6/progress"

	"canopy/cmd/canopy/client"
)

// attempts is how often something is tried that a server fails at.
const attempts = 5

// patience is that of the commands that change something.
func patience() client.Patience { return client.Patience{Attempts: attempts, Pause: pause} }

// stopped marks the error of a command that the user has ended, and that has
// left nothing half-done.
type stopped struct{ error }

func (s stopped) Unwrap() error { return s.error }

// target reads the URL of something that is to be changed.
func target(raw string) (client.Address, error) {
	a, err := address(raw)
	if err == nil && a.Query != "" {
		err = usage{errors.New("the URL cannot be used: what is changed has no ?query; percent-encode ? as %3F if it belongs to the name")}
	}
	return a, err
}

// targets reads several such URLs.
func targets(raw []string) ([]client.Address, error) {
	var all []client.Address
	for _, r := range raw {
		a, err := target(r)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// toll is how a command fares that does many things. Its methods may be called
// by several goroutines at once.
type toll struct {
	mu     sync.Mutex
	failed []error
}

func (t *toll) fail(err error) {
	t.mu.Lock()
	t.failed = append(t.failed, err)
	t.mu.Unlock()
}

// verdict is the error of the command as a whole, which was to do so many
// things of the kind called noun. Several failures are printed one by one.
func (t *toll) verdict(w *world, a *access, command, noun string, tried int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var failed []error
	for _, err := range t.failed {
		if w.ctx.Err() == nil || !errors.Is(err, context.Canceled) || errors.Is(err, client.ErrLeft) {
			failed = append(failed, err)
		}
	}
	cut := w.ctx.Err() != nil && len(t.failed) > 0
	switch {
	case len(t.failed) == 0:
		return nil
	case len(failed) == 1 && tried <= 1 && !cut:
		return a.failure(command, failed[0])
	}
	for _, err := range failed {
		fmt.Fprintf(w.stderr, "canopy: %s: %v\n", command, err)
	}
	if cut {
		return stopped{fmt.Errorf("%s: interrupted; the same command does the rest", command)}
	}
	return fmt.Errorf("%s: %d of %s failed; the same command tries them again", command, len(failed), count(max(tried, len(failed)), noun))
}

// count is a number of things in words: "1 file", "2 files".
func count(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case noun[len(noun)-1] == 'y':
		return fmt.Sprintf("%d %sies", n, noun[:len(noun)-1])
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// counter shows how many things are done, of nobody knows how many.
func (b *bars) counter(name string) *bar {
	if b == nil {
		return nil
	}
	t := &progress.Tracker{Message: shown(name), AutoStopDisabled: true}
	b.writer.AppendTracker(t)
	return &bar{t}
}
