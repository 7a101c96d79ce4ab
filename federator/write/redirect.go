package write

import (
	"context"
	"time"

	"canopy/federator"
	"canopy/federator/record"
	"canopy/plugins"
)

// Target is where a client is to send a file itself.
type Target struct {
	Endpoint string
	URL      string
	// Replaced is whether a file is there already.
	Replaced bool
}

// Redirect finds where a client is to send the file path itself, and makes the
// directories for it. From now on the path is asked for afresh until the new
// file shows. Where the best place cannot be reached by clients, carry is
// true, and the file is to be Put.
func (w *Writer) Redirect(ctx context.Context, p string, file File) (t Target, carry bool, err error) {
	letGo, err := w.paths.take(ctx, hold{path: p})
	if err != nil {
		return Target{}, false, err
	}
	defer letGo()
	s := w.f.Enter()
	defer s.Leave()
	plan, err := w.plan(ctx, s, p, &file, false)
	if err != nil {
		return Target{}, false, err
	}
	st := plan.choice[0]
	if !st.Redirects() {
		return Target{}, true, nil
	}
	own := where(st, plan)
	l, err := st.Abilities().Locator.Locate(own, "PUT")
	if plugins.KindOf(err) == plugins.Unsupported {
		return Target{}, true, nil
	}
	if err != nil {
		return Target{}, false, err
	}
	if err := parents(ctx, st, own); err != nil {
		return Target{}, false, err
	}
	if err := w.exhume(ctx, st, p); err != nil {
		return Target{}, false, err
	}
	kept := w.intend(ctx, plan, st.ID(), w.others(s, plan, st.ID()), atMost)
	w.watch(plan, st, own, file.Size, kept)
	st.Sent()
	return Target{Endpoint: st.Name(), URL: l.URL, Replaced: plan.exists()}, false, nil
}

// The times between looks for an upload that a client makes itself.
const (
	lookSoonest = 100 * time.Millisecond
	lookLatest  = 10 * time.Second
)

// watch awaits a file that a client sends to a storage itself.
func (w *Writer) watch(plan *plan, st *federator.Storage, own string, size int64, kept func()) {
	done := w.veil.Await(plan.path, atMost)
	w.wg.Go(func() {
		defer done()
		ctx, cancel := context.WithTimeout(w.ctx, atMost)
		defer cancel()
		before, _ := plan.oldOf(st.ID())
		var last record.Replica
		for wait := lookSoonest; ; wait = min(2*wait, lookLatest) {
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
			r, ok := w.look(ctx, plan.path, st.ID(), own)
			if !ok {
				continue
			}
			// Where the size was not announced, a file that grows is not whole.
			whole := r.Size == size || size < 0 && r.Size == last.Size && r.ModTime == last.ModTime
			if last = r; whole && changed(&before, &r) {
				s := w.f.Enter()
				w.replace(ctx, s, plan, st.ID())
				w.settle(ctx, s, plan.path, st.ID())
				s.Leave()
				kept()
				return
			}
		}
	})
}

// changed reports whether a copy is another one than before. Where a storage
// does not tell times, a file written over by one of equal size looks the same.
func changed(before, now *record.Replica) bool {
	return before.Endpoint == 0 || before.Size != now.Size || before.ModTime != now.ModTime
}

func (p *plan) oldOf(id record.ID) (record.Replica, bool) {
	if !p.exists() {
		return record.Replica{}, false
	}
	return p.old.By(id)
}

// look asks a storage for a file.
func (w *Writer) look(ctx context.Context, p string, id record.ID, own string) (record.Replica, bool) {
	s := w.f.Enter()
	defer s.Leave()
	st := storageOf(s, p, id)
	if st == nil || st.Down() {
		return record.Replica{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, s.Settings().Deadline)
	defer cancel()
	entry, err := st.Endpoint().Stat(ctx, own)
	if err != nil || entry.Kind != plugins.File {
		return record.Replica{}, false
	}
	return record.Of(id, 0, &entry, 0), true
}
