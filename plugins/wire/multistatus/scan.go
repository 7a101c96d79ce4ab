package multistatus

import (
	"fmt"

	"canopy/plugins/wire/xmlpull"
)

// The namespaces that matter, in the order of spaces.
const (
	dav xmlpull.Space = iota
	dcache
	owncloud
	lcgdm
)

var spaces = [...]string{
	dav:      "DAV:",
	dcache:   "http://www.dcache.org/2013/webdav",
	owncloud: "http://owncloud.org/ns",
	lcgdm:    "LCGDM:",
}

// scanner reads one document. Its methods are the productions of the grammar:
// each is called with its element open and ends it.
type scanner struct {
	x      *xmlpull.Reader
	limits Limits
	count  int
	err    error // what is wrong although the XML is well formed

	// hrefs are the hrefs of a response one after another, ends where each
	// ends.
	hrefs []byte
	ends  []int

	staged   properties // of the propstat being read
	found    properties // of the response being read
	response Response
}

// malformed records that the document breaks a rule.
func (s *scanner) malformed(problem string) {
	if s.err == nil {
		s.err = fmt.Errorf("byte %d: %s", s.x.Offset(), problem)
	}
}

// name returns the local name of the open element if it is one of WebDAV's: in
// its namespace or, as some servers have it, in none.
func (s *scanner) name() []byte {
	if space := s.x.Space(); space != dav && space != xmlpull.None {
		return nil
	}
	return s.x.Local()
}

// value returns the text of the open element.
func (s *scanner) value() []byte { return trim(s.x.Text(s.limits.Value)) }

// document reads multistatus (RFC 4918 section 14.16). It returns false when
// the caller stopped.
func (s *scanner) document(yield func(*Response, error) bool) bool {
	s.x.Bound(s.limits.Total)
	if !s.x.Root() {
		return true
	}
	if string(s.name()) != "multistatus" {
		s.malformed("the document is not a multistatus")
		return true
	}
	for s.x.Next() {
		if string(s.name()) != "response" {
			s.x.Skip()
			continue
		}
		s.x.Bound(min(s.limits.Total, s.x.Offset()+int64(s.limits.Response)))
		s.readResponse()
		if s.err != nil || s.x.Err() != nil {
			return true
		}
		s.x.Bound(s.limits.Total)
		start := 0
		for _, end := range s.ends {
			s.response.Href = string(s.hrefs[start:end])
			start = end
			if !yield(&s.response, nil) {
				return false
			}
		}
	}
	return true
}

// readResponse reads response (section 14.24) into s.response and s.hrefs.
func (s *scanner) readResponse() {
	s.hrefs, s.ends = s.hrefs[:0], s.ends[:0]
	s.found.reset()
	status := 0
	for s.x.Next() {
		switch string(s.name()) {
		case "href":
			if href := s.value(); len(href) > 0 {
				s.hrefs = append(s.hrefs, href...)
				s.ends = append(s.ends, len(s.hrefs))
			}
		case "status":
			status = parseStatus(s.value())
		case "propstat":
			s.readPropstat()
		default:
			s.x.Skip()
		}
	}
	s.count += len(s.ends)
	switch {
	case s.x.Err() != nil:
		return
	case len(s.ends) == 0:
		s.malformed("a response without a href")
	case s.count > s.limits.Responses:
		s.malformed("too many responses")
	}
	s.response.Status = status
	s.found.tell(&s.response)
}

// readPropstat reads propstat (section 14.22). Its status comes after the
// properties, so they are kept aside until it is known.
func (s *scanner) readPropstat() {
	s.staged.reset()
	status := 200
	for s.x.Next() {
		switch string(s.name()) {
		case "prop":
			for s.x.Next() {
				s.readProperty()
			}
		case "status":
			status = parseStatus(s.value())
		default:
			s.x.Skip()
		}
	}
	if status/100 == 2 {
		s.found.merge(&s.staged)
	}
}

// readProperty reads one property into s.staged.
func (s *scanner) readProperty() {
	switch p := &s.staged; s.x.Space() {
	case dav, xmlpull.None:
		s.readLive(p)
	case dcache:
		s.readChecksums(p)
	case owncloud:
		s.readOwncloud(p)
	case lcgdm:
		switch string(s.x.Local()) {
		case "sumtype":
			p.sumType = text(p.sumType, s.value())
		case "sumvalue":
			p.sumValue = text(p.sumValue, s.value())
		default:
			s.x.Skip()
		}
	default:
		s.x.Skip()
	}
}

// readLive reads a property of RFC 4918 section 15 or RFC 4331, or
// iscollection of the drafts before them.
func (s *scanner) readLive(p *properties) {
	switch string(s.x.Local()) {
	case "resourcetype":
		p.typed = true
		for s.x.Next() {
			if string(s.name()) == "collection" {
				p.collection = true
			}
			s.x.Skip()
		}
	case "iscollection":
		switch v := s.value(); {
		case parseBool(v, "1", "true"):
			p.typed, p.collection = true, true
		case parseBool(v, "0", "false"):
			p.typed = true
		}
	case "getcontentlength":
		p.length = size(p.length, parseSize(s.value()))
	case "getlastmodified":
		p.modified = moment(p.modified, parseTime(s.value()))
	case "creationdate":
		p.created = moment(p.created, parseTime(s.value()))
	case "getetag":
		p.etag = text(p.etag, s.value())
	case "getcontenttype":
		p.contentType = text(p.contentType, s.value())
	case "quota-used-bytes":
		p.used = size(p.used, parseSize(s.value()))
	case "quota-available-bytes":
		p.free = size(p.free, parseSize(s.value()))
	default:
		s.x.Skip()
	}
}

// readChecksums reads dCache's Checksums: "adler32=0a1b2c3d,md5=<base64>".
func (s *scanner) readChecksums(p *properties) {
	if string(s.x.Local()) != "Checksums" {
		s.x.Skip()
		return
	}
	p.digests = appendDigests(p.digests, s.value(), '=')
}

// readOwncloud reads checksums, which holds checksum elements:
// "SHA1:<hex> MD5:<hex> ADLER32:<hex>".
func (s *scanner) readOwncloud(p *properties) {
	if string(s.x.Local()) != "checksums" {
		s.x.Skip()
		return
	}
	for s.x.Next() {
		if s.x.Space() == owncloud && string(s.x.Local()) == "checksum" {
			p.digests = appendDigests(p.digests, s.value(), ':')
		} else {
			s.x.Skip()
		}
	}
}
