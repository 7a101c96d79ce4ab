package webclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"canopy/plugins"
)

// Open begins to read path as plugins.Reader demands. accept, unless nil, may
// refuse the answer by its header before its body is read; its error is
// returned.
func (c *Client) Open(ctx context.Context, path string, r plugins.Range, accept func(*http.Response) error) (*plugins.Body, error) {
	return c.open(ctx, path, r, accept, false)
}

// open is Open; again is whether it is the second attempt.
func (c *Client) open(ctx context.Context, path string, r plugins.Range, accept func(*http.Response) error, again bool) (*plugins.Body, error) {
	if r.Offset < 0 {
		return nil, c.fault("open", path, refuse(plugins.Invalid, "the range begins before the file"))
	}
	header := http.Header{}
	if r.Offset > 0 || r.Length >= 0 {
		header.Set("Range", rangeHeader(r))
	}
	if r.IfMatch != "" && !strings.HasPrefix(r.IfMatch, "W/") {
		// If-Match compares strongly: a weak tag would never match.
		header.Set("If-Match", r.IfMatch)
	}
	resp, err := c.Do(ctx, Request{Op: "open", Method: http.MethodGet, Path: path, Header: header})
	if err != nil {
		return nil, err
	}
	if accept != nil {
		if err := accept(resp); err != nil {
			resp.Body.Close()
			return nil, err
		}
	}
	body, refused := c.body(path, r, resp)
	if refused == nil {
		return body, nil
	}
	resp.Body.Close()
	if refused.end > 0 && !again {
		r.Length = refused.end - r.Offset
		return c.open(ctx, path, r, accept, true)
	}
	return nil, c.fault("open", path, refused)
}

// refusal is why an answer cannot be used.
type refusal struct {
	kind    plugins.Kind
	problem string
	// end is where the file ends, if it makes sense to ask again for a range
	// that ends there; else 0.
	end int64
}

func refuse(kind plugins.Kind, problem string) *refusal {
	return &refusal{kind: kind, problem: problem}
}

func (c *Client) fault(op, path string, r *refusal) error {
	return &plugins.Error{Kind: r.kind, Op: op, Endpoint: c.name, Path: path, Err: errors.New(r.problem)}
}

// body judges the answer to a GET by its header.
func (c *Client) body(path string, r plugins.Range, resp *http.Response) (*plugins.Body, *refusal) {
	entry := entryOf(path, resp)
	if c.slashed(path, resp) {
		return nil, refuse(plugins.IsDirectory, "the storage redirects it to a directory")
	}
	if diverted(path, resp) {
		return nil, refuse(plugins.Denied, toPage)
	}
	if encoded(path, resp.Header) {
		return nil, refuse(plugins.Malformed, "the storage compressed the file although it was asked not to")
	}
	if refused := matches(r.IfMatch, entry.ETag); refused != nil {
		return nil, refused
	}
	part, refused := delivered(resp, r)
	if refused != nil {
		return nil, refused
	}
	entry.Size = part.total
	return &plugins.Body{
		ReadCloser: &exact{ReadCloser: resp.Body, part: part, fail: func(problem string) error {
			return c.fault("open", path, refuse(plugins.Malformed, problem))
		}},
		Entry: entry, Offset: r.Offset, Length: part.length,
	}, nil
}

// rangeHeader writes a range. HTTP has none of no bytes: one byte is asked for
// in its place, and not delivered.
func rangeHeader(r plugins.Range) string {
	b := strconv.AppendInt([]byte("bytes="), r.Offset, 10)
	b = append(b, '-')
	if last := r.Offset + max(r.Length, 1) - 1; r.Length >= 0 && last >= 0 {
		b = strconv.AppendInt(b, last, 10)
	}
	return string(b)
}

// matches compares the tag that a file must have with the one it has.
func matches(want, have string) *refusal {
	switch {
	case want == "" || strings.TrimPrefix(want, "W/") == strings.TrimPrefix(have, "W/"):
		return nil
	case have == "":
		return refuse(plugins.Unsupported, "the storage sends no entity tag with the bytes, so it cannot be told whether the file has changed")
	}
	return refuse(plugins.Changed, "the file has another entity tag")
}

// part is what of an answer's body is the range.
type part struct {
	// left is the number of bytes that are to be delivered, at most; negative
	// is all there is.
	left int64
	// length is the number of bytes that will be delivered, total the size of
	// the whole file; negative when not known.
	length, total int64
	// cut is whether more may follow in the body that nobody wants.
	cut bool
}

// delivered compares an answer with the range that was asked for.
func delivered(resp *http.Response, r plugins.Range) (part, *refusal) {
	whole := r.Offset == 0 && r.Length < 0
	switch {
	case resp.StatusCode == http.StatusPartialContent && !whole:
		return partial(resp, r)
	case resp.StatusCode != http.StatusOK:
		return part{}, refuse(plugins.Malformed, fmt.Sprintf("the storage answered %d to a GET", resp.StatusCode))
	}
	// The whole file, asked for or not: its beginning is as good as a range.
	n := resp.ContentLength
	switch {
	case whole:
		return part{left: n, length: n, total: n}, nil
	case n >= 0 && r.Offset >= n:
		return part{}, refuse(plugins.OutOfRange, "the file is not that long")
	case r.Offset > 0:
		return part{}, refuse(plugins.Malformed, "the storage ignored the range and sent the whole file")
	case n < 0:
		return part{left: r.Length, length: -1, total: -1, cut: true}, nil
	}
	wanted := min(r.Length, n)
	return part{left: wanted, length: wanted, total: n, cut: wanted < n}, nil
}

// partial is delivered for a 206.
func partial(resp *http.Response, r plugins.Range) (part, *refusal) {
	another := refuse(plugins.Malformed, "the storage answered with another range than was asked for")
	first, last, total := contentRange(resp.Header.Get("Content-Range"))
	if total >= 0 && r.Offset >= total {
		return part{}, refuse(plugins.OutOfRange, "the file is not that long")
	}
	asked := r.Length
	if asked == 0 {
		asked = 1
	}
	wanted := asked
	if rest := total - r.Offset; total >= 0 && (asked < 0 || asked > rest) {
		// XRootD 5.5 gets ranges wrong that end beyond the file or nowhere,
		// yet knows how long it is.
		wanted, another.end = rest, total
	}
	got := last - first + 1
	if first != r.Offset || got <= 0 || total >= 0 && got != wanted || asked >= 0 && got > asked {
		return part{}, another
	}
	if n := resp.ContentLength; n >= 0 && n != got {
		return part{}, refuse(plugins.Malformed, "the length of the answer is not that of its range")
	}
	if r.Length == 0 {
		return part{total: total, cut: true}, nil
	}
	return part{left: got, length: got, total: total}, nil
}

// contentRange reads "bytes 0-9/100" (RFC 9110 section 14.4). A number that is
// none is -1: total also for "*".
func contentRange(value string) (first, last, total int64) {
	rest, ok := strings.CutPrefix(value, "bytes ")
	if !ok {
		return -1, -1, -1
	}
	span, size, _ := strings.Cut(rest, "/")
	from, to, _ := strings.Cut(span, "-")
	return number(from), number(to), number(size)
}

// number returns a number of bytes, -1 if s is none or near the largest there
// is, which no sum with it would survive.
func number(s string) int64 {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 62)
	if err != nil {
		return -1
	}
	return int64(n)
}

// exact delivers a part, or an error.
type exact struct {
	io.ReadCloser
	part part
	fail func(problem string) error
}

func (e *exact) Read(p []byte) (int, error) {
	left := e.part.left
	if left < 0 {
		return e.ReadCloser.Read(p)
	}
	if left == 0 {
		return 0, e.end()
	}
	n, err := e.ReadCloser.Read(p[:min(int64(len(p)), left)])
	e.part.left -= int64(n)
	if err == io.EOF && e.part.left > 0 && e.part.length >= 0 {
		err = e.fail("the answer ended early")
	}
	return n, err
}

// end makes sure that nothing follows, which also lets the connection be used
// again.
func (e *exact) end() error {
	if e.part.cut {
		return io.EOF
	}
	var one [1]byte
	n, err := e.ReadCloser.Read(one[:])
	if n > 0 {
		return e.fail("the answer is longer than its range")
	}
	return err
}
