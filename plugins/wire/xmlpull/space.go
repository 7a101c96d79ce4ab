package xmlpull

import "bytes"

// Space is the namespace of an element: the place in the list given to
// NewReader, or one of the negative values.
type Space int

// The namespaces that are not in the list.
const (
	// None is no namespace: no prefix, and no default declared.
	None Space = -1 - iota
	// Other is a namespace that is not in the list.
	Other
	// Undeclared is a prefix that nothing declares.
	Undeclared
)

// binding is a declaration in force: names[prefix:uri] stands for the
// namespace names[uri:end].
type binding struct {
	prefix, uri, end int
	space            Space
}

// Local returns the name of the innermost open element without its prefix,
// valid until that element ends.
func (x *Reader) Local() []byte {
	if len(x.elements) == 0 {
		return nil
	}
	e := &x.elements[len(x.elements)-1]
	return x.names[e.name+e.colon : e.attrs]
}

// Space returns the namespace of the innermost open element.
func (x *Reader) Space() Space {
	s, _ := x.lookup()
	return s
}

// SpaceName returns the name of the namespace of the innermost open element,
// "" if it has none or an undeclared one.
func (x *Reader) SpaceName() string {
	_, name := x.lookup()
	return string(name)
}

func (x *Reader) lookup() (Space, []byte) {
	if len(x.elements) == 0 {
		return None, nil
	}
	e := &x.elements[len(x.elements)-1]
	prefix := x.names[e.name : e.name+max(e.colon-1, 0)]
	for i := len(x.bindings) - 1; i >= 0; i-- {
		b := &x.bindings[i]
		if string(x.names[b.prefix:b.uri]) == string(prefix) {
			return b.space, x.names[b.uri:b.end]
		}
	}
	switch string(prefix) {
	case "":
		return None, nil
	case "xml":
		return Other, []byte("http://www.w3.org/XML/1998/namespace")
	}
	return Undeclared, nil
}

// bind declares prefix, which is empty for the default namespace, to stand for
// uri in the innermost element.
func (x *Reader) bind(prefix, uri []byte) bool {
	switch {
	case string(prefix) == "xml":
		return true // can only be what it is
	case string(prefix) == "xmlns":
		return x.fail("the prefix xmlns is declared")
	case len(prefix) > 0 && len(uri) == 0:
		return x.fail("a prefix is bound to no namespace")
	case len(x.bindings) >= maxBindings:
		return x.fail("too many namespace declarations")
	}
	space := Other
	if len(uri) == 0 {
		space = None
	}
	for i, known := range x.spaces {
		if bytes.Equal(uri, []byte(known)) {
			space = Space(i)
		}
	}
	start := len(x.names)
	x.names = append(x.names, prefix...)
	x.names = append(x.names, uri...)
	x.bindings = append(x.bindings, binding{
		prefix: start, uri: start + len(prefix), end: len(x.names), space: space,
	})
	return true
}
