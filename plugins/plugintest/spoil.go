package plugintest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"go.uber.org/goleak"

	"canopy/plugins"
)

// spoilChecks store what does not arrive in whole.
func spoilChecks() []check {
	return []check{
		{name: "store/content fails", needs: NoWrite, run: storeContentFails},
		{name: "store/too short", needs: NoWrite, run: storeTooShort},
		{name: "store/too long", needs: NoWrite, run: storeTooLong},
		{name: "store/unseen while it is sent", needs: NoWrite, run: storeUnseen},
		{name: "store/canceled midway", needs: NoWrite, run: storeCanceled},
		{name: "store/swept meanwhile", needs: NoWrite, run: storeSwept},
		{name: "store/lets go of the content", needs: NoWrite, run: storeLetsGo},
		{name: "leaks/after failed stores", needs: NoWrite, run: storesLeaveNothing},
	}
}

// errSpoilt is what becomes of content that fails.
var errSpoilt = errors.New("the content ends here")

// spoilt is content that fails after what r delivers.
func spoilt(r io.Reader) io.Reader { return plain{io.MultiReader(r, failure{})} }

type failure struct{}

func (failure) Read([]byte) (int, error) { return 0, errSpoilt }

// interrupted is content that has something done when its first n bytes have been
// taken.
type interrupted struct {
	r  io.Reader
	n  int
	do func()
}

func (i *interrupted) Read(p []byte) (int, error) {
	if i.n == 0 && i.do != nil {
		i.do()
		i.do = nil
	}
	if i.n > 0 {
		p = p[:min(len(p), i.n)]
	}
	n, err := i.r.Read(p)
	i.n -= min(n, i.n)
	return n, err
}

// storeSpoils stores over a file and as a new one what must not be stored, and
// demands that nothing of it shows where the endpoint is atomic. An error of
// the content is not the storage's: its kind must leave no doubt of that.
func (b *bench) storeSpoils(u plugins.Upload, content func() io.Reader, cause error) error {
	old := alphabet(150_000)
	b.seed(Node{Path: "file", Content: old})
	var errs []error
	for _, name := range []string{"file", "fresh"} {
		_, err := b.able.Writer.Store(b.ctx, b.at(name), content(), u)
		errs = append(errs, b.fails("store "+name, err, plugins.Invalid, plugins.Canceled))
		if cause != nil && !errors.Is(err, cause) {
			errs = append(errs, fmt.Errorf("store %s: what was wrong with the content is not in the error: %w", name, err))
		}
	}
	if !b.able.Writer.Atomic() {
		return errors.Join(errs...)
	}
	return errors.Join(append(errs, b.holds(b.at("file"), old), b.gone(b.at("fresh")), b.leaves("file"))...)
}

func storeContentFails(b *bench) error {
	const sent, announced = 200_000, 400_000
	sizes := []int64{announced, sent}
	if _, excused := b.s.gap(NoUnknownSize); !excused {
		sizes = append(sizes, -1)
	}
	var errs []error
	for _, size := range sizes {
		errs = append(errs, b.storeSpoils(plugins.Upload{Size: size}, func() io.Reader {
			return spoilt(strings.NewReader(alphabet(sent)))
		}, errSpoilt))
	}
	return errors.Join(append(errs, b.storeSpoils(plugins.Upload{Size: 1000}, func() io.Reader { return failure{} }, errSpoilt))...)
}

func storeTooShort(b *bench) error {
	var errs []error
	for _, sent := range []int{0, 1, 200_000} {
		errs = append(errs, b.storeSpoils(plugins.Upload{Size: 200_001}, func() io.Reader {
			return plain{strings.NewReader(alphabet(sent))}
		}, nil))
	}
	return errors.Join(errs...)
}

func storeTooLong(b *bench) error {
	var errs []error
	for _, announced := range []int64{0, 1, 199_999} {
		errs = append(errs, b.storeSpoils(plugins.Upload{Size: announced}, func() io.Reader {
			return plain{strings.NewReader(alphabet(200_000))}
		}, nil))
	}
	return errors.Join(errs...)
}

// storeUnseen looks at the storage in the middle of an upload, where the
// endpoint claims that nothing is to be seen of it.
func storeUnseen(b *bench) error {
	if !b.able.Writer.Atomic() {
		return nil
	}
	b.seed(Node{Path: "file", Content: "old"})
	content := alphabet(3 << 20)
	var errs []error
	for _, name := range []string{"file", "fresh"} {
		look := func() {
			errs = append(errs, b.holds(b.at("file"), "old"), b.leaves("file"))
			if name != "file" {
				errs = append(errs, b.gone(b.at(name)))
			}
		}
		_, err := b.able.Writer.Store(b.ctx, b.at(name), &interrupted{strings.NewReader(content), 2 << 20, look}, sized(content))
		if err != nil {
			return err
		}
		errs = append(errs, b.holds(b.at(name), content))
		b.seed(Node{Path: "file", Content: "old"})
	}
	return errors.Join(append(errs, b.leaves("file", "fresh"))...)
}

// storeSwept sweeps in the middle of an upload, which is not old enough for it.
func storeSwept(b *bench) error {
	if b.able.Sweeper == nil {
		return nil
	}
	b.seed(Node{Path: "keep", Content: "kept"})
	content := alphabet(3 << 20)
	var swept int
	var failed error
	sweep := func() { swept, failed = b.able.Sweeper.Sweep(b.ctx, time.Hour) }
	_, err := b.able.Writer.Store(b.ctx, b.at("file"), &interrupted{strings.NewReader(content), 2 << 20, sweep}, sized(content))
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	if swept != 0 {
		return fmt.Errorf("%d of what is not an hour old was removed", swept)
	}
	return errors.Join(b.holds(b.at("file"), content), b.holds(b.at("keep"), "kept"), b.leaves("keep", "file"))
}

// storeCanceled cancels with most of the content unsent.
func storeCanceled(b *bench) error {
	const size = 64 << 20
	b.seed(Node{Path: "file", Content: "old"})
	block := alphabet(1 << 20)
	for _, name := range []string{"file", "fresh"} {
		ctx, cancel := context.WithCancel(b.ctx)
		defer cancel()
		content := &interrupted{io.LimitReader(&endless{block: block}, size), 1 << 20, cancel}
		err := promptly("a canceled store", func() error {
			_, err := b.able.Writer.Store(ctx, b.at(name), content, plugins.Upload{Size: size})
			return b.fails("a canceled store", err, ended()...)
		})
		if err != nil {
			return err
		}
	}
	if !b.able.Writer.Atomic() {
		return nil
	}
	return errors.Join(b.holds(b.at("file"), "old"), b.gone(b.at("fresh")), b.leaves("file"))
}

// endless repeats a block.
type endless struct {
	block string
	at    int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.block[e.at:])
	e.at = (e.at + n) % len(e.block)
	return n, nil
}

// lent is content that notices when it is read after it was given back, as that
// of a request is when the request has been answered.
type lent struct {
	r io.Reader

	mu      sync.Mutex
	reading int
	back    bool
	misused bool
}

func (l *lent) Read(p []byte) (int, error) {
	l.enter(1)
	defer l.enter(-1)
	return l.r.Read(p)
}

func (l *lent) enter(change int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.misused = l.misused || l.back
	l.reading += change
}

func (l *lent) giveBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.back, l.misused = true, l.reading > 0
}

func (l *lent) wasMisused() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.misused
}

// storeLetsGo demands that nobody reads the content once Store has returned,
// whatever came of it.
func storeLetsGo(b *bench) error {
	b.seed(Node{Path: "file", Content: "old"})
	const size = 16 << 20
	block := alphabet(1 << 20)
	much := func() io.Reader { return io.LimitReader(&endless{block: block}, size) }
	e := b.s.Open(b.t, b.env())
	w := plugins.AbilitiesOf(e).Writer
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	contents := map[string]*lent{
		"file":         {r: much()},
		"missing/file": {r: much()},
		"failing":      {r: spoilt(io.LimitReader(much(), size/2))},
		"canceled":     {r: &interrupted{much(), size / 4, cancel}},
	}
	for name, content := range contents {
		on := b.ctx
		if name == "canceled" {
			on = ctx
		}
		_, err := w.Store(on, b.at(name), content, plugins.Upload{Size: size})
		content.giveBack()
		if (err == nil) != (name == "file") {
			return errors.Join(fmt.Errorf("%s: %w", name, err), e.Close())
		}
	}
	err := e.Close()
	for name, content := range contents {
		if content.wasMisused() {
			err = errors.Join(err, fmt.Errorf("store %s: the content is read although Store has returned", name))
		}
	}
	return err
}

// storesLeaveNothing fails and cancels uploads, closes the endpoint and looks
// for goroutines.
func storesLeaveNothing(b *bench) error {
	b.seed(Node{Path: "file", Content: "old"})
	before := goleak.IgnoreCurrent()
	e := b.s.Open(b.t, b.env())
	w := plugins.AbilitiesOf(e).Writer
	_, failed := w.Store(b.ctx, b.at("file"), spoilt(strings.NewReader(alphabet(100_000))), plugins.Upload{Size: 200_000})
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	content := &interrupted{io.LimitReader(&endless{block: alphabet(1 << 20)}, 64<<20), 1 << 20, cancel}
	_, canceled := w.Store(ctx, b.at("file"), content, plugins.Upload{Size: 64 << 20})
	if failed == nil || canceled == nil {
		return errors.Join(errors.New("a store succeeded that must not"), e.Close())
	}
	return errors.Join(e.Close(), goleak.Find(before))
}
