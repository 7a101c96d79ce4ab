package metalink

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"canopy/plugins"
	"canopy/plugins/wire/digest"
)

// limits bound a whole document.
type limits struct{ bytes, files int }

// standard are the limits of Parse. A file with a hundred copies takes some
// 20 KiB.
var standard = limits{bytes: 16 << 20, files: 100_000}

const (
	// maxURLs bounds the places of one file that are kept.
	maxURLs = 1000
	// maxDepth is far beyond what either version nests.
	maxDepth = 16
	// maxText bounds a name, URL, size or hash; a longer one is dropped.
	maxText = 8 << 10
)

var errTooLarge = errors.New("the document is too large")

// bounded is a reader that fails instead of going beyond its limit.
type bounded struct {
	r    io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// Parse reads a document of version 3 or 4 up to the end of its root element.
// It fails if that is not well-formed XML, declares a document type, is not a
// metalink or exceeds a limit (16 MiB, 100000 files). What it does not know,
// and values that make no sense, are passed over; the URLs of a file are kept in
// their order, the first 1000 of them.
func Parse(r io.Reader) (Document, error) { return standard.parse(r) }

func (l limits) parse(r io.Reader) (Document, error) {
	p := parser{xml: xml.NewDecoder(&bounded{r, l.bytes}), maxFiles: l.files}
	for {
		token, err := p.xml.Token()
		if err == io.EOF {
			return Document{}, errors.New("metalink: no document")
		}
		if err != nil {
			return Document{}, fmt.Errorf("metalink: %w", err)
		}
		switch t := token.(type) {
		case xml.Directive:
			return Document{}, errors.New("metalink: a document type is declared")
		case xml.StartElement:
			if err := p.start(t); err != nil {
				return Document{}, err
			}
		case xml.CharData:
			if p.collecting && len(p.text) <= maxText {
				p.text = append(p.text, t...)
			}
		case xml.EndElement:
			p.end()
			if len(p.path) == 0 {
				return p.doc, nil
			}
		}
	}
}

// parser holds the place in the document.
type parser struct {
	xml      *xml.Decoder
	maxFiles int
	doc      Document
	path     []string
	file     *File

	// text is that of the element which is being read, if it is of interest.
	text       []byte
	collecting bool
	what       element
	hash       string
	url        URL
}

// element is a place of interest in the document.
type element uint8

const (
	other element = iota
	fileElement
	sizeElement
	hashElement
	urlElement
)

// at tells what stands at a path of element names. The same names elsewhere
// mean other things, such as the hashes of a file's pieces.
func at(path []string) element {
	switch strings.Join(path, "/") {
	case "metalink/file", "metalink/files/file":
		return fileElement
	case "metalink/file/size", "metalink/files/file/size":
		return sizeElement
	case "metalink/file/hash", "metalink/files/file/verification/hash":
		return hashElement
	case "metalink/file/url", "metalink/files/file/resources/url":
		return urlElement
	}
	return other
}

func (p *parser) start(t xml.StartElement) error {
	if len(p.path) == 0 && t.Name.Local != "metalink" {
		return errors.New("metalink: the document is something else")
	}
	if len(p.path) == maxDepth {
		return errors.New("metalink: nested too deeply")
	}
	p.path = append(p.path, t.Name.Local)
	p.text, p.collecting = p.text[:0], false
	attr := func(name string) string {
		i := slices.IndexFunc(t.Attr, func(a xml.Attr) bool { return a.Name.Local == name && a.Name.Space == "" })
		if i < 0 || len(t.Attr[i].Value) > maxText {
			return ""
		}
		return strings.Clone(t.Attr[i].Value)
	}
	p.what = at(p.path)
	switch p.what {
	case fileElement:
		if len(p.doc.Files) == p.maxFiles {
			return errors.New("metalink: too many files")
		}
		p.doc.Files = append(p.doc.Files, File{Size: -1})
		p.file = &p.doc.Files[len(p.doc.Files)-1]
		if name := attr("name"); safeName(name) {
			p.file.Name = name
		}
	case sizeElement:
		p.collecting = true
	case hashElement:
		p.collecting, p.hash = true, attr("type")
	case urlElement:
		// A version 3 resource of type bittorrent is not the file itself.
		p.collecting = attr("type") != "bittorrent"
		p.url = URL{Location: attr("location"), Priority: rank(attr("priority"))}
		if n, err := strconv.Atoi(attr("preference")); err == nil && p.url.Priority == 0 {
			p.url.Priority = priority3(n)
		}
	}
	return nil
}

// rank reads a priority; 0 is one that makes no sense.
func rank(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxPriority {
		return 0
	}
	return n
}

func (p *parser) end() {
	p.path = p.path[:len(p.path)-1]
	if !p.collecting {
		return
	}
	p.collecting = false
	if len(p.text) > maxText {
		return
	}
	text := strings.TrimSpace(string(p.text))
	switch p.what {
	case sizeElement:
		if n, err := strconv.ParseUint(text, 10, 63); err == nil {
			p.file.Size = int64(n)
		}
	case hashElement:
		d, ok := digest.Decode(p.hash, text)
		if ok && !slices.ContainsFunc(p.file.Hashes, func(h plugins.Digest) bool { return h.Algorithm == d.Algorithm }) {
			p.file.Hashes = append(p.file.Hashes, d)
		}
	case urlElement:
		if p.url.URL = text; text != "" && len(p.file.URLs) < maxURLs {
			p.file.URLs = append(p.file.URLs, p.url)
		}
	}
}
