// Package outline describes what can be configured as a tree of keys: the
// form of each value, its default and its documentation. The JSON Schema and
// the reference are both drawn from it.
//
// Forms and defaults come from the Go types by reflection. Documentation is
// the comments of their fields, which a program does not have; a generator
// collects them and they are embedded here. In a comment, a line
// "Example: VALUE" gives an example and a line "Default: VALUE" a default that
// reflection cannot see.
package outline

import (
	_ "embed"
	"encoding/json"
	"reflect"
	"strings"

	"canopy/configs/decode"
	"canopy/configs/fields"
	"canopy/configs/scalar"

	"go.yaml.in/yaml/v3"
)

// Kind is the form of a value.
type Kind uint8

// The forms.
const (
	// Scalar is a single value.
	Scalar Kind = iota + 1
	// List has items of one shape.
	List
	// Mapping has known keys.
	Mapping
	// Table has keys of the user's choice, with values of one shape.
	Table
)

// Shape is what a value may look like.
type Shape struct {
	Kind Kind
	// Syntax is that of a scalar, or of the short form of a list or mapping
	// that may be written as one scalar; a shape without has no Name in it.
	Syntax scalar.Syntax
	// Go is the kind of a scalar in Go: text where it is neither boolean nor
	// a number.
	Go reflect.Kind
	// Item is the shape of what a list or table holds.
	Item *Shape
	// Length is the number of items that a list must have; 0 is any.
	Length int
	// Doc is about a mapping as such.
	Doc  string
	Keys []Key
	// Variants are the further keys that a mapping has by the value of one of
	// its keys, which is VariantKey.
	VariantKey string
	Variants   []Variant
}

// Key is one key of a mapping.
type Key struct {
	Name     string
	Doc      string
	Example  string
	Default  string
	Required bool
	Shape    Shape
}

// Variant is one value of a mapping's variant key.
type Variant struct {
	Name, Doc string
	Keys      []Key
}

// Comments returns the documentation of a Go name, "canopy/configs.Cache" for
// a type or "canopy/configs.Cache.Entries" for a field; "" if it has none.
type Comments func(name string) string

//go:embed comments.json
var published []byte

// Published returns the comments that were collected last.
func Published() Comments {
	var c map[string]string
	if err := json.Unmarshal(published, &c); err != nil {
		// The file is part of the program and checked by a test.
		panic("outline: comments.json: " + err.Error())
	}
	return func(name string) string { return c[name] }
}

// Alternative is one further value whose keys may stand in a mapping.
type Alternative struct {
	Name, Doc string
	// Value is a pointer to a struct that holds defaults.
	Value any
}

// Builder makes shapes.
type Builder struct {
	Comments Comments
	// Alternatives returns the key that decides between them, and what may
	// share the mapping of type t.
	Alternatives func(t reflect.Type) (key string, all []Alternative)
}

// Of returns the shape of v, a pointer to a struct that holds defaults.
func (b Builder) Of(v any) Shape { return b.shape(reflect.ValueOf(v).Elem()) }

func (b Builder) shape(v reflect.Value) Shape {
	t := v.Type()
	syntax, _ := scalar.SyntaxOf(t)
	s := Shape{Kind: Scalar, Syntax: syntax, Go: t.Kind()}
	switch t.Kind() {
	case reflect.Pointer:
		return b.shape(fresh(t.Elem()))
	case reflect.Slice, reflect.Array:
		item := b.shape(fresh(t.Elem()))
		s.Kind, s.Item = List, &item
		if t.Kind() == reflect.Array {
			s.Length = t.Len()
		}
		if hasUnmarshaler(t) {
			s.Syntax = scalar.Syntax{Name: "text"}
		}
	case reflect.Map:
		item := b.shape(fresh(t.Elem()))
		s.Kind, s.Item = Table, &item
	case reflect.Struct:
		if len(fields.Of(t)) > 0 {
			b.mapping(&s, v)
		}
	}
	if s.Kind == Scalar && s.Syntax.Name == "" {
		s.Syntax.Name = plainName(t)
	}
	return s
}

// fresh returns a new value of type t with the defaults that it has by itself.
func fresh(t reflect.Type) reflect.Value {
	p := reflect.New(t)
	if d, ok := p.Interface().(decode.Defaulter); ok {
		d.SetDefaults()
	}
	return p.Elem()
}

func hasUnmarshaler(t reflect.Type) bool {
	_, ok := reflect.PointerTo(t).MethodByName("UnmarshalYAML")
	return ok
}

func plainName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		if t.Name() == "Secret" {
			return "secret"
		}
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "number"
	}
	return "whole number"
}

func (b Builder) mapping(s *Shape, v reflect.Value) {
	s.Kind = Mapping
	s.Doc = anonymous(b.Comments(name(v.Type())), v.Type().Name())
	s.Keys = b.keys(v)
	if b.Alternatives == nil {
		return
	}
	key, all := b.Alternatives(v.Type())
	var names []string
	for _, a := range all {
		names = append(names, a.Name)
		s.Variants = append(s.Variants, Variant{a.Name, a.Doc, b.keys(reflect.ValueOf(a.Value).Elem())})
	}
	for i := range s.Keys {
		if s.Keys[i].Name == key {
			s.VariantKey, s.Keys[i].Shape.Syntax.Choices = key, names
		}
	}
}

func name(t reflect.Type) string { return t.PkgPath() + "." + t.Name() }

func (b Builder) keys(v reflect.Value) []Key {
	var keys []Key
	for _, f := range fields.Of(v.Type()) {
		k := Key{Name: f.Key, Required: f.Required, Shape: b.shape(v.FieldByIndex(f.Index))}
		k.Doc, k.Example, k.Default = split(b.Comments(name(f.Owner)+"."+f.Name), f)
		switch {
		case f.File:
			k.Shape.Syntax.Name = "file name"
		case f.Directory:
			k.Shape.Syntax.Name = "directory name"
		case f.Secret:
			k.Shape.Syntax.Name = "secret"
		}
		if k.Default == "" && k.Shape.Kind != Mapping {
			k.Default = text(v.FieldByIndex(f.Index))
		}
		if k.Shape.Kind == Scalar && k.Example == "" && k.Default == "" {
			k.Example = k.Shape.Syntax.Example
		}
		keys = append(keys, k)
	}
	return keys
}

// split separates a field's comment into its parts. The field's name in Go,
// with which a comment may begin, is nothing to who writes a file.
func split(comment string, f fields.Field) (doc, example, byDefault string) {
	var lines []string
	for line := range strings.SplitSeq(comment, "\n") {
		if e, ok := strings.CutPrefix(line, "Example: "); ok {
			example = e
		} else if e, ok := strings.CutPrefix(line, "Default: "); ok {
			byDefault = e
		} else {
			lines = append(lines, line)
		}
	}
	doc = strings.TrimSpace(strings.Join(lines, "\n"))
	return anonymous(doc, f.Name), example, byDefault
}

// anonymous returns a comment without the name that it begins with: from
// "Root is the directory." remains "The directory."
func anonymous(comment, name string) string {
	rest, ok := strings.CutPrefix(comment, name)
	if !ok || name == "" || len(rest) < 2 || (rest[0] != ' ' && rest[0] != '\n') {
		return comment
	}
	rest = rest[1:]
	for _, verb := range []string{"is ", "is\n", "are ", "are\n"} {
		if r, ok := strings.CutPrefix(rest, verb); ok && r != "" {
			rest = r
			break
		}
	}
	return strings.ToUpper(rest[:1]) + rest[1:]
}

// text returns a default as it would be written, or "" if there is none.
func text(v reflect.Value) string {
	n := decode.Encode(v.Interface(), nil)
	if n == nil {
		return ""
	}
	flow(n)
	// A tree that Encode built is always valid.
	b, _ := yaml.Marshal(n)
	return strings.TrimSpace(string(b))
}

func flow(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode {
		n.Style = yaml.FlowStyle
	}
	for _, c := range n.Content {
		flow(c)
	}
}
