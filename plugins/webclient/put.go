package webclient

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"canopy/plugins"
	"canopy/plugins/wire/answer"
)

// Put stores content at path by PUT, as plugins.Writer demands: size is in
// bytes, negative when unknown, which is sent in chunks. The storage is asked
// first whether it wants the content, and has 7 s to say so (or three quarters
// of Env.Timeout) before it is sent anyway. A redirect is followed as long as
// nothing was sent, or content is an io.Seeker; one to path with a slash at its
// end is IsDirectory.
//
// There is no limit of time while content goes out, but one of Env.Timeout on
// each piece of it, and one of ten times that on the answer to the last. What
// content takes to deliver is not counted. When Put has returned content is read
// no more, unless it holds up one Read for more than a second after the end.
//
// The entry holds the header's facts and the number of bytes sent.
func (c *Client) Put(ctx context.Context, path string, content io.Reader, size int64, header http.Header) (plugins.Entry, error) {
	if size == 0 {
		if err := newUpload(content, size, 0).empty(); err != nil {
			return plugins.Entry{}, c.failed("store", path, spoilt(err))
		}
	}
	sent := newUpload(content, size, c.timeout)
	resp, err := c.unhindered(ctx, Request{Op: "store", Method: http.MethodPut, Path: path, Header: header, upload: sent})
	if err != nil {
		return plugins.Entry{}, err
	}
	answer.Drain(resp.Body)
	switch {
	case diverted(path, resp):
		return plugins.Entry{}, c.fault("store", path, refuse(plugins.Denied, toPage))
	case resp.StatusCode > http.StatusNoContent || resp.StatusCode == http.StatusAccepted:
		return plugins.Entry{}, c.fault("store", path, refuse(plugins.Malformed, fmt.Sprintf("the storage answered %d to PUT, which does not say that the file is stored", resp.StatusCode)))
	}
	e := entryOf(path, resp)
	e.Size = sent.taken
	return e, nil
}

// unhindered is Do for an upload: it returns when ctx ends even if the content
// does not, for which net/http waits.
func (c *Client) unhindered(ctx context.Context, r Request) (*http.Response, error) {
	var resp *http.Response
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		resp, err = c.Do(ctx, r)
	}()
	select {
	case <-done:
		r.upload.quiet()
	case <-ctx.Done():
		if r.upload.end(); !r.upload.quiet() {
			go func() {
				if <-done; err == nil {
					resp.Body.Close()
				}
			}()
			return nil, c.failed(r.Op, r.Path, ended(ctx))
		}
		<-done
	}
	return resp, err
}

// failed fills in what an error is about.
func (c *Client) failed(op, path string, e *plugins.Error) error {
	e.Op, e.Endpoint, e.Path = op, c.name, path
	return e
}
