package write

import (
	"context"
	"encoding/json"
	"errors"
	"path"
	"strings"
	"time"

	"canopy/federator"
	"canopy/federator/record"
	"canopy/federator/veil"
	"canopy/plugins"
)

// aside is a file or a directory that was taken out of its place in order to be
// looked at, noted in the ledger while it is: whoever did that may die, and it
// may be another than was thought.
type aside struct {
	Endpoint record.ID `json:"endpoint"`
	// Own is its place on the storage, At where it is now.
	Own veil.Name `json:"own"`
	At  veil.Name `json:"at"`
	// Grave is in which a file lies if it is the dead one; nil for a directory.
	Grave *veil.Grave `json:"grave,omitempty"`
	// Until is when the front end is taken for dead, in Unix nanoseconds.
	Until int64 `json:"until"`
}

const (
	// asideKey begins the keys of asides in the ledger.
	asideKey = "aside "
	// asideMark is in the names of files that are aside, which are not swept:
	// they may be alive.
	asideMark = "-aside-"
	// longestAside is more than withdraw can take.
	longestAside = 2*removeTimeout + lease
)

func isAside(name string) bool { return strings.Contains(name, asideMark) }

func (a *aside) key() string { return asideKey + string(a.At) }

// withdraw removes a file only if it is still the dead one in the moment in
// which it goes: it is put aside, looked at, and put back if it is another.
func (w *Writer) withdraw(ctx context.Context, st *federator.Storage, own string, g *veil.Grave) error {
	return w.takeAside(ctx, st, own, g, func(ctx context.Context, at string) (dead bool, err error) {
		return lies(ctx, st, at, g)
	})
}

// lies reports whether what is at a path of a storage is what lies in a grave.
func lies(ctx context.Context, st *federator.Storage, own string, g *veil.Grave) (bool, error) {
	entry, err := st.Endpoint().Stat(ctx, own)
	if err != nil {
		return false, err
	}
	r := record.Of(st.ID(), 0, &entry, 0)
	return g.Holds(string(g.Path), &r), nil
}

// withdrawDirectory removes a directory from which all that was dead has been
// removed only if nothing has been put into it since, since many storages would
// remove that too.
func (w *Writer) withdrawDirectory(ctx context.Context, st *federator.Storage, own string) error {
	return w.takeAside(ctx, st, own, nil, func(ctx context.Context, at string) (dead bool, err error) {
		for _, err := range list(ctx, st, at) {
			return false, err
		}
		return true, nil
	})
}

// takeAside puts what is at a path aside, and removes it there if it is dead,
// else puts it back. g is the grave, if it is a file.
func (w *Writer) takeAside(ctx context.Context, st *federator.Storage, own string, g *veil.Grave, look func(ctx context.Context, at string) (dead bool, err error)) error {
	staged, err := w.stage(ctx, st)
	if err != nil {
		return err
	}
	dir, name := path.Split(staged)
	at := dir + strings.Replace(name, "-", asideMark, 1)
	a := aside{Endpoint: st.ID(), Own: veil.Name(own), At: veil.Name(at), Grave: g, Until: time.Now().Add(longestAside).UnixNano()}
	note, err := json.Marshal(a)
	if err == nil {
		err = w.ledger.Put(ctx, a.key(), note)
	}
	if err != nil {
		return err
	}
	switch err := w.rename(ctx, st, own, at, false); {
	case plugins.KindOf(err) == plugins.NotFound:
		w.drop(a.key())
		return nil
	case err != nil:
		return err // it may be aside all the same
	}
	// What is aside must not stay there.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	dead, err := look(ctx, at)
	if dead {
		err = take(ctx, st, at)
	} else {
		err = errors.Join(err, w.putBack(ctx, st, at, own))
	}
	if err == nil {
		w.drop(a.key())
	}
	return err
}

// putBack returns what is aside to its place, unless a newer file is there. Where
// a directory has been made there anew, it is joined with that.
func (w *Writer) putBack(ctx context.Context, st *federator.Storage, at, own string) error {
	err := w.rename(ctx, st, at, own, false)
	if plugins.KindOf(err) != plugins.Exists {
		return err
	}
	entry, err := st.Endpoint().Stat(ctx, at)
	if err != nil {
		return err
	}
	if entry.Kind == plugins.Directory {
		var names []string
		for e, err := range list(ctx, st, at) {
			if err != nil {
				return err
			}
			names = append(names, e.Name)
		}
		for _, name := range names {
			if err := w.putBack(ctx, st, path.Join(at, name), path.Join(own, name)); err != nil {
				return err
			}
		}
	}
	return take(ctx, st, at)
}

// restore ends what front ends that died have begun with what they had put aside.
func (w *Writer) restore(all map[string][]byte) {
	now := time.Now().UnixNano()
	for key, b := range all {
		var a aside
		if !strings.HasPrefix(key, asideKey) || json.Unmarshal(b, &a) != nil || key != a.key() || !a.proper() || now < a.Until {
			continue
		}
		s := w.f.Enter()
		for _, st := range s.All() {
			if st.ID() != a.Endpoint || st.Down() || !st.Writable() || st.Abilities().Mover == nil || st.Abilities().Remover == nil {
				continue
			}
			switch err := w.decide(st, &a); {
			case plugins.KindOf(err) == plugins.NotFound: // it never came there, or has been seen to
				w.drop(key)
			case err != nil:
				w.log.Warn("a file that was put aside is still there", "endpoint", st.Name(), "path", string(a.Own), "err", err)
			default:
				w.log.Info("a file that was put aside is removed, or back", "endpoint", st.Name(), "path", string(a.Own))
				w.drop(key)
			}
		}
		s.Leave()
	}
}

// decide removes what is aside if it is the dead file, else puts it back. Its grave
// may be no more: whoever has looked in its place found nothing there.
func (w *Writer) decide(st *federator.Storage, a *aside) error {
	ctx, cancel := context.WithTimeout(w.ctx, removeTimeout)
	defer cancel()
	if a.Grave != nil {
		if dead, err := lies(ctx, st, string(a.At), a.Grave); err != nil {
			return err
		} else if dead {
			return take(ctx, st, string(a.At))
		}
	}
	return w.putBack(ctx, st, string(a.At), string(a.Own))
}

// proper reports whether the paths are such as withdraw makes.
func (a *aside) proper() bool {
	own, at := string(a.Own), string(a.At)
	return path.IsAbs(own) && path.Clean(own) == own && path.Clean(at) == at && strings.HasPrefix(at, "/"+plugins.Staging+"/") && isAside(at)
}
