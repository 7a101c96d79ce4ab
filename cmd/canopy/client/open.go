package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"canopy/plugins"
	"canopy/plugins/webclient"
	"canopy/plugins/wire/digest"
)

// Open begins to read a part of the file at raw, which may have a query. The
// body may end before the part does, or hold more; Offset is 0 if the server
// sends the whole file although it was asked for a part. from is the origin
// that sent it, after all redirects.
func (c *Client) Open(ctx context.Context, raw string, r plugins.Range) (body *plugins.Body, from string, err error) {
	a, err := Parse(raw)
	if err != nil {
		return nil, "", &plugins.Error{Kind: plugins.Invalid, Op: "open", Err: err}
	}
	s, err := c.server(a)
	if err != nil {
		return nil, "", err
	}
	header := http.Header{}
	part := r.Offset > 0 || r.Length >= 0
	if part {
		header.Set("Range", rangeOf(r))
	}
	resp, err := s.client.Do(ctx, webclient.Request{Op: "open", Method: http.MethodGet, Path: a.Path, Query: a.Query, Header: header})
	if err != nil {
		return nil, "", err
	}
	body = &plugins.Body{ReadCloser: resp.Body, Entry: described(a, resp), Length: resp.ContentLength}
	if part && resp.StatusCode == http.StatusPartialContent {
		if err := partial(resp, r, body); err != nil {
			resp.Body.Close()
			return nil, "", &plugins.Error{Kind: plugins.Malformed, Op: "open", Path: a.Path, Err: err}
		}
	} else if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, "", &plugins.Error{Kind: plugins.Malformed, Op: "open", Path: a.Path, Err: fmt.Errorf("the server answered %d to GET", resp.StatusCode)}
	}
	return body, resp.Request.URL.Scheme + "://" + resp.Request.URL.Host, nil
}

// rangeOf writes a range (RFC 9110 section 14.2).
func rangeOf(r plugins.Range) string {
	s := "bytes=" + strconv.FormatInt(r.Offset, 10) + "-"
	if r.Length >= 0 {
		s += strconv.FormatInt(r.Offset+max(r.Length, 1)-1, 10)
	}
	return s
}

// described is what the header of an answer to GET says of the whole file.
func described(a Address, resp *http.Response) plugins.Entry {
	e := plugins.Entry{Name: a.Name(), Kind: plugins.File, Size: resp.ContentLength, ETag: webclient.Tag(resp.Header.Get("ETag"))}
	e.Digests = digest.FromHeader(resp.Header)
	if t, err := http.ParseTime(resp.Header.Get("Last-Modified")); err == nil {
		e.ModTime = t.UTC()
	}
	return e
}

// partial puts what a 206 says into body, if it is what r asks for.
func partial(resp *http.Response, r plugins.Range, body *plugins.Body) error {
	span, ok := strings.CutPrefix(resp.Header.Get("Content-Range"), "bytes ")
	within, total, _ := strings.Cut(span, "/")
	first, last, _ := strings.Cut(within, "-")
	from, bad := strconv.ParseInt(first, 10, 64)
	to, worse := strconv.ParseInt(last, 10, 64)
	if !ok || bad != nil || worse != nil || from != r.Offset || to < from {
		return errors.New("the server answered with another range than was asked for")
	}
	body.Offset, body.Length, body.Entry.Size = from, to-from+1, -1
	if n, err := strconv.ParseInt(total, 10, 64); err == nil && n > to {
		body.Entry.Size = n
	}
	return nil
}
