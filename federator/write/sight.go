package write

import (
	"context"
	"time"

	"canopy/federator"
	"canopy/federator/record"
	"canopy/plugins"
)

// Sight is a copy as its storage told of it: another one differs.
type Sight struct {
	Endpoint record.ID `json:"endpoint"`
	Via      uint8     `json:"via,omitempty"`
	Size     int64     `json:"size"`
	// ModTime is in Unix nanoseconds; 0 when unknown.
	ModTime int64  `json:"mtime,omitempty"`
	ETag    string `json:"etag,omitempty"`
}

// Made is a copy, and what it is a copy of.
type Made struct {
	Copy Sight   `json:"copy"`
	Of   []Sight `json:"of"`
}

// see asks a storage for its copy.
func (r *replication) see(ctx context.Context, st *federator.Storage, own string, via uint8) (Sight, error) {
	ctx, cancel := context.WithTimeout(ctx, r.s.Settings().Deadline)
	defer cancel()
	began := time.Now()
	e, err := st.Endpoint().Stat(ctx, own)
	st.Asked("stat", err, began)
	if err == nil && e.Kind != plugins.File {
		err = failure(plugins.NotFound, "stat", own)
	}
	if err != nil {
		return Sight{}, err
	}
	seen := record.Of(st.ID(), via, &e, 0)
	return Sight{Endpoint: st.ID(), Via: via, Size: e.Size, ModTime: seen.ModTime, ETag: e.ETag}, nil
}

func (s *Sight) replica() *record.Replica {
	return &record.Replica{Endpoint: s.Endpoint, Kind: plugins.File, Via: s.Via, Size: s.Size, ModTime: s.ModTime}
}

// witness notes what the copies are that there are.
func (r *replication) witness(ctx context.Context, found *federator.Found) error {
	err := error(&federator.Unknown{Path: r.path, RetryAfter: retryAfter})
	for _, held := range found.Replicas[:found.Agreed] {
		st := storageOf(r.s, r.path, held.Endpoint)
		if st == nil || st.Down() || int(held.Via) >= len(st.Own()) {
			continue
		}
		seen, failed := r.see(ctx, st, st.Own()[held.Via], held.Via)
		switch {
		case failed != nil:
			err = failed
		case seen.Size != held.Size && held.Size >= 0 || seen.ModTime != held.ModTime:
			return failure(plugins.Changed, "copy", r.path)
		default:
			r.of = append(r.of, seen)
		}
	}
	if len(r.of) == 0 {
		return err
	}
	return nil
}

// unchanged returns an error unless all copies are what they were, and nobody is
// about to change that.
func (r *replication) unchanged(ctx context.Context) error {
	for _, was := range r.of {
		st := storageOf(r.s, r.path, was.Endpoint)
		if st == nil || int(was.Via) >= len(st.Own()) {
			continue // no longer configured
		}
		now, err := r.see(ctx, st, st.Own()[was.Via], was.Via)
		switch {
		case plugins.KindOf(err) == plugins.NotFound, err == nil && now != was, err == nil && r.w.veil.Hides(r.path, now.replica()):
			return failure(plugins.Changed, "copy", r.path)
		case err != nil:
			return err
		}
	}
	if r.w.veil.Awaited(r.path) {
		return ErrBusy
	}
	return nil
}
