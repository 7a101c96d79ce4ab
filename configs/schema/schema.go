// Package schema writes an outline as a JSON Schema (draft 7, which every
// editor knows), so that editors complete and check a configuration file.
//
// The schema accepts ${NAME} wherever a single value stands. It is a little
// more generous than loading, which also knows what does not go together.
package schema

import (
	"encoding/json"
	"reflect"
	"regexp"

	"canopy/configs/outline"
)

// node is a JSON object; encoding sorts its keys.
type node map[string]any

// variable matches text in which a variable stands.
const variable = `\$\{`

// JSON returns the schema of files of the shape.
func JSON(s outline.Shape, title string) ([]byte, error) {
	n := value(s)
	n["$schema"] = "http://json-schema.org/draft-07/schema#"
	n["title"] = title
	n["type"] = "object"
	return json.MarshalIndent(n, "", "  ")
}

func value(s outline.Shape) node {
	var n node
	switch s.Kind {
	case outline.List:
		n = node{"type": []string{"array", "null"}, "items": value(*s.Item)}
		if s.Length > 0 {
			n["minItems"], n["maxItems"] = s.Length, s.Length
		}
	case outline.Table:
		n = node{"type": []string{"object", "null"}, "additionalProperties": value(*s.Item)}
	case outline.Mapping:
		n = mapping(s)
	default:
		return scalar(s)
	}
	if s.Syntax.Name != "" {
		short := s
		short.Kind, short.Go = outline.Scalar, reflect.String
		return node{"anyOf": []node{scalar(short), n}}
	}
	return n
}

func scalar(s outline.Shape) node {
	x := s.Syntax
	switch {
	case len(x.Choices) > 0:
		return orVariable(node{"enum": x.Choices})
	case x.Pattern != "":
		n := node{"type": "string", "pattern": "^(" + x.Pattern + ")$|" + variable}
		if regexp.MustCompile("^(" + x.Pattern + ")$").MatchString("0") {
			n["type"] = []string{"string", "integer"}
		}
		return n
	}
	switch s.Go {
	case reflect.Bool:
		return orVariable(node{"type": "boolean"})
	case reflect.Float32, reflect.Float64:
		return orVariable(node{"type": "number"})
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return orVariable(node{"type": "integer"})
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return orVariable(node{"type": "integer", "minimum": 0})
	}
	return node{"type": "string"}
}

func orVariable(n node) node {
	return node{"anyOf": []node{n, {"type": "string", "pattern": variable}}}
}

func mapping(s outline.Shape) node {
	n := object(s.Keys)
	if len(s.Variants) == 0 {
		if s.Doc != "" {
			n["description"] = s.Doc
		}
		return n
	}
	// Each variant says all of its keys, so that others can be refused.
	var rules []node
	for _, v := range s.Variants {
		whole := object(append(append([]outline.Key{}, s.Keys...), v.Keys...))
		whole["description"] = v.Doc
		rules = append(rules, node{
			"if":   node{"properties": node{s.VariantKey: node{"const": v.Name}}, "required": []string{s.VariantKey}},
			"then": whole,
		})
	}
	delete(n, "additionalProperties")
	n["allOf"] = rules
	return n
}

func object(keys []outline.Key) node {
	properties, required := node{}, []string{}
	for _, k := range keys {
		p := value(k.Shape)
		if k.Doc != "" {
			p["description"] = k.Doc
		}
		properties[k.Name] = p
		if k.Required {
			required = append(required, k.Name)
		}
	}
	n := node{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		n["type"], n["required"] = "object", required
	}
	return n
}
