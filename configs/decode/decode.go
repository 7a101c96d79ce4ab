// Package decode turns a tree of YAML nodes into Go values and back, strictly:
// a key that no field has, a value of the wrong shape or a missing key is a
// problem with a place, and all problems of a tree are found in one pass.
//
// Values are set on top of what the target holds already, so that defaults
// are given first; elements of a list get theirs from a SetDefaults method.
// Types that implement encoding.TextUnmarshaler take a scalar; they may still
// be lists or mappings by kind and take that form as well.
package decode

import (
	"encoding"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"canopy/configs/fields"
	"canopy/configs/scalar"
	"canopy/configs/source"

	"go.yaml.in/yaml/v3"
)

// Defaulter is implemented by pointers to structs that have defaults of their
// own, wherever they occur.
type Defaulter interface{ SetDefaults() }

// Decoder decodes one file. Its results are valid after Decode.
type Decoder struct {
	// File is the name used in problems.
	File string
	// Folder is where relative names of files begin; "" is the folder of File.
	Folder string
	// Companion, if set, is asked for a second value that shares the mapping
	// of target, a pointer to a struct whose keys get says. It returns nil if
	// there is none, and false if the mapping's keys cannot be known.
	Companion func(target any, get func(key string) string) (companion any, known bool)
	// Unsupported maps the paths of keys that are understood but cannot be
	// used to what is to be said of them. Indexes in paths are left out.
	Unsupported map[string]string

	problems source.Problems
	places   map[string]source.Position
	empty    map[string]bool
	files    []File
}

// File is a file named by a configuration.
type File struct {
	// Path is the key that names it.
	Path string
	Name string
	// Directory is whether it is one.
	Directory bool
	// Position is where the configuration names it.
	Position source.Position
}

// Decode sets target, a pointer to a struct, from the mapping root.
func (d *Decoder) Decode(root *yaml.Node, target any) {
	d.places, d.empty = make(map[string]source.Position), make(map[string]bool)
	d.value(root, "", reflect.ValueOf(target).Elem(), fields.Field{})
}

// Problems returns what was found wrong so far.
func (d *Decoder) Problems() source.Problems { return d.problems }

// Files returns the files that the values name, in the order of the keys.
func (d *Decoder) Files() []File { return d.files }

// Has reports whether the file gives the key at path, with a value.
func (d *Decoder) Has(path string) bool {
	_, ok := d.places[path]
	return ok && !d.empty[path]
}

// Refuse adds a problem with the value at path. A key that the file lacks is
// blamed on the nearest section around it.
func (d *Decoder) Refuse(path, format string, args ...any) {
	d.problems = append(d.problems, source.Problem{
		File: d.File, Position: d.place(path), Path: path, Text: fmt.Sprintf(format, args...),
	})
}

func (d *Decoder) place(path string) source.Position {
	for {
		if p, ok := d.places[path]; ok {
			return p
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return source.Position{Line: 1, Column: 1}
		}
		path = path[:i]
	}
}

// Refused reports whether there is a problem with the very key at path, so
// that its value is not what the file meant.
func (d *Decoder) Refused(path string) bool {
	return slices.ContainsFunc(d.problems, func(p source.Problem) bool { return p.Path == path })
}

// Line returns the line of the value at path, for problems that refer to
// another place.
func (d *Decoder) Line(path string) int { return d.place(path).Line }

// value sets v from node. The field carries the marks of the key that the
// value, or the list around it, belongs to.
func (d *Decoder) value(node *yaml.Node, path string, v reflect.Value, f fields.Field) {
	if _, ok := d.places[path]; !ok && path != "" {
		d.places[path] = source.Position{Line: node.Line, Column: node.Column}
	}
	if node.Kind == yaml.ScalarNode {
		switch {
		case node.Tag == "!!null":
			d.null(path, v)
			return
		case d.text(node, path, v):
			return
		}
	} else if known, err := unmarshal(node, v); known {
		if err != nil {
			d.mismatch(node, path, "one value or a list of values", "write it as in [a, b]")
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
			setDefaults(v)
		}
		d.value(node, path, v.Elem(), f)
	case reflect.Struct:
		d.mapping(node, path, v)
	case reflect.Map:
		d.table(node, path, v, f)
	case reflect.Slice:
		d.list(node, path, v, f)
	case reflect.Array:
		d.array(node, path, v, f)
	default:
		d.plain(node, path, v, f)
	}
}

func setDefaults(pointer reflect.Value) {
	if t, ok := pointer.Interface().(Defaulter); ok {
		t.SetDefaults()
	}
}

// null accepts an empty section, whose keys were perhaps all commented out,
// and leaves the defaults. For a single value, an item of a list or a section
// that must have certain keys it is a mistake.
func (d *Decoder) null(path string, v reflect.Value) {
	t := v.Type()
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	section := t.Kind() == reflect.Map || t.Kind() == reflect.Slice
	if t.Kind() == reflect.Struct {
		keys := fields.Of(t)
		section = len(keys) > 0 && !slices.ContainsFunc(keys, func(f fields.Field) bool { return f.Required })
	}
	if !section || strings.HasSuffix(path, "]") {
		d.Refuse(path, "there is no value; give one or remove this")
		return
	}
	d.empty[path] = true
}

// text sets values that are written as one text in a form of their own. It
// reports whether v is one of these.
func (d *Decoder) text(node *yaml.Node, path string, v reflect.Value) bool {
	parsed, known, err := scalar.Parse(v.Type(), node.Value)
	if !known {
		var own bool
		if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
			err = u.UnmarshalText([]byte(node.Value))
		} else if own, err = unmarshal(node, v); !own {
			return false
		}
	}
	switch s, _ := scalar.SyntaxOf(v.Type()); {
	case err == nil && known:
		v.Set(reflect.ValueOf(parsed))
	case err != nil && len(s.Choices) > 0:
		d.Refuse(path, "%s; %s", err, guess(node.Value, s.Choices))
	case err != nil:
		d.Refuse(path, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return true
}

// unmarshal decodes by the methods that YAML packages look for. It reports
// whether v has one.
func unmarshal(node *yaml.Node, v reflect.Value) (known bool, err error) {
	switch u := v.Addr().Interface().(type) {
	case yaml.Unmarshaler:
		return true, u.UnmarshalYAML(node)
	case interface{ UnmarshalYAML(func(any) error) error }:
		return true, u.UnmarshalYAML(node.Decode)
	}
	return false, nil
}

func guess(word string, candidates []string) string {
	if n := source.Nearest(word, candidates); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	return "choose one of them"
}

func (d *Decoder) mismatch(node *yaml.Node, path, want, remedy string) {
	found := source.Describe(node)
	if node.Kind == yaml.ScalarNode && fields.Hidden(path) {
		found = "a text"
	}
	d.Refuse(path, "expected %s, found %s; %s", want, found, remedy)
}

func (d *Decoder) list(node *yaml.Node, path string, v reflect.Value, f fields.Field) {
	if node.Kind != yaml.SequenceNode {
		remedy := "write each item on a line that begins with -"
		if node.Kind == yaml.ScalarNode {
			remedy = "put it in brackets [ ]"
		}
		d.mismatch(node, path, "a list", remedy)
		return
	}
	items := reflect.MakeSlice(v.Type(), len(node.Content), len(node.Content))
	for i, n := range node.Content {
		setDefaults(items.Index(i).Addr())
		d.value(n, path+"["+strconv.Itoa(i)+"]", items.Index(i), f)
	}
	v.Set(items)
}

func (d *Decoder) array(node *yaml.Node, path string, v reflect.Value, f fields.Field) {
	if node.Kind != yaml.SequenceNode {
		d.mismatch(node, path, fmt.Sprintf("a list of %d values", v.Len()), "write them in brackets [ ]")
		return
	}
	if n := len(node.Content); n != v.Len() {
		d.Refuse(path, "expected %d values, found %d; write exactly %d", v.Len(), n, v.Len())
		return
	}
	for i, n := range node.Content {
		d.value(n, path+"["+strconv.Itoa(i)+"]", v.Index(i), f)
	}
}

func (d *Decoder) table(node *yaml.Node, path string, v reflect.Value, f fields.Field) {
	if node.Kind != yaml.MappingNode {
		d.mismatch(node, path, "a mapping of names to values", "write name: value")
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		e := reflect.New(v.Type().Elem()).Elem()
		d.value(node.Content[i+1], source.Join(path, node.Content[i].Value), e, f)
		m.SetMapIndex(reflect.ValueOf(node.Content[i].Value).Convert(v.Type().Key()), e)
	}
	v.Set(m)
}

// part is a struct whose keys stand in the mapping being decoded.
type part struct {
	value reflect.Value
	keys  []fields.Field
}

func (d *Decoder) mapping(node *yaml.Node, path string, v reflect.Value) {
	keys := keysOf(fields.Of(v.Type()))
	if node.Kind == yaml.MappingNode && len(keys) == 0 {
		d.plain(node, path, v, fields.Field{})
		return
	}
	if node.Kind != yaml.MappingNode {
		d.mismatch(node, path, "a mapping", "write key: value, the keys being "+strings.Join(keys, ", "))
		return
	}
	parts, known := []part{{v, fields.Of(v.Type())}}, true
	if d.Companion != nil {
		var c any
		c, known = d.Companion(v.Addr().Interface(), func(key string) string { return scalarAt(node, key) })
		if c != nil {
			cv := reflect.ValueOf(c).Elem()
			parts = append(parts, part{cv, fields.Of(cv.Type())})
		}
	}
	given := make(map[string]bool)
	for i := 0; i+1 < len(node.Content); i += 2 {
		k, n := node.Content[i], node.Content[i+1]
		given[k.Value] = true
		at := source.Join(path, k.Value)
		d.places[at] = source.Position{Line: k.Line, Column: k.Column}
		if n.Line == k.Line || n.Kind == yaml.ScalarNode {
			d.places[at] = source.Position{Line: n.Line, Column: n.Column}
		}
		if p, f, ok := find(parts, k.Value); ok {
			d.value(n, at, p.value.FieldByIndex(f.Index), f)
			continue
		}
		d.places[at] = source.Position{Line: k.Line, Column: k.Column}
		if text, ok := d.Unsupported[withoutIndexes(at)]; ok {
			d.Refuse(at, "%s", text)
		} else if known {
			d.unknown(at, k.Value, parts)
		}
	}
	for _, p := range parts {
		for _, f := range p.keys {
			if f.Required && !given[f.Key] {
				d.Refuse(path, "the key %q is missing; add it", f.Key)
			}
		}
	}
}

func find(parts []part, key string) (part, fields.Field, bool) {
	for _, p := range parts {
		for _, f := range p.keys {
			if f.Key == key {
				return p, f, true
			}
		}
	}
	return part{}, fields.Field{}, false
}

func keysOf(all []fields.Field) []string {
	keys := make([]string, len(all))
	for i, f := range all {
		keys[i] = f.Key
	}
	return keys
}

func (d *Decoder) unknown(path, key string, parts []part) {
	var keys []string
	for _, p := range parts {
		keys = append(keys, keysOf(p.keys)...)
	}
	if n := source.Nearest(key, keys); n != "" {
		d.Refuse(path, "unknown key %.64q; did you mean %q?", key, n)
		return
	}
	slices.Sort(keys)
	d.Refuse(path, "unknown key %.64q; the keys here are %s", key, strings.Join(keys, ", "))
}

func scalarAt(node *yaml.Node, key string) string {
	for i := 0; i+1 < len(node.Content); i += 2 {
		if n := node.Content[i+1]; node.Content[i].Value == key && n.Kind == yaml.ScalarNode {
			return n.Value
		}
	}
	return ""
}

func withoutIndexes(path string) string {
	for {
		i := strings.IndexByte(path, '[')
		if i < 0 {
			return path
		}
		j := strings.IndexByte(path[i:], ']')
		if j < 0 {
			return path
		}
		path = path[:i] + path[i+j+1:]
	}
}

// plain sets the values that YAML knows itself.
func (d *Decoder) plain(node *yaml.Node, path string, v reflect.Value, f fields.Field) {
	if node.Kind != yaml.ScalarNode {
		want, remedy := "a single value", "write it on one line"
		if s, ok := scalar.SyntaxOf(v.Type()); ok {
			want = "a " + s.Name
		}
		d.mismatch(node, path, want, remedy)
		return
	}
	quoted := node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
	switch v.Kind() {
	case reflect.String:
		v.SetString(d.named(node.Value, path, f))
	case reflect.Bool:
		b, ok := map[string]bool{"true": true, "false": false}[strings.ToLower(node.Value)]
		if !ok || quoted {
			d.mismatch(node, path, "true or false", unquote(quoted, "write one of these"))
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(node.Value, 10, v.Type().Bits())
		if err != nil || quoted {
			d.mismatch(node, path, "a whole number", unquote(quoted, "write it in digits"))
		}
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(node.Value, 10, v.Type().Bits())
		if err != nil || quoted {
			d.mismatch(node, path, "a whole number from 0 on", unquote(quoted, "write it in digits"))
		}
		v.SetUint(n)
	case reflect.Float32, reflect.Float64:
		n, err := strconv.ParseFloat(node.Value, v.Type().Bits())
		if err != nil || quoted || n != n || n-n != 0 {
			d.mismatch(node, path, "a number", unquote(quoted, "write it in digits"))
			n = 0
		}
		v.SetFloat(n)
	default:
		d.Refuse(path, "a value of the Go type %s cannot be configured; report this as a defect", v.Type())
	}
}

func unquote(quoted bool, remedy string) string {
	if quoted {
		return "remove the quotes"
	}
	return remedy
}

// named returns text, which is the name of a file if its field says so, made one
// from the folder and remembered.
func (d *Decoder) named(text, path string, f fields.Field) string {
	if !f.File && !f.Directory || text == "" {
		return text
	}
	if !filepath.IsAbs(text) {
		folder := d.Folder
		if folder == "" {
			folder = filepath.Dir(d.File)
		}
		text = filepath.Join(folder, text)
	}
	d.files = append(d.files, File{Path: path, Name: text, Directory: f.Directory, Position: d.place(path)})
	return text
}
