package property

import (
	"encoding/xml"
	"errors"
	"strconv"
	"strings"

	"canopy/plugins"
	"canopy/plugins/wire/fragment"
)

// MaxAnswer is how long an answer of a storage about the properties of one path
// should be allowed to be, in bytes: it may have put all of them into other
// words than ours.
const MaxAnswer = 1 << 20

// Answer is what a storage says of the properties of one path, in a multistatus
// document.
type Answer struct {
	// Href is the path, as it stands there.
	Href string
	// Status is that of the path as a whole, 0 if there is none.
	Status int
	// Stated are the properties, each with the status that it got.
	Stated []Stated
}

// Stated is a property with its status.
type Stated struct {
	plugins.Property
	Status int
}

// maxHref bounds an address, and the text of a status.
const maxHref = 16 << 10

// ReadAnswer reads the first response of a multistatus document (RFC 4918
// section 14.16): the only one where a single path was asked about. A document
// without one is an error, as is whatever package fragment refuses.
func ReadAnswer(document []byte) (Answer, error) {
	r := fragment.NewReader(document, fragment.Limits{Room: 2 * plugins.MaxPropertyBytes, Depth: MaxDepth})
	var a Answer
	if r.Root() && r.Name() != dav("multistatus") {
		return a, errors.New("the document is not a multistatus")
	}
	found := false
	for r.Next() {
		if found || r.Name() != dav("response") {
			r.Skip()
			continue
		}
		found = true
		a.read(r)
	}
	r.Finish()
	if r.Err() == nil && !found {
		return a, errors.New("the document has no response")
	}
	return a, r.Err()
}

func dav(local string) xml.Name { return xml.Name{Space: "DAV:", Local: local} }

func (a *Answer) read(r *fragment.Reader) {
	for r.Next() {
		switch r.Name() {
		case dav("href"):
			a.Href = r.Text(maxHref)
		case dav("status"):
			a.Status = status(r.Text(maxHref))
		case dav("propstat"):
			a.propstat(r)
		default:
			r.Skip()
		}
	}
}

func (a *Answer) propstat(r *fragment.Reader) {
	var all []plugins.Property
	code := 0
	for r.Next() {
		switch r.Name() {
		case dav("prop"):
			all = append(all, Read(r)...)
		case dav("status"):
			code = status(r.Text(maxHref))
		default:
			r.Skip()
		}
	}
	for _, p := range all {
		a.Stated = append(a.Stated, Stated{p, code})
	}
}

// status returns the code of a status line, 0 if it is none.
func status(line string) int {
	_, line, _ = strings.Cut(line, " ")
	code, _, _ := strings.Cut(strings.TrimLeft(line, " "), " ")
	n, err := strconv.Atoi(code)
	if err != nil || len(code) != 3 || n < 100 {
		return 0
	}
	return n
}
