package decode

import (
	"encoding"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"canopy/configs/fields"
	"canopy/configs/scalar"
	"canopy/configs/source"

	"go.yaml.in/yaml/v3"
)

// Essence returns the tree of v, as Encode does, without secrets and names of
// files: what v is about, and not how it is proved or where that is kept.
func Essence(v any) *yaml.Node {
	e := encoder{essence: true}
	return e.value(reflect.ValueOf(v), fields.Field{})
}

// Encode returns the tree that decodes to v, with every default written out
// and every secret replaced. Empty texts, absent sections and nil lists are
// left out. Companion, if set, returns the second value of a pointer to a
// struct, as for Decoder, or nil.
func Encode(v any, companion func(target any) any) *yaml.Node {
	e := encoder{companion: companion}
	return e.value(reflect.ValueOf(v), fields.Field{})
}

type encoder struct {
	companion func(any) any
	essence   bool
}

// value returns nil for what is left out.
func (e encoder) value(v reflect.Value, f fields.Field) *yaml.Node {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		return e.value(v.Elem(), f)
	}
	if s, ok := textOf(v); ok {
		if s == "" {
			return nil
		}
		return word(s, f)
	}
	switch v.Kind() {
	case reflect.Struct:
		return e.mapping(v)
	case reflect.Slice, reflect.Array:
		return e.list(v, f)
	case reflect.Map:
		return e.table(v, f)
	case reflect.String:
		if v.String() == "" {
			return nil
		}
		return word(v.String(), f)
	case reflect.Float32, reflect.Float64:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: strconv.FormatFloat(v.Float(), 'f', -1, 64)}
	case reflect.Bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v.Bool())}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: strconv.FormatInt(v.Int(), 10)}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: strconv.FormatUint(v.Uint(), 10)}
	}
	return nil
}

// textOf returns the text of values that have a form of their own.
func textOf(v reflect.Value) (string, bool) {
	if v.Kind() == reflect.Slice {
		return "", false
	}
	if s, ok := scalar.Format(v.Interface()); ok {
		return s, true
	}
	m, ok := v.Interface().(encoding.TextMarshaler)
	if !ok {
		return "", false
	}
	// A value that cannot be written was never read.
	b, _ := m.MarshalText()
	return string(b), true
}

func key(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

func word(s string, f fields.Field) *yaml.Node {
	if f.Secret {
		s = scalar.Redacted
	}
	return key(source.Escape(s))
}

func (e encoder) mapping(v reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	e.entries(n, v)
	if v.CanAddr() && e.companion != nil {
		if c := e.companion(v.Addr().Interface()); c != nil {
			e.entries(n, reflect.ValueOf(c).Elem())
		}
	}
	return n
}

func (e encoder) entries(n *yaml.Node, v reflect.Value) {
	for _, f := range fields.Of(v.Type()) {
		if e.essence && (f.File || f.Secret) {
			continue
		}
		child := e.value(v.FieldByIndex(f.Index), f)
		if child != nil && (len(child.Content) > 0 || f.Type.Kind() != reflect.Struct || child.Kind == yaml.ScalarNode) {
			n.Content = append(n.Content, key(f.Key), child)
		}
	}
}

func (e encoder) list(v reflect.Value, f fields.Field) *yaml.Node {
	if v.Kind() == reflect.Slice && v.IsNil() {
		return nil
	}
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for i := range v.Len() {
		c := e.value(v.Index(i), f)
		if c == nil {
			c = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle}
		}
		if c.Kind == yaml.MappingNode {
			n.Style = 0
		}
		n.Content = append(n.Content, c)
	}
	return n
}

func (e encoder) table(v reflect.Value, f fields.Field) *yaml.Node {
	if v.IsNil() {
		return nil
	}
	n := &yaml.Node{Kind: yaml.MappingNode}
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, k := range keys {
		if c := e.value(v.MapIndex(k), f); c != nil {
			n.Content = append(n.Content, key(k.String()), c)
		}
	}
	return n
}
