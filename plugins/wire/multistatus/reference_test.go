package multistatus

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"canopy/plugins"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// node is an element of a document that encoding/xml has read.
type node struct {
	name     xml.Name
	text     string // directly in it
	children []*node
}

// parse reads the root of doc with encoding/xml, in its strict mode.
func parse(doc []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	d.CharsetReader = func(charset string, r io.Reader) (io.Reader, error) {
		switch strings.ToLower(charset) {
		case "us-ascii", "ascii":
			return r, nil
		case "iso-8859-1", "latin1":
			b, err := io.ReadAll(r)
			runes := make([]rune, len(b))
			for i, c := range b {
				runes[i] = rune(c)
			}
			return strings.NewReader(string(runes)), err
		}
		return nil, errors.New("unknown charset")
	}
	var open []*node
	for {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			n := &node{name: t.Name}
			if len(open) > 0 {
				parent := open[len(open)-1]
				parent.children = append(parent.children, n)
			}
			open = append(open, n)
		case xml.EndElement:
			if len(open) == 1 {
				return open[0], nil
			}
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(t)
			}
		}
	}
}

func (n *node) is(local string) bool {
	return n.name.Local == local && (n.name.Space == "DAV:" || n.name.Space == "")
}

func (n *node) value() []byte { return []byte(strings.Trim(n.text, " \t\r\n")) }

// reference reads doc as Scan should, in the plainest way there is.
func reference(doc []byte) (lines []string, err error) {
	root, err := parse(doc)
	if err != nil {
		return nil, err
	}
	if !root.is("multistatus") {
		return nil, errors.New("not a multistatus")
	}
	for _, n := range root.children {
		if !n.is("response") {
			continue
		}
		r := Response{Length: -1, Space: plugins.Space{Used: -1, Free: -1}}
		var hrefs []string
		var sumType, sumValue []byte
		for _, n := range n.children {
			switch {
			case n.is("href") && len(n.value()) > 0:
				hrefs = append(hrefs, string(n.value()))
			case n.is("status"):
				r.Status = parseStatus(n.value())
			case n.is("propstat"):
				for _, p := range good(n) {
					if v := p.value(); p.name.Space == "LCGDM:" && len(v) > 0 {
						switch p.name.Local {
						case "sumtype":
							sumType = v
						case "sumvalue":
							sumValue = v
						}
					}
					r.set(p)
				}
			}
		}
		if d, ok := parseLCGDM(sumType, sumValue); ok {
			r.Digests = addDigest(r.Digests, d)
		}
		if len(hrefs) == 0 {
			return nil, errors.New("a response without a href")
		}
		for _, r.Href = range hrefs {
			lines = append(lines, describe(&r))
		}
	}
	return lines, nil
}

// good returns the properties of a propstat unless its status is a failure.
func good(propstat *node) (properties []*node) {
	status := 200
	for _, n := range propstat.children {
		switch {
		case n.is("status"):
			status = parseStatus(n.value())
		case n.is("prop"):
			properties = append(properties, n.children...)
		}
	}
	if status < 200 || status > 299 {
		return nil
	}
	return properties
}

// set puts the property p into r.
func (r *Response) set(p *node) {
	v := p.value()
	switch p.name.Space {
	case "http://www.dcache.org/2013/webdav":
		if p.name.Local == "Checksums" {
			r.Digests = appendDigests(r.Digests, v, '=')
		}
		return
	case "http://owncloud.org/ns":
		for _, n := range p.children {
			if p.name.Local == "checksums" && n.name.Space == p.name.Space && n.name.Local == "checksum" {
				r.Digests = appendDigests(r.Digests, n.value(), ':')
			}
		}
		return
	}
	switch {
	case p.is("resourcetype"):
		r.Kind = max(r.Kind, plugins.File)
		for _, n := range p.children {
			if n.is("collection") {
				r.Kind = plugins.Directory
			}
		}
	case p.is("iscollection"):
		switch strings.ToLower(string(v)) {
		case "1", "true":
			r.Kind = plugins.Directory
		case "0", "false":
			r.Kind = max(r.Kind, plugins.File)
		}
	case p.is("getcontentlength") && parseSize(v) >= 0:
		r.Length = parseSize(v)
	case p.is("getlastmodified") && !parseTime(v).IsZero():
		r.Modified = parseTime(v)
	case p.is("creationdate") && !parseTime(v).IsZero():
		r.Created = parseTime(v)
	case p.is("getetag") && len(v) > 0:
		r.ETag = string(v)
	case p.is("getcontenttype") && len(v) > 0:
		r.ContentType = string(v)
	case p.is("quota-used-bytes") && parseSize(v) >= 0:
		r.Space.Used = parseSize(v)
	case p.is("quota-available-bytes") && parseSize(v) >= 0:
		r.Space.Free = parseSize(v)
	}
}

// excused reports whether err is one of encoding/xml for what Scan accepts on
// purpose: bytes in text that cannot stand there, and names with characters
// that only the fifth edition of XML 1.0 allows.
func excused(err error) bool {
	s := err.Error()
	return strings.Contains(s, "invalid UTF-8") || strings.Contains(s, "illegal character code") ||
		strings.Contains(s, "invalid XML name")
}

// agree checks that Scan and encoding/xml read doc alike.
func agree(t interface{ Errorf(string, ...any) }, doc []byte) {
	limits := Limits{Depth: 1000, Value: 1 << 20}
	lines, err := scan(bytes.NewReader(doc), limits)
	half := len(doc) / 2
	again, e := scan(io.MultiReader(bytes.NewReader(doc[:half]), bytes.NewReader(doc[half:])), limits)
	if !slices.Equal(lines, again) || (e == nil) != (err == nil) {
		t.Errorf("%q\nin two parts: %v, %v\nat once: %v, %v", doc, again, e, lines, err)
	}
	if err != nil {
		if plugins.KindOf(err) != plugins.Malformed {
			t.Errorf("%q\n%v is not Malformed", doc, err)
		}
		return
	}
	want, err := reference(doc)
	switch {
	case err == nil:
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("%q\nencoding/xml -, Scan +:\n%s", doc, diff)
		}
	case !excused(err):
		t.Errorf("%q\nScan accepts what encoding/xml refuses: %v", doc, err)
	}
}

func FuzzScan(f *testing.F) {
	seedScan(f)
	f.Fuzz(func(t *testing.T, doc []byte) { agree(t, doc) })
}

// Documents that are put together from pieces reach deeper than bytes do.
func TestScanAgrees(t *testing.T) {
	whole := [][]byte{
		[]byte(prop("<D:resourcetype><D:collection/></D:resourcetype><D:getetag>x&#x41;<!-- c --></D:getetag>")),
		[]byte(prop("<oc:checksums a='b'><oc:checksum>MD5:098f6bcd4621d373cade4e832627b4f6</oc:checksum></oc:checksums >")),
		[]byte(prop("<k:Checksums><![CDATA[adler32=1]]></k:Checksums><?pi x?><x:getetag xmlns:x='DAV:'>1</x:getetag>")),
	}
	pieces := []string{
		"<", ">", "/", "</", "/>", "<D:", "</D:", "response", "href", "prop", "propstat", "status", "getetag",
		"resourcetype", "collection", "D:", "x:", ":", " ", "\n", "\r\n", "\r", "=", "'", `"`, "&", ";", "&amp;", "&#65;", "&#x", "#",
		"xmlns", " xmlns='DAV:'", " xmlns:D='other'", ` xmlns:x="DAV:"`, " xmlns=''", "<!--", "-->", "--", "<![CDATA[", "]]>", "]", "]]",
		"<?xml version='1.0'?>", "<?", "?>", "\xff", "\xc3", "é", "\x00", "200", "HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found",
		"<D:getetag>", "</D:getetag>", "<D:getetag/>", "<D:status>", "</D:status>", "<D:prop>", "</D:prop>",
		"</D:propstat><D:propstat>", "</D:response><D:response>", "<D:href>/x</D:href>", "<getetag>", "</getetag>", "<!DOCTYPE a>",
	}
	rapid.Check(t, func(t *rapid.T) {
		doc := bytes.Clone(rapid.SampledFrom(whole).Draw(t, "document"))
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			at := rapid.IntRange(0, len(doc)).Draw(t, "at")
			end := min(len(doc), at+rapid.SampledFrom([]int{0, 0, 0, 1, 2, 10}).Draw(t, "cut"))
			doc = slices.Replace(doc, at, end, []byte(rapid.SampledFrom(pieces).Draw(t, "piece"))...)
		}
		agree(t, doc)
	})
}
