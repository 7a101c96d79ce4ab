// Package agents knows which clients cannot follow a redirect, so that the
// bytes have to be carried to them.
//
// Many WebDAV clients follow a redirect on no method, some on GET alone. They
// are told by the User-Agent they send. A pattern is that of the User-Agent,
// in which "*" stands for anything and case does not matter, and after a space
// the methods it concerns; without any it concerns all:
//
//	cadaver/*
//	rclone/* PUT
//	*MiniRedir/* GET,PUT
//
// The redirect of a third-party copy is the other way about: only those get one
// that are known to follow it.
package agents

import (
	"fmt"
	"slices"
	"strings"
)

// known are the clients that are known to need it.
var known = [...]string{
	"cadaver/*",
	"davfs2/*",
	"litmus/*",
	"Microsoft-WebDAV-MiniRedir/*",
	"rclone/* PUT",
	"gvfs/* PUT",
	"WebDAVFS/* PUT",
}

// followsCopy are those that are known to follow a COPY, as grid jobs use them.
// What others make of a redirect they do not expect is anybody's guess.
var followsCopy = [...]string{"*gfal2*", "*davix*"}

// Table is a set of patterns. It is safe for concurrent use.
type Table struct{ patterns, copying []pattern }

// pattern is one line of a table.
type pattern struct {
	// parts are what stands between the stars, in lower case. The first is at
	// the beginning and the last at the end; where a star stands there, they
	// are empty.
	parts   []string
	methods []string // nil is all
}

// New returns the table of the clients that are known and those that match
// one of extra.
func New(extra []string) (*Table, error) {
	t := new(Table)
	for _, s := range known {
		p, err := parse(s)
		if err != nil {
			return nil, err
		}
		t.patterns = append(t.patterns, p)
	}
	for _, s := range followsCopy {
		p, err := parse(s)
		if err != nil {
			return nil, err
		}
		t.copying = append(t.copying, p)
	}
	for _, s := range extra {
		p, err := parse(s)
		if err != nil {
			return nil, err
		}
		t.patterns = append(t.patterns, p)
	}
	return t, nil
}

// maxStars bounds the work that one pattern can make.
const maxStars = 8

func parse(s string) (pattern, error) {
	agent, methods := strings.TrimSpace(s), ""
	// The last word is methods if it looks like it: a User-Agent may have
	// spaces of its own.
	if i := strings.LastIndexByte(agent, ' '); i >= 0 && isMethods(agent[i+1:]) {
		agent, methods = strings.TrimSpace(agent[:i]), agent[i+1:]
	}
	p := pattern{parts: strings.Split(strings.ToLower(agent), "*")}
	switch {
	case agent == "":
		return p, fmt.Errorf("the client pattern %q is empty; write a User-Agent such as \"cadaver/*\"", s)
	case len(p.parts) > maxStars+1:
		return p, fmt.Errorf("the client pattern %q has more than %d stars", s, maxStars)
	}
	if methods != "" {
		p.methods = strings.Split(methods, ",")
	}
	return p, nil
}

func isMethods(s string) bool {
	for m := range strings.SplitSeq(s, ",") {
		if m == "" || strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return false
		}
	}
	return true
}

// Carried reports whether what is sent by method by the client that calls
// itself agent is to be answered with bytes instead of a redirect. HEAD is
// taken as GET.
func (t *Table) Carried(agent, method string) bool {
	if method == "HEAD" {
		method = "GET"
	}
	for i := range t.patterns {
		if p := &t.patterns[i]; p.concerns(method) && p.matches(agent) {
			return true
		}
	}
	return false
}

// FollowsCopy reports whether the client that calls itself agent follows the
// redirect of a third-party copy.
func (t *Table) FollowsCopy(agent string) bool {
	if t.Carried(agent, "COPY") {
		return false
	}
	return slices.ContainsFunc(t.copying, func(p pattern) bool { return p.matches(agent) })
}

func (p *pattern) concerns(method string) bool {
	if p.methods == nil {
		return true
	}
	for _, m := range p.methods {
		if m == method {
			return true
		}
	}
	return false
}

func (p *pattern) matches(agent string) bool {
	first, last := p.parts[0], p.parts[len(p.parts)-1]
	if !hasPrefix(agent, first) {
		return false
	}
	agent = agent[len(first):]
	if len(p.parts) == 1 {
		return agent == ""
	}
	for _, part := range p.parts[1 : len(p.parts)-1] {
		i := index(agent, part)
		if i < 0 {
			return false
		}
		agent = agent[i+len(part):]
	}
	return len(agent) >= len(last) && hasPrefix(agent[len(agent)-len(last):], last)
}

// hasPrefix reports whether s begins with lower, which is in lower case. The
// usual client is told apart by its first byte.
func hasPrefix(s, lower string) bool {
	if len(s) < len(lower) {
		return false
	}
	for i := range len(lower) {
		if fold(s[i]) != lower[i] {
			return false
		}
	}
	return true
}

func index(s, lower string) int {
	for i := 0; i+len(lower) <= len(s); i++ {
		if hasPrefix(s[i:], lower) {
			return i
		}
	}
	return -1
}

func fold(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
