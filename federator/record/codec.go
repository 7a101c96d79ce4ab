package record

import (
	"encoding/binary"
	"errors"
	"net/url"
	"slices"
	"strings"

	"canopy/plugins"
)

// The binary form, by which front ends share what they learned. It begins
// with a version byte and a letter for what it is; numbers are varints,
// endpoints stand once in a table and are then named by position. Values from
// outside are validated in full: ParseRecord and ParseListing accept nothing
// that this package would not have written.
const (
	codecVersion = 1
	recordTag    = 'r'
	listingTag   = 'l'
)

// Limits of what is accepted from outside.
const (
	maxEndpoints = 4096
	maxText      = 8192
	maxExtras    = 64
	maxPriority  = 1 << 20
	maxAlgorithm = 32
	maxSum       = 64

	countryLength = 2
)

var errCodec = errors.New("record: not a valid encoding")

// AppendRecord appends the binary form of r, learned at the given time.
func AppendRecord(b []byte, r *Record, learned int64) []byte {
	e := encoder{b: append(b, codecVersion, recordTag)}
	e.head(r.Coverage, &r.Facts, nil, learned)
	e.flag(r.Asked)
	e.facts(&r.Facts, learned)
	return e.b
}

// ParseRecord reads what AppendRecord wrote. Silences are not part of the
// form: each front end judges for itself who is silent. Where the
// writer's clock is ahead, so that it learned something after now, all is taken
// to have been learned earlier by as much.
func ParseRecord(b []byte, sets *Coverages, now int64) (r *Record, learned int64, err error) {
	d := decoder{b: b, now: now}
	learned, coverage := d.head(recordTag, sets)
	r = &Record{Coverage: coverage, Asked: d.flag()}
	r.Facts = d.facts(learned)
	if d.failed || len(d.b) > 0 {
		return nil, 0, errCodec
	}
	return r, learned, nil
}

// AppendListing appends the binary form of l.
func AppendListing(b []byte, l *Listing) []byte {
	e := encoder{b: append(b, codecVersion, listingTag)}
	e.head(l.Coverage, nil, l, l.Learned)
	e.flag(l.Exists)
	e.uint(uint64(l.length))
	for c := range l.Children() {
		e.text(c.Name)
		e.facts(&c.Facts, l.Learned)
	}
	return e.b
}

// ParseListing reads what AppendListing wrote, as ParseRecord does.
func ParseListing(b []byte, sets *Coverages, now int64) (*Listing, error) {
	d := decoder{b: b, now: now}
	l := &Listing{}
	l.Learned, l.Coverage = d.head(listingTag, sets)
	l.Exists = d.flag()
	n := d.uint(uint64(len(d.b))) // each child takes more than a byte
	last, first := "", true
	chunk := make([]Child, 0, min(n, 1024))
	for range n {
		c := Child{Name: d.text(MaxName)}
		c.Facts = d.facts(l.Learned)
		if d.failed || !first && c.Name <= last || !ValidName(c.Name) || !c.Exists() {
			return nil, errCodec
		}
		last, first = c.Name, false
		chunk = append(chunk, c)
		if len(chunk) == cap(chunk) {
			l.Append(chunk)
			chunk = make([]Child, 0, 1024)
		}
	}
	l.Append(slices.Clip(chunk))
	if d.failed || len(d.b) > 0 {
		return nil, errCodec
	}
	return l, nil
}

type encoder struct {
	b   []byte
	ids []ID
}

// head writes the time and the table of all endpoints that follow.
func (e *encoder) head(c *Coverage, f *Facts, l *Listing, learned int64) {
	e.int(learned)
	covered := c.IDs()
	e.ids = slices.Clone(covered)
	add := func(f *Facts) {
		for i := range f.Replicas {
			if id := f.Replicas[i].Endpoint; !slices.Contains(e.ids, id) {
				e.ids = append(e.ids, id)
			}
		}
	}
	if f != nil {
		add(f)
	}
	if l != nil {
		for _, id := range l.holders {
			if !slices.Contains(e.ids, id) {
				e.ids = append(e.ids, id)
			}
		}
	}
	e.uint(uint64(len(covered)))
	e.uint(uint64(len(e.ids)))
	for _, id := range e.ids {
		e.b = binary.LittleEndian.AppendUint64(e.b, uint64(id))
	}
}

func (e *encoder) facts(f *Facts, learned int64) {
	e.uint(uint64(len(f.Replicas)))
	for i := range f.Replicas {
		r := &f.Replicas[i]
		e.uint(uint64(slices.Index(e.ids, r.Endpoint)))
		e.b = append(e.b, byte(r.Kind), r.Via)
		e.int(r.Size)
		e.int(r.ModTime)
		e.int(learned - r.Learned)
		e.flag(r.Extra != nil)
		if x := r.Extra; x != nil {
			e.uint(uint64(len(x.Digests)))
			for _, d := range x.Digests {
				e.text(d.Algorithm)
				e.text(d.Sum)
			}
			e.uint(uint64(len(x.Copies)))
			for _, c := range x.Copies {
				e.text(c.URL)
				e.uint(uint64(c.Priority))
				e.text(c.Country)
			}
		}
	}
}

func (e *encoder) uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)   { e.b = binary.AppendVarint(e.b, v) }

func (e *encoder) flag(v bool) {
	if v {
		e.b = append(e.b, 1)
	} else {
		e.b = append(e.b, 0)
	}
}

func (e *encoder) text(s string) {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

// decoder reads from b; after the first violation it is failed for good and
// gives zeros.
type decoder struct {
	b      []byte
	now    int64
	ids    []ID
	failed bool
}

func (d *decoder) head(tag byte, sets *Coverages) (learned int64, c *Coverage) {
	if len(d.b) < 2 || d.b[0] != codecVersion || d.b[1] != tag {
		d.fail()
		return 0, nil
	}
	d.b = d.b[2:]
	if learned = min(d.int(), d.now); learned < 0 {
		d.fail()
	}
	covered := d.uint(maxEndpoints)
	n := d.uint(maxEndpoints)
	if covered > n || uint64(len(d.b)) < n*8 {
		d.fail()
		return 0, nil
	}
	d.ids = make([]ID, n)
	for i := range d.ids {
		d.ids[i] = ID(binary.LittleEndian.Uint64(d.b[i*8:]))
	}
	d.b = d.b[n*8:]
	return learned, sets.Of(d.ids[:covered])
}

func (d *decoder) facts(learned int64) Facts {
	n := d.uint(maxReplicas)
	if n > uint64(len(d.b)) {
		d.fail()
	}
	if d.failed || n == 0 {
		return Facts{}
	}
	replicas := make([]Replica, n)
	for i := range replicas {
		at := d.uint(uint64(len(d.ids)))
		if d.failed || at >= uint64(len(d.ids)) || len(d.b) < 2 {
			d.fail()
			return Facts{}
		}
		r := &replicas[i]
		r.Endpoint = d.ids[at]
		r.Kind, r.Via = plugins.EntryKind(d.b[0]), d.b[1]
		d.b = d.b[2:]
		r.Size = d.int()
		r.ModTime = d.int()
		r.Learned = min(max(learned-d.int(), 0), d.now)
		if r.Kind != plugins.File && r.Kind != plugins.Directory || r.Kind == plugins.Directory && r.Size != 0 {
			d.fail()
		}
		if d.flag() {
			r.Extra = d.extra()
		}
	}
	if d.failed || repeats(replicas) {
		d.fail()
		return Facts{}
	}
	return Agree(replicas)
}

// repeats reports whether an endpoint is named twice.
func repeats(replicas []Replica) bool {
	if len(replicas) > few {
		seen := make(map[ID]bool, len(replicas))
		for i := range replicas {
			seen[replicas[i].Endpoint] = true
		}
		return len(seen) < len(replicas)
	}
	for i := range replicas {
		for j := range i {
			if replicas[i].Endpoint == replicas[j].Endpoint {
				return true
			}
		}
	}
	return false
}

// few is up to how many replicas comparing each with each is the cheapest.
const few = 32

func (d *decoder) extra() *Extra {
	x := &Extra{}
	for range d.uint(maxExtras) {
		g := plugins.Digest{Algorithm: d.text(maxAlgorithm), Sum: d.text(maxSum)}
		if !validDigest(g) {
			d.fail()
			return nil
		}
		x.Digests = append(x.Digests, g)
	}
	for range d.uint(maxExtras) {
		c := plugins.Copy{URL: d.text(maxText), Priority: int(d.uint(maxPriority)), Country: d.text(countryLength)}
		if !validCopy(c.URL) {
			d.fail()
			return nil
		}
		x.Copies = append(x.Copies, c)
	}
	return x
}

func validDigest(d plugins.Digest) bool {
	return len(d.Algorithm) <= maxAlgorithm && plainWord(d.Algorithm) && d.Sum != "" && len(d.Sum) <= maxSum
}

// validCopy reports whether clients can be sent to a URL that an endpoint
// named; one with credentials in it is not passed on.
func validCopy(text string) bool {
	if len(text) > maxText {
		return false
	}
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

func plainWord(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func (d *decoder) fail() { d.failed, d.b = true, nil }

func (d *decoder) uint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > limit {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) flag() bool {
	if len(d.b) == 0 || d.b[0] > 1 {
		d.fail()
		return false
	}
	v := d.b[0] == 1
	d.b = d.b[1:]
	return v
}

func (d *decoder) text(limit uint64) string {
	n := d.uint(limit)
	if n > uint64(len(d.b)) {
		d.fail()
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}
