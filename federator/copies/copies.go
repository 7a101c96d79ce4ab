// Package copies sees to it that there are as many copies of a file as are
// wished for.
//
// A Replicator is told of every file that was stored. Where a Rule wishes for
// more than one copy, the others are made later, by a Maker, one after the other,
// and never in the way of an upload. It goes on until there are enough, or the
// file has gone; from failure to failure it waits longer.
//
// # Front ends
//
// What is to be done is noted in the ledger that front ends share, so that
// another one goes on where one has died. Each note bears the name of who made
// it, and each front end says from time to time that it lives. Where several
// have a note of one path, the one that was told of the file last makes its
// copies. That two do so all the same, because they do not know of each other
// yet, does no harm: a copy never takes the place of anything.
//
// Without a ledger the notes are in the process, and end with it.
//
// # Afterthought
//
// A file can be changed by one front end in the moment in which another one has
// finished a copy of it. So each copy is looked at once more a little later
// (write.Writer.Confirm), and is forgotten only then.
package copies

import (
	"container/heap"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"canopy/federator/veil"
	"canopy/federator/write"
	"canopy/plugins"
)

// Rule wishes for a number of copies of all files from a path on. The longest
// path decides.
type Rule struct {
	Path   string
	Copies int
}

// Maker makes copies; *write.Writer is one.
type Maker interface {
	Replicate(ctx context.Context, path string, copies int) (write.Copied, error)
	Confirm(ctx context.Context, path string, made *write.Made) error
}

// Outside is what a replicator gets of the world.
type Outside struct {
	Maker Maker
	// Ledger is shared by front ends; nil is none.
	Ledger veil.Ledger
	Log    *slog.Logger
}

const (
	// settling is how long a file is left alone after it was stored, or copied:
	// it may be written over at once, and its time has to be past.
	settling = 2500 * time.Millisecond
	// soonest and latest are the shortest and the longest time between two tries.
	soonest, latest = 5 * time.Second, 10 * time.Minute
	// atOnce is of how many files copies are made at once. Most of the time that
	// is waiting; the bytes of fewer are on their way (package write).
	atOnce = 16
	// mostJobs bounds how many files can wait.
	mostJobs = 100_000
)

// Replicator makes the copies that are missing. All methods may be called
// concurrently.
type Replicator struct {
	maker  Maker
	ledger veil.Ledger
	log    *slog.Logger
	name   string // of this process among front ends
	rules  atomic.Pointer[[]Rule]

	known bool // whether the ledger says that this process lives; of keep alone

	made, failed atomic.Uint64

	mu        sync.Mutex
	jobs      map[string]*job
	queue     queue // of those that do not run
	running   int
	elsewhere map[string]bool // of whose copies other front ends take care
	dirty     map[string]bool // of which the ledger does not know the last
	crowded   bool            // that there are too many jobs has been said

	due   chan struct{} // signalled when the queue has changed
	noted chan struct{} // signalled when dirty has
	ctx   context.Context
	stop  context.CancelFunc
	wg    sync.WaitGroup
}

// New returns a replicator that begins at once with what others have left.
func New(rules []Rule, out Outside) *Replicator {
	r := &Replicator{
		maker: out.Maker, ledger: out.Ledger, log: out.Log, name: strings.ToLower(rand.Text()),
		jobs: make(map[string]*job), dirty: make(map[string]bool),
		due: make(chan struct{}, 1), noted: make(chan struct{}, 1),
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	r.Configure(rules)
	r.wg.Go(r.run)
	if r.ledger != nil {
		r.wg.Go(r.keep)
	}
	return r
}

// Configure puts other rules in force, for files that are stored from now on and
// those that wait.
func (r *Replicator) Configure(rules []Rule) { r.rules.Store(&rules) }

// Close gives up what is being copied. What is left to be done stays in the
// ledger.
func (r *Replicator) Close() {
	r.stop()
	r.wg.Wait()
	if r.ledger != nil {
		r.leave()
	}
}

// Figures tell how a replicator is doing.
type Figures struct {
	// Waiting is how many files have fewer copies than wished for, as far as this
	// front end takes care of them.
	Waiting int
	// Made and Failed count copies, and tries in vain.
	Made, Failed uint64
}

// Figures returns the figures of now.
func (r *Replicator) Figures() Figures {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Figures{Waiting: len(r.jobs), Made: r.made.Load(), Failed: r.failed.Load()}
}

// Wish returns how many copies there are to be of path, at least one, and
// whether this or another front end is going to make some.
func (r *Replicator) Wish(path string) (copies int, waiting bool) {
	copies = r.wish(path)
	r.mu.Lock()
	defer r.mu.Unlock()
	return copies, r.jobs[path] != nil || r.elsewhere[path]
}

func (r *Replicator) wish(path string) int {
	copies, longest := 1, -1
	for _, rule := range *r.rules.Load() {
		dir := strings.TrimSuffix(rule.Path, "/")
		if len(dir) > longest && (path == dir || strings.HasPrefix(path, dir+"/")) {
			copies, longest = rule.Copies, len(dir)
		}
	}
	return copies
}

// Stored tells that a file has come to be at path. It does not block.
func (r *Replicator) Stored(path string) {
	if r.wish(path) < 2 || r.ctx.Err() != nil {
		return
	}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if j := r.jobs[path]; j != nil {
		j.at, j.tries, j.resting, j.said = now.UnixNano(), 0, false, nil
		r.put(j, now.Add(settling))
		return
	}
	r.add(&job{path: path, at: now.UnixNano()}, now.Add(settling))
}

// job is a file of which there may be fewer copies than wished for.
type job struct {
	path string
	// at is when it was stored, in Unix nanoseconds.
	at int64
	// made are copies that have not been looked at again.
	made []*write.Made
	// resting is that another front end makes the copies.
	resting bool

	due     time.Time
	tries   int // in vain, since the last success
	running bool
	said    map[string]bool // which failures were logged
	place   int             // in the queue; negative where it is not in it
}

// add takes on a job, unless there are too many; r.mu is held.
func (r *Replicator) add(j *job, due time.Time) {
	if len(r.jobs) >= mostJobs {
		r.failed.Add(1)
		if !r.crowded {
			r.log.Warn("too many files wait for copies; of those that come now none are made", "path", j.path, "files", len(r.jobs))
		}
		r.crowded = true
		return
	}
	r.crowded = false
	j.place = -1
	r.jobs[j.path] = j
	r.put(j, due)
}

// put has the job be done at a time; r.mu is held.
func (r *Replicator) put(j *job, due time.Time) {
	j.due = due
	switch {
	case j.running: // it goes back when it ends
	case j.place < 0:
		heap.Push(&r.queue, j)
	default:
		heap.Fix(&r.queue, j.place)
	}
	r.note(j.path)
	signal(r.due)
}

// note has the ledger be told of a path; r.mu is held.
func (r *Replicator) note(path string) {
	if r.ledger != nil {
		r.dirty[path] = true
		signal(r.noted)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run begins with jobs when they are due.
func (r *Replicator) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.due:
		case <-timer.C:
		}
		r.mu.Lock()
		now, next := time.Now(), latest
		for len(r.queue) > 0 && r.running < atOnce {
			j := r.queue[0]
			if next = j.due.Sub(now); next > 0 {
				break
			}
			heap.Pop(&r.queue)
			j.running = true
			r.running++
			r.wg.Go(func() { r.work(j) })
		}
		r.mu.Unlock()
		timer.Reset(max(next, time.Millisecond))
	}
}

// work does what can be done now.
func (r *Replicator) work(j *job) {
	r.mu.Lock()
	at, resting, made := j.at, j.resting, j.made
	r.mu.Unlock()
	var open []*write.Made
	var err error
	for _, m := range made {
		if failed := r.maker.Confirm(r.ctx, j.path, m); failed != nil {
			open, err = append(open, m), failed
		}
	}
	enough := true
	if copies := r.wish(j.path); !resting && copies > 1 && r.ctx.Err() == nil {
		copied, failed := r.maker.Replicate(r.ctx, j.path, copies)
		if enough = copied.Enough; failed != nil {
			err = failed
		}
		if copied.Made != nil {
			r.made.Add(1)
			open = append(open, copied.Made)
		}
	}
	if err != nil && r.ctx.Err() == nil {
		r.complain(j, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	defer signal(r.due)
	r.running--
	j.running, j.made = false, append(open, j.made[len(made):]...)
	switch {
	case r.ctx.Err() != nil: // whoever goes on knows what the ledger says
		r.note(j.path)
	case j.at != at: // stored anew meanwhile
		r.put(j, j.due)
	case err != nil:
		j.tries++
		r.put(j, time.Now().Add(backOff(j.tries)))
	case !enough || len(j.made) > 0:
		j.tries = 0
		r.put(j, time.Now().Add(settling))
	default:
		delete(r.jobs, j.path)
		r.note(j.path)
	}
}

// backOff is how long is waited after a number of tries in vain.
func backOff(tries int) time.Duration {
	return min(soonest<<min(tries-1, 20), latest)
}

// complain counts a failure, and logs it if it is the first of its kind.
func (r *Replicator) complain(j *job, err error) {
	if errors.Is(err, write.ErrBusy) {
		return
	}
	r.failed.Add(1)
	what := "other"
	if kind := plugins.KindOf(err); kind != 0 {
		what = kind.String()
	}
	if errors.Is(err, write.ErrNowhere) {
		what = "nowhere"
	}
	r.mu.Lock()
	first := !j.said[what]
	if j.said == nil {
		j.said = make(map[string]bool)
	}
	j.said[what] = true
	r.mu.Unlock()
	if first {
		r.log.Warn("there are fewer copies of a file than wished for; it is tried again", "path", j.path, "err", err)
	}
}

// queue has the job that is due first at its begin.
type queue []*job

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, k int) bool { return q[i].due.Before(q[k].due) }

func (q queue) Swap(i, k int) {
	q[i], q[k] = q[k], q[i]
	q[i].place, q[k].place = i, k
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	j := x.(*job)
	j.place = len(*q)
	*q = append(*q, j)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	j := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	j.place = -1
	return j
}
