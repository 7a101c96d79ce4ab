package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"

	"canopy/configs/outline"
)

// intro is how the reference begins.
//
//go:embed intro.md
var intro string

// markdown draws the outline as the reference.
func markdown(s outline.Shape) []byte {
	w := &writer{}
	w.WriteString(intro)
	w.section(2, "", s)
	return append(bytes.TrimRight(w.Bytes(), "\n"), '\n')
}

type writer struct{ bytes.Buffer }

// section writes the keys of a mapping, and then the mappings below them.
func (w *writer) section(level int, path string, s outline.Shape) {
	w.keys(s.Keys, path == "")
	for _, k := range s.Keys {
		w.below(level, join(path, k.Name), k)
	}
	first := make(map[string]string)
	for _, v := range s.Variants {
		title := s.VariantKey + ": " + v.Name
		w.heading(level, title, v.Doc)
		w.keys(v.Keys, false)
		for _, k := range v.Keys {
			var part writer
			part.below(level+1, join(path, k.Name), k)
			// What variants have in common is written once.
			if before, again := first[part.String()]; again {
				fmt.Fprintf(w, "\n`%s` is the same as with `%s` above.\n", k.Name, before)
				continue
			}
			if part.Len() > 0 {
				first[part.String()] = title
			}
			w.Write(part.Bytes())
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// below writes the section of a key whose value is, or holds, a mapping.
func (w *writer) below(level int, path string, k outline.Key) {
	s := k.Shape
	for s.Kind == outline.List || s.Kind == outline.Table {
		if s.Kind == outline.List {
			path += "[]"
		} else {
			path += ".NAME"
		}
		s = *s.Item
	}
	if s.Kind != outline.Mapping {
		return
	}
	doc := k.Doc
	if s.Kind == k.Shape.Kind && doc == "" || s.Kind != k.Shape.Kind {
		doc = s.Doc
	}
	w.heading(level, path, doc)
	w.section(level+1, path, s)
}

func (w *writer) heading(level int, title, doc string) {
	fmt.Fprintf(w, "\n%s `%s`\n\n", strings.Repeat("#", min(level, 6)), title)
	if doc != "" {
		w.WriteString(prose(doc) + "\n\n")
	}
}

// keys writes one entry a key; links lead from the top to the sections.
func (w *writer) keys(keys []outline.Key, links bool) {
	for _, k := range keys {
		fmt.Fprintf(w, "- **`%s`**: %s", k.Name, form(k.Shape))
		switch {
		case k.Required:
			w.WriteString(", required")
		case k.Default != "":
			w.WriteString(", default " + code(k.Default))
		}
		w.WriteString(".")
		if k.Doc != "" {
			w.WriteString("\n  " + indent(prose(k.Doc)))
		}
		if k.Example != "" && k.Example != k.Default {
			fmt.Fprintf(w, "\n  Example: `%s: %s`", k.Name, k.Example)
		}
		if links && holdsMapping(k.Shape) {
			fmt.Fprintf(w, "\n  [Its keys](#%s).", k.Name)
		}
		w.WriteString("\n")
	}
}

// code marks what is written in the file, as opposed to a description of it.
func code(s string) string {
	if strings.Contains(s, " ") && !strings.ContainsAny(s, "[{") {
		return s
	}
	return "`" + s + "`"
}

func holdsMapping(s outline.Shape) bool {
	for s.Item != nil {
		s = *s.Item
	}
	return s.Kind == outline.Mapping
}

// form names the form of a value for people.
func form(s outline.Shape) string {
	var long string
	switch s.Kind {
	case outline.List:
		item := form(*s.Item)
		long = "list of " + item
		if strings.Contains(item, "one of") || strings.Contains(item, " or ") {
			long = "list, each item " + item
		}
		if s.Length > 0 {
			long = fmt.Sprintf("list of %d values, each a %s", s.Length, item)
		}
	case outline.Table:
		long = "mapping of names to " + form(*s.Item)
	case outline.Mapping:
		long = "mapping"
	}
	short := s.Syntax.Name
	if len(s.Syntax.Choices) > 0 {
		short = "one of `" + strings.Join(s.Syntax.Choices, "`, `") + "`"
	}
	switch {
	case long == "":
		return short
	case short == "":
		return long
	}
	return short + ", or " + long
}

// prose keeps what Markdown would take for markup as it is.
func prose(doc string) string {
	var b strings.Builder
	for _, r := range doc {
		if strings.ContainsRune(`*_<>`+"`", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func indent(s string) string { return strings.ReplaceAll(s, "\n", "\n  ") }
