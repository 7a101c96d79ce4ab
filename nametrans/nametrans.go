// Package nametrans translates names: the path that clients see in the
// federation to the path that one endpoint knows, and back.
//
// A Translation belongs to one endpoint and is made by Compile from its mount
// and its rules. The rules are tried in the order they are written, and the
// first that matches decides. When none matches, a path at or below the mount
// maps to what is left of it without the mount: with mount /atlas,
// /atlas/raw/f1 is /raw/f1. A mount of "/" covers everything, an empty one
// leaves it all to the rules. A path is translated once, never twice.
//
//	mount: /atlas
//	translate:
//	  - {replace: /atlas/scratch, with: /tmp/atlas}
//	  - {rucio: /atlas/rucio, with: /rucio}
//	  - {regexp: '/srm/managerv2\?SFN=(/.*)', with: '$1'}
//	  - {multiply: [/datadisk, /scratchdisk]}
//
// Prefixes are compared by whole components: /data has nothing to do with
// /database.
//
// # Paths
//
// Every path, in and out, is absolute, clean and slash-separated, as package
// plugins defines it: "/" or a sequence of components, none of them "", "." or
// "..", of any bytes but NUL and '/'. A path that is not, whether it was given
// or is what a regexp made, is covered by nothing, so that no name can lead
// out of the tree that the administrator meant.
//
// # Virtual directories
//
// The proper ancestors of the mount and of the prefixes of replace and rucio
// rules exist even if no storage holds them: with the rules above "/" holds
// "atlas", and "/atlas" holds "rucio" and "scratch" beside whatever the endpoint
// lists there. Translation.Virtual tells them without asking anybody, so the
// assembled tree can be browsed while the endpoint is down.
//
// # Rucio
//
// A rucio rule computes where a storage with Rucio's deterministic "hash"
// layout keeps a file, without a catalogue. For a file called name in a scope,
// that is <with>/<scope>/xx/yy/<name>, xx and yy being the first two bytes of
// MD5("scope:name") in hexadecimal. The federation path may take two forms:
//
//   - <prefix>/<scope>/<name>, the scope being one component. A scope that
//     begins with "user" or "group" is split into directories at its dots, as
//     Rucio does: user.jdoe becomes user/jdoe.
//   - <prefix>/<dir>/<dir>/…/<name>, as Dynafed has it. The scope is the
//     directories joined by dots, and they stay directories as they are.
//
// So <prefix>/user.jdoe/f1 and <prefix>/user/jdoe/f1 are the same file. A
// single component below the prefix, and the prefix itself, is the directory of
// a scope; nothing below the prefix can be listed.
package nametrans

import "strings"

// Translation is the compiled form of one endpoint's mount and rules. It is
// immutable; its methods may be called by any number of goroutines and do
// nothing but compute.
type Translation struct {
	rules []rule // the mount comes last, as one more replacement
	// multiply are the prefixes of the multiply rule; none without one.
	multiply []string
	virtual  map[string][]string
	// pattern is whether any of the rules is a regexp.
	pattern bool
}

// rule is one way to translate. A path for which matches is true is decided by
// that rule; an empty endpoint path then means that it is not covered.
type rule interface {
	forward(path string) (to string, matches bool)
	// back appends federation paths of which forward may make to, and reports
	// whether they are all there are.
	back(to string, from []string) (candidates []string, all bool)
	// lists is whether directories stay directories.
	lists() bool
}

// Endpoint returns the endpoint paths to ask for the federation path: none
// when it is not covered, several with a multiply rule, in its order.
func (t *Translation) Endpoint(path string) []string {
	to, _ := t.translate(path)
	return t.spread(to)
}

// Covers reports whether the endpoint has a path for the federation path.
// Virtual directories do not count.
func (t *Translation) Covers(path string) bool {
	to, _ := t.translate(path)
	return to != ""
}

// Listable returns the endpoint directories whose children are the children of
// the federation directory path. There are none where the path is not covered,
// and where a child would not be found under the same name in the directory's
// translation: below a rucio prefix, and where a regexp treats the child in
// another way than its directory. Children that Virtual names are to be added,
// and stand for what the endpoint has under their names.
func (t *Translation) Listable(path string) []string {
	to, by := t.translate(path)
	if to == "" || !by.lists() {
		return nil
	}
	if t.pattern {
		// A regexp is opaque, so a child is tried that no sensible rule names:
		// what holds for it holds for names that are not singled out.
		const child = "/\x01"
		if got, _ := t.translate(join(path, child)); got != join(to, child) {
			return nil
		}
	}
	return t.spread(to)
}

// Federation returns the one federation path that is asked for at
// endpointPath. It is false when there is none and when there may be several:
// where two prefixes or rules lead to the same place, where a regexp rule could
// have made the path, and for Rucio scopes that have two spellings.
func (t *Translation) Federation(endpointPath string) (path string, ok bool) {
	if !clean(endpointPath) {
		return "", false
	}
	above := t.multiply
	if above == nil {
		above = []string{"/"}
	}
	var candidates []string
	for _, prefix := range above {
		to, below := below(endpointPath, prefix)
		if !below {
			continue
		}
		if to == "" {
			to = "/"
		}
		for _, r := range t.rules {
			var all bool
			if candidates, all = r.back(to, candidates[:0]); !all {
				return "", false
			}
			for _, c := range candidates {
				// An earlier rule may take the candidate elsewhere.
				if got, _ := t.translate(c); got != to || c == path {
					continue
				}
				if ok {
					return "", false
				}
				path, ok = c, true
			}
		}
	}
	return path, ok
}

// Virtual reports whether dir is a proper ancestor of the mount or of a rule's
// prefix, and the names of the children that lead there, in byte order. The
// slice is shared and must not be changed.
func (t *Translation) Virtual(dir string) (names []string, ok bool) {
	names, ok = t.virtual[dir]
	return names, ok
}

// translate returns the endpoint path before multiplication, "" when there is
// none, and the rule that decided.
func (t *Translation) translate(path string) (to string, by rule) {
	if !clean(path) {
		return "", nil
	}
	for _, r := range t.rules {
		if to, matches := r.forward(path); matches {
			return to, r
		}
	}
	return "", nil
}

// spread puts the prefixes of the multiply rule in front of to.
func (t *Translation) spread(to string) []string {
	switch {
	case to == "":
		return nil
	case t.multiply == nil:
		return []string{to}
	}
	paths := make([]string, len(t.multiply))
	for i, prefix := range t.multiply {
		paths[i] = join(prefix, to)
	}
	return paths
}

// clean reports whether path is what the package comment asks for.
func clean(path string) bool {
	if path == "" || path[0] != '/' || strings.IndexByte(path, 0) >= 0 {
		return false
	}
	if path == "/" {
		return true
	}
	for rest, more := path[1:], true; more; {
		var component string
		component, rest, more = strings.Cut(rest, "/")
		switch component {
		case "", ".", "..":
			return false
		}
	}
	return true
}

// below returns what is left of path without prefix: "" for the prefix itself,
// else a path that begins with a slash.
func below(path, prefix string) (rest string, ok bool) {
	if prefix == "/" {
		if path == "/" {
			return "", true
		}
		return path, true
	}
	rest, ok = strings.CutPrefix(path, prefix)
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return rest, true
}

// join puts prefix in front of rest, which is "" or begins with a slash.
func join(prefix, rest string) string {
	switch {
	case rest == "" || rest == "/":
		return prefix
	case prefix == "/":
		return rest
	}
	return prefix + rest
}
