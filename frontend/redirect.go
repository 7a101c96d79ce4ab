package frontend

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"

	"canopy/federator"
	"canopy/frontend/accept"
	"canopy/frontend/conditional"
	"canopy/plugins"
	"canopy/plugins/wire/digest"
	"canopy/plugins/wire/link"
	"canopy/plugins/wire/metalink"
)

// get answers GET and HEAD; of an answer to HEAD net/http sends no body.
func (x *exchange) get() error {
	q, form := x.form()
	if x.slash && form != explain && form != replicas {
		return x.directory(q, form)
	}
	// Until it is known what the path is, either right will do.
	may := x.allow(Read, x.path)
	if may != nil && x.allow(List, x.path) != nil {
		return may
	}
	if err := x.place(q, form != usual); err != nil {
		return err
	}
	need := federator.All
	if form == usual {
		need = federator.Best
	}
	d, err := x.h.options.Federator.Locate(x.Request.Context(), x.path, need, &x.client)
	switch {
	case err != nil && x.Request.Method == http.MethodHead && form == usual && may == nil:
		return x.headSent(err)
	case err != nil && (d == nil || form != explain):
		return err
	case d.Kind() == plugins.Directory && form != explain && form != replicas:
		return x.addSlash()
	case d.Kind() == plugins.Directory:
		may = x.allow(List, x.path)
	case x.slash && form == usual:
		return x.moved(false)
	}
	if may != nil {
		return may
	}
	switch form {
	case replicas:
		return x.replicas(d)
	case explain:
		return x.explain(d, q)
	case metalink4:
		return x.metalink(d, metalink.V4)
	case metalink3:
		return x.metalink(d, metalink.V3)
	}
	if x.Request.Method == http.MethodHead {
		return x.head(d)
	}
	return x.deliver(d)
}

// form is what a client wants to have of a path.
type form uint8

const (
	usual    form = iota // the file, or the directory
	replicas             // ?replicas
	explain              // ?explain
	metalink4
	metalink3
)

// form returns what the client wants, and the query. The answer to HEAD is
// that of the file whatever is accepted: davix caches a redirect for HEAD and
// GET alike, and looks for the metalink's own address in the Link header.
func (x *exchange) form() (q url.Values, f form) {
	if x.Request.URL.RawQuery != "" {
		q = x.Request.URL.Query()
		switch {
		case q.Has("metalink") && q.Get("metalink") == "3":
			return q, metalink3
		case q.Has("metalink"):
			return q, metalink4
		case q.Has("replicas"):
			return q, replicas
		case q.Has("explain"):
			return q, explain
		}
	}
	if lines := x.Request.Header["Accept"]; len(lines) > 0 && x.Request.Method != http.MethodHead && !(len(lines) == 1 && lines[0] == "*/*") {
		switch name, _ := accept.Prefers(lines, metalink.MediaType4, metalink.MediaType3); name {
		case metalink.MediaType4:
			return q, metalink4
		case metalink.MediaType3:
			return q, metalink3
		}
	}
	return q, usual
}

// deliver sends the client to a replica, or the replica to the client.
func (x *exchange) deliver(d *federator.Decision) error {
	in := x.Request.Header
	// What the client may hold is ours by HEAD, or that of an endpoint by an
	// earlier GET. Ours is recognised here; preconditions are left to the
	// endpoint, whose tags they may speak of.
	if len(in["If-None-Match"]) > 0 || len(in["If-Modified-Since"]) > 0 {
		if v := validators(&d.Facts); v.NotModified(in) {
			return x.notModified(d, v)
		}
	}
	i := d.Deal()
	if x.mustCarry(d.Replicas[i].URL) {
		err := x.carry(d, i)
		if err != nil && x.Status == 0 && plugins.KindOf(err).Silent() {
			// All that were live a moment ago have failed; what was found out
			// by that may bring up others.
			if d, err = x.h.options.Federator.Locate(x.Request.Context(), x.path, federator.Best, &x.client); err != nil {
				return err
			}
			i = d.Deal()
			err = x.carry(d, i)
		}
		var nobody *federator.Unknown
		if d.Replicas[i].URL == "" || !errors.As(err, &nobody) {
			return err
		}
		// Canopy cannot read it anywhere: better a redirect than nothing.
	}
	a := x.h.answerOf(d, i, &x.Origin)
	h := x.Header()
	h["Location"] = a.location
	h["Link"] = a.links
	h["Cache-Control"] = a.cache
	if a.digest != nil {
		h["Digest"], h["Repr-Digest"] = a.digest, a.repr
	}
	if d.Stale || len(d.Missing) > 0 {
		x.aged(d.Stale, d.Age)
		x.incomplete(d.Missing)
	}
	x.Endpoint = d.Replicas[i].Endpoint
	x.WriteHeader(http.StatusFound)
	return nil
}

// answer holds the values of headers for one decision, with one of the equal
// replicas dealt, as one name of the front end shows it.
type answer struct {
	*answers
	location, links []string
}

// memo keeps the answers of a decision. There are usually one or two names;
// a client that makes up names finds its answers rendered afresh, and at worst
// pushes out those of others.
type memo struct {
	names [4]atomic.Pointer[answers]
	next  atomic.Uint32
}

// answers are those of one decision under one name of the front end. What is
// dealt first changes the numbers of the others by one at most, so three lines
// of each replica make all answers. With many replicas whole answers would
// take so much memory that fetching it takes longer than putting one together.
type answers struct {
	secure bool
	host   string

	about               string // the line that leads to the metalink
	cache, digest, repr []string
	locations           []string // of the replicas, by place
	first               []string // the lines of those that may be dealt
	stays, falls        []string // the lines of the others, where one was dealt that comes before or after
}

func (s *answers) of(o *Origin) bool { return s != nil && s.secure == o.Secure && s.host == o.Host }

// answerOf returns the answer for the decision with replica i dealt.
func (h *Handler) answerOf(d *federator.Decision, i int, o *Origin) answer {
	m, _ := d.Memo.Load().(*memo)
	if m == nil {
		d.Memo.CompareAndSwap(nil, new(memo))
		m = d.Memo.Load().(*memo)
	}
	var set *answers
	for n := range m.names {
		if s := m.names[n].Load(); s.of(o) {
			set = s
			break
		}
	}
	if set == nil {
		set = h.answers(d, o)
		m.names[m.next.Add(1)%uint32(len(m.names))].Store(set)
	}
	return set.dealt(i)
}

// dealt returns the answer with replica i dealt. The metalink's link comes
// first, on a line of its own: davix takes the first address of a line that
// speaks of a metalink, and of lines that were joined the very first.
func (s *answers) dealt(i int) answer {
	links := append(make([]string, 0, len(s.locations)+1), s.about, s.first[i])
	links = append(append(links, s.falls[:i]...), s.stays[i+1:]...)
	if slices.Contains(links, "") {
		links = slices.DeleteFunc(links, func(l string) bool { return l == "" })
	}
	return answer{s, s.locations[i : i+1 : i+1], links}
}

// shortly is how long a redirect may be kept: long enough for a client that
// asks for range after range, too short to keep it at a replica that fails.
var shortly = []string{"private, max-age=5"}

// answers renders what the answers for a decision are made of.
func (h *Handler) answers(d *federator.Decision, o *Origin) *answers {
	s := &answers{
		secure: o.Secure, host: o.Host, cache: shortly,
		about: link.Link{
			URL: o.base() + h.href(d.Path, false) + "?metalink", Rel: link.DescribedBy, Type: metalink.MediaType4,
		}.String(),
		locations: make([]string, len(d.Replicas)),
		first:     lines(d, 0, d.Equals, func(int) int { return 1 }),
		falls:     lines(d, 0, d.Equals-1, func(at int) int { return at + 2 }),
		stays:     lines(d, 1, len(d.Replicas), func(at int) int { return at + 1 }),
	}
	for i := range d.Replicas {
		s.locations[i] = urlOf(&d.Replicas[i])
	}
	if d.Stale {
		s.cache = uncached
	}
	if known := d.Digests(); len(known) > 0 {
		if v := digest.FormatDigest(known...); v != "" {
			s.digest, s.repr = []string{v}, []string{digest.FormatRepr(known...)}
		}
	}
	return s
}

// lines renders the Link lines of the replicas in some of the places, side by
// side in memory, "" for one without an address.
func lines(d *federator.Decision, from, to int, priority func(at int) int) []string {
	var text []byte
	all := make([]string, max(to, 0))
	ends := make([]int, len(all))
	for at := from; at < to; at++ {
		if p := &d.Replicas[at]; p.URL != "" {
			text = link.Link{URL: p.URL, Rel: link.Duplicate, Priority: priority(at), Geo: p.Country, Depth: depth(d.Path, p.URL)}.Append(text)
		}
		ends[at] = len(text)
	}
	whole, begin := string(text), 0
	for at := from; at < to; at++ {
		all[at], begin = whole[begin:ends[at]], ends[at]
	}
	return all
}

// order yields the replicas' places in the order of choice: the one dealt,
// then the others.
func order(d *federator.Decision, dealt int) func(yield func(n, at int) bool) {
	return func(yield func(n, at int) bool) {
		if len(d.Replicas) == 0 || !yield(0, dealt) {
			return
		}
		n := 1
		for at := range d.Replicas {
			if at == dealt {
				continue
			}
			if !yield(n, at) {
				return
			}
			n++
		}
	}
}

// urlOf returns a replica's address in a form that can stand in a header:
// whatever an endpoint says, it is one line of visible characters.
func urlOf(p *federator.Placed) string {
	const hex = "0123456789ABCDEF"
	for i := range len(p.URL) {
		if c := p.URL[i]; c <= ' ' || c >= 0x7F || c == '<' || c == '>' || c == '"' {
			b := make([]byte, 0, len(p.URL)+32)
			for j := range len(p.URL) {
				if c := p.URL[j]; c <= ' ' || c >= 0x7F || c == '<' || c == '>' || c == '"' {
					b = append(b, '%', hex[c>>4], hex[c&15])
				} else {
					b = append(b, c)
				}
			}
			return string(b)
		}
	}
	return p.URL
}

// notModified tells the client that what it has is what there is.
func (x *exchange) notModified(d *federator.Decision, v conditional.Validators) error {
	h := x.Header()
	v.Set(h)
	h["Cache-Control"] = shortly
	x.aged(d.Stale, d.Age)
	x.WriteHeader(http.StatusNotModified)
	return nil
}
