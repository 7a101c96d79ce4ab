package write

import (
	"context"
	"slices"
	"time"

	"canopy/federator"
	"canopy/federator/choice"
	"canopy/federator/veil"
)

// Turns are taken by front ends that change the same federation, so that changes
// of one path come one after the other wherever they are asked for. Its methods
// may be called concurrently.
type Turns interface {
	// Take waits until nobody else has his turn at path. release ends it; so does
	// the death of the front end, some seconds later. Where front ends cannot be
	// kept apart, because what they share is out of order, it does not wait. The
	// error is that of ctx.
	Take(ctx context.Context, path string) (release func(), err error)
}

// take waits until nobody changes any of wanted, and keeps others from it: this
// front end, with all that lies below a tree, and other front ends at the paths
// alone.
//
// Others may yet write into a tree meanwhile, clients that were sent to a storage
// write when they like, and front ends may have lost sight of each other. So turns
// make it rare that two write a path at once, and settle is there for that.
func (w *Writer) take(ctx context.Context, wanted ...hold) (letGo func(), err error) {
	letGo, err = w.paths.take(ctx, wanted...)
	if err != nil {
		return nil, err
	}
	if w.turns == nil {
		return letGo, nil
	}
	return w.takeTurns(ctx, letGo, wanted)
}

// begin is take for a change that somebody has asked for.
func (w *Writer) begin(ctx context.Context, wanted ...hold) (letGo func(), err error) {
	if letGo, err = w.take(ctx, wanted...); err == nil {
		for _, h := range wanted {
			w.conclude(ctx, h)
		}
	}
	return letGo, err
}

// Amend has do change what belongs to path besides its content, while nobody else
// changes any of it.
func (w *Writer) Amend(ctx context.Context, p string, do func() error) error {
	letGo, err := w.take(ctx, hold{path: p})
	if err != nil {
		return err
	}
	defer letGo()
	return do()
}

// passing is how long what is done in the background waits for those who change a
// path. There is another round.
const passing = time.Second

// pass is take for what is done in the background; ok is false where somebody
// takes his time.
func (w *Writer) pass(wanted hold) (letGo func(), ok bool) {
	ctx, cancel := context.WithTimeout(w.ctx, passing)
	defer cancel()
	letGo, err := w.take(ctx, wanted)
	return letGo, err == nil
}

// takeTurns takes turns at all paths; letGo has let them go, too.
func (w *Writer) takeTurns(ctx context.Context, first func(), wanted []hold) (letGo func(), err error) {
	names := make([]string, len(wanted))
	for i, h := range wanted {
		names[i] = h.path
	}
	slices.Sort(names) // else two could wait for each other
	ends := []func(){first}
	letGo = func() {
		for _, end := range slices.Backward(ends) {
			end()
		}
	}
	for _, name := range slices.Compact(names) {
		release, err := w.turns.Take(ctx, name)
		if err != nil {
			letGo()
			return nil, err
		}
		ends = append(ends, release)
	}
	return letGo, nil
}

// conclude buries what the files that clients have sent to storages themselves take
// the place of, where they are there and nobody has seen to it yet. Until now
// those copies were hidden because the file was there; what is about to be done
// may take it away.
func (w *Writer) conclude(ctx context.Context, h hold) {
	comings := w.veil.Comings(h.path, h.tree)
	if len(comings) == 0 {
		return
	}
	ctx = context.WithoutCancel(ctx)
	s := w.f.Enter()
	defer s.Leave()
	for p, all := range comings {
		for _, c := range all {
			if graves := w.veil.Left(c.Graves); len(graves) > 0 && (c.Come || w.isThere(s, p, &c)) {
				w.supplant(ctx, s, graves, p)
			}
		}
	}
}

// ask asks all storages for a path that is about to be changed. Where it turns out that
// a file has come there meanwhile, what that takes the place of is buried before
// anything happens to it.
func (w *Writer) ask(ctx context.Context, p string, c *choice.Client) (federator.Found, error) {
	found, err := w.f.Ask(ctx, p, c)
	w.conclude(ctx, hold{path: p})
	return found, err
}

// isThere asks the storage to which a file is coming.
func (w *Writer) isThere(s *federator.Session, p string, c *veil.Coming) bool {
	st := storageOf(s, p, c.Endpoint)
	if st == nil || st.Down() {
		return false
	}
	r, ok := w.copyOn(s, st)
	return ok && c.Arrived(p, r)
}

// heed concludes as soon as somebody who has read a path has seen the file there.
func (w *Writer) heed() {
	room := make(chan struct{}, gravesAtOnce)
	for {
		select {
		case <-w.ctx.Done():
			return
		case p := <-w.veil.News():
			room <- struct{}{}
			w.wg.Go(func() {
				defer func() { <-room }()
				if letGo, ok := w.pass(hold{path: p}); ok {
					defer letGo()
					w.conclude(w.ctx, hold{path: p})
					w.f.Told()
				}
			})
		}
	}
}
