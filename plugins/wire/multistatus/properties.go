package multistatus

import (
	"time"

	"canopy/plugins"
)

// properties are what a propstat, or all those of a response, give. Text stays
// in buffers that are used again, until it is known to be wanted.
type properties struct {
	typed, collection  bool
	length, used, free int64
	modified, created  time.Time
	etag, contentType  []byte
	sumType, sumValue  []byte
	digests            []plugins.Digest
}

// reset makes p one that gives nothing.
func (p *properties) reset() {
	p.typed, p.collection = false, false
	p.length, p.used, p.free = -1, -1, -1
	p.modified, p.created = time.Time{}, time.Time{}
	p.etag, p.contentType = p.etag[:0], p.contentType[:0]
	p.sumType, p.sumValue = p.sumType[:0], p.sumValue[:0]
	p.digests = p.digests[:0]
}

// merge adds to p what q gives.
func (p *properties) merge(q *properties) {
	p.typed = p.typed || q.typed
	p.collection = p.collection || q.collection
	p.length = size(p.length, q.length)
	p.used, p.free = size(p.used, q.used), size(p.free, q.free)
	p.modified, p.created = moment(p.modified, q.modified), moment(p.created, q.created)
	p.etag, p.contentType = text(p.etag, q.etag), text(p.contentType, q.contentType)
	p.sumType, p.sumValue = text(p.sumType, q.sumType), text(p.sumValue, q.sumValue)
	for _, d := range q.digests {
		p.digests = addDigest(p.digests, d)
	}
}

// size, moment and text return the later of two values unless it is unknown.
// That of text is put in the place of the earlier one.

func size(earlier, later int64) int64 {
	if later < 0 {
		return earlier
	}
	return later
}

func moment(earlier, later time.Time) time.Time {
	if later.IsZero() {
		return earlier
	}
	return later
}

func text(earlier, later []byte) []byte {
	if len(later) == 0 {
		return earlier
	}
	return append(earlier[:0], later...)
}

// tell sets the fields of r that properties determine.
func (p *properties) tell(r *Response) {
	r.Kind = 0
	switch {
	case p.collection:
		r.Kind = plugins.Directory
	case p.typed:
		r.Kind = plugins.File
	}
	r.Length = p.length
	r.Modified, r.Created = p.modified, p.created
	r.ETag = string(p.etag)
	// Neighbours mostly have the same type: no need for another copy.
	if r.ContentType != string(p.contentType) {
		r.ContentType = string(p.contentType)
	}
	r.Space = plugins.Space{Used: p.used, Free: p.free}
	r.Digests = append(r.Digests[:0], p.digests...)
	if len(p.sumValue) > 0 {
		if d, ok := parseLCGDM(p.sumType, p.sumValue); ok {
			r.Digests = addDigest(r.Digests, d)
		}
	}
}
