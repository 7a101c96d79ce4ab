package nametrans

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
)

// pattern is a regexp rule.
type pattern struct {
	source string
	re     *regexp.Regexp
	with   template
}

// newPattern compiles source so that it matches whole paths only, and "." any
// character, for a name may hold a line break.
func newPattern(source string) (*pattern, error) {
	// On its own first: "a)(b" must not become valid by being wrapped.
	_, err := regexp.Compile(source)
	if err != nil {
		var e *syntax.Error
		if errors.As(err, &e) {
			return nil, fmt.Errorf("%s: %q", e.Code, e.Expr)
		}
		return nil, err
	}
	re, err := regexp.Compile(`(?s:\A(?:` + source + `)\z)`)
	if err != nil {
		return nil, err
	}
	return &pattern{source: source, re: re}, nil
}

func (p *pattern) forward(path string) (string, bool) {
	groups := p.re.FindStringSubmatchIndex(path)
	if groups == nil {
		return "", false
	}
	if to := p.with.fill(path, groups); clean(to) {
		return to, true
	}
	return "", true
}

func (p *pattern) back(to string, from []string) ([]string, bool) {
	return from, !p.with.couldBe(to)
}

func (p *pattern) lists() bool { return true }

// lead returns the literal text that every path which the pattern matches
// begins with, as far as it is plain to see.
func (p *pattern) lead() string {
	tree, err := syntax.Parse(p.source, syntax.Perl)
	if err != nil {
		return ""
	}
	parts := []*syntax.Regexp{tree}
	if tree.Op == syntax.OpConcat {
		parts = tree.Sub
	}
	for _, part := range parts {
		switch {
		case part.Op == syntax.OpBeginText:
		case part.Op == syntax.OpLiteral && part.Flags&syntax.FoldCase == 0:
			return string(part.Rune)
		default:
			return ""
		}
	}
	return ""
}

// template is the "with" of a regexp rule: pieces of text and of the path.
type template []piece

// piece is literal text or, with a group, what that group matched.
type piece struct {
	text  string
	group int // 0 is the whole match; negative for text
}

// parseTemplate understands $1, ${1}, ${name} and $$. Unlike package regexp
// it ends the number of $1 at its last digit, so that $1x is the first group
// and an x.
func parseTemplate(with string, re *regexp.Regexp) (template, error) {
	var t template
	for with != "" {
		text, rest, found := strings.Cut(with, "$")
		if text != "" {
			t = append(t, piece{text: text, group: -1})
		}
		if !found {
			break
		}
		switch {
		case strings.HasPrefix(rest, "$"):
			t, with = append(t, piece{text: "$", group: -1}), rest[1:]
			continue
		case strings.HasPrefix(rest, "{"):
			name, after, closed := strings.Cut(rest[1:], "}")
			if !closed {
				return nil, errors.New(`"${" lacks its "}"`)
			}
			group, err := groupOf(name, re)
			if err != nil {
				return nil, err
			}
			t, with = append(t, piece{group: group}), after
			continue
		}
		after := strings.TrimLeft(rest, "0123456789")
		group, err := groupOf(rest[:len(rest)-len(after)], re)
		if err != nil {
			return nil, err
		}
		t, with = append(t, piece{group: group}), after
	}
	return t, nil
}

// groupOf returns the number of the group called name, a number or a name.
func groupOf(name string, re *regexp.Regexp) (int, error) {
	if name == "" {
		return 0, errors.New(`"$" names no group; write $1, ${name}, or $$ for a dollar sign`)
	}
	group, err := strconv.Atoi(name)
	if err != nil {
		group = re.SubexpIndex(name)
	}
	if group < 0 || group > re.NumSubexp() {
		return 0, fmt.Errorf("there is no group %q in the regexp, which has %d", name, re.NumSubexp())
	}
	return group, nil
}

// fill returns the text for a match in path.
func (t template) fill(path string, groups []int) string {
	var b strings.Builder
	for _, p := range t {
		if p.group < 0 {
			b.WriteString(p.text)
		} else if from, to := groups[2*p.group], groups[2*p.group+1]; from >= 0 {
			b.WriteString(path[from:to])
		}
	}
	return b.String()
}

// couldBe reports whether some match may have made to, judging by the literal
// text at both ends.
func (t template) couldBe(to string) bool {
	n := slices.IndexFunc(t, func(p piece) bool { return p.group >= 0 })
	if n < 0 {
		n = len(t)
	}
	for _, p := range t[:n] {
		var ok bool
		if to, ok = strings.CutPrefix(to, p.text); !ok {
			return false
		}
	}
	if n == len(t) {
		return to == ""
	}
	for _, p := range slices.Backward(t[n:]) {
		if p.group >= 0 {
			break
		}
		var ok bool
		if to, ok = strings.CutSuffix(to, p.text); !ok {
			return false
		}
	}
	return true
}
