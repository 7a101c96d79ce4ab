package configs

import (
	"reflect"

	"canopy/configs/outline"
	"canopy/configs/schema"
	"canopy/plugins"
)

// Schema returns a JSON Schema of configuration files whose endpoints are of
// the types given, for editors.
func Schema(types *plugins.Registry) ([]byte, error) {
	return schema.JSON(Outline(types, outline.Published()), "Canopy configuration")
}

// Outline describes everything that can be configured, with its documentation
// taken from the comments.
func Outline(types *plugins.Registry, comments outline.Comments) outline.Shape {
	b := outline.Builder{Comments: comments, Alternatives: func(t reflect.Type) (string, []outline.Alternative) {
		if t != reflect.TypeFor[Endpoint]() {
			return "", nil
		}
		var all []outline.Alternative
		for _, name := range types.Names() {
			x, _ := types.Lookup(name)
			all = append(all, outline.Alternative{Name: name, Doc: x.Summary, Value: x.New()})
		}
		return "type", all
	}}
	return b.Of(Default())
}
