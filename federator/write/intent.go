package write

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"

	"canopy/federator"
	"canopy/federator/record"
	"canopy/federator/veil"
	"canopy/plugins"
)

// intent is what is to be done as soon as something new is on a storage, kept
// in the ledger while the front end that is about to do it may die.
type intent struct {
	Path veil.Name `json:"path"`
	veil.Coming
	// Until is when the front end is taken for dead unless it has said more,
	// Last when nobody waits any longer; both in Unix nanoseconds.
	Until int64 `json:"until"`
	Last  int64 `json:"last"`
}

// intentKey begins the keys of intents in the ledger. Those of graves begin
// with a slash.
const intentKey = "intent "

const (
	// lease is for how long a front end is believed to live after its last
	// word, renewed every third of that.
	lease = 15 * time.Second
	// forsaken is for how long what a dead front end carried may still come to
	// show on a storage.
	forsaken = 10 * time.Minute
)

// intend notes what becomes of others when the plan's file is on the storage id,
// for whoever lives then; last is for how long that may take. end is called with
// true when it has been done, or is not to be, and with false when nobody knows
// whether the file is coming: then it is left to whoever looks after those who
// died. Where there is nothing to be done, or no ledger, it is not noted.
func (w *Writer) intend(ctx context.Context, plan *plan, id record.ID, graves []veil.Grave, last time.Duration) (end func(known bool)) {
	if len(graves) == 0 || w.ledger == nil {
		return func(bool) {}
	}
	i := intent{Path: veil.Name(plan.path), Coming: veil.Coming{Endpoint: id, Size: plan.size, Old: plan.graveOf(id), Graves: graves}, Last: time.Now().Add(last).UnixNano()}
	key := intentKey + plan.path + "\x00" + rand.Text()
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	w.renew(ctx, key, i)
	ended := make(chan struct{})
	w.wg.Go(func() {
		defer close(ended)
		t := time.NewTicker(lease / 3)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-w.ctx.Done():
				stop()
				return
			case <-t.C:
				w.renew(ctx, key, i)
			}
		}
	})
	return func(known bool) {
		if ctx.Err() != nil || w.ctx.Err() != nil {
			return // the front end is at its end; another goes on
		}
		stop()
		<-ended // it is not to be renewed after it was dropped
		if known {
			w.drop(key)
		}
	}
}

func (w *Writer) renew(ctx context.Context, key string, i intent) {
	i.Until = time.Now().Add(lease).UnixNano()
	b, err := json.Marshal(i)
	if err == nil {
		err = w.ledger.Put(ctx, key, b)
	}
	if err != nil && ctx.Err() == nil {
		w.log.Warn("a change would not be brought to its end if this front end died", "path", string(i.Path), "err", err)
	}
}

func (w *Writer) drop(key string) {
	if err := w.ledger.Delete(context.WithoutCancel(w.ctx), key); err != nil {
		w.log.Warn("an intent stays in the ledger", "key", key, "err", err)
	}
}

// orphans finishes what front ends that died have left half done.
func (w *Writer) orphans(all map[string][]byte) {
	now := time.Now().UnixNano()
	for key, b := range all {
		var i intent
		if !strings.HasPrefix(key, intentKey) || json.Unmarshal(b, &i) != nil || !path.IsAbs(string(i.Path)) {
			continue
		}
		if now < i.Last && i.Size >= 0 {
			// Whoever has come since the word was said knows of it too.
			w.veil.Expect(string(i.Path), min(i.Last, now+int64(2*lease)), &i.Coming)
		}
		if now < i.Until {
			continue
		}
		if now > i.Last || w.finish(&i) {
			w.drop(key)
		}
	}
}

// finish does what an intent says if its time has come, and reports whether
// that is so.
func (w *Writer) finish(i *intent) bool {
	p := string(i.Path)
	letGo, ok := w.pass(hold{path: p})
	if !ok {
		return false
	}
	defer letGo()
	s := w.f.Enter()
	defer s.Leave()
	st := storageOf(s, p, i.Endpoint)
	if st == nil || st.Down() {
		return false
	}
	if r, ok := w.copyOn(s, st); !ok || !i.Arrived(p, r) {
		return false
	}
	w.log.Info("a change that was left half done is brought to its end", "path", p)
	// Others may have written there since.
	graves := slices.DeleteFunc(w.veil.Left(i.Graves), func(g veil.Grave) bool { return !g.Certain() })
	paths := []string{p}
	for _, g := range graves {
		paths = append(paths, string(g.Path))
	}
	w.supplant(w.ctx, s, graves, paths...)
	w.settle(w.ctx, s, p, i.Endpoint)
	w.f.Told() // who comes next is to know what is buried
	return true
}

// copyOn asks a storage for the file it is a storage of.
func (w *Writer) copyOn(s *federator.Session, st *federator.Storage) (record.Replica, bool) {
	ctx, cancel := context.WithTimeout(w.ctx, s.Settings().Deadline)
	defer cancel()
	for via, own := range st.Own() {
		entry, err := st.Endpoint().Stat(ctx, own)
		if err == nil && entry.Kind == plugins.File {
			return record.Of(st.ID(), uint8(via), &entry, 0), true
		}
		if err != nil && plugins.KindOf(err) != plugins.NotFound {
			return record.Replica{}, false
		}
	}
	return record.Replica{}, false
}
