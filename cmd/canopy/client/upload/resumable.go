package upload

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"sync"

	"canopy/cmd/canopy/client"
	"canopy/plugins"
)

// Pieces takes files in pieces, over as many connections as it needs.
type Pieces interface {
	// Resumes returns the largest file that the server of a takes so; 0 is
	// none.
	Resumes(ctx context.Context, a client.Address) (int64, error)
	// Begin creates an upload. Full is that the server has no room for it.
	Begin(ctx context.Context, a client.Address, size int64, isNew bool) (upload string, err error)
	// Offset tells how far an upload is; NotFound that there is none.
	Offset(ctx context.Context, a client.Address, upload string) (offset, size int64, err error)
	// Append sends a piece; the error is Changed if it does not fit.
	Append(ctx context.Context, a client.Address, upload string, offset int64, piece io.Reader, size int64) (int64, error)
	Abandon(ctx context.Context, a client.Address, upload string) error
}

const (
	// DefaultLeast is the size in bytes of a file from which it goes in pieces.
	DefaultLeast = 16 << 20
	// DefaultPiece is how many bytes go in one request. What has come of it
	// counts if it breaks off, so this matters little.
	DefaultPiece = 64 << 20
	// anew bounds how often an upload is begun that the server then forgets.
	anew = 3
	// storing is how often is asked whether a file is stored that is all
	// there, which takes time where the server moves it elsewhere.
	storing = 100
)

// Resumable is a Sender that sends large files in pieces where the server takes
// them, and goes on where it was after a connection broke, in a later run too.
// All else goes to Whole. The fields are not changed once it is used; Store may
// be called concurrently.
type Resumable struct {
	Whole    Sender
	Pieces   Pieces
	Patience client.Patience
	// Memory keeps the uploads that have begun for later runs.
	Memory Memory
	// Notice is told where an earlier run's upload is resumed.
	Notice func(text string)
	// Least and Piece replace the defaults unless they are 0.
	Least, Piece int64

	mu   sync.Mutex
	most map[string]int64 // by origin
}

// Store implements Sender.
func (r *Resumable) Store(ctx context.Context, to client.Address, from io.Reader, u plugins.Upload) (plugins.Entry, error) {
	c, ok := from.(*content)
	if !ok || c.identity == "" || c.seeker == nil || u.Size < cmp.Or(r.Least, DefaultLeast) || u.IfMatch != "" || u.Size > r.largest(ctx, to) {
		return r.Whole.Store(ctx, to, from, u)
	}
	t := &trip{Resumable: r, to: to, content: c, upload: u, name: name(to, c.identity, u)}
	t.at = r.Memory.recall(t.name)
	t.resumed = t.at != ""
	err := t.run(ctx)
	switch kind := plugins.KindOf(err); {
	case err == nil:
		r.Memory.forget(t.name)
		return plugins.Entry{Kind: plugins.File, Size: u.Size, ModTime: u.ModTime}, nil
	case kind == plugins.Full && t.at == "":
		return r.Whole.Store(ctx, to, from, u)
	case kind == plugins.Exists, kind == plugins.Invalid:
		// It will never become the file.
		r.Memory.forget(t.name)
		t.abandon(ctx)
	}
	return plugins.Entry{}, err
}

// largest asks each server once what it takes.
func (r *Resumable) largest(ctx context.Context, to client.Address) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	most, known := r.most[to.Origin]
	if !known {
		var err error
		if most, err = r.Pieces.Resumes(ctx, to); err != nil {
			most = 0
		}
		if r.most == nil {
			r.most = make(map[string]int64)
		}
		r.most[to.Origin] = most
	}
	return most
}

// trip is one file on its way.
type trip struct {
	*Resumable
	to      client.Address
	content *content
	upload  plugins.Upload
	name    string // in the memory
	// at is where the upload is; "" if it has not begun. resumed is whether an
	// earlier run began it, or an earlier attempt.
	at      string
	resumed bool
	// offset is how much the server has, if that is known.
	offset int64
	known  bool
}

// run sends what the server does not have.
func (t *trip) run(ctx context.Context) error {
	failed, begun, most := 0, 0, int64(0)
	for {
		err := t.step(ctx)
		if t.offset > most {
			most, failed = t.offset, 0
		}
		switch kind := plugins.KindOf(err); {
		case err == nil && t.known && t.offset == t.upload.Size:
			return nil
		case err == nil:
			continue
		case ctx.Err() != nil:
			return err
		case kind == plugins.NotFound && t.at != "":
			t.Memory.forget(t.name)
			t.at, t.known, t.offset = "", false, 0
			if begun++; begun < anew {
				continue
			}
			return &plugins.Error{Kind: plugins.Faulty, Err: fmt.Errorf("the server forgets what is sent to it: %w", err)}
		case kind == plugins.Changed && t.known:
			t.known = false
			if failed++; failed < t.Patience.Attempts {
				continue
			}
			return err
		}
		t.known = false
		if failed++; !t.again(ctx, failed, err) {
			return err
		}
	}
}

// again reports whether to try once more, when it has waited.
func (t *trip) again(ctx context.Context, failed int, err error) bool {
	p := t.Patience
	if plugins.KindOf(err) == plugins.Busy && t.content.sent().whole {
		if failed >= storing {
			return false
		}
		failed = min(failed, p.Attempts-1)
	}
	return p.Again(ctx, failed, err)
}

// step asks the server for one thing, whatever is due.
func (t *trip) step(ctx context.Context) (err error) {
	if t.at == "" {
		if t.at, err = t.Pieces.Begin(ctx, t.to, t.upload.Size, t.upload.New); err == nil {
			t.offset, t.known = 0, true
			t.Memory.remember(t.name, t.at)
		}
		return err
	}
	if !t.known {
		var size int64
		if t.offset, size, err = t.Pieces.Offset(ctx, t.to, t.at); err != nil {
			return err
		}
		if size != t.upload.Size {
			return &plugins.Error{Kind: plugins.NotFound, Err: fmt.Errorf("the upload is of %d bytes", size)}
		}
		t.known = true
		if t.resumed && t.offset > 0 {
			t.Notice(fmt.Sprintf("%s: resuming at %s", t.to, amount(t.offset)))
		}
		t.resumed = false
	}
	if err := t.content.reach(ctx, t.offset); err != nil {
		return err
	}
	if t.offset == t.upload.Size {
		return nil
	}
	t.content.mark()
	n := min(cmp.Or(t.Piece, DefaultPiece), t.upload.Size-t.offset)
	now, err := t.Pieces.Append(ctx, t.to, t.at, t.offset, io.LimitReader(t.content, n), n)
	if err == nil {
		t.offset = now
	}
	return err
}

// abandon does away with the upload.
func (t *trip) abandon(ctx context.Context) {
	if t.at == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
	defer cancel()
	// The server does so itself after a time.
	_ = t.Pieces.Abandon(ctx, t.to, t.at)
}

// amount is a number of bytes as people read it.
func amount(n int64) string {
	value, unit := float64(n), "bytes"
	for _, u := range [...]string{"KiB", "MiB", "GiB", "TiB", "PiB"} {
		if value < 1024 {
			break
		}
		value, unit = value/1024, u
	}
	if unit == "bytes" {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", value, unit)
}
