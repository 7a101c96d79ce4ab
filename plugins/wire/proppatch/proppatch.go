// Package proppatch reads and writes the body of a PROPPATCH request (RFC 4918
// section 14.19), and writes the answer to one.
//
// Values are not passed on byte for byte but as package fragment writes them, so
// that nothing in them can reach beyond its element. An empty body, one that
// changes nothing, and one that is not well-formed XML with namespaces are
// refused; elements that are unknown are passed over, as section 17 demands.
package proppatch

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"

	"canopy/plugins"
	"canopy/plugins/wire/fragment"
	"canopy/plugins/wire/property"
)

// The limits on what a client may ask in one request.
const (
	MaxBody    = 256 << 10 // bytes
	MaxChanges = 200       // properties, those named twice counted twice
)

// ErrTooLarge is why a body of more than MaxBody bytes is refused.
var ErrTooLarge = fmt.Errorf("the body exceeds %d bytes", MaxBody)

// Change is one step of a request. Of a property to be removed only the name
// counts.
type Change struct {
	plugins.Property
	Remove bool
}

// Update is what a client asks for, in the order in which it is to be done.
type Update []Change

// Names returns the names of all properties that are concerned, each once, in
// the order of the request.
func (u Update) Names() []xml.Name {
	var names []xml.Name
	for i := range u {
		if !slices.Contains(names, u[i].Name) {
			names = append(names, u[i].Name)
		}
	}
	return names
}

// Effect returns what comes of all changes in their order: of those of one
// property only the last counts.
func (u Update) Effect() (set []plugins.Property, remove []xml.Name) {
	for _, name := range u.Names() {
		for _, c := range slices.Backward(u) {
			if c.Name != name {
				continue
			}
			if c.Remove {
				remove = append(remove, name)
			} else {
				set = append(set, c.Property)
			}
			break
		}
	}
	return set, remove
}

// Parse reads a request from body, which it does not close. When the body is
// at fault the error is a *plugins.Error of Kind Invalid, to be answered 413 if
// it wraps ErrTooLarge, else 400; an error of body itself is returned
// unchanged.
func Parse(body io.Reader) (Update, error) {
	b, err := io.ReadAll(io.LimitReader(body, MaxBody+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > MaxBody:
		return nil, invalid(ErrTooLarge)
	}
	r := fragment.NewReader(b, fragment.Limits{Room: 2 * plugins.MaxPropertyBytes, Depth: property.MaxDepth})
	if r.Root() && r.Name() != dav("propertyupdate") {
		return nil, invalid(errors.New("the document is not a propertyupdate"))
	}
	var u Update
	for r.Next() {
		switch r.Name() {
		case dav("set"), dav("remove"):
			if u = read(r, u); len(u) > MaxChanges {
				return nil, invalid(fmt.Errorf("more than %d properties", MaxChanges))
			}
		default:
			r.Skip()
		}
	}
	r.Finish()
	if r.Err() != nil {
		return nil, invalid(r.Err())
	}
	if len(u) == 0 {
		return nil, invalid(errors.New("no property is set or removed"))
	}
	return u, nil
}

func invalid(err error) error {
	return &plugins.Error{Kind: plugins.Invalid, Op: "proppatch", Err: err}
}

func dav(local string) xml.Name { return xml.Name{Space: "DAV:", Local: local} }

// read adds what set or remove says.
func read(r *fragment.Reader, u Update) Update {
	remove := r.Name() == dav("remove")
	for r.Next() {
		if r.Name() != dav("prop") {
			r.Skip()
			continue
		}
		for _, p := range property.Read(r) {
			if remove {
				p = plugins.Property{Name: p.Name}
			}
			u = append(u, Change{p, remove})
		}
	}
	return u
}
