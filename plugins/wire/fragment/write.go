package fragment

import (
	"strconv"
)

// writer writes elements that need nothing of what is around them. They get no
// prefixes, but declare their namespace as the default where it is another one
// than that of the element around.
type writer struct {
	b     []byte
	open  []written
	limit int
}

// written is an element that has been begun, and the namespace in it.
type written struct{ name, space string }

func (w *writer) start(e *element) {
	n := len(w.open)
	declare := n == 0 || w.open[n-1].space != e.name.Space
	if e.name.Space == XML {
		// It is the one namespace that is no default.
		w.begin(written{"xml:" + e.name.Local, ""}, n == 0 || w.open[n-1].space != "")
	} else {
		w.begin(written{e.name.Local, e.name.Space}, declare)
	}
	for i, a := range e.attributes {
		switch a.Name.Space {
		case "":
			w.attribute(a.Name.Local, a.Value)
		case XML:
			w.attribute("xml:"+a.Name.Local, a.Value)
		default:
			prefix := "a" + strconv.Itoa(i)
			w.attribute("xmlns:"+prefix, a.Name.Space)
			w.attribute(prefix+":"+a.Name.Local, a.Value)
		}
	}
	w.b = append(w.b, '>')
}

func (w *writer) begin(e written, declare bool) {
	w.b = append(append(w.b, '<'), e.name...)
	if declare {
		w.attribute("xmlns", e.space)
	}
	w.open = append(w.open, e)
}

func (w *writer) end() {
	e := w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
	w.b = append(append(append(w.b, "</"...), e.name...), '>')
}

// attribute appends an attribute, unless there is too much already: a few long
// namespaces on many attributes would come to very much.
func (w *writer) attribute(name, value string) {
	if len(w.b) > w.limit {
		return
	}
	w.b = append(append(append(w.b, ' '), name...), `="`...)
	w.b = append(AppendText(w.b, value, true), '"')
}

func (w *writer) text(s []byte, attribute bool) {
	if len(w.b) <= w.limit {
		w.b = AppendText(w.b, string(s), attribute)
	}
}

// AppendText appends s as text, or as an attribute's value. Its characters must
// be such as XML allows.
func AppendText(b []byte, s string, attribute bool) []byte {
	for i := range len(s) {
		switch c := s[i]; {
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
