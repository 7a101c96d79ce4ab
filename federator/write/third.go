package write

import (
	"context"
	"errors"
	"time"

	"canopy/federator"
	"canopy/federator/record"
	"canopy/plugins"
)

// thirdsAtOnce is how many copies storages are asked to make at once.
const thirdsAtOnce = 8

// refusedFor is how long two storages of which one would not copy to the other
// are not asked again. Most often one of them wants a credential that Canopy
// does not give away.
const refusedFor = 10 * time.Minute

// errUnsure is the error of a copy of which nobody can tell whether it has the
// bytes of the original, although of that it is known what they are.
var errUnsure = errors.New("the storage tells no checksum of its copy to compare with that of the original")

// party is a copy that one storage can make to or from another by itself
// (plugins.Copier).
type party struct {
	source, target *federator.Storage
	own            string // where the source has the file
	mode           plugins.CopyMode
}

// pair is what a party is remembered by that refused.
type pair struct {
	source, target record.ID
	mode           plugins.CopyMode
}

func (p *party) pair() pair { return pair{p.source.ID(), p.target.ID(), p.mode} }

// parties are the ways in which storages can make a copy on st by themselves. A
// pull comes first: who receives knows best whether all has come.
func (r *replication) parties(st *federator.Storage, d *federator.Decision) []party {
	var pulls, pushes []party
	if d.Size() < 0 {
		return nil // nobody could tell whether all has come
	}
	for _, of := range r.of {
		source := storageOf(r.s, r.path, of.Endpoint)
		if source == nil || source.Down() {
			continue
		}
		if source.Abilities().Digester != nil && st.Abilities().Digester == nil {
			continue // errUnsure is all that would come of it
		}
		for _, p := range []party{{mode: plugins.Pull}, {mode: plugins.Push}} {
			p.source, p.target, p.own = source, st, source.Own()[of.Via]
			asked, other := p.sides()
			c := asked.Abilities().Copier
			if c == nil || !c.Copies(p.mode) || other.Abilities().Locator == nil || !other.Redirects() {
				continue
			}
			if since, ok := r.w.refused.Load(p.pair()); ok && time.Since(since.(time.Time)) < refusedFor {
				continue
			}
			if p.mode == plugins.Pull {
				pulls = append(pulls, p)
			} else {
				pushes = append(pushes, p)
			}
		}
	}
	return append(pulls, pushes...)
}

// sides returns who is asked to copy, and who the other party is.
func (p *party) sides() (asked, other *federator.Storage) {
	if p.mode == plugins.Pull {
		return p.target, p.source
	}
	return p.source, p.target
}

// third has a storage copy the file to where the target has it staged, and makes
// sure of its content.
func (r *replication) third(ctx context.Context, p *party, staged string, d *federator.Decision) error {
	select {
	case r.w.thirds <- struct{}{}:
		defer func() { <-r.w.thirds }()
	case <-ctx.Done():
		return ctx.Err()
	}
	err := r.order(ctx, p, staged)
	if err == nil {
		err = r.sure(ctx, p.target, staged, d)
	}
	if err != nil && ctx.Err() == nil {
		r.w.refused.Store(p.pair(), time.Now())
		r.w.log.Info("a storage does not copy by itself", "path", r.path, "from", p.source.Name(), "to", p.target.Name(), "mode", string(p.mode), "err", err)
	}
	return err
}

// order has the one storage copy from or to the other.
func (r *replication) order(ctx context.Context, p *party, staged string) error {
	asked, other := p.sides()
	own, at, method := p.own, staged, "PUT"
	if p.mode == plugins.Pull {
		own, at, method = staged, p.own, "GET"
	}
	l, err := other.Abilities().Locator.Locate(at, method)
	if err != nil {
		return err
	}
	began := time.Now()
	err = asked.Abilities().Copier.Copy(ctx, own, plugins.ThirdParty{Mode: p.mode, URL: l.URL})
	asked.Asked("copy", err, began)
	return err
}

// sure compares a copy that others have made with its original: the size, and a
// checksum if the original's is known, or its storage can tell.
func (r *replication) sure(ctx context.Context, st *federator.Storage, staged string, d *federator.Decision) error {
	seen, err := r.see(ctx, st, staged, 0)
	switch {
	case err != nil:
		return err
	case seen.Size != d.Size():
		return failure(plugins.Malformed, "copy", staged)
	}
	sums := d.Digests()
	if len(sums) == 0 {
		sum, err := r.w.f.Digest(ctx, d, "adler32")
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return nil // then the bytes could not be compared here either
		}
		sums = []plugins.Digest{sum}
	}
	verified, err := r.verify(ctx, st, staged, sums)
	if err == nil && !verified {
		err = errUnsure
	}
	return err
}
