package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"time"

	"canopy/plugins"
	"canopy/plugins/webclient"
	"canopy/plugins/wire/digest"
)

// settleFactor is how many times as long as for other answers is waited for one
// that takes work: to move or remove much, or to read a file for its checksum.
const settleFactor = 10

// settle is how long such an answer may take.
func (c *Client) settle() time.Duration { return settleFactor * c.config.Timeout }

// Parent returns the address of the directory that a is in; that of the root is
// the root.
func (a Address) Parent() Address {
	return Address{Origin: a.Origin, Path: path.Dir(a.Path), Collection: true}
}

// Look returns what a single question tells of a: at least whether it is a file
// or a directory.
func (c *Client) Look(ctx context.Context, a Address) (plugins.Entry, error) {
	s, err := c.server(a)
	if err != nil {
		return plugins.Entry{}, a.fail(err)
	}
	e, err := s.dav.Stat(ctx, a.Path)
	if plugins.KindOf(err) == plugins.Unsupported {
		e, err = s.web.Stat(ctx, a.Path)
	}
	return e, a.fail(err)
}

// Check returns what the server says of the file a once it has been written:
// its size and, if it can tell, its checksum by algorithm ("" is none).
func (c *Client) Check(ctx context.Context, a Address, algorithm string) (plugins.Entry, error) {
	s, err := c.server(a)
	if err != nil {
		return plugins.Entry{}, a.fail(err)
	}
	header := http.Header{}
	if algorithm != "" {
		digest.SetWant(header, algorithm)
	}
	resp, err := s.client.Do(ctx, webclient.Request{Op: "digest", Method: http.MethodHead, Path: a.Path, Query: a.Query, Header: header, Wait: c.settle()})
	if err != nil {
		return plugins.Entry{}, a.fail(err)
	}
	resp.Body.Close()
	e := described(a, resp)
	if e.Size < 0 && a.Query == "" {
		known, err := s.dav.Stat(ctx, a.Path)
		if err == nil && known.Kind == plugins.File {
			e.Size = known.Size
		}
	}
	return e, nil
}

// Sum returns the checksum by algorithm that came with e, and whether there is
// one.
func Sum(e plugins.Entry, algorithm string) (plugins.Digest, bool) {
	for _, d := range e.Digests {
		if d.Algorithm == algorithm && digest.Valid(d) {
			return d, true
		}
	}
	return plugins.Digest{}, false
}

// Store makes a file of content at a. The server is asked first whether it
// wants it, so that nothing is sent to one that redirects. With Upload.New a
// file that is there stays, and the error is of kind Exists, on servers that
// know If-None-Match; others replace it. An error of a Silent kind leaves open
// what the server has now.
func (c *Client) Store(ctx context.Context, a Address, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
	s, err := c.server(a)
	if err != nil {
		return plugins.Entry{}, a.fail(err)
	}
	header := http.Header{}
	if u.New {
		header.Set("If-None-Match", "*")
	}
	if u.IfMatch != "" {
		header.Set("If-Match", u.IfMatch)
	}
	e, err := s.client.Put(ctx, a.Path, content, u.Size, header)
	switch status(err) {
	case http.StatusPreconditionFailed:
		if u.New {
			err = as(plugins.Exists, err)
		}
	case http.StatusConflict:
		err = as(plugins.NoParent, err)
	}
	return e, a.fail(err)
}

// Remove removes a, and everything below it if it is a directory. If only a
// part could be removed, the error holds a *Partial.
func (c *Client) Remove(ctx context.Context, a Address) error {
	s, err := c.server(a)
	if err != nil {
		return a.fail(err)
	}
	resp, err := s.client.Do(ctx, webclient.Request{Op: "remove", Method: http.MethodDelete, Path: a.Path, Collection: a.Collection, Wait: c.settle()})
	if err != nil {
		return a.fail(err)
	}
	return a.fail(finished(resp))
}

// MakeDirectory makes the directory a. The error is of kind Exists if anything
// is there, NoParent if the directory above it is not.
func (c *Client) MakeDirectory(ctx context.Context, a Address) error {
	s, err := c.server(a)
	if err != nil {
		return a.fail(err)
	}
	// rclone says that it has made what is there.
	switch _, err := s.dav.Stat(ctx, a.Path); plugins.KindOf(err) {
	case 0:
		return a.fail(&plugins.Error{Kind: plugins.Exists})
	case plugins.NotFound, plugins.Denied, plugins.Unsupported:
	default:
		return a.fail(err)
	}
	resp, err := s.client.Do(ctx, webclient.Request{Op: "make", Method: "MKCOL", Path: a.Path, Collection: true})
	if err == nil {
		return a.fail(finished(resp))
	}
	switch status(err) {
	case http.StatusMethodNotAllowed:
		// Servers without WebDAV say the same as those where somebody else was
		// faster.
		if _, there := s.dav.Stat(ctx, a.Path); there == nil {
			err = as(plugins.Exists, err)
		}
	case http.StatusConflict, http.StatusNotFound:
		err = as(plugins.NoParent, err)
	}
	return a.fail(err)
}

// MakeAll makes the directory a with those above it, as far as they are not
// there. made is whether a itself was not.
func (c *Client) MakeAll(ctx context.Context, a Address) (made bool, err error) {
	a.Collection = true
	e, err := c.Look(ctx, a)
	switch {
	case err == nil && e.Kind == plugins.File:
		return false, a.fail(&plugins.Error{Kind: plugins.NotDirectory, Err: errors.New("a file is where a directory is needed")})
	case err == nil || a.Path == "/":
		return false, err
	case plugins.KindOf(err) != plugins.NotFound:
		return false, err
	}
	if _, err := c.MakeAll(ctx, a.Parent()); err != nil {
		return false, err
	}
	err = c.MakeDirectory(ctx, a)
	if plugins.KindOf(err) != plugins.Exists {
		return err == nil, err
	}
	// Somebody else was faster, with a directory or not.
	if e, err = c.Look(ctx, a); err == nil && e.Kind == plugins.File {
		err = a.fail(&plugins.Error{Kind: plugins.NotDirectory, Err: errors.New("a file is where a directory is needed")})
	}
	return false, err
}

// Move gives what is at from the name to, which is of the same origin. What is
// there is replaced if replace says so, a whole directory too, and is Exists
// otherwise.
func (c *Client) Move(ctx context.Context, from, to Address, replace bool) error {
	return c.rename(ctx, "MOVE", from, to, replace)
}

// Duplicate lets the server copy what is at from, with everything below it, to
// the address to of the same origin (RFC 4918 section 9.8).
func (c *Client) Duplicate(ctx context.Context, from, to Address, replace bool) error {
	return c.rename(ctx, "COPY", from, to, replace)
}

func (c *Client) rename(ctx context.Context, method string, from, to Address, replace bool) error {
	s, err := c.server(from)
	if err != nil {
		return from.fail(err)
	}
	to.Collection = from.Collection
	header := http.Header{"Destination": {to.String()}, "Overwrite": {"F"}}
	if replace {
		header.Set("Overwrite", "T")
	}
	if from.Collection {
		header.Set("Depth", "infinity")
	}
	resp, err := s.client.Do(ctx, webclient.Request{Op: "move", Method: method, Path: from.Path, Collection: from.Collection, Header: header, Wait: c.settle()})
	if err == nil {
		return from.fail(finished(resp))
	}
	switch status(err) {
	case http.StatusPreconditionFailed:
		return to.fail(as(plugins.Exists, err))
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusInternalServerError:
		// Any of these may mean that there is nothing to move, or nowhere to.
		if _, there := s.dav.Stat(ctx, from.Path); plugins.KindOf(there) == plugins.NotFound {
			return from.fail(there)
		}
		if _, there := s.dav.Stat(ctx, to.Parent().Path); plugins.KindOf(there) == plugins.NotFound {
			return to.fail(as(plugins.NoParent, err))
		}
	}
	return from.fail(err)
}

// status is that of the answer which made the error err, 0 if none did.
func status(err error) int {
	var e *webclient.StatusError
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// as returns err with another kind.
func as(kind plugins.Kind, err error) error {
	return &plugins.Error{Kind: kind, Err: cause(err)}
}

// cause is what lies below the *plugins.Error in err.
func cause(err error) error {
	var e *plugins.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// finished reads what a server has to say of a change that it has made.
func finished(resp *http.Response) error {
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusMultiStatus:
		return partial207(resp)
	case http.StatusAccepted:
		return &plugins.Error{Kind: plugins.Malformed, Err: errors.New("the server has taken note of it, but does not say that it is done")}
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxRest)); err != nil {
		return fmt.Errorf("the server broke off its answer: %w", err)
	}
	return nil
}
