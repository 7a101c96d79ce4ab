package plugins

import (
	"context"
	"encoding/xml"
	"slices"
)

// Keeper is an endpoint that keeps properties of its paths: those which clients
// invent, and of whose meaning the storage knows nothing (the dead properties of
// RFC 4918 section 4). Those which it computes, such as a size, are no matter of
// these methods.
type Keeper interface {
	// Properties returns those of the properties of path that are called names,
	// or all where names is nil, in no particular order. One that is not there
	// is left out. NotFound is the error if the path is not there, Unsupported
	// if the storage keeps no properties, here or at all.
	Properties(ctx context.Context, path string, names []xml.Name) ([]Property, error)
	// SetProperties makes the properties of path have the values of set, and
	// removes those called remove, which need not be there. No name comes
	// twice. All of it is done or, with an error, nothing (RFC 4918 section
	// 9.2); only kinds that are Silent leave that open. Full is the error for
	// more than the storage keeps of one path, or than MaxProperties and
	// MaxPropertyBytes allow; the others are those of Properties, and Denied.
	//
	// Properties go where their path goes: with a Move, and they stay when a
	// file is stored in the place of another. With the path they are gone.
	SetProperties(ctx context.Context, path string, set []Property, remove []xml.Name) error
}

// The bounds on the properties of one path. MaxPropertyBytes is on the sum of
// Property.Bytes.
const (
	MaxProperties    = 100
	MaxPropertyBytes = 64 << 10
)

// Property is a property with its value.
type Property struct {
	Name xml.Name
	// Value is the content of the property's element: text and elements of XML
	// that mean the same wherever they stand, because they declare all
	// namespaces of which they make use. Package wire/fragment writes it.
	Value string
	// Lang is the language of the value (xml:lang); "" if none was said.
	Lang string
}

// Bytes is what the property counts for.
func (p *Property) Bytes() int {
	return len(p.Name.Space) + len(p.Name.Local) + len(p.Value) + len(p.Lang)
}

// ChooseProperties returns those of all that are called names, all of them
// where names is nil.
func ChooseProperties(all []Property, names []xml.Name) []Property {
	if names == nil {
		return all
	}
	var chosen []Property
	for _, p := range all {
		if slices.Contains(names, p.Name) {
			chosen = append(chosen, p)
		}
	}
	return chosen
}

// AmendProperties returns what becomes of the properties old by SetProperties,
// for endpoints that keep them in one piece. It reports false for what is
// beyond the bounds. What was beyond them before may always become less.
func AmendProperties(old, set []Property, remove []xml.Name) (amended []Property, ok bool) {
	before := 0
	for i := range old {
		before += old[i].Bytes()
		p := &old[i]
		named := func(s Property) bool { return s.Name == p.Name }
		if !slices.Contains(remove, p.Name) && !slices.ContainsFunc(set, named) {
			amended = append(amended, *p)
		}
	}
	amended = append(amended, set...)
	after := 0
	for i := range amended {
		after += amended[i].Bytes()
	}
	return amended, len(amended) <= max(MaxProperties, len(old)) && after <= max(MaxPropertyBytes, before)
}

// CopyProperties makes the properties of the path to, on an endpoint, those
// that the path from has on this or another one. An error leaves those of to as
// they were, as far as SetProperties does; one of Kind Unsupported is also
// returned if from has properties and the other endpoint keeps none.
func CopyProperties(ctx context.Context, source Keeper, from string, target Keeper, to string) error {
	all, err := source.Properties(ctx, from, nil)
	if KindOf(err) == Unsupported {
		all, err = nil, nil // there is nothing to be copied
	}
	if err != nil {
		return err
	}
	old, err := target.Properties(ctx, to, nil)
	switch {
	case KindOf(err) == Unsupported && len(all) == 0:
		return nil
	case err != nil:
		return err
	}
	var remove []xml.Name
	for i := range old {
		if named := func(p Property) bool { return p.Name == old[i].Name }; !slices.ContainsFunc(all, named) {
			remove = append(remove, old[i].Name)
		}
	}
	if len(all) == 0 && len(remove) == 0 {
		return nil
	}
	return target.SetProperties(ctx, to, all, remove)
}
