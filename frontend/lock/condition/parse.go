package condition

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// parser reads a header from its left. rest is what is unread.
type parser struct {
	rest   string
	locate Locator
	parsed If
	// conditions is how many there are, resources how many tags.
	conditions, resources int
}

// header reads the whole of an If header.
func (p *parser) header(request string) error {
	path := request
	p.space()
	tagged := p.next('<')
	for p.rest != "" {
		if tagged {
			var err error
			if path, err = p.tag(); err != nil {
				return err
			}
			p.space()
		}
		if !p.next('(') {
			return errors.New("no list where one must be")
		}
		for p.next('(') {
			if err := p.list(path); err != nil {
				return err
			}
			p.space()
		}
		if !tagged && p.rest != "" {
			return errors.New("something other than a list follows a list without a tag")
		}
	}
	if len(p.parsed.Lists) == 0 {
		return errors.New("it is empty")
	}
	return nil
}

// tag reads a resource tag and returns the path that it names.
func (p *parser) tag() (string, error) {
	text, err := p.bracketed()
	if err != nil {
		return "", err
	}
	if p.resources++; p.resources > MaxResources {
		return "", fmt.Errorf("more than %d resources", MaxResources)
	}
	u, err := url.Parse(text)
	// What is wrong with it is not repeated: it may hold anything.
	switch {
	case err != nil, u.Opaque != "", u.Fragment != "" || strings.HasSuffix(text, "#"):
		return "", errors.New("a resource tag is no URL")
	case u.Scheme == "" && (u.Host != "" || !strings.HasPrefix(text, "/")), strings.HasPrefix(text, "//"):
		return "", errors.New("a resource tag is neither an absolute URL nor an absolute path")
	case u.Scheme != "" && u.Path == "":
		u.Path = "/"
	}
	path, ok := p.locate(u)
	if !ok {
		return "", nil
	}
	return path, nil
}

// list reads a list, whose parenthesis is next.
func (p *parser) list(path string) error {
	p.rest = p.rest[1:]
	l := List{Path: path}
	for p.space(); !p.next(')'); p.space() {
		c, err := p.condition()
		if err != nil {
			return err
		}
		if p.conditions++; p.conditions > MaxConditions {
			return fmt.Errorf("more than %d conditions", MaxConditions)
		}
		l.Conditions = append(l.Conditions, c)
	}
	if len(l.Conditions) == 0 {
		return errors.New("a list is empty")
	}
	p.rest = p.rest[1:]
	p.parsed.Lists = append(p.parsed.Lists, l)
	return nil
}

func (p *parser) condition() (c Condition, err error) {
	const not = "not"
	if len(p.rest) > len(not) && strings.EqualFold(p.rest[:len(not)], not) {
		c.Not = true
		p.rest = p.rest[len(not):]
		p.space()
	}
	switch {
	case p.next('<'):
		c.Token, err = p.token()
	case p.next('['):
		c.ETag, err = p.etag()
	case p.rest == "":
		err = errors.New("a list is not ended")
	default:
		err = errors.New("a condition is neither a token in <> nor an entity tag in []")
	}
	return c, err
}

// token reads a state token with its brackets.
func (p *parser) token() (string, error) {
	text, err := p.bracketed()
	switch {
	case err != nil:
		return "", err
	case len(text) > MaxToken:
		return "", fmt.Errorf("a token is longer than %d bytes", MaxToken)
	case !absolute(text):
		return "", errors.New("a token is not an absolute URI")
	}
	return text, nil
}

// bracketed reads what stands between < and >: characters of a URI.
func (p *parser) bracketed() (string, error) {
	if !p.next('<') {
		return "", errors.New("no < where one must be")
	}
	end := strings.IndexByte(p.rest, '>')
	if end < 0 {
		return "", errors.New("a < is not ended")
	}
	text := p.rest[1:end]
	p.rest = p.rest[end+1:]
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`<"\^`+"`{|}", c) >= 0 {
			return "", errors.New("a character that no URI has")
		}
	}
	return text, nil
}

// etag reads an entity tag with its brackets (RFC 9110 section 8.8.3).
func (p *parser) etag() (string, error) {
	p.rest = p.rest[1:]
	p.space()
	start, n := p.rest, 0
	if strings.HasPrefix(start, "W/") {
		n = len("W/")
	}
	if n >= len(start) || start[n] != '"' {
		return "", errors.New("an entity tag is not quoted")
	}
	for n++; n < len(start) && start[n] != '"'; n++ {
		if c := start[n]; c <= ' ' || c == 0x7f {
			return "", errors.New("a character that no entity tag has")
		}
	}
	if n == len(start) {
		return "", errors.New("an entity tag is not ended")
	}
	n++
	p.rest = start[n:]
	p.space()
	if !p.next(']') {
		return "", errors.New("an entity tag is followed by something other than ]")
	}
	p.rest = p.rest[1:]
	return start[:n], nil
}

// space passes over white space.
func (p *parser) space() { p.rest = strings.TrimLeft(p.rest, " \t") }

// next reports whether c is next.
func (p *parser) next(c byte) bool { return p.rest != "" && p.rest[0] == c }

// absolute reports whether s has a scheme, and something after it (RFC 3986
// section 3.1).
func absolute(s string) bool {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || scheme == "" || rest == "" {
		return false
	}
	for i := range len(scheme) {
		switch c := scheme[i] | 0x20; {
		case 'a' <= c && c <= 'z':
		case i > 0 && ('0' <= scheme[i] && scheme[i] <= '9' || strings.IndexByte("+-.", scheme[i]) >= 0):
		default:
			return false
		}
	}
	return true
}
