package dav

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"

	"canopy/plugins"
)

// Store writes by PUT.
func (e *endpoint) Store(ctx context.Context, path string, content io.Reader, u plugins.Upload) (plugins.Entry, error) {
	if path == "/" {
		return plugins.Entry{}, e.fault(plugins.IsDirectory, "store", path, nil)
	}
	header, err := e.conditions(ctx, path, u)
	if err == nil {
		err = e.precautions(ctx, path, u)
	}
	if err != nil {
		return plugins.Entry{}, err
	}
	if !u.ModTime.IsZero() {
		// Known to ownCloud, Nextcloud and newer rclone, and passed over by
		// others.
		header.Set("X-OC-Mtime", strconv.FormatInt(u.ModTime.Unix(), 10))
	}
	entry, err := e.client.Put(ctx, path, content, u.Size, header)
	if err != nil {
		return plugins.Entry{}, e.unstored(ctx, path, u, err)
	}
	return entry, nil
}

// conditions finds out whether what u demands of path holds, and returns the
// headers by which a storage that knows them makes sure of it (RFC 9110 section
// 13.1). Apache honours them; nginx, rclone and XRootD do not and would replace
// any file.
func (e *endpoint) conditions(ctx context.Context, path string, u plugins.Upload) (http.Header, error) {
	header := http.Header{}
	if !u.New && u.IfMatch == "" {
		return header, nil
	}
	found, err := e.Stat(ctx, path)
	absent := plugins.KindOf(err) == plugins.NotFound
	switch {
	case err != nil && !absent:
		return nil, renamed("store", err)
	case u.New && !absent:
		return nil, e.fault(plugins.Exists, "store", path, nil)
	case u.New:
		header.Set("If-None-Match", "*")
		return header, nil
	case absent:
		return nil, e.fault(plugins.Changed, "store", path, errors.New("the file is gone"))
	case found.Kind == plugins.Directory:
		return nil, e.fault(plugins.IsDirectory, "store", path, nil)
	case found.ETag == "":
		// Some tell it elsewhere than in PROPFIND.
		if found, err = e.client.Head(ctx, path); err != nil {
			return nil, renamed("store", err)
		}
	}
	switch {
	case found.ETag == "":
		return nil, e.fault(plugins.Unsupported, "store", path, errors.New("the storage gives files no entity tags, so it cannot be told whether this one has changed"))
	case strings.TrimPrefix(found.ETag, "W/") != strings.TrimPrefix(u.IfMatch, "W/"):
		return nil, e.fault(plugins.Changed, "store", path, errors.New("the file has another entity tag"))
	case !strings.HasPrefix(found.ETag, "W/"):
		// If-Match compares strongly: a weak tag would never match.
		header.Set("If-Match", found.ETag)
	}
	return header, nil
}

// unstored finds out why a PUT failed: storages refuse it for a missing
// directory, or at a directory, with all kinds of statuses.
func (e *endpoint) unstored(ctx context.Context, at string, u plugins.Upload, err error) error {
	switch s := status(err); s {
	case http.StatusPreconditionFailed:
		if u.New {
			return e.fault(plugins.Exists, "store", at, err)
		}
		return err
	case http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
		http.StatusConflict, http.StatusInternalServerError:
		if entry, again := e.Stat(ctx, at); again == nil && entry.Kind == plugins.Directory {
			return e.fault(plugins.IsDirectory, "store", at, err)
		}
		if e.orphan(ctx, at) {
			return e.fault(plugins.NoParent, "store", at, err)
		}
		if s == http.StatusNotFound {
			// Said of what was to be stored it means nothing.
			return e.fault(plugins.Invalid, "store", at, err)
		}
	}
	return err
}

// orphan reports whether the storage says that the directory above at is none.
func (e *endpoint) orphan(ctx context.Context, at string) bool {
	above, err := e.Stat(ctx, path.Dir(at))
	return err == nil && above.Kind != plugins.Directory || plugins.KindOf(err) == plugins.NotFound
}

// renamed returns err as one about op.
func renamed(op string, err error) error {
	var e *plugins.Error
	if !errors.As(err, &e) {
		return err
	}
	c := *e
	c.Op = op
	return &c
}
