package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"canopy/frontend/transfer/guard"
	"canopy/frontend/transfer/stripe"
	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

const (
	// large is the size above which a file is read over several connections.
	large = 64 << 20
	// usualStreams is how many where the client did not say.
	usualStreams = 4
	// quick is how long is waited for a checksum before the copy begins, late
	// how long while it is under way: a source may have to read the file.
	quick = 20 * time.Second
	late  = 30 * time.Minute
)

// asked are the checksums that are asked for.
var asked = []string{"adler32", "md5", "sha-256"}

// Pull fetches the file that the order names, and returns when the sink begins
// to read it. The error is a *Refusal or that of sink.
func (a *Agent) Pull(ctx context.Context, o *Order, sink Sink) (*Transfer, error) {
	return a.begin(ctx, o, func(t *Transfer) (func() error, error) {
		s := &source{client: a.client, order: o, large: a.large, quick: a.quick, connected: t.connected}
		if err := s.look(t.ctx, wanting()); err != nil {
			return nil, &other{err}
		}
		if o.Checksum && len(s.digests) == 0 && !s.late {
			return nil, errUnsure
		}
		return func() error { return s.pour(t, sink) }, nil
	})
}

// brief bounds how long Size takes.
const brief = 5 * time.Second

// Size returns how large the file is that the order of a pull names, in bytes,
// negative where the source does not say so soon. It is for those who leave the copy
// to somebody else.
func (a *Agent) Size(ctx context.Context, o *Order) int64 {
	ctx, cancel := context.WithTimeout(ctx, brief)
	defer cancel()
	s := &source{client: a.client, order: o, large: math.MaxInt64, quick: brief}
	if s.look(ctx, nil) != nil {
		return -1
	}
	return s.size
}

// pour has the sink store the file.
func (s *source) pour(t *Transfer, sink Sink) error {
	ctx, stop := context.WithCancel(t.ctx)
	content := stripe.New(ctx, s.open, s.size, s.streams())
	defer content.Close()
	defer s.wg.Wait()
	from := check(content, s.size, s.digests)
	if s.late {
		from = check(content, s.size, nil, asked...)
		from.later = s.later(ctx)
	}
	from.begun, from.count = t.flow, func(n int) { t.bytes.Add(int64(n)) }
	err := sink(t.ctx, from, s.size, s.digests)
	stop()
	failed := from.end()
	switch {
	case failed == nil && err == nil:
		return errors.New("the file was not read to its end")
	case failed == nil, failed == io.EOF:
		return err
	case err != nil && t.ctx.Err() == nil && errors.Is(failed, context.Canceled):
		return err // the sink has failed while it read
	}
	return &other{failed} // whatever the sink made of it
}

// version is what tells one content of a file from another.
type version struct {
	host     string // who told the rest
	tag      string // strong, or ""
	modified string
}

// source is a file at the other party.
type source struct {
	client    *guard.Client
	order     *Order
	large     int64
	quick     time.Duration
	connected func(local, remote netip.AddrPort)

	// size is negative where it is unknown; ranges is whether the file is
	// large, and its source gives parts of it.
	size    int64
	digests []plugins.Digest
	ranges  bool
	// late is whether the checksums take their time.
	late bool
	wg   sync.WaitGroup // of who asks for them

	lead sync.Mutex // held until the first part is there
	mu   sync.Mutex
	// first is what the first host said that delivered a part of the file; at
	// is where it was found last, nil where that is the stated URL.
	first *version
	at    *url.URL
}

// ask asks the source, at nil being the stated URL.
func (s *source) ask(ctx context.Context, method string, at *url.URL, header http.Header) (*http.Response, error) {
	return s.client.Do(ctx, s.question(method, at, header, 0))
}

func (s *source) question(method string, at *url.URL, header http.Header, patience time.Duration) guard.Ask {
	return guard.Ask{
		Method: method, Stated: s.order.Remote, At: at, Header: header, Secret: s.order.header,
		Secure: s.order.Secure, Connected: s.connected, Wait: patience,
	}
}

// wanting is a header that asks for checksums.
func wanting() http.Header {
	header := make(http.Header)
	digest.SetWant(header, asked...)
	return header
}

// later asks for the checksums while the file is read, and returns who waits
// for them.
func (s *source) later(ctx context.Context) func() ([]plugins.Digest, error) {
	type result struct {
		sums []plugins.Digest
		err  error
	}
	answer := make(chan result, 1)
	s.wg.Go(func() {
		resp, err := s.client.Do(ctx, s.question(http.MethodHead, nil, wanting(), late))
		if err != nil {
			answer <- result{err: err}
			return
		}
		resp.Body.Close()
		answer <- result{sums: digest.FromHeader(resp.Header)}
	})
	return func() ([]plugins.Digest, error) {
		select {
		case r := <-answer:
			switch {
			case s.order.Checksum && r.err == nil && len(r.sums) == 0:
				return nil, errUnsure
			case s.order.Checksum:
				return r.sums, r.err
			}
			return r.sums, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// look asks for the size and what else want asks for. Where HEAD is not answered
// (what is signed for GET, for one) the header of a GET tells.
func (s *source) look(ctx context.Context, want http.Header) error {
	resp, err := s.client.Do(ctx, s.question(http.MethodHead, nil, want, s.quick))
	switch plugins.KindOf(err) {
	case plugins.Timeout:
		s.late = true
		resp, err = s.ask(ctx, http.MethodHead, nil, nil)
	case plugins.Denied, plugins.Unsupported, plugins.Invalid:
		var status *guard.StatusError
		if errors.As(err, &status) {
			resp, err = s.ask(ctx, http.MethodGet, nil, want)
		}
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if e := resp.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return wrong(plugins.Unsupported, "the source encodes the file")
	}
	s.size = resp.ContentLength
	s.digests = digest.FromHeader(resp.Header)
	s.ranges = s.size > s.large && s.order.Streams != 1 && s.divisible(ctx, resp.Header.Get("Accept-Ranges"))
	return nil
}

// divisible reports whether the source gives ranges. XRootD does and does not
// say so.
func (s *source) divisible(ctx context.Context, says string) bool {
	if says != "" {
		return strings.EqualFold(says, "bytes")
	}
	resp, err := s.ask(ctx, http.MethodGet, nil, http.Header{"Range": {"bytes=0-0"}})
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusPartialContent
}

// streams is how many connections are to be made.
func (s *source) streams() int {
	switch {
	case !s.ranges:
		return 1
	case s.order.Streams == 0:
		return usualStreams
	}
	return s.order.Streams
}

// open implements stripe.Open. Where the first part came from the others are
// asked for; if that fails, the stated URL is asked where they are now.
func (s *source) open(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	at, first := s.known()
	if first == nil {
		s.lead.Lock()
		defer s.lead.Unlock()
		at, first = s.known()
	}
	if at != nil {
		body, err := s.part(ctx, at, first, offset, length)
		if err == nil || ctx.Err() != nil || plugins.KindOf(err) == plugins.Changed {
			return body, err
		}
	}
	return s.part(ctx, nil, first, offset, length)
}

func (s *source) known() (*url.URL, *version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at, s.first
}

// part asks for length bytes from offset, negative being all that follow.
func (s *source) part(ctx context.Context, at *url.URL, first *version, offset, length int64) (io.ReadCloser, error) {
	header := make(http.Header)
	partial := offset > 0 || length >= 0 && length < s.size
	if partial {
		last := ""
		if length >= 0 {
			last = strconv.FormatInt(offset+length-1, 10)
		}
		header.Set("Range", "bytes="+strconv.FormatInt(offset, 10)+"-"+last)
		if first != nil && first.tag != "" && (at != nil && at.Host == first.host || at == nil && s.order.Remote.Host == first.host) {
			header.Set("If-Match", first.tag)
		}
	}
	resp, err := s.ask(ctx, http.MethodGet, at, header)
	if err != nil {
		return nil, err
	}
	body := resp.Body
	err = s.same(resp)
	if err == nil {
		err = s.fits(resp, offset, length)
	}
	if err == nil && resp.StatusCode == http.StatusOK && offset > 0 {
		_, err = io.CopyN(io.Discard, body, offset)
	}
	if err != nil {
		body.Close()
		return nil, err
	}
	return body, nil
}

// fits makes sure that the answer holds the part that was asked for.
func (s *source) fits(resp *http.Response, offset, length int64) error {
	if e := resp.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return wrong(plugins.Unsupported, "the source encodes the file")
	}
	if resp.StatusCode == http.StatusPartialContent {
		from, to, total, ok := contentRange(resp.Header.Get("Content-Range"))
		switch {
		case !ok || from != offset || length >= 0 && to != offset+length-1:
			return wrong(plugins.Unsupported, "the source sent another part than was asked for")
		case s.size >= 0 && total >= 0 && total != s.size:
			return &plugins.Error{Kind: plugins.Changed, Op: "open", Err: errChanged}
		}
		return nil
	}
	switch {
	case s.size >= 0 && resp.ContentLength >= 0 && resp.ContentLength != s.size:
		return &plugins.Error{Kind: plugins.Changed, Op: "open", Err: errChanged}
	case s.streams() > 1:
		return wrong(plugins.Unsupported, "the source announced ranges, and gives none")
	case resp.ContentLength < 0 && len(resp.TransferEncoding) == 0 && s.size < 0 && len(s.digests) == 0:
		return wrong(plugins.Unsupported, "the source does not tell where the file ends")
	}
	return nil
}

func wrong(kind plugins.Kind, what string) error {
	return &plugins.Error{Kind: kind, Op: "open", Err: errors.New(what)}
}

// same makes sure that all parts are of one content. Tags and times of
// different hosts cannot be compared, so there a checksum is relied on.
func (s *source) same(resp *http.Response) error {
	v := &version{host: resp.Request.URL.Host, tag: resp.Header.Get("Etag"), modified: resp.Header.Get("Last-Modified")}
	if !strong(v.tag) {
		v.tag = ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.first
	changed := false
	switch {
	case f == nil:
		s.first = v
	case f.host == v.host && f.tag != "" && v.tag != "":
		changed = f.tag != v.tag
	case f.host == v.host:
		changed = f.modified != v.modified
	case len(s.digests) == 0 && (f.modified == "" || f.modified != v.modified):
		return &plugins.Error{Kind: plugins.Changed, Op: "open", Err: fmt.Errorf("%w: the rest is at another host, and no checksum tells whether it is the same file", errChanged)}
	}
	if changed {
		return &plugins.Error{Kind: plugins.Changed, Op: "open", Err: errChanged}
	}
	if s.at = resp.Request.URL; s.at.String() == s.order.Remote.String() {
		s.at = nil
	}
	return nil
}

// strong reports whether an entity tag can be compared byte by byte (RFC 9110
// section 8.8.3), and be sent back.
func strong(tag string) bool {
	return len(tag) > 2 && tag[0] == '"' && strings.IndexByte(tag[1:], '"') == len(tag)-2 && !strings.ContainsAny(tag, " \t")
}

// contentRange reads the header of that name (RFC 9110 section 14.4); total is
// negative where it is not told.
func contentRange(value string) (from, to, total int64, ok bool) {
	value, ok = strings.CutPrefix(strings.ToLower(strings.TrimSpace(value)), "bytes ")
	part, all, slash := strings.Cut(value, "/")
	first, last, dash := strings.Cut(part, "-")
	if !ok || !slash || !dash {
		return 0, 0, 0, false
	}
	read := func(s string) int64 {
		n, err := strconv.ParseUint(s, 10, 63)
		ok = ok && err == nil
		return int64(n)
	}
	from, to, total = read(first), read(last), -1
	if all != "*" {
		total = read(all)
	}
	return from, to, total, ok && from <= to && (total < 0 || to < total)
}
