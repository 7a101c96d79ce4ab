package federator

import (
	"context"
	"path"
	"strings"
	"time"

	"canopy/federator/record"
	"canopy/plugins"
)

// Veil is what whoever writes knows beyond what endpoints say. Its methods are
// called for every answer, by any number of goroutines at once.
type Veil interface {
	// Hides reports whether an endpoint's copy of path is not to be seen,
	// because it was deleted or written over and only has not gone yet.
	Hides(path string, r *record.Replica) bool
	// Outdated reports whether an endpoint's copy of path is not to be seen
	// beside the others, because one of them has just taken its place, or may
	// have, on an endpoint of which it is not known: doubtful.
	Outdated(path string, r *record.Replica, all []record.Replica, doubtful func(record.ID) bool) bool
	// Part reports whether an endpoint's copy of path is not to be seen because it
	// is only the beginning of a file that a client is sending there. over is
	// whether something was there before, of which then nothing is left, or it may be
	// something else.
	Part(path string, r *record.Replica) (is, over bool)
	// Buried reports whether all that an endpoint may have had at path is dead,
	// so that its silence leaves nothing open.
	Buried(path string, id record.ID) bool
	// Awaited reports whether something is being written to path, so that what
	// is found there now is not to be remembered; AwaitedIn reports so for the
	// children of dir.
	Awaited(path string) bool
	AwaitedIn(dir string) bool
	// Heard takes a word that the Veil of another front end has sent (Tell).
	Heard(word string)
}

// open is the Veil where nobody writes.
type open struct{}

func (open) Hides(string, *record.Replica) bool { return false }
func (open) Outdated(string, *record.Replica, []record.Replica, func(record.ID) bool) bool {
	return false
}
func (open) Part(string, *record.Replica) (is, over bool) { return false, false }
func (open) Buried(string, record.ID) bool                { return false }
func (open) Awaited(string) bool                          { return false }
func (open) AwaitedIn(string) bool                        { return false }
func (open) Heard(string)                                 {}

// staged reports whether a path leads to where uploads are put.
func staged(p string) bool {
	_, after, ok := strings.Cut(p, "/"+plugins.Staging)
	return ok && (after == "" || after[0] == '/')
}

// Tell sends a word to the Veils of the front ends that share the cache.
func (f *Federator) Tell(word string) {
	if f.shared != nil {
		f.shared.Invalidate(wordKey + word)
	}
}

// toldWithin bounds how long is waited for others to take in what they are told: as
// long as a client that writes does not mind, and a busy machine takes. Where the
// shared cache is out of order they are told when it is back.
const toldWithin = 500 * time.Millisecond

// Told waits until the front ends that share the cache have taken in all that was
// written and said before, and no longer than a moment. A client may go to any of them
// next, and this one may die.
func (f *Federator) Told() {
	if f.shared == nil {
		return
	}
	ctx, cancel := context.WithTimeout(f.ctx, toldWithin)
	defer cancel()
	if !f.shared.Told(ctx) {
		f.log.Debug("other front ends may learn late of what was written")
	}
}

// Written has all front ends forget what they know of paths and of the
// directories that they are in.
func (f *Federator) Written(paths ...string) {
	keys := make([]string, 0, 3*len(paths))
	for _, p := range paths {
		keys = append(keys, written(p)...)
	}
	f.drop(keys)
}

func written(p string) []string {
	dir, _ := split(p)
	return []string{entryKey + p, listingKey + p, listingKey + dir}
}

// Unlearn is Written, or TreeWritten if tree, for this front end alone.
func (f *Federator) Unlearn(p string, tree bool) {
	if tree {
		f.Forget(treeWritten(p))
	} else {
		f.Forget(written(p))
	}
}

// Refresh has the directory be listed anew when it is asked for next. What is
// known of endpoints that cannot be asked then still counts.
func (f *Federator) Refresh(dir string) {
	f.listers.leave(dir, (*lister).void)
	f.outdate(dir)
}

// TreeWritten is Written for a whole directory with all below it.
func (f *Federator) TreeWritten(dir string) {
	f.drop(treeWritten(dir))
}

func treeWritten(dir string) []string {
	parent, _ := split(path.Clean(dir))
	return []string{entryKey + dir, listingKey + dir, listingKey + parent, treeKey + dir}
}

func (f *Federator) drop(keys []string) {
	f.Forget(keys)
	if f.shared != nil {
		f.shared.Invalidate(keys...)
	}
}
