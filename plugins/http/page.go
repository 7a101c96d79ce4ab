package http

import (
	"io"
	"iter"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"canopy/plugins"
)

// maxText bounds the text behind a link, and the title, that is looked at.
const maxText = 512

// readPage reads an index page. A link is yielded when the text behind it is
// complete, because there stands the size.
func readPage(l *listing, r io.Reader) iter.Seq2[plugins.Entry, error] {
	return func(yield func(plugins.Entry, error) bool) {
		p := page{listing: l, tokens: html.NewTokenizer(&allowance{r: r, total: maxIndex})}
		p.tokens.SetMaxBuf(maxRow)
		for {
			kind := p.tokens.Next()
			done, ok := p.token(kind)
			if ok && !yield(done, nil) {
				return
			}
			if kind == html.ErrorToken {
				break
			}
			if l.full() {
				yield(plugins.Entry{}, errTooLarge)
				return
			}
		}
		if err := p.fault(); err != nil {
			yield(plugins.Entry{}, err)
		}
	}
}

// page is the state of reading an index page.
type page struct {
	*listing
	tokens *html.Tokenizer

	// known is whether the page is of a known kind by its title; opened and
	// closed whether it has its outermost tags; sized whether one of its
	// columns is called "Size".
	known, opened, closed, sized bool

	// link is the child that was met last, if pending, and text what stands
	// in the part of the page that is being read.
	link    plugins.Entry
	pending bool
	part    part
	text    []byte
}

// part is a part of a page.
type part uint8

const (
	elsewhere part = iota
	inTitle
	inLink
	behindLink
)

// enter begins to read a part.
func (p *page) enter(part part) { p.part, p.text = part, p.text[:0] }

// token takes one token in. It returns the link that is complete with it.
func (p *page) token(kind html.TokenType) (plugins.Entry, bool) {
	switch kind {
	case html.ErrorToken:
		return p.flush()
	case html.TextToken:
		p.read(p.tokens.Text())
	case html.StartTagToken, html.SelfClosingTagToken:
		name, _ := p.tokens.TagName()
		switch atom.Lookup(name) {
		case atom.Html:
			p.opened = true
		case atom.Title:
			p.enter(inTitle)
		case atom.A:
			return p.anchor()
		case atom.Hr, atom.Tr, atom.Li:
			return p.flush()
		}
	case html.EndTagToken:
		name, _ := p.tokens.TagName()
		switch atom.Lookup(name) {
		case atom.Html:
			p.closed = true
		case atom.Title:
			p.known = p.known || p.part == inTitle && strings.HasPrefix(strings.TrimSpace(string(p.text)), "Index of ")
			p.enter(elsewhere)
		case atom.A:
			if p.part == inLink {
				p.enter(behindLink)
			}
		case atom.Tr, atom.Pre, atom.Table, atom.Ul:
			return p.flush()
		}
	}
	return plugins.Entry{}, false
}

// read takes text in.
func (p *page) read(text []byte) {
	switch p.part {
	case inTitle, behindLink:
		p.text = append(p.text, text[:min(len(text), maxText)]...)
		p.text = append(p.text, ' ')
		p.text = p.text[:min(len(p.text), maxText)]
	case elsewhere:
		p.sized = p.sized || len(p.seen) == 0 && strings.Contains(string(text[:min(len(text), maxText)]), "Size")
	}
}

// anchor takes an <a> in. Two links to one child in a row are one: icons can be
// links too.
func (p *page) anchor() (plugins.Entry, bool) {
	child, ok := p.child(p.href())
	if ok && p.pending && child.Name == p.link.Name {
		p.enter(inLink)
		return plugins.Entry{}, false
	}
	done, flushed := p.flush()
	if ok && p.first(child.Name) {
		p.link, p.pending = child, true
		p.enter(inLink)
	}
	return done, flushed
}

// href returns the first attribute of that name, "" if there is none.
func (p *page) href() string {
	for {
		key, value, more := p.tokens.TagAttr()
		if string(key) == "href" {
			return string(value)
		}
		if !more {
			return ""
		}
	}
}

// flush returns the link that is pending, with its size if the text says it.
func (p *page) flush() (plugins.Entry, bool) {
	if !p.pending {
		p.enter(elsewhere)
		return plugins.Entry{}, false
	}
	if p.known && p.part == behindLink && p.link.Kind == plugins.File {
		p.link.Size = exactSize(string(p.text), p.sized)
	}
	p.pending = false
	p.enter(elsewhere)
	return p.link, true
}

// fault returns why the page cannot be believed to be complete.
func (p *page) fault() error {
	switch err := p.tokens.Err(); {
	case err == html.ErrBufferExceeded:
		return malformed("the index page holds a tag of more than 1 MiB")
	case err != io.EOF:
		return err
	case p.known && p.opened && !p.closed:
		return malformed("the index page ends early")
	}
	return nil
}

// exactSize returns the size in the text behind a link, -1 if there is none
// that is exact. That is the case for a date, time and a plain number with
// nothing after it: nginx writes "14-Nov-2023 22:13 1024", Apache "2023-11-14
// 22:13 972" and, from 973 bytes on, rounds and adds a unit. As Apache can also
// leave the size out, and an administrator's description stand in its place,
// sized must be true for its form.
func exactSize(text string, sized bool) int64 {
	fields := strings.Fields(text)
	if len(fields) != 3 || !matches(fields[1], "00:00") {
		return -1
	}
	switch date := fields[0]; {
	case matches(date, "00-Aaa-0000"):
	case matches(date, "0000-00-00") && sized:
	default:
		return -1
	}
	if n, err := strconv.ParseUint(fields[2], 10, 63); err == nil {
		return int64(n)
	}
	return -1
}

// matches reports whether s is like form, in which "0" is any digit, letters
// are any of their case and other bytes themselves.
func matches(s, form string) bool {
	if len(s) != len(form) {
		return false
	}
	class := func(c byte) byte {
		switch {
		case '0' <= c && c <= '9':
			return '0'
		case 'a' <= c && c <= 'z':
			return 'a'
		case 'A' <= c && c <= 'Z':
			return 'A'
		}
		return c
	}
	for i := range len(s) {
		if class(s[i]) != form[i] {
			return false
		}
	}
	return true
}
