package web

import "io"

// IndexPage is the list of what is served besides the tree.
type IndexPage struct {
	Page
	Places []Place
}

// Place is one address outside of the tree.
type Place struct {
	// Path is the path of its URL; a link leads there if it can be read.
	Path     string
	Readable bool
	// Methods are those that it takes, besides OPTIONS.
	Methods string
	// About is what it is, in a few words.
	About string
}

// Index writes the list. The error is that of w, or of the template.
func (p *Pages) Index(w io.Writer, i IndexPage) error { return p.render(w, "index", i) }
