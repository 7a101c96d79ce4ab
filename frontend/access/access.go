// Package access decides who may do what where.
//
// A rule gives rights below a path, the path itself included. Of the rules
// whose path covers the path in question, by whole components, the longest
// decides. A right that it does not mention is decided by the next shorter one
// that does, and in the end by the default: anyone may read and list, nobody
// may write or delete. A right that is given to an empty list of principals is
// mentioned, and nobody has it.
//
// Everything is worked out when the rules are made, so that a decision costs
// one look-up per component of the path, and none at all where the only rule
// is the default.
package access

import (
	"fmt"
	"path"
	"strings"

	"canopy/frontend/identity"
)

// Right is what one may do.
type Right uint8

// The rights.
const (
	// Read is to read files, and to learn where they are.
	Read Right = iota
	// List is to see what a directory holds.
	List
	// Write is to make files and directories and to change them.
	Write
	// Delete is to remove them, or to move them away.
	Delete
	// Admin is to run the federation: to take endpoints out of service and to
	// put them back. No rule gives it; whoever has proved to be somebody and
	// may delete at "/" has it, because there is nothing worse to be done.
	Admin

	// rights is the number of those that rules give.
	rights = Admin
)

// String returns the right in a word, as it is written in the configuration.
func (r Right) String() string {
	if r <= Admin {
		return [...]string{"read", "list", "write", "delete", "admin"}[r]
	}
	return "unknown"
}

// Kind is what a principal is.
type Kind uint8

// The kinds of principals.
const (
	// Anyone is everybody, whether known or not.
	Anyone Kind = iota + 1
	// Authenticated is whoever has proved to be somebody.
	Authenticated
	// User is the one of that name.
	User
	// Group is every member of the group of that name.
	Group
)

// Principal is whom a right is given to.
type Principal struct {
	Kind Kind
	// Name is that of the user or group.
	Name string
}

// Rule is a set of rights below Path. A right that is nil is not mentioned.
type Rule struct {
	Path                      string
	Read, List, Write, Delete []Principal
}

// Rules are the rules of a federation. They do not change and may be used by
// any number of goroutines at once.
type Rules struct {
	// root decides where no rule is longer, and below what deeper ones do.
	root  *grants
	below map[string]*grants
	// depth is the number of components of the longest rule.
	depth int
}

// grants are whom each right is given to at a path, with what was left to
// shorter rules filled in.
type grants [rights]*grant

// grant is the principals of one right.
type grant struct {
	anyone, authenticated bool
	users, groups         map[string]bool
}

// New works out the rules. It fails on a path that is not absolute and clean,
// on two rules for one path and on a principal of no known kind.
func New(rules []Rule) (*Rules, error) {
	everybody, nobody := &grant{anyone: true}, &grant{}
	r := &Rules{
		root:  &grants{Read: everybody, List: everybody, Write: nobody, Delete: nobody},
		below: make(map[string]*grants),
	}
	said := make(map[string]*grants, len(rules))
	for _, rule := range rules {
		if path.Clean("/"+rule.Path) != rule.Path {
			return nil, fmt.Errorf("access rule for %q: the path is not clean; write %q", rule.Path, path.Clean("/"+rule.Path))
		}
		if said[rule.Path] != nil {
			return nil, fmt.Errorf("access rule for %q: there are two; make one of both", rule.Path)
		}
		g := new(grants)
		for right, principals := range [rights][]Principal{rule.Read, rule.List, rule.Write, rule.Delete} {
			if principals == nil {
				continue
			}
			var err error
			if g[right], err = newGrant(principals); err != nil {
				return nil, fmt.Errorf("access rule for %q, %v: %w", rule.Path, Right(right), err)
			}
		}
		said[rule.Path] = g
	}
	if g := said["/"]; g != nil {
		g.fill(r.root)
		r.root = g
		delete(said, "/")
	}
	for at, g := range said {
		for p := parent(at); p != ""; p = parent(p) {
			if shorter := said[p]; shorter != nil {
				g.fill(shorter)
			}
		}
		g.fill(r.root)
		r.below[at] = g
		r.depth = max(r.depth, strings.Count(at, "/"))
	}
	return r, nil
}

func newGrant(principals []Principal) (*grant, error) {
	g := &grant{users: make(map[string]bool), groups: make(map[string]bool)}
	for _, p := range principals {
		switch {
		case p.Kind == Anyone:
			g.anyone = true
		case p.Kind == Authenticated:
			g.authenticated = true
		case p.Kind == User && p.Name != "":
			g.users[p.Name] = true
		case p.Kind == Group && p.Name != "":
			g.groups[p.Name] = true
		default:
			return nil, fmt.Errorf("principal of kind %d named %q is nobody", p.Kind, p.Name)
		}
	}
	return g, nil
}

// fill takes the rights that g does not mention from shorter.
func (g *grants) fill(shorter *grants) {
	for i := range g {
		if g[i] == nil {
			g[i] = shorter[i]
		}
	}
}

// parent returns the directory of p, "" for what lies directly below the root.
func parent(p string) string { return p[:max(strings.LastIndexByte(p, '/'), 0)] }

// Allows reports whether who has right at the absolute, clean path p. It
// allocates nothing.
func (r *Rules) Allows(p string, right Right, who *identity.Identity) bool {
	if right == Admin {
		return !who.Anonymous() && r.root[Delete].has(who)
	}
	return right < rights && r.at(p)[right].has(who)
}

// AllowsTree is Allows for p and everything below it, as is needed to remove
// or move a directory.
func (r *Rules) AllowsTree(p string, right Right, who *identity.Identity) bool {
	if !r.Allows(p, right, who) {
		return false
	}
	if right == Admin {
		return true
	}
	prefix := strings.TrimSuffix(p, "/") + "/"
	for at, g := range r.below {
		if strings.HasPrefix(at, prefix) && !g[right].has(who) {
			return false
		}
	}
	return true
}

// at returns what the longest rule for p grants.
func (r *Rules) at(p string) *grants {
	if r.depth == 0 {
		return r.root
	}
	// Components beyond the longest rule's cannot matter: without them, a path
	// of a thousand costs no more than another.
	end, components := len(p), 0
	for i := 1; i < len(p); i++ {
		if p[i] == '/' {
			if components++; components == r.depth {
				end = i
				break
			}
		}
	}
	for p = p[:end]; p != ""; p = parent(p) {
		if g := r.below[p]; g != nil {
			return g
		}
	}
	return r.root
}

func (g *grant) has(who *identity.Identity) bool {
	if g.anyone {
		return true
	}
	if who.Anonymous() {
		return false
	}
	if g.authenticated || g.users[who.Name] {
		return true
	}
	if len(g.groups) > 0 {
		for _, name := range who.Groups {
			if g.groups[name] {
				return true
			}
		}
	}
	return false
}
