package nametrans

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Compile makes a translation. The error is a *RuleError, the first that was
// found. A rule that could never have an effect is one, since it is surely not
// what was meant.
func Compile(mount string, rules []Rule) (*Translation, error) {
	if mount != "" && !clean(mount) {
		return nil, &RuleError{Index: -1, Key: "mount", Problem: unclean(mount)}
	}
	c := compiler{}
	for i, r := range rules {
		if err := c.add(r); err != nil {
			err.Index = i
			return nil, err
		}
	}
	if mount != "" {
		c.rules = append(c.rules, &replacement{from: []string{mount}, with: "/"})
		c.taken = append(c.taken, mount)
	}
	c.virtual = parents(c.taken)
	return &c.Translation, nil
}

// compiler is a translation being made.
type compiler struct {
	Translation
	taken []string // the prefixes of the rules so far
}

func (c *compiler) add(r Rule) *RuleError {
	kind, err := kindOf(r)
	switch {
	case err != nil:
		return err
	case kind == "multiply":
		return c.addMultiply(r)
	case r.With == "":
		return &RuleError{Key: "with", Problem: "is missing; it says what " + kind + " is translated to"}
	case kind == "regexp":
		return c.addPattern(r)
	}
	if !clean(r.With) {
		return &RuleError{Key: "with", Problem: unclean(r.With)}
	}
	if kind == "replace" {
		return c.addPrefixes(kind, r.Replace, func(from []string) rule {
			return &replacement{from: from, with: r.With}
		})
	}
	return c.addPrefixes(kind, r.Rucio, func(from []string) rule {
		return &hashing{from: from, with: r.With}
	})
}

// kindOf returns the key that says what a rule is.
func kindOf(r Rule) (string, *RuleError) {
	kind := ""
	for _, k := range []struct {
		key string
		has bool
	}{
		{"replace", r.Replace != nil},
		{"regexp", r.Regexp != ""},
		{"rucio", r.Rucio != nil},
		{"multiply", r.Multiply != nil},
	} {
		switch {
		case !k.has:
		case kind == "":
			kind = k.key
		default:
			return "", &RuleError{Key: k.key, Problem: "cannot stand beside " + kind + "; make two rules of it"}
		}
	}
	if kind == "" {
		return "", &RuleError{Problem: "has none of replace, regexp, rucio and multiply"}
	}
	return kind, nil
}

func (c *compiler) addPrefixes(key string, prefixes []string, build func(from []string) rule) *RuleError {
	if len(prefixes) == 0 {
		return &RuleError{Key: key, Problem: "is empty; name at least one prefix"}
	}
	for i, p := range prefixes {
		switch {
		case !clean(p):
			return &RuleError{Key: key, Problem: unclean(p)}
		case slices.Contains(prefixes[:i], p):
			return &RuleError{Key: key, Problem: fmt.Sprintf("%q is named twice", p)}
		}
		if by, ok := c.takenBy(p); ok {
			return &RuleError{Key: key, Problem: unreachable(p, by)}
		}
	}
	from := slices.Clone(prefixes)
	slices.SortStableFunc(from, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	c.rules = append(c.rules, build(from))
	c.taken = append(c.taken, from...)
	return nil
}

func (c *compiler) addPattern(r Rule) *RuleError {
	p, err := newPattern(r.Regexp)
	if err != nil {
		return &RuleError{Key: "regexp", Problem: err.Error()}
	}
	for _, earlier := range c.rules {
		if e, ok := earlier.(*pattern); ok && e.source == p.source {
			return &RuleError{Key: "regexp", Problem: "is never reached: an earlier rule has the same"}
		}
	}
	// The last component of what the regexp begins with may be half of one, so
	// only the directory that it is in is sure.
	lead := p.lead()
	if by, ok := c.takenBy(lead[:max(strings.LastIndexByte(lead, '/'), 0)]); ok {
		return &RuleError{Key: "regexp", Problem: unreachable(r.Regexp, by)}
	}
	if p.with, err = parseTemplate(r.With, p.re); err != nil {
		return &RuleError{Key: "with", Problem: err.Error()}
	}
	if first := p.with[0]; strings.ContainsRune(r.With, 0) || first.group < 0 && first.text[0] != '/' {
		return &RuleError{Key: "with", Problem: unclean(r.With)}
	}
	c.rules = append(c.rules, p)
	c.pattern = true
	return nil
}

func (c *compiler) addMultiply(r Rule) *RuleError {
	switch {
	case r.With != "":
		return &RuleError{Key: "with", Problem: "has no meaning beside multiply; leave it out"}
	case c.multiply != nil:
		return &RuleError{Key: "multiply", Problem: "stands in an earlier rule already; name all prefixes there"}
	case len(r.Multiply) == 0:
		return &RuleError{Key: "multiply", Problem: "is empty; name at least one prefix"}
	}
	for i, p := range r.Multiply {
		switch {
		case !clean(p):
			return &RuleError{Key: "multiply", Problem: unclean(p)}
		case slices.Contains(r.Multiply[:i], p):
			return &RuleError{Key: "multiply", Problem: fmt.Sprintf("%q is named twice", p)}
		}
	}
	c.multiply = slices.Clone(r.Multiply)
	return nil
}

// takenBy returns the prefix of an earlier rule that path is at or below; ""
// is a path of which nothing is known.
func (c *compiler) takenBy(path string) (prefix string, ok bool) {
	for _, prefix := range c.taken {
		if _, ok := below(path, prefix); ok {
			return prefix, true
		}
	}
	return "", false
}

func unclean(path string) string {
	return fmt.Sprintf(`%q is not a clean absolute path: it begins with "/", does not end in one, and has no "//", "." or ".."`, path)
}

func unreachable(path, by string) string {
	return fmt.Sprintf("%q is never reached: an earlier rule takes all of %q; put this rule before it", path, by)
}

// parents returns the proper ancestors of paths, each with the names of its
// children on the way to them.
func parents(paths []string) map[string][]string {
	tree := make(map[string][]string)
	for _, path := range paths {
		for path != "/" {
			end := strings.LastIndexByte(path, '/')
			name := path[end+1:]
			path = path[:max(end, 1)]
			if at, found := slices.BinarySearch(tree[path], name); !found {
				tree[path] = slices.Insert(tree[path], at, name)
			}
		}
	}
	return tree
}
