// Package transfer lets one server copy a file from or to another one, as WLCG
// has it (HTTP-TPC), so that no byte of it passes through here.
//
// The destination is asked first to fetch the file (pull), then the source to
// send it (push). The server at work reports how far it is, and how it ended;
// its word alone is not enough: what is at the destination then is compared
// with the source, by checksum where both tell one, else by size. Where nothing
// was before, what a failed or interrupted copy has left is removed.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"canopy/cmd/canopy/client"
	"canopy/plugins"
	"canopy/plugins/wire/digest"
	"canopy/plugins/wire/marker"
)

// Server is the servers that files are at.
type Server interface {
	Look(ctx context.Context, a client.Address) (plugins.Entry, error)
	Check(ctx context.Context, a client.Address, algorithm string) (plugins.Entry, error)
	Remove(ctx context.Context, a client.Address) error
	Pull(ctx context.Context, from, to client.Address, t client.Terms) (*http.Response, error)
	Push(ctx context.Context, from, to client.Address, t client.Terms) (*http.Response, error)
}

// cleaning bounds the time for removing what was left half-done when the user
// is already waiting for the end.
const cleaning = 15 * time.Second

// Copier copies files. All fields but Checksum must be set, and none may change
// once it is used; its methods may be called by several goroutines at once for
// different files.
type Copier struct {
	Server Server
	Terms  client.Terms
	// Checksum is the algorithm by which source and destination must agree; ""
	// is adler32 as far as both know it, and the size.
	Checksum string
	// Progress is told how many bytes have arrived in total, as far as the
	// server reports it.
	Progress func(total int64)
}

// Result is what was done.
type Result struct {
	// Size is in bytes; negative when nobody told.
	Size int64
	// Mode is "pull" or "push".
	Mode string
	// Verified is the checksum that both servers told; zero if only sizes were
	// compared.
	Verified plugins.Digest
}

// ErrUnable is among the errors when neither server can copy by itself.
var ErrUnable = errors.New("neither server copies to or from others")

// ErrUnverified is among the errors of a copy that is there, but whose checksum
// could not be compared although that was asked for.
var ErrUnverified = errors.New("the copy is there, but not both servers tell that checksum, so that it was not compared")

// File copies the file from to the address to.
func (c *Copier) File(ctx context.Context, from, to client.Address) (Result, error) {
	source, err := c.Server.Check(ctx, from, c.algorithm())
	if err != nil {
		return Result{}, err
	}
	absent := false
	switch e, err := c.Server.Look(ctx, to); {
	case plugins.KindOf(err) == plugins.NotFound:
		absent = true
	case err != nil && plugins.KindOf(err) != plugins.Denied:
		return Result{}, err
	case err == nil && e.Kind == plugins.Directory:
		return Result{}, fmt.Errorf("%s: %w", to, &plugins.Error{Kind: plugins.IsDirectory, Err: errors.New("a directory of that name is there")})
	case err == nil && !c.Terms.Replace:
		return Result{}, fmt.Errorf("%s: %w", to, &plugins.Error{Kind: plugins.Exists})
	}
	result, begun, err := c.copy(ctx, from, to)
	if err == nil {
		result.Size = source.Size
		result.Verified, err = c.verify(ctx, source, to)
	}
	if err != nil && begun && absent && plugins.KindOf(err) != plugins.Exists && !errors.Is(err, ErrUnverified) {
		err = c.clear(ctx, to, source.Size, err)
	}
	return result, err
}

func (c *Copier) algorithm() string {
	if c.Checksum != "" {
		return c.Checksum
	}
	return "adler32"
}

// copy has the file copied one way or the other. begun is whether a server has
// set to work.
func (c *Copier) copy(ctx context.Context, from, to client.Address) (r Result, begun bool, err error) {
	resp, unwilling := c.Server.Pull(ctx, from, to, c.Terms)
	if unwilling == nil {
		return Result{Mode: "pull"}, true, c.attend(resp)
	}
	// There need be nothing yet at the destination, but servers without
	// third-party copies want to copy just that.
	if !unable(unwilling) && plugins.KindOf(unwilling) != plugins.NotFound || ctx.Err() != nil {
		return r, true, unwilling
	}
	if err = c.push(ctx, from, to); errors.Is(err, ErrUnable) {
		return r, false, &plugins.Error{Kind: plugins.Unsupported, Err: fmt.Errorf("%w (%w)", err, unwilling)}
	}
	return Result{Mode: "push"}, true, err
}

// push lets the source send the file. A server that knows nothing of other
// servers, such as Apache, looks at no more than the path of where it is to go,
// and copies to there at home. So there must be nothing that it could replace,
// and what it makes is removed.
func (c *Copier) push(ctx context.Context, from, to client.Address) error {
	home := client.Address{Origin: from.Origin, Path: to.Path}
	if home.Path != from.Path {
		if _, err := c.Server.Look(ctx, home); plugins.KindOf(err) != plugins.NotFound {
			return fmt.Errorf("%w; the source was not asked to send it, lest it replace %s", ErrUnable, home)
		}
	}
	resp, err := c.Server.Push(ctx, from, to, c.Terms)
	if unable(err) {
		return fmt.Errorf("%w; %w", ErrUnable, err)
	}
	if err != nil {
		return err
	}
	err = c.attend(resp)
	if resp.StatusCode == http.StatusAccepted || home.Path == from.Path {
		return err
	}
	if _, astray := c.Server.Look(context.WithoutCancel(ctx), home); astray == nil {
		return errors.Join(ErrUnable, c.clear(ctx, home, -1, err))
	}
	return err
}

// unable reports whether err is how servers answer that know nothing of
// third-party copies, or not of that kind.
func unable(err error) bool {
	switch plugins.KindOf(err) {
	case plugins.Unsupported, plugins.Invalid, plugins.Faulty, plugins.Malformed:
		return true
	}
	return false
}

// attend follows a copy to its end. One that is answered by 200 or 201 without
// a marker is done as far as the server is concerned; the verification shows.
func (c *Copier) attend(resp *http.Response) error {
	defer resp.Body.Close()
	marked := resp.StatusCode == http.StatusAccepted
	var sum marker.Progress
	outcome, err := marker.Read(resp.Body, func(m marker.Marker) {
		marked = true
		c.Progress(sum.Add(m))
	})
	switch {
	case plugins.KindOf(err) == plugins.Malformed && !marked:
		return nil
	case err != nil:
		return err
	case outcome.State != marker.Success:
		return &plugins.Error{Kind: plugins.Faulty, Err: fmt.Errorf("the server that copied says: %s: %s", outcome.State, outcome.Message)}
	}
	return nil
}

// verify compares what is at to with the source, and returns the checksum that
// both have.
func (c *Copier) verify(ctx context.Context, source plugins.Entry, to client.Address) (plugins.Digest, error) {
	e, err := c.Server.Check(ctx, to, c.algorithm())
	if err != nil {
		return plugins.Digest{}, fmt.Errorf("the copy could not be verified: %w", err)
	}
	if source.Size >= 0 && e.Size >= 0 && source.Size != e.Size {
		return plugins.Digest{}, wrong(to, fmt.Sprintf("the copy has %d bytes, not %d", e.Size, source.Size))
	}
	ours, told := client.Sum(source, c.algorithm())
	theirs, too := client.Sum(e, c.algorithm())
	switch {
	case told && too && ours != theirs:
		return plugins.Digest{}, wrong(to, fmt.Sprintf("the copy has the %s %s, not %s", ours.Algorithm, digest.Hex(theirs), digest.Hex(ours)))
	case told && too:
		return ours, nil
	case c.Checksum != "":
		return plugins.Digest{}, fmt.Errorf("%s: %w", to, &plugins.Error{Kind: plugins.Unsupported, Err: ErrUnverified})
	}
	return plugins.Digest{}, nil
}

func wrong(to client.Address, problem string) error {
	return fmt.Errorf("%s: %w", to, &plugins.Error{Kind: plugins.Malformed, Err: errors.New(problem)})
}

// clear removes what a copy of size bytes has left at to, which has failed with
// why, and returns that. Something longer is somebody else's.
func (c *Copier) clear(ctx context.Context, to client.Address, size int64, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
	defer cancel()
	e, err := c.Server.Look(ctx, to)
	switch {
	case plugins.KindOf(err) == plugins.NotFound:
		return why
	case err == nil && (e.Kind != plugins.File || size >= 0 && e.Size > size):
		return why
	case err == nil:
		err = c.Server.Remove(ctx, to)
	}
	if err == nil || plugins.KindOf(err) == plugins.NotFound {
		return why
	}
	return fmt.Errorf("%w; %w (%w), remove it with canopy rm", why, client.ErrLeft, err)
}
