package write

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"canopy/federator"
	"canopy/plugins"
)

// carriesAtOnce is of how many copies the bytes go through here at once.
const carriesAtOnce = 2

// carry is the one place where the bytes of a copy go from storage to storage.
// They come through here, a few files at once; still is asked when all are
// there, and its error is that of the last.
func (r *replication) carry(ctx context.Context, st *federator.Storage, own string, d *federator.Decision, still func() error) error {
	select {
	case r.w.carries <- struct{}{}:
		defer func() { <-r.w.carries }()
	case <-ctx.Done():
		return ctx.Err()
	}
	content, err := r.w.f.Open(ctx, d, 0, plugins.Whole)
	if err != nil {
		return err
	}
	defer content.Close() // it was read to its end, or failed already
	body := &ending{r: r.w.checked(content, d.Digests()), still: still}
	began := time.Now()
	_, err = st.Abilities().Writer.Store(ctx, own, body, plugins.Upload{Size: d.Size(), ModTime: d.ModTime(), New: true})
	st.Asked("store", err, began)
	if objection := body.objection.Load(); objection != nil {
		return *objection // which storages tell in words of their own
	}
	return err
}

// ending is a body whose end is only there if still has no objection. It may
// still be read when it is of no use any more.
type ending struct {
	r         io.Reader
	still     func() error
	asked     bool
	objection atomic.Pointer[error]
}

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if err != io.EOF {
		return n, err
	}
	if !e.asked {
		e.asked = true
		if objection := e.still(); objection != nil {
			e.objection.Store(&objection)
		}
	}
	if objection := e.objection.Load(); objection != nil {
		err = *objection
	}
	return n, err
}
