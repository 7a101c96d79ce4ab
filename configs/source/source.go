// Package source reads a configuration file into a tree of YAML nodes that
// know their lines and columns.
//
// The tree it returns is plain: one document, a mapping at the top, keys that
// are text and occur once, aliases and merge keys replaced by what they stand
// for, and ${NAME} in values replaced by the environment variable NAME. That
// happens after parsing, so that a variable's value is always one value and
// can never add a key. $${ stands for a literal ${.
//
// The file is not trusted: its bytes, its depth and the nodes that its aliases
// unfold to are bounded.
package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Limits on what is read.
const (
	// MaxBytes is the size of the largest file that is read.
	MaxBytes = 4 << 20
	maxDepth = 32
	maxNodes = 200_000
)

// Parse returns the top mapping of text. The name of the file is for the
// problems only; lookup finds environment variables. The tree is usable, in
// part, even if there are problems, unless it is nil.
func Parse(file string, text []byte, lookup func(string) (string, bool)) (*yaml.Node, Problems) {
	r := reader{file: file, lookup: lookup}
	switch {
	case len(text) > MaxBytes:
		r.addf(Position{1, 1}, nil, "the file is larger than %d bytes; remove what does not belong to the configuration", MaxBytes)
		return nil, r.problems
	case !utf8.Valid(text):
		r.addf(invalidAt(text), nil, "this is not UTF-8 text; save the file as UTF-8")
		return nil, r.problems
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := d.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		r.syntax(err)
		return nil, r.problems
	}
	if len(doc.Content) == 0 {
		return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: 1, Column: 1}, nil
	}
	var second yaml.Node
	if err := d.Decode(&second); err == nil {
		r.addf(at(&second), nil, "a second document begins here; put everything into one and remove the line ---")
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
		return nil, r.problems
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		root = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: 1, Column: 1}
	}
	if root.Kind != yaml.MappingNode {
		r.addf(at(root), nil, "expected a mapping of keys to values, found %s; begin with a line such as endpoints:", Describe(root))
		return nil, r.problems
	}
	plain := r.copy(root, nil, 0)
	if r.stopped {
		return nil, r.problems
	}
	return plain, r.problems
}

// at is the place of a node.
func at(n *yaml.Node) Position { return Position{max(n.Line, 1), max(n.Column, 1)} }

// Describe names the shape of a node for people: "a list".
func Describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	}
	return fmt.Sprintf("%.64q", n.Value)
}

type reader struct {
	file     string
	lookup   func(string) (string, bool)
	nodes    int
	stopped  bool // a limit was exceeded
	problems Problems
}

func (r *reader) addf(p Position, path *trail, format string, args ...any) {
	r.problems = append(r.problems, Problem{r.file, p, path.String(), fmt.Sprintf(format, args...)})
}

var syntaxLine = regexp.MustCompile(`^(?:yaml: )?(?:line ([0-9]+): )?(.*)`)

// syntax turns the parser's complaint, which has a line at best, into a
// problem.
func (r *reader) syntax(err error) {
	p, text := Position{1, 1}, err.Error()
	if m := syntaxLine.FindStringSubmatch(text); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil && n > 0 {
			p.Line = n
		}
		text = m[2]
	}
	r.addf(p, nil, "not valid YAML: %s; check indentation, quotes and brackets here and just above", text)
}

func invalidAt(text []byte) Position {
	p := Position{1, 1}
	for len(text) > 0 {
		c, n := utf8.DecodeRune(text)
		switch {
		case c == utf8.RuneError && n == 1:
			return p
		case c == '\n':
			p = Position{p.Line + 1, 1}
		default:
			p.Column++
		}
		text = text[n:]
	}
	return p
}

// copy returns n unfolded. It never returns nil.
func (r *reader) copy(n *yaml.Node, path *trail, depth int) *yaml.Node {
	r.nodes++
	if r.stopped = r.stopped || r.over(n, path, depth); r.stopped {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line, Column: n.Column}
	}
	if n.Kind == yaml.AliasNode {
		return r.copy(n.Alias, path, depth+1)
	}
	c := *n
	c.Anchor, c.Content = "", nil
	switch n.Kind {
	case yaml.MappingNode:
		r.tag(n, path)
		r.mapping(&c, n, path, depth)
	case yaml.SequenceNode:
		r.tag(n, path)
		for i, item := range n.Content {
			c.Content = append(c.Content, r.copy(item, &trail{up: path, index: i}, depth+1))
		}
	case yaml.ScalarNode:
		r.scalar(&c, path)
	}
	return &c
}

func (r *reader) over(n *yaml.Node, path *trail, depth int) bool {
	switch {
	case depth > maxDepth:
		r.addf(at(n), path, "nested deeper than %d levels, or an alias that contains itself; write it flatter", maxDepth)
	case r.nodes > maxNodes:
		r.addf(at(n), path, "the file has more than %d values once its aliases are unfolded; use fewer aliases", maxNodes)
	default:
		return false
	}
	return true
}

// mapping copies the entries of n to c. Keys that n has itself win over those
// it merges in, and an earlier merge wins over a later one.
func (r *reader) mapping(c, n *yaml.Node, path *trail, depth int) {
	seen := make(map[string]*yaml.Node)
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode || k.Tag == "!!null" {
			r.addf(at(n.Content[i]), path, "a key must be a word, found %s; write key: value", Describe(k))
			continue
		}
		if k.Tag == "!!merge" {
			merged = append(merged, v)
			continue
		}
		if first, dup := seen[k.Value]; dup {
			r.addf(at(k), &trail{up: path, key: k.Value}, "the key stands twice, first on line %d; keep one", first.Line)
			continue
		}
		seen[k.Value] = k
		c.Content = append(c.Content, key(k), r.copy(v, &trail{up: path, key: k.Value}, depth+1))
	}
	for _, m := range merged {
		for _, e := range r.merge(m, path, depth) {
			if _, own := seen[e[0].Value]; !own {
				seen[e[0].Value] = e[0]
				c.Content = append(c.Content, e[0], e[1])
			}
		}
	}
}

func key(k *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: k.Value, Line: k.Line, Column: k.Column}
}

// merge returns the entries that the value m of a merge key stands for.
func (r *reader) merge(m *yaml.Node, path *trail, depth int) (entries [][2]*yaml.Node) {
	c := r.copy(m, path, depth+1)
	sources := []*yaml.Node{c}
	if c.Kind == yaml.SequenceNode {
		sources = c.Content
	}
	for _, s := range sources {
		if s.Kind != yaml.MappingNode {
			if !r.stopped {
				r.addf(at(m), &trail{up: path, key: "<<"}, "expected a mapping to merge, found %s; write <<: *NAME", Describe(s))
			}
			continue
		}
		for i := 0; i+1 < len(s.Content); i += 2 {
			entries = append(entries, [2]*yaml.Node{s.Content[i], s.Content[i+1]})
		}
	}
	return entries
}

// tag refuses the tags that would change what a node is.
func (r *reader) tag(n *yaml.Node, path *trail) {
	switch n.ShortTag() {
	case "!!map", "!!seq", "!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!merge":
	default:
		r.addf(at(n), path, "the tag %.32q has no meaning here; remove it", n.Tag)
	}
}

func (r *reader) scalar(c *yaml.Node, path *trail) {
	r.tag(c, path)
	text, problem := r.expand(c.Value)
	if problem != "" {
		r.addf(at(c), path, "%s", problem)
		return
	}
	if text != c.Value {
		// What a variable holds is text, or whatever the key wants, quoted
		// or not.
		c.Value, c.Tag, c.Style = text, "!!str", 0
	}
}

var variable = regexp.MustCompile(`^\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expand replaces the variables in s. It returns a problem as text.
func (r *reader) expand(s string) (text, problem string) {
	if !strings.Contains(s, "${") {
		return s, ""
	}
	var b strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			return b.String(), ""
		}
		if i > 0 && s[i-1] == '$' {
			b.WriteString(s[:i-1])
			b.WriteString("${")
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		m := variable.FindStringSubmatch(s[i+1:])
		if m == nil {
			return "", "${ begins no variable name; write ${NAME}, or $${ for a literal ${"
		}
		value, ok := r.lookup(m[1])
		if !ok {
			return "", fmt.Sprintf("the environment variable %s is not set; set it, or write $${ for a literal ${", m[1])
		}
		b.WriteString(value)
		s = s[i+1+len(m[0]):]
	}
}

// Escape returns s such that expansion gives s back.
func Escape(s string) string { return strings.ReplaceAll(s, "${", "$${") }
