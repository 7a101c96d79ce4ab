package dav

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"

	"canopy/plugins"
	"canopy/plugins/webclient"
	"canopy/plugins/wire/answer"
	"canopy/plugins/wire/multistatus"
)

// patience is how many times as long as for other answers is waited where a
// storage may have a whole tree to go through.
const patience = 10

// change asks for a change of the tree, and returns nil if it was made in full.
// A 207 tells what was not (RFC 4918 section 9.6.1).
func (e *endpoint) change(ctx context.Context, r webclient.Request) error {
	if r.Wait == 0 && e.timeout > 0 {
		r.Wait = patience * e.timeout
	}
	resp, err := e.client.Do(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusMultiStatus:
		return e.undone(r, resp)
	case http.StatusAccepted:
		return e.fault(plugins.Malformed, r.Op, r.Path, fmt.Errorf("the storage answered 202 to %s, which does not say that it is done", r.Method))
	}
	return nil
}

// undone returns the first failure that an answer tells of, nil if there is
// none. What is not there any more is no failure.
func (e *endpoint) undone(r webclient.Request, resp *http.Response) error {
	var first error
	for m, err := range multistatus.Scan(resp.Body, multistatus.Limits{}) {
		switch {
		case err != nil:
			return plugins.Fail(r.Op, r.Path, err)
		case first != nil, m.Status/100 <= 2, m.Status == http.StatusNotFound:
			continue
		}
		kind := answer.Kind(m.Status)
		if m.Status == http.StatusInsufficientStorage {
			kind = plugins.Full
		}
		first = e.fault(kind, r.Op, r.Path, fmt.Errorf("the storage answered %d about %q to %s", m.Status, m.Href, r.Method))
	}
	return first
}

// Remove removes by DELETE. Most storages remove a directory with all that is
// in it; XRootD refuses one that is not empty.
func (e *endpoint) Remove(ctx context.Context, path string) error {
	if path == "/" {
		return e.fault(plugins.Invalid, "remove", path, errors.New("the root of the endpoint stays"))
	}
	r := webclient.Request{Op: "remove", Method: http.MethodDelete, Path: path}
	err := e.change(ctx, r)
	if !odd(err) && status(err) != http.StatusConflict {
		return err
	}
	switch entry, again := e.Stat(ctx, path); {
	case plugins.KindOf(again) == plugins.NotFound:
		return e.fault(plugins.NotFound, "remove", path, err)
	case again != nil || entry.Kind != plugins.Directory:
		return err
	}
	// nginx wants the slash of a directory.
	r.Collection = true
	if err = e.change(ctx, r); odd(err) && e.inhabited(ctx, path) {
		return e.fault(plugins.NotEmpty, "remove", path, err)
	}
	return err
}

// inhabited reports whether the directory path is known to hold something.
func (e *endpoint) inhabited(ctx context.Context, path string) bool {
	for _, err := range e.List(ctx, path) {
		return err == nil
	}
	return false
}

// MakeDirectory makes by MKCOL. What is there is found out first: rclone and
// XRootD say "created" of a directory that is there already, and XRootD makes
// those above it as well.
func (e *endpoint) MakeDirectory(ctx context.Context, at string) error {
	if at == "/" {
		return e.fault(plugins.Exists, "mkdir", at, nil)
	}
	found := e.look(ctx, at, path.Dir(at))
	if err := e.vacant("mkdir", at, found[0], false); err != nil {
		return err
	}
	if err := e.housed("mkdir", at, found[1]); err != nil {
		return err
	}
	err := e.change(ctx, webclient.Request{Op: "mkdir", Method: "MKCOL", Path: at, Collection: true})
	switch status(err) {
	case http.StatusMethodNotAllowed:
		if _, again := e.Stat(ctx, at); again == nil {
			return e.fault(plugins.Exists, "mkdir", at, err)
		}
	case http.StatusConflict:
		return e.fault(plugins.NoParent, "mkdir", at, err)
	}
	return err
}

// Move moves by MOVE. What is there is found out first: with Overwrite a
// storage would replace a directory and all that is in it, XRootD overwrites in
// any case, nginx and XRootD make directories that are missing, and nginx loses
// a directory that is moved into itself.
func (e *endpoint) Move(ctx context.Context, from, to string, replace bool) error {
	switch {
	case from == "/" || to == "/":
		return e.fault(plugins.Invalid, "move", from, errors.New("the root of the endpoint stays where it is"))
	case from == to || strings.HasPrefix(to, from+"/"):
		return e.fault(plugins.Invalid, "move", from, fmt.Errorf("%q is where it is, or in it", to))
	}
	found := e.look(ctx, from, to, path.Dir(to))
	if err := found[0].err; err != nil {
		return renamed("move", err)
	}
	directory := found[0].entry.Kind == plugins.Directory
	if err := e.vacant("move", to, found[1], replace && !directory); err != nil {
		return err
	}
	if err := e.housed("move", to, found[2]); err != nil {
		return err
	}
	destination, exact, err := e.destination(to, directory)
	if err != nil {
		return err
	}
	overwrite := "F"
	if replace {
		overwrite = "T"
	}
	err = e.change(ctx, webclient.Request{
		Op: "move", Method: "MOVE", Path: from, Collection: directory,
		Header: http.Header{"Destination": {destination}, "Overwrite": {overwrite}},
	})
	switch status(err) {
	case http.StatusNotFound:
		// The request may have been sent twice, its first answer being lost.
		if found[1].err != nil {
			if now, again := e.Stat(ctx, to); again == nil && now.Kind == found[0].entry.Kind && now.Size == found[0].entry.Size {
				return nil
			}
		}
	case http.StatusPreconditionFailed:
		return e.fault(plugins.Exists, "move", to, err)
	case http.StatusConflict:
		return e.fault(plugins.NoParent, "move", to, err)
	case http.StatusBadGateway:
		return e.fault(plugins.Faulty, "move", from, fmt.Errorf("%w (as of MOVE this may mean that it takes the destination for one on another server: is it behind a proxy that changes http to https, or the host?)", err))
	}
	if err == nil && !exact {
		if _, err := e.Stat(ctx, to); plugins.KindOf(err) == plugins.NotFound {
			return e.fault(plugins.Malformed, "move", to, errors.New("the storage says that it moved it there, and that it is not there"))
		}
	}
	return err
}

// seen is what Stat said of a path.
type seen struct {
	entry plugins.Entry
	err   error
}

// look asks about several paths at once.
func (e *endpoint) look(ctx context.Context, paths ...string) []seen {
	found := make([]seen, len(paths))
	var all sync.WaitGroup
	for i, p := range paths {
		all.Go(func() { found[i].entry, found[i].err = e.Stat(ctx, p) })
	}
	all.Wait()
	return found
}

// vacant returns an error unless nothing is at path, or a file that may be
// replaced.
func (e *endpoint) vacant(op, path string, s seen, replace bool) error {
	switch {
	case plugins.KindOf(s.err) == plugins.NotFound:
		return nil
	case s.err != nil:
		return renamed(op, s.err)
	case replace && s.entry.Kind == plugins.File:
		return nil
	}
	return e.fault(plugins.Exists, op, path, nil)
}

// housed returns an error unless the directory above path is one.
func (e *endpoint) housed(op, path string, above seen) error {
	switch {
	case plugins.KindOf(above.err) == plugins.NotFound:
		return e.fault(plugins.NoParent, op, path, above.err)
	case above.err != nil:
		return renamed(op, above.err)
	case above.entry.Kind != plugins.Directory:
		return e.fault(plugins.NoParent, op, path, errors.New("what is above it is a file"))
	}
	return nil
}
