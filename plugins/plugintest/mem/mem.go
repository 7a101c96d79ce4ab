// Package mem is an endpoint in memory, for tests of what stands above
// endpoints.
//
//	e := mem.New("http://geneva.example/data", map[string]string{
//		"/atlas/raw": "0123",
//		"/empty/":    "", // a directory, by its last slash
//	})
//
// It answers in microseconds, lists in order, and has all abilities of the
// contract but Prober and Inspector. Its tree may be changed while it is used.
// To make it slow, broken or less able, wrap it in package faults.
package mem

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// File is what to put at a path. Zero values are unknown or chosen by Put.
type File struct {
	Content string
	// Size, where larger than Content, is made up by zero bytes at its end.
	Size    int64
	ModTime time.Time
	// ETag is new with every Put unless given.
	ETag    string
	Digests []plugins.Digest
	Copies  []plugins.Copy
}

// Endpoint is a storage in memory. Its methods are safe for concurrent use.
type Endpoint struct {
	base string

	mu      sync.RWMutex
	root    *node
	version int
	space   plugins.Space
}

// node is a file or a directory. A file's node is never changed, only replaced.
type node struct {
	entry    plugins.Entry
	content  string
	children []*node // by name

	properties []plugins.Property // never changed, only replaced
}

// New returns an endpoint that holds tree, by path; a path that ends in a slash
// is a directory. Locate puts base in front of paths.
func New(base string, tree map[string]string) *Endpoint {
	e := &Endpoint{
		base:  strings.TrimRight(base, "/"),
		root:  &node{entry: plugins.Entry{Kind: plugins.Directory}},
		space: plugins.Space{Used: -1, Free: -1},
	}
	for p, content := range tree {
		if strings.HasSuffix(p, "/") {
			e.Mkdir(p)
		} else {
			e.Put(p, File{Content: content})
		}
	}
	return e
}

// Put makes or replaces the file p and the directories above it.
func (e *Endpoint) Put(p string, f File) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.version++
	if f.ETag == "" {
		f.ETag = fmt.Sprintf(`"%d"`, e.version)
	}
	dir, name := path.Split(clean(p))
	e.mkdir(dir).set(&node{content: f.Content, entry: plugins.Entry{
		Name: name, Kind: plugins.File, Size: max(f.Size, int64(len(f.Content))), ModTime: f.ModTime,
		ETag: f.ETag, Digests: f.Digests, Copies: f.Copies,
	}})
}

// Mkdir makes the directory p and those above it.
func (e *Endpoint) Mkdir(p string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mkdir(clean(p))
}

// Drop removes p and all below it.
func (e *Endpoint) Drop(p string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cut(clean(p))
}

// SetSpace sets what Space answers; at first nothing is known.
func (e *Endpoint) SetSpace(s plugins.Space) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.space = s
}

func clean(p string) string { return path.Clean("/" + p) }

func components(p string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for c := range strings.SplitSeq(p, "/") {
			if c != "" && !yield(c) {
				return
			}
		}
	}
}

func (e *Endpoint) mkdir(p string) *node {
	n := e.root
	for c := range components(p) {
		i, ok := n.search(c)
		if !ok || n.children[i].entry.Kind != plugins.Directory {
			n.set(&node{entry: plugins.Entry{Name: c, Kind: plugins.Directory}})
			i, _ = n.search(c)
		}
		n = n.children[i]
	}
	return n
}

func (n *node) search(name string) (int, bool) {
	return slices.BinarySearchFunc(n.children, name, func(c *node, name string) int {
		return strings.Compare(c.entry.Name, name)
	})
}

func (n *node) set(c *node) {
	if i, ok := n.search(c.entry.Name); ok {
		n.children[i] = c
	} else {
		n.children = slices.Insert(n.children, i, c)
	}
}

// find returns the node at p, or nil; e.mu is held.
func (e *Endpoint) find(p string) *node {
	n := e.root
	for c := range components(p) {
		i, ok := n.search(c)
		if !ok {
			return nil
		}
		n = n.children[i]
	}
	return n
}

// ask returns the node at p as the answer to a question.
func (e *Endpoint) ask(ctx context.Context, op, p string) (*node, error) {
	if err := ctx.Err(); err != nil {
		return nil, plugins.Fail(op, p, err)
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	if n := e.find(p); n != nil {
		return n, nil
	}
	return nil, &plugins.Error{Kind: plugins.NotFound, Op: op, Path: p}
}

// Stat implements plugins.Endpoint.
func (e *Endpoint) Stat(ctx context.Context, p string) (plugins.Entry, error) {
	n, err := e.ask(ctx, "stat", p)
	if err != nil {
		return plugins.Entry{}, err
	}
	return n.entry, nil
}

// Close implements plugins.Endpoint. The tree stays.
func (e *Endpoint) Close() error { return nil }

// Ordered implements plugins.Ordered: it is true.
func (e *Endpoint) Ordered() bool { return true }

// List implements plugins.Lister. It yields the directory as it was when the
// iteration began.
func (e *Endpoint) List(ctx context.Context, p string) iter.Seq2[plugins.Entry, error] {
	return func(yield func(plugins.Entry, error) bool) {
		n, err := e.ask(ctx, "list", p)
		if err == nil && n.entry.Kind != plugins.Directory {
			err = &plugins.Error{Kind: plugins.NotDirectory, Op: "list", Path: p}
		}
		if err != nil {
			yield(plugins.Entry{}, err)
			return
		}
		e.mu.RLock()
		children := slices.Clone(n.children)
		e.mu.RUnlock()
		for _, c := range children {
			if err := ctx.Err(); err != nil {
				yield(plugins.Entry{}, plugins.Fail("list", p, err))
				return
			}
			if !yield(c.entry, nil) {
				return
			}
		}
	}
}

// Locate implements plugins.Locator.
func (e *Endpoint) Locate(p, _ string) (plugins.Location, error) {
	var b strings.Builder
	b.WriteString(e.base)
	for c := range components(p) {
		b.WriteString("/" + url.PathEscape(c))
	}
	return plugins.Location{URL: b.String()}, nil
}

// Copies implements plugins.Copier.
func (e *Endpoint) Copies(mode plugins.CopyMode) bool {
	return mode == plugins.Pull || mode == plugins.Push
}

// Copy refuses: a storage in memory is on no network.
func (e *Endpoint) Copy(_ context.Context, p string, _ plugins.ThirdParty) error {
	return &plugins.Error{Kind: plugins.Unsupported, Op: "copy", Path: p}
}

// Space implements plugins.Spacer.
func (e *Endpoint) Space(ctx context.Context, p string) (plugins.Space, error) {
	if err := ctx.Err(); err != nil {
		return plugins.Space{}, plugins.Fail("space", p, err)
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.space, nil
}

// Open implements plugins.Reader.
func (e *Endpoint) Open(ctx context.Context, p string, r plugins.Range) (*plugins.Body, error) {
	n, err := e.file(ctx, "open", p)
	if err != nil {
		return nil, err
	}
	size := n.entry.Size
	fail := func(k plugins.Kind) (*plugins.Body, error) {
		return nil, &plugins.Error{Kind: k, Op: "open", Path: p}
	}
	switch {
	case r.IfMatch != "" && r.IfMatch != n.entry.ETag:
		return fail(plugins.Changed)
	case r.Offset < 0:
		return fail(plugins.Invalid)
	case r.Offset > size || r.Offset == size && r.Offset > 0:
		return fail(plugins.OutOfRange)
	case r.Length > size-r.Offset:
		return fail(plugins.OutOfRange)
	case r.Length < 0:
		r.Length = size - r.Offset
	}
	return &plugins.Body{
		ReadCloser: &body{ctx: ctx, path: p, r: io.NewSectionReader(n, r.Offset, r.Length)},
		Entry:      n.entry, Offset: r.Offset, Length: r.Length,
	}, nil
}

// Digest implements plugins.Digester: from the digests put, else computed.
func (e *Endpoint) Digest(ctx context.Context, p, algorithm string) (plugins.Digest, error) {
	n, err := e.file(ctx, "digest", p)
	if err != nil {
		return plugins.Digest{}, err
	}
	for _, d := range n.entry.Digests {
		if d.Algorithm == algorithm {
			return d, nil
		}
	}
	h := digest.New(algorithm)
	if name, _ := digest.Name(algorithm); h == nil || name != algorithm {
		return plugins.Digest{}, &plugins.Error{Kind: plugins.Unsupported, Op: "digest", Path: p}
	}
	if _, err := io.Copy(h, &body{ctx: ctx, path: p, r: io.NewSectionReader(n, 0, n.entry.Size)}); err != nil {
		return plugins.Digest{}, plugins.Fail("digest", p, err)
	}
	return plugins.Digest{Algorithm: algorithm, Sum: string(h.Sum(nil))}, nil
}

func (e *Endpoint) file(ctx context.Context, op, p string) (*node, error) {
	n, err := e.ask(ctx, op, p)
	if err == nil && n.entry.Kind != plugins.File {
		err = &plugins.Error{Kind: plugins.IsDirectory, Op: op, Path: p}
	}
	return n, err
}

// ReadAt reads the content and the zeros that make up its size.
func (n *node) ReadAt(p []byte, offset int64) (int, error) {
	if offset >= n.entry.Size {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), n.entry.Size-offset)]
	done := 0
	if offset < int64(len(n.content)) {
		done = copy(p, n.content[offset:])
	}
	clear(p[done:])
	return len(p), nil
}

// body reads as long as its context lasts.
type body struct {
	ctx  context.Context
	path string
	r    io.Reader
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, plugins.Fail("read", b.path, err)
	}
	return b.r.Read(p)
}

func (b *body) Close() error { return nil }
