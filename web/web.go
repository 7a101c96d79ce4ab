// Package web is what people see: the pages that a browser gets where a
// program would get JSON or XML, with their styles, script and icons, all
// embedded in the binary.
//
// It takes plain values and writes HTML. It knows no network, no storage and
// no other package of Canopy; the front end decides when a page is due, sets
// the headers (Headers) and serves the static files (Pages.Asset).
//
// # Pages
//
// Listing shows a directory. The frame around it is a template; its rows are
// appended by hand, as they come from an iterator, so that a million of them
// stream at the speed of memory and cost no allocation each. What is only
// known once the rows are written, that an endpoint stayed silent, is written
// after them and moved to the top by the style sheet.
//
// Error explains what went wrong and what can be done about it. Explain shows
// in a table why a file's replicas stand in the order they do.
//
// Every page is complete without a script. One script adds sorting in place, a
// filter, and movement by keys to the listing; another uploads files into the
// directory, and is there for those who may do that.
//
// # Names are hostile
//
// A file name may hold any byte. In a link each byte outside a small safe set
// is percent-encoded, so a link always leads to exactly the name it stands
// for. In text, what could not be seen or would disturb what is around it
// (control characters, bidirectional overrides, bytes that are not UTF-8) is
// replaced by a visible mark, see Visible.
//
// The pages need no inline style and no inline script, and ContentSecurityPolicy
// forbids both.
package web

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"iter"
	"strings"
	"sync"
)

//go:embed templates/*.html
var templates embed.FS

// ContentSecurityPolicy is the policy under which every page of this package
// works, and which a server must send with it. The images in data: URLs are
// icons within the style sheet.
const ContentSecurityPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; " +
	"img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Headers yields the header fields, name and value, that belong to every page
// of this package. What depends on the request (Cache-Control, Vary) is the
// server's to add.
func Headers() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, h := range [...][2]string{
			{"Content-Type", "text/html; charset=utf-8"},
			{"Content-Security-Policy", ContentSecurityPolicy},
			{"X-Content-Type-Options", "nosniff"},
			{"Referrer-Policy", "same-origin"},
			{"Cross-Origin-Opener-Policy", "same-origin"},
		} {
			if !yield(h[0], h[1]) {
				return
			}
		}
	}
}

// Pages renders pages. It is made by New and may be used by any number of
// goroutines at once.
type Pages struct {
	assets    map[string]asset
	templates *template.Template
	rows      sync.Pool // of *rowWriter
}

// New prepares the embedded templates and static files. An error means that
// the binary was built from broken ones.
func New() (*Pages, error) {
	assets, names, err := loadAssets()
	if err != nil {
		return nil, err
	}
	t, err := template.New("").Funcs(template.FuncMap{
		"asset": func(name string) (string, error) {
			hashed, ok := names[name]
			if !ok {
				return "", fmt.Errorf("there is no static file %q", name)
			}
			return StaticPath + hashed, nil
		},
		"visible":  Visible,
		"age":      age,
		"heading":  Page.heading,
		"title":    Page.fullTitle,
		"root":     Page.root,
		"nested":   Page.nested,
		"crumbs":   Page.crumbs,
		"columns":  Listing.columns,
		"caption":  ExplainPage.caption,
		"numbered": ExplainPage.numbered,
	}).ParseFS(templates, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("page templates: %w", err)
	}
	p := &Pages{assets: assets, templates: t}
	p.rows.New = func() any { return new(rowWriter) }
	return p, nil
}

// Page is what all pages have in common.
type Page struct {
	// Title is the configured title of the federation; "" shows "Canopy".
	Title string
	// Base is the URL path of the namespace, such as "/" or "/data/".
	Base string
	// Path is the decoded namespace path that the page is about. That of a
	// directory ends in a slash.
	Path string
	// User is who the server takes the client for; "" is anyone.
	User string
	// RequestID is shown so that a person can quote it to an administrator.
	RequestID string
	// Dashboard adds a link to /-/dashboard.
	Dashboard bool
	// Alternates are the page's other forms: JSON, metalink.
	Alternates []Link
}

// Link is a link with its text. An Href whose scheme is neither http, https
// nor mailto is made harmless.
type Link struct {
	Text, Href string
	// Type is the media type of what is there; "" when it does not matter.
	Type string
}

// crumb is one step of the way from the root to a path.
type crumb struct {
	Name, Href string
	Last       bool
}

// heading is the last component of the path, or the title for the root.
func (p Page) heading() string {
	name := strings.TrimSuffix(p.Path, "/")
	name = name[strings.LastIndexByte(name, '/')+1:]
	if name == "" {
		return p.fullTitle()
	}
	return Visible(name)
}

// fullTitle is Title or what stands in for it.
func (p Page) fullTitle() string {
	if p.Title == "" {
		return "Canopy"
	}
	return Visible(p.Title)
}

// root is the URL path of the namespace's root, ending in a slash.
func (p Page) root() string {
	if strings.HasSuffix(p.Base, "/") {
		return p.Base
	}
	return p.Base + "/"
}

// nested reports whether the path is below the root.
func (p Page) nested() bool { return strings.Trim(p.Path, "/") != "" }

// crumbs are the steps to the path, the root being the first.
func (p Page) crumbs() []crumb {
	href := []byte(p.root())
	steps := []crumb{{Name: p.fullTitle(), Href: string(href)}}
	rest := strings.TrimPrefix(p.Path, "/")
	for rest != "" {
		name, after, below := strings.Cut(rest, "/")
		href = appendHref(href, name)
		if below {
			href = append(href, '/')
		}
		if name != "" {
			steps = append(steps, crumb{Name: Visible(name), Href: string(href)})
		}
		rest = after
	}
	steps[len(steps)-1].Last = true
	return steps
}

// render executes one template. Its output is gathered first, so that a
// reader never gets half a page because of a fault in the template.
func (p *Pages) render(w io.Writer, name string, data any) error {
	var b strings.Builder
	if err := p.templates.ExecuteTemplate(&b, name, data); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
