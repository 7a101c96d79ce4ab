package lockinfo

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"canopy/frontend/lock"
)

// content reads the rest of the innermost element and returns what is in it,
// written anew.
func (r *reader) content() (string, error) {
	var w writer
	for depth := len(r.open); ; {
		t, err := r.next()
		if err != nil {
			return "", err
		}
		switch t.kind {
		case opened:
			w.start(t.name, t.attributes)
		case text:
			w.b = appendText(w.b, t.text, false)
		case closed:
			if len(r.open) < depth {
				return string(w.b), nil
			}
			w.end()
		}
		if len(w.b) > lock.MaxOwner {
			return "", errors.New("the owner has more than " + strconv.Itoa(lock.MaxOwner) + " bytes")
		}
	}
}

// Sound reports whether owner could have come from Parse. A store asks that of
// what others may have changed.
func Sound(owner string) bool {
	if strings.Trim(owner, plain) == "" {
		return len(owner) <= lock.MaxOwner
	}
	r := reader{decoder: xml.NewDecoder(strings.NewReader(`<D:owner xmlns:D="DAV:">` + owner + `</D:owner>`))}
	if _, err := r.next(); err != nil {
		return false
	}
	again, err := r.content()
	return err == nil && again == owner && r.end() == nil
}

// plain are characters that stand for themselves; most owners have no other.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:;@/-_+()"

// writer writes elements that need nothing of what is around them but that the
// prefix D stands for DAV:, which AppendDiscovery sees to. Elements of other
// namespaces get no prefix but declare theirs as the default.
type writer struct {
	b    []byte
	open []written
}

// written is an element that has been begun, and the default namespace in it,
// which is known once it has been declared.
type written struct {
	name, space string
	known       bool
}

func (w *writer) start(name xml.Name, attributes []xml.Attr) {
	var e written
	if n := len(w.open); n > 0 {
		e = w.open[n-1]
	}
	declare := false
	switch e.name = name.Local; name.Space {
	case dav:
		e.name = "D:" + name.Local
	case xmlSpace:
		e.name = "xml:" + name.Local
	default:
		declare = !e.known || e.space != name.Space
		e.space, e.known = name.Space, true
	}
	w.b = append(append(w.b, '<'), e.name...)
	if declare {
		w.attribute("xmlns", e.space)
	}
	for i, a := range attributes {
		switch a.Name.Space {
		case "":
			w.attribute(a.Name.Local, a.Value)
		case xmlSpace:
			w.attribute("xml:"+a.Name.Local, a.Value)
		default:
			prefix := fmt.Sprintf("a%d", i)
			w.attribute("xmlns:"+prefix, a.Name.Space)
			w.attribute(prefix+":"+a.Name.Local, a.Value)
		}
	}
	w.b = append(w.b, '>')
	w.open = append(w.open, e)
}

func (w *writer) end() {
	e := w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
	w.b = append(append(append(w.b, "</"...), e.name...), '>')
}

func (w *writer) attribute(name, value string) {
	w.b = append(append(append(w.b, ' '), name...), `="`...)
	w.b = append(appendText(w.b, []byte(value), true), '"')
}

// appendText appends s, whose characters encoding/xml has checked, as text or
// as an attribute's value.
func appendText(b, s []byte, attribute bool) []byte {
	for _, c := range s {
		switch {
		case c == '<':
			b = append(b, "&lt;"...)
		case c == '>':
			b = append(b, "&gt;"...)
		case c == '&':
			b = append(b, "&amp;"...)
		case c == '\r':
			b = append(b, "&#13;"...)
		case c == '"' && attribute:
			b = append(b, "&quot;"...)
		case c == '\t' && attribute:
			b = append(b, "&#9;"...)
		case c == '\n' && attribute:
			b = append(b, "&#10;"...)
		default:
			b = append(b, c)
		}
	}
	return b
}
