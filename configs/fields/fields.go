// Package fields tells which keys a configuration struct has.
//
// A key is an exported field with a yaml tag; a field tagged ",inline" lends
// its own keys to the struct around it. A second tag says what the type of a
// field cannot:
//
//	config:"required"   the key must be given
//	config:"file"       the value names a file; relative to the configuration file
//	config:"directory"  the same for a directory
//	config:"secret"     the value is never printed
//
// Text under a key that ends in "_file" names a file without being tagged so.
package fields

import (
	"reflect"
	"slices"
	"strings"
)

// Field is one key of a struct.
type Field struct {
	Key string
	// Owner and Name are the struct that declares the field, and the field's
	// name in Go; they lead to its comment.
	Owner reflect.Type
	Name  string
	Type  reflect.Type
	// Index leads from the outermost struct to the field.
	Index []int

	Required, File, Directory, Secret bool
}

// Of returns the keys of struct type t in the order they are declared.
func Of(t reflect.Type) []Field {
	var all []Field
	for i := range t.NumField() {
		sf := t.Field(i)
		key, options, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		if options == "inline" {
			for _, f := range Of(sf.Type) {
				f.Index = append([]int{i}, f.Index...)
				all = append(all, f)
			}
			continue
		}
		if !sf.IsExported() || key == "" || key == "-" {
			continue
		}
		marks := strings.Split(sf.Tag.Get("config"), ",")
		all = append(all, Field{
			Key: key, Owner: t, Name: sf.Name, Type: sf.Type, Index: []int{i},
			Required:  slices.Contains(marks, "required"),
			Directory: slices.Contains(marks, "directory"),
			Secret:    slices.Contains(marks, "secret") || sensitive(key) && sf.Type.Kind() == reflect.String,
			File: slices.Contains(marks, "file") ||
				strings.HasSuffix(key, "_file") && sf.Type.Kind() == reflect.String,
		})
	}
	return all
}

// Hidden reports whether what stands under the key at path may be, or hold, a
// secret, so that no message may repeat it.
func Hidden(path string) bool {
	for key := range strings.SplitSeq(path, ".") {
		if sensitive(key) || key == "credentials" || key == "basic" || key == "redis" {
			return true
		}
	}
	return false
}

// sensitive reports whether a key sounds like a secret, so that a type which
// forgot to mark one does not leak it.
func sensitive(key string) bool {
	switch key {
	case "password", "secret", "token", "bearer", "secret_key", "session_token", "account_key", "sas":
		return true
	}
	return false
}
