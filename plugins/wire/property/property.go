// Package property writes properties that clients have invented as elements of
// XML, and reads them: in the lists in which they are kept, and in what a
// storage answers about them.
//
// An element written here may stand in any document. Its name has the prefix x,
// and its content declares the namespaces of which it makes use.
package property

import (
	"encoding/xml"
	"errors"
	"strings"

	"canopy/plugins"
	"canopy/plugins/wire/fragment"
	"canopy/plugins/wire/propfind"
)

// MaxDepth is how deep the elements of a document with properties may nest.
const MaxDepth = 64

// Append appends p as an element.
func Append(b []byte, p *plugins.Property) []byte {
	b = appendStart(b, p.Name)
	if p.Lang != "" {
		b = append(b, ` xml:lang="`...)
		b = append(fragment.AppendText(b, p.Lang, true), '"')
	}
	if p.Value == "" {
		return append(b, "/>"...)
	}
	b = append(append(b, '>'), p.Value...)
	b = append(append(b, "</"...), prefix(p.Name.Space)...)
	return append(append(b, p.Name.Local...), '>')
}

// AppendName appends an empty element called name.
func AppendName(b []byte, name xml.Name) []byte { return append(appendStart(b, name), "/>"...) }

// prefix returns the prefix of elements in a namespace, with its colon.
func prefix(space string) string {
	switch space {
	case "":
		return ""
	case fragment.XML:
		return "xml:"
	}
	return "x:"
}

func appendStart(b []byte, name xml.Name) []byte {
	p := prefix(name.Space)
	b = append(append(append(b, '<'), p...), name.Local...)
	switch p {
	case "":
		return append(b, ` xmlns=""`...)
	case "x:":
		b = append(b, ` xmlns:x="`...)
		return append(fragment.AppendText(b, name.Space, true), '"')
	}
	return b
}

// Format returns all as one text, which Parse reads.
func Format(all []plugins.Property) string {
	var b []byte
	for i := range all {
		b = Append(b, &all[i])
	}
	return string(b)
}

// Parse reads what Format has written, and whatever else lists properties as
// elements. It is hostile to what it reads: others may have changed it. What is
// no list of properties, or beyond the bounds of package plugins, is an error.
func Parse(text string) ([]plugins.Property, error) {
	r := fragment.NewReader([]byte("<prop>"+text+"</prop>"), fragment.Limits{Room: plugins.MaxPropertyBytes, Depth: MaxDepth})
	r.Root()
	all := Read(r)
	r.Finish()
	if r.Err() != nil {
		return nil, r.Err()
	}
	bytes, seen := 0, make(map[xml.Name]bool, len(all))
	for i := range all {
		p := &all[i]
		bytes += p.Bytes()
		if !propfind.Dead(p.Name) || seen[p.Name] {
			return nil, errors.New("a property that cannot be one, or comes twice")
		}
		seen[p.Name] = true
	}
	if len(all) > plugins.MaxProperties || bytes > plugins.MaxPropertyBytes {
		return nil, errors.New("too many properties")
	}
	return all, nil
}

// Read ends the innermost open element of r, which holds properties, and
// returns them in their order, of whatever names. An error is in r.
func Read(r *fragment.Reader) []plugins.Property {
	var all []plugins.Property
	for r.Next() {
		p := plugins.Property{Name: r.Name(), Lang: strings.TrimSpace(r.Lang())}
		p.Value = r.Content()
		all = append(all, p)
	}
	return all
}
