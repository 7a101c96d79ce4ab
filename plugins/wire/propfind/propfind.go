// Package propfind reads the body of a PROPFIND request (RFC 4918 section
// 14.20), leniently where real clients need it and strictly where a mistake
// must be told.
//
// An empty body asks for all properties: gfal2, rclone and davix send none.
// What stands inside of a property's element is ignored: davix asks for
// <resourcetype><collection/></resourcetype>. Elements that are unknown are
// ignored as section 17 demands. A body that is not well-formed XML with
// namespaces is refused, as is one that asks nothing, or two things at once.
package propfind

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"

	"canopy/plugins"
	"canopy/plugins/wire/xmlpull"
)

// The limits on what a client may ask in one request.
const (
	MaxBody  = 64 << 10 // bytes
	MaxNames = 512      // properties, those named twice counted twice
)

// Request is what a client asks of each resource. At most one of AllProp and
// PropName holds; if neither does, the properties in Names are asked for.
type Request struct {
	// AllProp asks for the usual properties and those in Names.
	AllProp bool
	// PropName asks for the names of all properties, without values.
	PropName bool
	// Names are the properties that prop, or include next to allprop, names:
	// each once, in the order of the request, known or not.
	Names []xml.Name
	// Known are those of Names that Canopy knows.
	Known Set
}

// ErrTooLarge is why a body of more than MaxBody bytes is refused.
var ErrTooLarge = fmt.Errorf("the body exceeds %d bytes", MaxBody)

// Parse reads a request from body, which it does not close. When the body is
// at fault the error is a *plugins.Error of Kind Invalid, to be answered 413 if
// it wraps ErrTooLarge, else 400; an error of body itself is returned
// unchanged.
func Parse(body io.Reader) (Request, error) {
	b, err := io.ReadAll(io.LimitReader(body, MaxBody+1))
	switch {
	case err != nil:
		return Request{}, err
	case len(b) > MaxBody:
		return Request{}, invalid(ErrTooLarge)
	case len(bytes.TrimSpace(b)) == 0:
		return Request{AllProp: true}, nil
	}
	p := parser{x: xmlpull.NewReader(bytes.NewReader(b), []string{DAV}, xmlpull.Options{Depth: 32})}
	if err := p.document(); err != nil {
		return Request{}, invalid(err)
	}
	return p.request, nil
}

func invalid(err error) error {
	return &plugins.Error{Kind: plugins.Invalid, Op: "propfind", Err: err}
}

// dav is where DAV stands in the list of the parser's namespaces.
const dav xmlpull.Space = 0

type parser struct {
	x       *xmlpull.Reader
	request Request
	named   int
}

// document reads propfind.
func (p *parser) document() error {
	x := p.x
	if !x.Root() {
		return x.Err()
	}
	if x.Space() != dav || string(x.Local()) != "propfind" {
		return errors.New("the document is not a propfind")
	}
	questions := 0
	include := false
	for x.Next() {
		local := ""
		if x.Space() == dav {
			local = string(x.Local())
		}
		switch local {
		case "allprop":
			questions++
			p.request.AllProp = true
			x.Skip()
		case "propname":
			questions++
			p.request.PropName = true
			x.Skip()
		case "prop", "include":
			if local == "prop" {
				questions++
			} else {
				include = true
			}
			if err := p.names(); err != nil {
				return err
			}
		default:
			x.Skip()
		}
	}
	x.Finish()
	switch {
	case x.Err() != nil:
		return x.Err()
	case questions != 1:
		return errors.New("want exactly one of prop, allprop and propname")
	case include && !p.request.AllProp:
		return errors.New("include goes with allprop only")
	}
	return nil
}

// names reads prop or include.
func (p *parser) names() error {
	for p.x.Next() {
		if p.x.Space() == xmlpull.Undeclared {
			return fmt.Errorf("the prefix of property %q is not declared", p.x.Local())
		}
		if p.named++; p.named > MaxNames {
			return fmt.Errorf("more than %d properties", MaxNames)
		}
		p.add(xml.Name{Space: p.x.SpaceName(), Local: string(p.x.Local())})
		p.x.Skip()
	}
	return nil
}

// add puts name into the request unless it is there.
func (p *parser) add(name xml.Name) {
	if known, ok := Lookup(name); ok {
		if p.request.Known.Has(known) {
			return
		}
		p.request.Known |= SetOf(known)
	}
	for _, n := range p.request.Names {
		if n == name {
			return
		}
	}
	p.request.Names = append(p.request.Names, name)
}
