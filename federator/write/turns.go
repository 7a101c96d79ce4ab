package write

import (
	"context"
	"slices"
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
	if err != nil || w.turns == nil {
		return letGo, err
	}
	names := make([]string, len(wanted))
	for i, h := range wanted {
		names[i] = h.path
	}
	slices.Sort(names) // else two could wait for each other
	ends := []func(){letGo}
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
