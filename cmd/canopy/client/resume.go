package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"canopy/plugins"
	"canopy/plugins/webclient"
)

// The protocol of resumable uploads (https://tus.io/protocols), and where
// Canopy has them.
const (
	tusVersion = "1.0.0"
	tusAddress = "/-/uploads/"
)

// tus is the header that requests of the protocol have.
func tus(fields ...string) http.Header {
	h := http.Header{"Tus-Resumable": {tusVersion}}
	for i := 0; i < len(fields); i += 2 {
		h.Set(fields[i], fields[i+1])
	}
	return h
}

// Resumes returns the largest file in bytes that the server of a takes in
// pieces, 0 if it takes none.
func (c *Client) Resumes(ctx context.Context, a Address) (most int64, err error) {
	s, err := c.server(a)
	if err != nil {
		return 0, a.fail(err)
	}
	resp, err := s.client.Do(ctx, webclient.Request{Op: "options", Method: http.MethodOptions, Path: strings.TrimSuffix(tusAddress, "/"), Collection: true})
	if err != nil {
		return 0, a.fail(err)
	}
	resp.Body.Close()
	if !lists(resp.Header.Get("Tus-Version"), tusVersion) || !lists(resp.Header.Get("Tus-Extension"), "creation") {
		return 0, nil
	}
	most, err = strconv.ParseInt(resp.Header.Get("Tus-Max-Size"), 10, 64)
	if err != nil || most <= 0 {
		most = 1 << 62
	}
	return most, nil
}

func lists(list, word string) bool {
	return slices.ContainsFunc(strings.Split(list, ","), func(s string) bool { return strings.TrimSpace(s) == word })
}

// Begin creates an upload of size bytes that is to become the file a, and
// returns its path on the server. With isNew the error is of kind Exists if
// anything is at a; Full is that the server has no room to take it in pieces.
func (c *Client) Begin(ctx context.Context, a Address, size int64, isNew bool) (upload string, err error) {
	s, err := c.server(a)
	if err != nil {
		return "", a.fail(err)
	}
	meta := "path " + base64.StdEncoding.EncodeToString([]byte(a.Path))
	if isNew {
		meta += ",overwrite " + base64.StdEncoding.EncodeToString([]byte("F"))
	}
	header := tus("Upload-Length", strconv.FormatInt(size, 10), "Upload-Metadata", meta)
	resp, err := s.client.Do(ctx, webclient.Request{Op: "begin", Method: http.MethodPost, Path: strings.TrimSuffix(tusAddress, "/"), Collection: true, Header: header})
	if err != nil {
		switch status(err) {
		case http.StatusPreconditionFailed:
			err = as(plugins.Exists, err)
		case http.StatusConflict:
			err = as(plugins.NoParent, err)
		case http.StatusRequestEntityTooLarge, http.StatusInsufficientStorage:
			err = as(plugins.Full, err)
		}
		return "", a.fail(err)
	}
	resp.Body.Close()
	at, err := resp.Request.URL.Parse(resp.Header.Get("Location"))
	if err != nil || resp.StatusCode != http.StatusCreated || at.Scheme+"://"+at.Host != a.Origin || at.RawQuery != "" || !usable(at) {
		return "", a.fail(&plugins.Error{Kind: plugins.Malformed, Err: errors.New("the server does not tell where the upload is")})
	}
	return at.Path, nil
}

// usable reports whether the path of a URL can be asked for again.
func usable(u *url.URL) bool {
	_, ok := webclient.Split(u.EscapedPath())
	return ok && u.Path != "" && u.Path != "/" && !strings.HasSuffix(u.Path, "/")
}

// Offset returns how many bytes of how many the upload has that is to become
// the file a. NotFound is that there is no such upload any more.
func (c *Client) Offset(ctx context.Context, a Address, upload string) (offset, size int64, err error) {
	s, err := c.server(a)
	if err != nil {
		return 0, 0, a.fail(err)
	}
	resp, err := s.client.Do(ctx, webclient.Request{Op: "offset", Method: http.MethodHead, Path: upload, Header: tus()})
	if err != nil {
		return 0, 0, a.fail(err)
	}
	resp.Body.Close()
	offset, err = count(resp.Header, "Upload-Offset")
	if err == nil {
		size, err = count(resp.Header, "Upload-Length")
	}
	if err == nil && offset > size {
		err = errors.New("the server has more than there is")
	}
	if err != nil {
		err = &plugins.Error{Kind: plugins.Malformed, Err: err}
	}
	return offset, size, a.fail(err)
}

func count(h http.Header, name string) (int64, error) {
	n, err := strconv.ParseInt(h.Get(name), 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("the server tells no %s", name)
	}
	return n, nil
}

// Append sends a piece of size bytes, at offset, and returns the new offset. The
// piece that makes an upload whole is answered when the file is stored. The
// error is of kind Changed if the upload does not end at offset.
func (c *Client) Append(ctx context.Context, a Address, upload string, offset int64, piece io.Reader, size int64) (int64, error) {
	s, err := c.server(a)
	if err != nil {
		return 0, a.fail(err)
	}
	header := tus("Upload-Offset", strconv.FormatInt(offset, 10), "Content-Type", "application/offset+octet-stream")
	resp, err := s.client.Send(ctx, webclient.Request{Op: "append", Method: http.MethodPatch, Path: upload, Header: header}, piece, size)
	if err != nil {
		switch status(err) {
		case http.StatusConflict:
			err = as(plugins.Changed, err)
		case http.StatusPreconditionFailed:
			err = as(plugins.Exists, err)
		case http.StatusInsufficientStorage:
			err = as(plugins.Full, err)
		}
		return 0, a.fail(err)
	}
	now, err := count(resp.Header, "Upload-Offset")
	if err != nil || now <= offset || now > offset+size {
		return 0, a.fail(&plugins.Error{Kind: plugins.Malformed, Err: errors.New("the server does not tell how much it has")})
	}
	return now, nil
}

// Abandon does away with an upload.
func (c *Client) Abandon(ctx context.Context, a Address, upload string) error {
	s, err := c.server(a)
	if err != nil {
		return a.fail(err)
	}
	resp, err := s.client.Do(ctx, webclient.Request{Op: "abandon", Method: http.MethodDelete, Path: upload, Header: tus()})
	if err != nil {
		return a.fail(err)
	}
	resp.Body.Close()
	return nil
}
