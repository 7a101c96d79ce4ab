package nametrans

import "fmt"

// Rule is one entry of an endpoint's translate list. It is of exactly one
// kind, which is the key that it has: replace, regexp, rucio or multiply. All
// but multiply have a with.
type Rule struct {
	// Replace is the prefix, or the list of prefixes, that With takes the place
	// of. Prefixes match whole components; the longest of several counts.
	Replace StringOrList `yaml:"replace,omitempty"`
	// Regexp is matched against the whole federation path, from beginning to
	// end whether or not it says ^ and $. Its syntax is RE2's; "." matches a
	// line break as well.
	Regexp string `yaml:"regexp,omitempty"`
	// Rucio is the prefix, or the list of prefixes, below which names are of
	// the form scope/name and the endpoint keeps them in Rucio's hashed layout.
	Rucio StringOrList `yaml:"rucio,omitempty"`
	// With is the endpoint's prefix, "/" being its root. For a regexp it is the
	// whole endpoint path, in which $1 or ${1} is what the first group matched,
	// ${name} a named one, and $$ a dollar sign.
	With string `yaml:"with,omitempty"`
	// Multiply are prefixes of one endpoint that are seen as one tree: every
	// question is asked below each of them, after all other translation and
	// wherever in the list the rule stands.
	Multiply []string `yaml:"multiply,omitempty"`
}

// StringOrList is a list that may be written as a single string.
type StringOrList []string

// UnmarshalYAML decodes either form. It has the signature that YAML packages
// look for and needs none of them.
func (s *StringOrList) UnmarshalYAML(decode func(any) error) error {
	var one string
	if decode(&one) == nil {
		*s = StringOrList{one}
		return nil
	}
	list := []string{}
	if err := decode(&list); err != nil {
		return err
	}
	*s = list
	return nil
}

// RuleError blames one key of one rule.
type RuleError struct {
	// Index is the rule's place in the list, from 0; -1 is the mount.
	Index int
	// Key is the rule's key, as in the configuration: "replace", "with", …;
	// "" blames the rule as a whole.
	Key string
	// Problem says what is wrong and what to do, without index and key.
	Problem string
}

// Error returns place, key and problem on one line.
func (e *RuleError) Error() string {
	switch {
	case e.Index < 0:
		return e.Key + ": " + e.Problem
	case e.Key == "":
		return fmt.Sprintf("translate[%d]: %s", e.Index, e.Problem)
	}
	return fmt.Sprintf("translate[%d].%s: %s", e.Index, e.Key, e.Problem)
}
