package multistatus

import (
	"slices"

	"canopy/plugins"
	"canopy/plugins/wire/property"
)

// appendDead appends those properties of clients that e has and the request
// asks for: their names alone, if it asks for names.
func (w *Writer) appendDead(b []byte, e *Entry) []byte {
	for i := range e.Properties {
		p := &e.Properties[i]
		switch r := &w.options.Request; {
		case r.PropName:
			b = property.AppendName(b, p.Name)
		case r.AllProp || slices.Contains(r.Names, p.Name):
			b = property.Append(b, p)
		}
	}
	return b
}

// lacking returns the elements of the properties that the request names, which
// are not known and which e does not have.
func (w *Writer) lacking(e *Entry) []byte {
	if len(e.Properties) == 0 || len(w.unknown) == 0 {
		return w.unknown
	}
	var b []byte
	for _, name := range w.options.Request.Unknown() {
		if !slices.ContainsFunc(e.Properties, func(p plugins.Property) bool { return p.Name == name }) {
			b = appendEmpty(b, name)
		}
	}
	return b
}
