package frontend

import (
	"crypto/rand"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"

	"canopy/federator"
	"canopy/frontend/mediatype"
	"canopy/frontend/ranges"
	"canopy/plugins"
	"canopy/plugins/wire/splice"
)

// mustCarry reports whether the client cannot be sent to the address of a
// replica: it follows no redirect, or takes its credential along where that
// does harm. davix, gfal2 and xrdcp send theirs to whatever they are sent to,
// in the clear if need be; and a storage that is given a signature and a token
// for one request refuses both.
func (x *exchange) mustCarry(to string) bool {
	switch {
	case to == "", x.h.agents.Carried(x.Request.UserAgent(), http.MethodGet):
		return true
	case len(x.Request.Header["Authorization"]) == 0 || !x.grid():
		return false
	}
	return signed(to) || x.Origin.Secure && strings.HasPrefix(to, "http://")
}

// signed reports whether an address holds a signature of S3 or Azure.
func signed(to string) bool {
	_, query, _ := strings.Cut(to, "?")
	for parameter := range strings.SplitSeq(query, "&") {
		switch name, _, _ := strings.Cut(parameter, "="); name {
		case "X-Amz-Signature", "Signature", "sig":
			return true
		}
	}
	return false
}

// bufferSize is how many bytes are carried at a time: each transfer has one
// buffer, however large the file is.
const bufferSize = 128 << 10

// carry sends the bytes of the decided file through Canopy, from replica i or
// the next that can be read.
func (x *exchange) carry(d *federator.Decision, i int) error {
	in, h := x.Request.Header, x.Header()
	v := validators(&d.Facts)
	switch {
	case v.Failed(in):
		return &problem{status: http.StatusPreconditionFailed}
	case v.NotModified(in):
		return x.notModified(d, v)
	}
	size := d.Size()
	var parts []ranges.Range
	if lines := in["Range"]; len(lines) == 1 && v.RangeHolds(in) {
		var verdict ranges.Verdict
		if parts, verdict = ranges.Parse(lines[0], size); verdict == ranges.Unsatisfiable {
			h["Content-Range"] = []string{"bytes */" + strconv.FormatInt(size, 10)}
			return &problem{status: http.StatusRequestedRangeNotSatisfiable, sentence: "The file ends before the range begins."}
		}
	}
	describe := func() {
		x.describe(d, x.h.answerOf(d, i, &x.Origin))
		mediatype.Set(h, path.Base(d.Path))
	}
	switch {
	case size == 0:
		describe() // there is no byte to ask anybody for
		h["Content-Length"] = []string{"0"}
		x.WriteHeader(http.StatusOK)
		return nil
	case len(parts) == 0:
		return x.carryRange(d, i, plugins.Whole, func(c *federator.Content) {
			describe()
			if c.Size >= 0 {
				h["Content-Length"] = []string{strconv.FormatInt(c.Size, 10)}
			}
			x.WriteHeader(http.StatusOK)
		})
	case len(parts) == 1:
		return x.carryRange(d, i, wanted(parts[0]), func(*federator.Content) {
			describe()
			h["Content-Range"] = []string{parts[0].ContentRange(size)}
			h["Content-Length"] = []string{strconv.FormatInt(parts[0].Length, 10)}
			x.WriteHeader(http.StatusPartialContent)
		})
	}
	m := ranges.NewMultipart(rand.Text(), mediatype.Of(path.Base(d.Path)), size)
	for n, part := range parts {
		err := x.carryRange(d, i, wanted(part), func(*federator.Content) {
			if n == 0 {
				describe()
				h["Content-Type"] = []string{m.ContentType()}
				h["Content-Length"] = []string{strconv.FormatInt(m.Length(parts), 10)}
				x.WriteHeader(http.StatusPartialContent)
			}
			x.Write(m.AppendHeader(nil, part, n == 0)) // an error comes again with the bytes
		})
		if err != nil {
			return err
		}
	}
	x.Write(m.AppendEnd(nil))
	return nil
}

func wanted(r ranges.Range) plugins.Range { return plugins.Range{Offset: r.Offset, Length: r.Length} }

// carryRange sends one part of the file. begin is called when its first bytes
// are there, and writes what goes before them; an error until then can still
// be told to the client.
func (x *exchange) carryRange(d *federator.Decision, i int, want plugins.Range, begin func(*federator.Content)) error {
	pipe := splice.New()
	defer pipe.Close()
	ctx := x.Request.Context()
	c, err := x.h.options.Federator.Open(splice.With(ctx, pipe), d, i, want)
	if err != nil {
		return err
	}
	defer c.Close() // all bytes are there, or another error is on its way
	for begun := false; ; {
		rest, err := pipe.Read(c)
		if pipe.Err() != nil {
			return errBroken // the client has gone
		}
		if err != nil && err != io.EOF {
			if begun && !x.gone() {
				x.h.log.Warn("a file could not be sent to its end", "request", x.ID, "path", d.Path, "endpoint", c.Endpoint(), "err", err)
			}
			if begun {
				return errBroken
			}
			return err
		}
		if !begun {
			begun = true
			x.Endpoint, x.Proxied = c.Endpoint(), true
			begin(c)
			if to := x.direct(); to != nil {
				pipe.Lead(to)
			}
		}
		if len(rest) > 0 {
			if _, err := x.Write(rest); err != nil {
				return errBroken // the client has gone
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}

// direct returns what lets the kernel send to the client, nil where this process
// must see the bytes: they are encrypted, or in frames of HTTP/2.
func (x *exchange) direct() io.ReaderFrom {
	to, ok := x.ResponseWriter.(io.ReaderFrom)
	if !ok || x.Request.TLS != nil || x.Request.ProtoMajor != 1 {
		return nil
	}
	return counted{to, &x.Bytes}
}

// counted counts what is sent.
type counted struct {
	io.ReaderFrom
	sent *int64
}

func (c counted) ReadFrom(r io.Reader) (int64, error) {
	n, err := c.ReaderFrom.ReadFrom(r)
	*c.sent += n
	return n, err
}
