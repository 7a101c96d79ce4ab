package local

import (
	"context"
	"errors"
	"io"
	"os"

	"canopy/plugins"
	"canopy/plugins/local/sums"
)

// Open implements plugins.Reader. With Range.IfMatch the file must also stay
// what it is until the last byte has been read.
func (e *endpoint) Open(ctx context.Context, p string, r plugins.Range) (*plugins.Body, error) {
	return e.open(ctx, "open", p, r)
}

func (e *endpoint) open(ctx context.Context, op, p string, r plugins.Range) (*plugins.Body, error) {
	root, found, err := e.look(ctx, op, p)
	if err != nil {
		return nil, err
	}
	if found.Kind == plugins.Directory {
		return nil, &plugins.Error{Kind: plugins.IsDirectory, Op: op, Path: p}
	}
	// Without waiting, should a FIFO have taken the file's place just now.
	f, err := root.OpenFile(inside(p), os.O_RDONLY|withoutWaiting, 0)
	if err != nil {
		return nil, e.fail(op, p, err)
	}
	body, err := e.part(ctx, op, p, f, r)
	if err != nil {
		f.Close()
		return nil, err
	}
	return body, nil
}

// part makes a body of a range of f, the file at p.
func (e *endpoint) part(ctx context.Context, op, p string, f *os.File, r plugins.Range) (*plugins.Body, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, e.fail(op, p, err)
	}
	of := factsOf(info)
	found, ok := of.entry(base(p))
	kind := plugins.Kind(0)
	size := found.Size
	switch {
	case !ok:
		return nil, notEntry(op, p)
	case found.Kind == plugins.Directory:
		kind = plugins.IsDirectory
	case r.IfMatch != "" && r.IfMatch != found.ETag:
		kind = plugins.Changed
	case r.Offset < 0:
		kind = plugins.Invalid
	case r.Offset >= size && r.Offset > 0, r.Length > size-r.Offset:
		kind = plugins.OutOfRange
	}
	if kind != 0 {
		return nil, &plugins.Error{Kind: kind, Op: op, Path: p}
	}
	found.Digests = sums.Kept(f, of.version())
	length := r.Length
	if length < 0 {
		length = size - r.Offset
	}
	return &plugins.Body{
		ReadCloser: &stream{
			ctx: ctx, e: e, path: p, f: f, facts: of, r: io.NewSectionReader(f, r.Offset, length), left: length, guard: r.IfMatch,
		},
		Entry: found, Offset: r.Offset, Length: length,
	}, nil
}

// stream is a part of a file being read.
type stream struct {
	ctx  context.Context
	e    *endpoint
	path string
	f    *os.File
	// facts are what was known of f when it was opened.
	facts facts
	r     *io.SectionReader
	left  int64
	// guard is the tag that the file must still have at the end; "" is any.
	guard string
}

// Read delivers exactly what was promised, or an error.
func (s *stream) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, plugins.Fail("read", s.path, err)
	}
	if s.left == 0 {
		if err := s.unchanged(); err != nil {
			return 0, err
		}
		return 0, io.EOF
	}
	n, err := s.r.Read(p)
	s.left -= int64(n)
	switch {
	case err == io.EOF && s.left > 0:
		err = &plugins.Error{Kind: plugins.Malformed, Op: "read", Path: s.path, Err: errors.New("the file has been shortened")}
	case err == io.EOF:
		err = nil // the next call looks at the guard
	case err != nil:
		err = s.e.fail("read", s.path, err)
	}
	return n, err
}

func (s *stream) unchanged() error {
	if s.guard == "" {
		return nil
	}
	info, err := s.f.Stat()
	if err != nil {
		return s.e.fail("read", s.path, err)
	}
	if factsOf(info).tag() != s.guard {
		return &plugins.Error{Kind: plugins.Changed, Op: "read", Path: s.path}
	}
	return nil
}

// Close implements io.Closer.
func (s *stream) Close() error { return s.f.Close() }
