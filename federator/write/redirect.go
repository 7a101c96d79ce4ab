package write

import (
	"context"
	"time"

	"canopy/federator"
	"canopy/federator/record"
	"canopy/federator/veil"
	"canopy/plugins"
)

// Target is where a client is to send a file itself.
type Target struct {
	Endpoint string
	URL      string
	// Replaced is whether a file is there already.
	Replaced bool
}

// Redirect finds where a client is to send the file path itself, or to have it
// fetched, and makes the directories for it. From now on the path is asked for
// afresh until the new file is whole. Where the best place cannot be reached by
// clients, or does not fetch, carry is true, and the file is to be Put.
//
// So it is too where there are copies elsewhere and it could not be seen from
// outside when they may go: where the size is not announced, of a storage that
// shows a file while it grows; and where the file is there already, of equal size,
// and has no time that tells the new one from it. And so is what a client sends of
// unannounced size to such a storage: nobody could tell a part from the whole.
func (w *Writer) Redirect(ctx context.Context, p string, file File) (t Target, carry bool, err error) {
	letGo, err := w.begin(ctx, hold{path: p})
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
	others := w.others(s, plan, st.ID())
	if !st.Redirects() || file.Pull && !pulls(st) || len(others) > 0 && !plan.tells(st.ID()) || file.Size < 0 && !file.Pull && grows(st) {
		return Target{}, true, nil
	}
	own, method := where(st, plan), "PUT"
	if file.Pull {
		method = "COPY"
	}
	l, err := st.Abilities().Locator.Locate(own, method)
	if plugins.KindOf(err) == plugins.Unsupported || err == nil && file.Harms != nil && file.Harms(l.URL) {
		return Target{}, true, nil
	}
	if err != nil {
		return Target{}, false, err
	}
	if err := w.parents(ctx, st, own, p); err != nil {
		return Target{}, false, err
	}
	if err := w.exhume(ctx, st, p); err != nil {
		return Target{}, false, err
	}
	end := w.intend(ctx, plan, st.ID(), others, atMost)
	w.watch(plan, st, own, &file, others, end)
	w.f.Told() // the client may ask another front end as soon as it has sent the file
	st.Sent()
	return Target{Endpoint: st.Name(), URL: l.URL, Replaced: plan.exists()}, false, nil
}

// Sends reports whether a sender (File.Sender) is sending a file to a storage himself,
// of which others are not to see a part.
func (w *Writer) Sends(sender, path string) bool { return sender != "" && w.veil.SentBy(sender, path) }

// tells reports whether it is to be seen, from what a storage says of the file,
// that the new one has come.
func (p *plan) tells(id record.ID) bool {
	old, ok := p.oldOf(id)
	if !ok || old.Size != p.size {
		return p.size >= 0
	}
	return old.ModTime != 0 && old.ModTime < time.Now().Truncate(time.Second).UnixNano()
}

// grows reports whether a storage may show a file before it is whole, and Canopy could
// see to it that nobody sees that.
func grows(st *federator.Storage) bool {
	w := st.Abilities().Writer
	return w != nil && !w.Atomic()
}

// pulls reports whether a storage fetches files from other servers.
func pulls(st *federator.Storage) bool {
	c := st.Abilities().Copier
	return c != nil && c.Copies(plugins.Pull)
}

const (
	// The times between looks for an upload that a client makes itself. Where
	// the size is not known nobody waits for their outcome.
	lookSoonest = 100 * time.Millisecond
	lookLatest  = 10 * time.Second
	lookBlindly = time.Minute
	// settled is for how long a file of which the size was not announced must
	// have stood still to be taken for whole. Storages and clients give a
	// transfer up that makes no progress for less than that. An empty file tells
	// nothing: there may be a tape to be fetched first.
	settled = 5 * time.Minute
	// atMostBlind is for how long such a file is looked for.
	atMostBlind = 24 * time.Hour
)

// watch awaits a file that a client sends to a storage itself.
func (w *Writer) watch(plan *plan, st *federator.Storage, own string, file *File, others []veil.Grave, end func(known bool)) {
	most, latest, size := atMost, lookLatest, file.Size
	if size < 0 {
		most, latest = atMostBlind, lookBlindly
	}
	var coming *veil.Coming
	if size >= 0 {
		coming = &veil.Coming{Endpoint: st.ID(), Size: size, Old: plan.graveOf(st.ID()), Graves: others, Sender: file.Sender}
	}
	// If this front end lives, it is who ends it.
	done, overtaken := w.veil.AwaitComing(plan.path, most+time.Minute, coming)
	w.wg.Go(func() {
		defer done()
		ctx, cancel := context.WithTimeout(w.ctx, most)
		defer cancel()
		before, _ := plan.oldOf(st.ID())
		var last record.Replica
		seen := time.Now()  // when there was something new last
		var since time.Time // when last was first seen
		for wait := lookSoonest; ; wait = min(2*wait, latest) {
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
				timer.Stop()
				if last.Endpoint != 0 && time.Since(since) >= settled && w.ctx.Err() == nil {
					w.log.Warn("a client has not sent all of its file; what there is of it shows from now on", "endpoint", st.Name(), "path", plan.path, "bytes", last.Size, "announced", size)
					w.forsake(plan.path, st.ID())
				}
				end(true) // unless this front end is at its end
				return
			case <-timer.C:
			}
			if overtaken() {
				end(true) // what it was to take the place of is not known any more
			}
			r, ok := w.look(ctx, plan.path, st.ID(), own)
			now := time.Now()
			if !ok || !changed(&before, &r) {
				if now.Sub(seen) >= atMost {
					end(true)
					return // the client has never gone there, or taken it back
				}
				last = record.Replica{}
				continue
			}
			if seen = now; changed(&last, &r) {
				last, since = r, now
			}
			whole := r.Size == size || size < 0 && r.Size != 0 && now.Sub(since) >= settled
			if whole && w.arrived(ctx, plan, st.ID(), own) {
				end(true)
				return
			}
		}
	})
}

// arrived does what there is to be done when a client has sent its file: what it
// takes the place of goes, as far as nobody has put anything else there since, and
// there are not two contents. It reports false if others are writing just now.
func (w *Writer) arrived(ctx context.Context, plan *plan, id record.ID, own string) bool {
	letGo, ok := w.pass(hold{path: plan.path})
	if !ok {
		return false
	}
	defer letGo()
	w.conclude(ctx, hold{path: plan.path})
	s := w.f.Enter()
	defer s.Leave()
	w.settle(ctx, s, plan.path, id)
	if st := storageOf(s, plan.path, id); st != nil {
		w.shown(ctx, st, plan.path, own, plan.size, false) // others may be on their way there, too
	}
	w.f.Told() // who comes next is to know what is buried
	return true
}

// forsake is the end of waiting for a file. What has come of it shows from now on,
// but not beside files that others have put there since.
func (w *Writer) forsake(p string, id record.ID) {
	letGo, ok := w.pass(hold{path: p})
	if !ok {
		return
	}
	defer letGo()
	s := w.f.Enter()
	defer s.Leave()
	if found, err := w.f.Ask(w.ctx, p, nobody); err == nil {
		for _, r := range found.Replicas {
			if part, _ := w.veil.Part(p, &r); part && r.Endpoint == id && len(found.Replicas) > 1 {
				w.supplant(w.ctx, s, []veil.Grave{veil.Of(p, &r)}, p)
			}
		}
	}
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

// graveOf is that of what is replaced on a storage; nil if nothing is.
func (p *plan) graveOf(id record.ID) *veil.Grave {
	r, ok := p.oldOf(id)
	if !ok {
		return nil
	}
	old := veil.Of(p.path, &r)
	return &old
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
