package fragment

import (
	"encoding/xml"
	"strings"
)

// start opens an element.
func (r *Reader) start(t xml.StartElement) {
	if len(r.open) >= r.left.Depth {
		r.fail("elements nest too deep")
		return
	}
	e := element{raw: t.Name, lang: r.Lang(), declared: len(r.declared)}
	for _, a := range t.Attr {
		switch {
		case a.Name.Space == "xmlns":
			if a.Value == "" || a.Value == xmlns || a.Name.Local == "xmlns" || (a.Name.Local == "xml") != (a.Value == XML) {
				r.fail("a prefix is bound to what it cannot stand for")
				return
			}
			r.declared = append(r.declared, declaration{a.Name.Local, a.Value})
		case a.Name == xml.Name{Local: "xmlns"}:
			if a.Value == XML || a.Value == xmlns {
				r.fail("a namespace is made the default that cannot be")
				return
			}
			r.declared = append(r.declared, declaration{"", a.Value})
		default:
			e.attributes = append(e.attributes, a)
		}
	}
	if len(r.declared)+len(t.Attr) > maxAttributes {
		r.fail("too many attributes or declarations")
		return
	}
	e.name = r.resolve(t.Name)
	seen := make(map[xml.Name]bool, len(e.attributes))
	for i := range e.attributes {
		// An attribute without a prefix is in no namespace.
		a := &e.attributes[i]
		if a.Name.Space != "" {
			a.Name = r.resolve(a.Name)
		}
		if seen[a.Name] || !Proper(a.Name.Local) {
			r.fail("an attribute comes twice, or has no proper name")
		}
		seen[a.Name] = true
		if a.Name == (xml.Name{Space: XML, Local: "lang"}) {
			e.lang = a.Value
		}
	}
	r.open = append(r.open, e)
}

// resolve replaces the prefix of a name by what it stands for.
func (r *Reader) resolve(name xml.Name) xml.Name {
	if !Proper(name.Local) {
		r.fail("a tag has no proper name")
		return name
	}
	for i := len(r.declared) - 1; i >= 0; i-- {
		if r.declared[i].prefix == name.Space {
			return xml.Name{Space: r.declared[i].space, Local: name.Local}
		}
	}
	switch name.Space {
	case "":
	case "xml":
		name.Space = XML
	default:
		r.fail("a prefix is not declared")
	}
	return name
}

// Proper reports whether the part of a name after the prefix could be a name by
// itself (Namespaces in XML section 4). encoding/xml looks at the whole, and
// lets p:1 pass, and a colon at either end.
func Proper(local string) bool {
	if local == "" || strings.ContainsAny(local, ": \t\r\n/>=") {
		return false
	}
	if c := local[0]; 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' {
		if strings.Trim(local, plain) == "" {
			return true
		}
	}
	t, err := xml.NewDecoder(strings.NewReader("<" + local + ">")).RawToken()
	e, is := t.(xml.StartElement)
	return err == nil && is && e.Name == xml.Name{Local: local}
}

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."
