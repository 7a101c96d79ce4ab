package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"

	"canopy/configs"
	"canopy/plugins"
)

// sources are the folders in which configuration types may be.
var sources = [...]string{"configs", "nametrans", "plugins"}

// comments holds documentation by Go name.
type comments map[string]string

// generate returns the generated files by their names below root.
func generate(root string, types *plugins.Registry) (map[string][]byte, error) {
	found, used := make(comments), make(comments)
	for _, s := range sources {
		if err := found.collect(root, s); err != nil {
			return nil, err
		}
	}
	reference := markdown(configs.Outline(types, func(name string) string {
		if c := found[name]; c != "" {
			used[name] = c
		}
		return found[name]
	}))
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(used); err != nil {
		return nil, err
	}
	return map[string][]byte{
		"configs/outline/comments.json": b.Bytes(),
		"docs/configuration.md":         reference,
	}, nil
}

// collect adds the comments of all configuration types below dir: structs
// that have fields with yaml tags.
func (c comments) collect(root, dir string) error {
	return filepath.WalkDir(filepath.Join(root, dir), func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "testdata" {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("cannot read comments: %w", err)
		}
		folder, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if g, ok := decl.(*ast.GenDecl); ok && g.Tok == token.TYPE {
				c.declaration("canopy/"+filepath.ToSlash(folder), g)
			}
		}
		return nil
	})
}

func (c comments) declaration(folder string, g *ast.GenDecl) {
	for _, spec := range g.Specs {
		t := spec.(*ast.TypeSpec)
		s, ok := t.Type.(*ast.StructType)
		if !ok {
			continue
		}
		name, configured := folder+"."+t.Name.Name, false
		for _, f := range s.Fields.List {
			if f.Tag == nil || !strings.Contains(f.Tag.Value, `yaml:"`) || strings.Contains(f.Tag.Value, `yaml:"-"`) {
				continue
			}
			configured = true
			for _, n := range f.Names {
				c[name+"."+n.Name] = strings.TrimSpace(f.Doc.Text())
			}
		}
		doc := t.Doc
		if doc == nil {
			doc = g.Doc
		}
		if configured {
			c[name] = strings.TrimSpace(doc.Text())
		}
	}
}
