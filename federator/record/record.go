// Package record is what a federation knows of one path, and of one
// directory: which endpoints hold it, what each said of it, and who has been
// asked at all.
//
// A Record is never changed once it is shared; learning something more makes
// a new one. It is kept small, since a cache holds millions of them: facts
// that few storages give (checksums, further copies) hang on one pointer.
//
// # Agreement
//
// Replicas of one path that differ in size or in a known checksum are
// diverged. They are never mixed: Agree puts one group of replicas first, the
// one with the most copies, then the newest, and only that group is offered.
//
// # Coverage
//
// A record states which endpoints have answered, with yes or no. A path is
// absent only if every endpoint that could hold it has said no, so a record
// proves nothing about an endpoint outside its coverage: one that was down,
// too slow, or configured only later. Whoever uses a record compares its
// coverage with the endpoints of now.
package record

import (
	"slices"
	"sync/atomic"
	"time"

	"canopy/plugins"
)

// ID identifies an endpoint for as long as its type, address, mount and
// translation stay the same: across reloads, restarts and front ends.
type ID uint64

// Replica is one endpoint's word that it holds a path.
type Replica struct {
	Endpoint ID
	// Size is in bytes; negative when the endpoint did not say.
	Size int64
	// ModTime is in Unix nanoseconds; 0 when unknown.
	ModTime int64
	// Learned is when the endpoint said so, in Unix nanoseconds.
	Learned int64
	// Extra is nil unless the endpoint said more than most do.
	Extra *Extra
	Kind  plugins.EntryKind
	// Via tells which of the endpoint's own paths for this one it is, where a
	// translation gives several.
	Via uint8
}

// Extra is what only some endpoints say of a file.
type Extra struct {
	Digests []plugins.Digest
	Copies  []plugins.Copy
}

// Of returns the replica that an endpoint's entry amounts to.
func Of(id ID, via uint8, e *plugins.Entry, learned int64) Replica {
	r := Replica{Endpoint: id, Kind: e.Kind, Via: via, Learned: learned}
	if e.Kind == plugins.File {
		r.Size = e.Size
	}
	if !e.ModTime.IsZero() {
		r.ModTime = e.ModTime.UnixNano()
	}
	if len(e.Digests) > 0 || len(e.Copies) > 0 {
		r.Extra = extraOf(e)
	}
	return r
}

// extraOf takes over what can be carried in the binary form, and no more:
// whatever an endpoint claims, a path must not cost without bound, nor make
// what is shared unreadable.
func extraOf(e *plugins.Entry) *Extra {
	x := &Extra{}
	for _, d := range e.Digests {
		if len(x.Digests) < maxExtras && validDigest(d) {
			x.Digests = append(x.Digests, d)
		}
	}
	for _, c := range e.Copies {
		if len(x.Copies) == maxExtras || !validCopy(c.URL) {
			continue
		}
		if len(c.Country) != countryLength {
			c.Country = ""
		}
		c.Priority = min(max(c.Priority, 0), maxPriority)
		x.Copies = append(x.Copies, c)
	}
	if len(x.Digests) == 0 && len(x.Copies) == 0 {
		return nil
	}
	return x
}

func (r *Replica) digests() []plugins.Digest {
	if r.Extra == nil {
		return nil
	}
	return r.Extra.Digests
}

// Facts is what the replicas of one path amount to: the agreed group first.
// The zero Facts are those of a path that nobody holds.
type Facts struct {
	Replicas []Replica
	// Agreed is how many of Replicas, from the first, are of one content.
	Agreed uint16
}

// Exists reports whether any endpoint holds the path.
func (f *Facts) Exists() bool { return len(f.Replicas) > 0 }

// Kind returns what the agreed replicas are, 0 if there are none.
func (f *Facts) Kind() plugins.EntryKind {
	if len(f.Replicas) == 0 {
		return 0
	}
	return f.Replicas[0].Kind
}

// Size returns the agreed size in bytes, negative when unknown.
func (f *Facts) Size() int64 {
	if len(f.Replicas) == 0 {
		return -1
	}
	return f.Replicas[0].Size
}

// ModTime returns the newest time of change among the agreed replicas, which
// were often written one after the other; zero when unknown.
func (f *Facts) ModTime() time.Time {
	var t int64
	for i := range f.Replicas[:f.Agreed] {
		t = max(t, f.Replicas[i].ModTime)
	}
	if t == 0 {
		return time.Time{}
	}
	return time.Unix(0, t)
}

// Digests returns the checksums that the agreed replicas stated, each
// algorithm once.
func (f *Facts) Digests() []plugins.Digest {
	var all []plugins.Digest
	for i := range f.Replicas[:f.Agreed] {
		for _, d := range f.Replicas[i].digests() {
			if !slices.ContainsFunc(all, func(o plugins.Digest) bool { return o.Algorithm == d.Algorithm }) {
				all = append(all, d)
			}
		}
	}
	return all
}

// Diverged returns the replicas outside the agreed group.
func (f *Facts) Diverged() []Replica { return f.Replicas[f.Agreed:] }

// By returns the replica of endpoint id, if it holds the path.
func (f *Facts) By(id ID) (Replica, bool) {
	for i := range f.Replicas {
		if f.Replicas[i].Endpoint == id {
			return f.Replicas[i], true
		}
	}
	return Replica{}, false
}

// Confirmed is when an endpoint last said that it holds the agreed content, in
// Unix nanoseconds; 0 for a path that nobody holds.
func (f *Facts) Confirmed() int64 {
	var last int64
	for i := range f.Replicas[:f.Agreed] {
		last = max(last, f.Replicas[i].Learned)
	}
	return last
}

// Only returns the facts of the replicas that keep accepts: f itself where it
// accepts all.
func (f *Facts) Only(keep func(*Replica) bool) Facts {
	n := 0
	for i := range f.Replicas {
		if keep(&f.Replicas[i]) {
			n++
		}
	}
	if n == len(f.Replicas) {
		return *f
	}
	kept := make([]Replica, 0, n)
	for i := range f.Replicas {
		if keep(&f.Replicas[i]) {
			kept = append(kept, f.Replicas[i])
		}
	}
	return Agree(kept)
}

// Silence is an endpoint that was asked and did not answer.
type Silence struct {
	Endpoint ID
	Kind     plugins.Kind
	// Until is when it may be asked again, in Unix nanoseconds, unless it
	// has come back before (its recovery count differs from Recovery).
	Until    int64
	Recovery uint32
}

// Record is what is known of one path.
type Record struct {
	Facts
	// Coverage is who has answered.
	Coverage *Coverage
	// Silences are those who were asked in vain.
	Silences []Silence
	// Asked is whether the endpoints were asked for this very path; a listing
	// may know less of it.
	Asked bool
	// Checked memoizes, for the federator, for which generation of its
	// endpoints the coverage was found to be complete.
	Checked atomic.Uint64
}

// Silent returns the silence of endpoint id, if it was asked in vain.
func (r *Record) Silent(id ID) (Silence, bool) {
	for _, s := range r.Silences {
		if s.Endpoint == id {
			return s, true
		}
	}
	return Silence{}, false
}

// Bytes estimates the heap that the record takes, for the cache's bound.
func (r *Record) Bytes() int64 {
	return 96 + r.Facts.bytes() + int64(len(r.Silences))*32
}

func (f *Facts) bytes() int64 {
	n := int64(cap(f.Replicas)) * 48
	for i := range f.Replicas {
		if x := f.Replicas[i].Extra; x != nil {
			n += 64
			for _, d := range x.Digests {
				n += 32 + int64(len(d.Sum))
			}
			for _, c := range x.Copies {
				n += 48 + int64(len(c.URL))
			}
		}
	}
	return n
}
