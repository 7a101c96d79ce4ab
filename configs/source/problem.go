package source

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Position is a place in a file; lines and columns count from 1.
type Position struct{ Line, Column int }

// Problem is one fault of a configuration file.
type Problem struct {
	File string
	Position
	// Path is the key at fault, as in "endpoints[2].mount"; "" where none is.
	Path string
	// Text says what is wrong and, after a semicolon, what to do.
	Text string
}

// Error returns the problem on one line: FILE:LINE:COL: PATH: TEXT.
func (p Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: ", p.File, p.Line, p.Column)
	if p.Path != "" {
		b.WriteString(p.Path)
		b.WriteString(": ")
	}
	b.WriteString(oneLine(p.Text))
	return b.String()
}

// oneLine keeps a problem on its line whatever the file made it quote.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// Problems are all faults of a file, in the order of their places.
type Problems []Problem

// Error returns all problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, q := range p {
		lines[i] = q.Error()
	}
	return strings.Join(lines, "\n")
}

// Sort orders problems by place; those of one place keep their order, and
// those that say the same are said once.
func (p Problems) Sort() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(p)
}
