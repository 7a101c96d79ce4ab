package lockinfo

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// reader reads a document with the namespaces resolved. encoding/xml would
// resolve them too, but takes a prefix that nobody declared for a namespace.
type reader struct {
	decoder *xml.Decoder
	open    []element
	// declared are the declarations in force, the latest last.
	declared []declaration
	begun    bool
}

// element is an element that is open.
type element struct {
	// raw is its name as written.
	raw xml.Name
	// declared is how many declarations were in force before it.
	declared int
}

type declaration struct{ prefix, space string }

// The kinds of token.
const (
	opened = iota + 1
	closed
	text
)

// token is a part of a document. What it holds is valid until the next.
type token struct {
	kind int
	// name and attributes are of an element that was opened; attributes has
	// no declarations.
	name       xml.Name
	attributes []xml.Attr
	text       []byte
}

const xmlSpace = "http://www.w3.org/XML/1998/namespace"

// next returns the next start, end or text; io.EOF never.
func (r *reader) next() (token, error) {
	for {
		t, err := r.decoder.RawToken()
		if err != nil {
			if err == io.EOF {
				err = errors.New("the document ends too early")
			}
			return token{}, err
		}
		first := !r.begun
		r.begun = true
		switch t := t.(type) {
		case xml.StartElement:
			return r.start(t)
		case xml.EndElement:
			n := len(r.open)
			if n == 0 || r.open[n-1].raw != t.Name {
				return token{}, errors.New("an end tag does not match its start tag")
			}
			r.declared = r.declared[:r.open[n-1].declared]
			r.open = r.open[:n-1]
			return token{kind: closed}, nil
		case xml.CharData:
			if len(r.open) > 0 {
				return token{kind: text, text: t}, nil
			}
			if strings.Trim(string(t), " \t\r\n") != "" {
				return token{}, errors.New("text outside of the document's element")
			}
		case xml.Directive:
			return token{}, errors.New("a document type declaration")
		case xml.ProcInst:
			if strings.EqualFold(t.Target, "xml") && !first {
				return token{}, errors.New("an XML declaration that is not at the beginning")
			}
		}
	}
}

// start opens an element.
func (r *reader) start(t xml.StartElement) (token, error) {
	if len(r.open) >= maxElements {
		return token{}, errors.New("elements nest too deep")
	}
	r.open = append(r.open, element{t.Name, len(r.declared)})
	result := token{kind: opened}
	for _, a := range t.Attr {
		switch {
		case a.Name.Space == "xmlns":
			if a.Value == "" || a.Name.Local == "xmlns" || (a.Name.Local == "xml") != (a.Value == xmlSpace) {
				return token{}, errors.New("a prefix is bound to what it cannot stand for")
			}
			r.declared = append(r.declared, declaration{a.Name.Local, a.Value})
		case a.Name == xml.Name{Local: "xmlns"}:
			r.declared = append(r.declared, declaration{"", a.Value})
		default:
			result.attributes = append(result.attributes, a)
		}
	}
	if len(r.declared)+len(t.Attr) > maxAttributes {
		return token{}, errors.New("too many attributes or declarations")
	}
	var err error
	if result.name, err = r.resolve(t.Name); err != nil {
		return token{}, err
	}
	seen := make(map[xml.Name]bool)
	for i := range result.attributes {
		// An attribute without a prefix is in no namespace.
		a := &result.attributes[i]
		if a.Name.Space != "" {
			if a.Name, err = r.resolve(a.Name); err != nil {
				return token{}, err
			}
		}
		if seen[a.Name] || !proper(a.Name) {
			return token{}, errors.New("an attribute comes twice, or has no proper name")
		}
		seen[a.Name] = true
	}
	return result, nil
}

// resolve replaces the prefix of a name by what it stands for.
func (r *reader) resolve(name xml.Name) (xml.Name, error) {
	if !proper(name) {
		return name, errors.New("a tag has no proper name")
	}
	for i := len(r.declared) - 1; i >= 0; i-- {
		if r.declared[i].prefix == name.Space {
			return xml.Name{Space: r.declared[i].space, Local: name.Local}, nil
		}
	}
	switch name.Space {
	case "":
		return name, nil
	case "xml":
		return xml.Name{Space: xmlSpace, Local: name.Local}, nil
	}
	return name, errors.New("a prefix is not declared")
}

// proper reports whether the part of a name after the prefix could be a name by
// itself (Namespaces in XML section 4). encoding/xml looks at the whole, and
// lets p:1 pass, and a colon at either end.
func proper(name xml.Name) bool {
	if name.Local == "" || strings.Contains(name.Local, ":") {
		return false
	}
	if c := name.Local[0]; 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' {
		return true
	}
	_, err := xml.NewDecoder(strings.NewReader("<" + name.Local + ">")).RawToken()
	return err == nil
}

// skip ends the innermost element with all that is in it.
func (r *reader) skip() error {
	for depth := len(r.open); len(r.open) >= depth; {
		if _, err := r.next(); err != nil {
			return err
		}
	}
	return nil
}

// end checks that nothing follows the document's element.
func (r *reader) end() error {
	for {
		t, err := r.decoder.RawToken()
		switch t := t.(type) {
		case nil:
			if err == io.EOF {
				err = nil
			}
			return err
		case xml.Comment:
			continue
		case xml.ProcInst:
			if !strings.EqualFold(t.Target, "xml") {
				continue
			}
		case xml.CharData:
			if strings.Trim(string(t), " \t\r\n") == "" {
				continue
			}
		}
		return errors.New("something follows the document's element")
	}
}
