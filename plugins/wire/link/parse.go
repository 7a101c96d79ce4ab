package link

import (
	"strconv"
	"strings"
)

const (
	// maxLinks bounds the links of one answer.
	maxLinks = 1024
	// maxURL bounds the length of a target; a longer one is skipped.
	maxURL = 8 << 10
)

// Parse returns the links in the lines of a Link header, in their order. It
// returns the first 1024 at most.
func Parse(lines ...string) []Link {
	var links []Link
	for _, line := range lines {
		s := scanner{line}
		for s.rest != "" && len(links) < maxLinks {
			if l, ok := s.link(); ok {
				links = append(links, l)
			}
			s.skipMember()
		}
	}
	return links
}

// scanner is what remains of a line.
type scanner struct{ rest string }

// link reads one link and leaves the scanner at the comma after it, if it was
// well-formed, or anywhere within it.
func (s *scanner) link() (Link, bool) {
	s.skipSpace()
	if !s.take('<') {
		return Link{}, false
	}
	target, ok := s.target()
	if !ok || len(target) > maxURL {
		return Link{}, false
	}
	target = strings.Trim(target, " \t")
	if strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return Link{}, false
	}
	l := Link{URL: target}
	seen := map[string]bool{}
	for {
		s.skipSpace()
		if !s.take(';') {
			return l, true
		}
		name, value := s.param()
		// The first of several counts, which RFC 8288 section 3.3 demands for
		// rel and is as good as anything for the others.
		if !seen[name] {
			seen[name] = true
			l.set(name, value)
		}
	}
}

// target reads up to the bracket that closes. If none does, no link can follow,
// and the line is done with.
func (s *scanner) target() (string, bool) {
	target, rest, closed := strings.Cut(s.rest, ">")
	s.rest = rest
	return target, closed
}

// param reads one parameter, with its name in lower case.
func (s *scanner) param() (name, value string) {
	s.skipSpace()
	name = strings.ToLower(s.until("=;, \t"))
	s.skipSpace()
	if !s.take('=') {
		return name, ""
	}
	s.skipSpace()
	if s.take('"') {
		return name, s.quoted()
	}
	return name, s.until(";, \t")
}

// quoted reads the rest of a quoted string. One that is not closed ends with
// the line.
func (s *scanner) quoted() string {
	var b strings.Builder
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			s.rest = s.rest[i+1:]
			return b.String()
		case c == '\\' && i+1 < len(s.rest):
			i++
			b.WriteByte(s.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	s.rest = ""
	return b.String()
}

// skipMember moves behind the next comma that is not in a quoted string or
// between angle brackets.
func (s *scanner) skipMember() {
	for s.rest != "" {
		c := s.rest[0]
		s.rest = s.rest[1:]
		switch c {
		case ',':
			return
		case '"':
			s.quoted()
		case '<':
			s.target()
		}
	}
}

func (s *scanner) skipSpace() { s.rest = strings.TrimLeft(s.rest, " \t") }

func (s *scanner) take(c byte) bool {
	if s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// until reads up to the first of the bytes in stops, or to the end.
func (s *scanner) until(stops string) string {
	i := strings.IndexAny(s.rest, stops)
	if i < 0 {
		i = len(s.rest)
	}
	read := s.rest[:i]
	s.rest = s.rest[i:]
	return read
}

// set notes a parameter; those that have no field are passed over.
func (l *Link) set(name, value string) {
	switch name {
	case "rel":
		l.Rel = value
	case "type":
		l.Type = value
	case "anchor":
		l.Anchor = value
	case "geo":
		l.Geo = value
	case "pref":
		l.Preferred = true
	case "pri":
		l.Priority = number(value, maxPriority)
	case "depth":
		l.Depth = number(value, maxURL)
	}
}

// number reads a decimal number from 1 to limit; anything else is 0.
func number(s string, limit int) int {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || int(n) > limit {
		return 0
	}
	return int(n)
}
