package copies

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"path"
	"strings"
	"time"

	"canopy/federator/veil"
	"canopy/federator/write"
)

const (
	// lease is for how long a front end is believed to live after its last word,
	// which it renews every scanEvery.
	lease = 15 * time.Second
	// scanEvery is how often the ledger is read, for what others have left. Where
	// there is much in it, that is done less often: manyNotes more, and it is
	// waited as long again. Where no copies are wished for, it is read scanRarely.
	scanEvery  = 5 * time.Second
	manyNotes  = 10_000
	scanRarely = time.Minute
	// forgotten is how long after the lease a front end is no longer kept in mind.
	forgotten = time.Hour
	// parting bounds what is done at the end.
	parting = 3 * time.Second
)

// noteKey and lifeKey begin the keys in the ledger, of what is to be done and of
// who is there to do it.
const (
	noteKey = "copy "
	lifeKey = "copier "
)

// note is a job in the ledger.
type note struct {
	Path veil.Name `json:"path"`
	// By is the front end that takes care of it.
	By string `json:"by"`
	// At is when the file was stored, in Unix nanoseconds.
	At   int64         `json:"at"`
	Made []*write.Made `json:"made,omitempty"`
}

// life is a front end in the ledger.
type life struct {
	// Until is when it is taken for dead, in Unix nanoseconds.
	Until int64 `json:"until"`
}

func keyOf(by, p string) string {
	return noteKey + by + " " + base64.RawStdEncoding.EncodeToString([]byte(p))
}

// outranks reports whether the front end of n makes the copies, and not by, who
// was told of the file at a time.
func (n *note) outranks(at int64, by string) bool {
	return n.At > at || n.At == at && n.By > by
}

// keep tells the ledger what has changed, and looks into it.
func (r *Replicator) keep() {
	tick := time.NewTicker(scanEvery)
	defer tick.Stop()
	wait := r.scan()
	for passed := time.Duration(0); ; {
		select {
		case <-r.ctx.Done():
			return
		case <-r.noted:
			r.flush(r.ctx)
		case <-tick.C:
			r.live()
			r.flush(r.ctx)
			if passed += scanEvery; passed >= wait {
				passed, wait = 0, r.scan()
			}
		}
	}
}

// live says that this front end does, as long as it has something to do.
func (r *Replicator) live() {
	r.mu.Lock()
	idle := len(r.jobs)+len(r.dirty) == 0
	r.mu.Unlock()
	if idle && !r.known {
		return
	}
	var err error
	if idle {
		err = r.ledger.Delete(r.ctx, lifeKey+r.name)
	} else {
		var b []byte
		if b, err = json.Marshal(life{time.Now().Add(lease).UnixNano()}); err == nil {
			err = r.ledger.Put(r.ctx, lifeKey+r.name, b)
		}
	}
	if err == nil {
		r.known = !idle
	} else if r.ctx.Err() == nil {
		r.log.Debug("other front ends do not know how this one is doing", "err", err)
	}
}

// flush tells the ledger of what has changed. What cannot be told is told later.
func (r *Replicator) flush(ctx context.Context) {
	if !r.known {
		r.live() // first, or what is noted were taken for left behind
	}
	r.mu.Lock()
	changed := r.dirty
	r.dirty = make(map[string]bool)
	notes := make(map[string]note, len(changed))
	for p := range changed {
		if j := r.jobs[p]; j != nil {
			notes[p] = note{Path: veil.Name(p), By: r.name, At: j.at, Made: j.made}
		}
	}
	r.mu.Unlock()
	for p := range changed {
		var err error
		if n, ok := notes[p]; ok {
			var b []byte
			if b, err = json.Marshal(n); err == nil {
				err = r.ledger.Put(ctx, keyOf(r.name, p), b)
			}
		} else {
			err = r.ledger.Delete(ctx, keyOf(r.name, p))
		}
		if err != nil {
			r.log.Debug("copies would not be made if this front end died", "path", p, "err", err)
			r.mu.Lock()
			maps.Copy(r.dirty, changed) // with some that are told already
			r.mu.Unlock()
			return
		}
		delete(changed, p)
	}
}

// scan takes over what front ends that died have left, and gives up what others
// take care of. It returns when to look again.
func (r *Replicator) scan() time.Duration {
	all, err := r.ledger.All(r.ctx)
	if err != nil {
		return scanEvery
	}
	now := time.Now()
	alive := map[string]bool{r.name: true}
	notes := make(map[string]note) // of others, by key
	for key, b := range all {
		var n note
		var l life
		switch by, is := strings.CutPrefix(key, lifeKey); {
		case is && json.Unmarshal(b, &l) == nil:
			alive[by] = alive[by] || now.UnixNano() < l.Until
			if l.Until < now.Add(-forgotten).UnixNano() {
				r.drop(key)
			}
		case strings.HasPrefix(key, noteKey) && json.Unmarshal(b, &n) == nil && path.IsAbs(string(n.Path)):
			if n.By != r.name {
				notes[key] = n
			}
		}
	}
	var left []string
	r.mu.Lock()
	r.elsewhere = make(map[string]bool)
	outranked := make(map[string]bool)
	for key, n := range notes {
		p := string(n.Path)
		if !alive[n.By] {
			r.inherit(&n, now)
			left = append(left, key)
			continue
		}
		r.elsewhere[p] = true
		if j := r.jobs[p]; j != nil && n.outranks(j.at, r.name) {
			outranked[p] = true
		}
	}
	for p, j := range r.jobs {
		j.resting = outranked[p]
	}
	r.mu.Unlock()
	if len(left) > 0 {
		r.flush(r.ctx)
	}
	for _, key := range left {
		r.mu.Lock()
		told := !r.dirty[string(notes[key].Path)]
		r.mu.Unlock()
		if told {
			r.drop(key)
		}
	}
	if len(left) > 0 {
		r.log.Info("copies that another front end was to make are made here", "files", len(left))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(*r.rules.Load())+len(notes)+len(r.jobs) == 0 {
		return scanRarely
	}
	return scanEvery * time.Duration(1+len(all)/manyNotes)
}

// inherit takes on the job of a front end that died; r.mu is held. Others may
// be about to do so too, and are heard of before anything is done.
func (r *Replicator) inherit(n *note, now time.Time) {
	p := string(n.Path)
	j := r.jobs[p]
	if j == nil {
		r.add(&job{path: p, at: n.At, made: n.Made}, now.Add(scanEvery+time.Second))
		return
	}
	j.made = append(j.made[:len(j.made):len(j.made)], n.Made...)
	r.note(p)
}

func (r *Replicator) drop(key string) {
	if err := r.ledger.Delete(r.ctx, key); err != nil && r.ctx.Err() == nil {
		r.log.Debug("a note stays in the ledger", "key", key, "err", err)
	}
}

// leave tells the ledger what is left to be done, and that this front end will
// not do it.
func (r *Replicator) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), parting)
	defer cancel()
	r.flush(ctx)
	if err := r.ledger.Delete(ctx, lifeKey+r.name); err != nil {
		r.log.Debug("other front ends will notice later that this one has ended", "err", err)
	}
}
