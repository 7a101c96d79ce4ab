package veil

import (
	"encoding/base64"
	"strconv"
	"time"

	"canopy/federator/record"
)

// Grave is an endpoint's copy of a path that is dead.
type Grave struct {
	Path     Name      `json:"path"`
	Endpoint record.ID `json:"endpoint"`
	// Size and ModTime are those of the copy when it was seen last, if Seen:
	// another one is alive.
	Seen    bool  `json:"seen,omitempty"`
	Size    int64 `json:"size,omitempty"`
	ModTime int64 `json:"mtime,omitempty"`
	// Unborn is that the copy is still to come, and its time not known yet.
	Unborn bool `json:"unborn,omitempty"`
	// Tree is that all below the path is dead too.
	Tree bool `json:"tree,omitempty"`
	// Since is when it died, in Unix nanoseconds. Of a copy that was not seen,
	// what is older is taken for it.
	Since int64 `json:"since"`
	// Dug is when the grave was, in Unix nanoseconds: what tells it from earlier
	// ones of the same copy. Since can be later than that.
	Dug int64 `json:"dug"`
	// kept is when the ledger had it for certain, in Unix nanoseconds; 0 is not
	// known. Who has only heard of a grave does not know.
	kept int64
	// heard is when this front end was told of it, in Unix nanoseconds.
	heard int64
	// unkept is that the ledger did not take it.
	unkept bool
}

// Of returns the grave of a copy of path as it was seen.
func Of(path string, r *record.Replica) Grave {
	now := time.Now().UnixNano()
	return Grave{Path: Name(path), Endpoint: r.Endpoint, Seen: true, Size: r.Size, ModTime: r.ModTime, Since: now, Dug: now}
}

// Holds reports whether r is the copy that lies in the grave, or, at a path
// below that of a Tree, in that.
func (g *Grave) Holds(p string, r *record.Replica) bool {
	switch {
	case g.Endpoint != r.Endpoint:
		return false
	case p == string(g.Path) && g.Unborn:
		return r.Size == g.Size
	case p == string(g.Path) && g.Seen:
		return r.Size == g.Size && r.ModTime == g.ModTime
	}
	// Many storages tell times to the second, and cut off what is less: of what
	// was written in that second, nothing is taken for dead.
	return r.ModTime < g.Since-g.Since%int64(time.Second)
}

// Certain reports whether nothing that came after the grave can be taken for what
// lies in it: by times told to the second, what is written in the second of a death
// is as old as what died.
func (g *Grave) Certain() bool {
	return !g.Seen || g.ModTime == 0 || g.ModTime < g.Since-g.Since%int64(time.Second)
}

// Key names the grave in the ledger. It begins with a slash. A later grave of the
// same copy has another: who takes one out of the ledger does not take the other.
func (g *Grave) Key() string {
	return g.place() + "\x00" + strconv.FormatInt(g.Dug, 36)
}

// place names whose grave it is.
func (g *Grave) place() string {
	return string(g.Path) + "\x00" + strconv.FormatUint(uint64(g.Endpoint), 16)
}

// Name is a path as it travels in JSON, which cannot hold any byte as text.
type Name string

// MarshalText implements encoding.TextMarshaler.
func (n Name) MarshalText() ([]byte, error) {
	return base64.RawStdEncoding.AppendEncode(nil, []byte(n)), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *Name) UnmarshalText(text []byte) error {
	b, err := base64.RawStdEncoding.AppendDecode(nil, text)
	*n = Name(b)
	return err
}
