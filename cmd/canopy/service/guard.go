package service

import (
	"fmt"
	"log/slog"
	"net/http"

	"canopy/configs"
	"canopy/frontend"
	"canopy/frontend/access"
	"canopy/frontend/identity"
	"canopy/frontend/identity/basic"
	"canopy/frontend/origin"
)

// guard says who asks, from where, and what they may do.
type guard struct {
	origins *origin.Resolver
	who     identity.Chain
	rules   *access.Rules
}

func newGuard(c *configs.Config, log *slog.Logger) (*guard, error) {
	g := &guard{origins: origin.New(c.Clients.TrustedProxies)}
	if c.Auth.Basic != nil {
		p, err := basic.New(basic.Options{Htpasswd: c.Auth.Basic.Htpasswd, Realm: c.Title, Log: log})
		if err != nil {
			return nil, fmt.Errorf("auth.basic: %w", err)
		}
		g.who = append(g.who, p)
	}
	rules := make([]access.Rule, len(c.Access))
	for i, r := range c.Access {
		rules[i] = access.Rule{
			Path: r.Path,
			Read: principals(r.Read), List: principals(r.List), Write: principals(r.Write), Delete: principals(r.Delete),
		}
	}
	var err error
	if g.rules, err = access.New(rules); err != nil {
		return nil, fmt.Errorf("access: %w", err)
	}
	return g, nil
}

// principals keeps nil apart from empty: not mentioned, and nobody.
func principals(all []configs.Principal) []access.Principal {
	if all == nil {
		return nil
	}
	kinds := map[configs.PrincipalKind]access.Kind{
		configs.Anyone: access.Anyone, configs.Authenticated: access.Authenticated,
		configs.User: access.User, configs.Group: access.Group,
	}
	out := make([]access.Principal, len(all))
	for i, p := range all {
		out[i] = access.Principal{Kind: kinds[p.Kind], Name: p.Name}
	}
	return out
}

// Origin implements frontend.Options.Origin.
func (g *guard) Origin(r *http.Request) frontend.Origin { return frontend.Origin(g.origins.Of(r)) }

// Identify implements frontend.Guard.
func (g *guard) Identify(r *http.Request) (frontend.User, error) {
	who, err := g.who.Identify(r)
	return frontend.User{Name: who.Name, Groups: who.Groups}, err
}

// Allowed implements frontend.Guard.
func (g *guard) Allowed(u *frontend.User, right frontend.Right, path string) bool {
	who := identity.Identity{Name: u.Name, Groups: u.Groups}
	switch right {
	case frontend.Read:
		return g.rules.Allows(path, access.Read, &who)
	case frontend.List:
		return g.rules.Allows(path, access.List, &who)
	case frontend.Write:
		return g.rules.Allows(path, access.Write, &who)
	case frontend.Delete:
		return g.rules.Allows(path, access.Delete, &who)
	case frontend.Admin:
		return g.rules.Allows(path, access.Admin, &who)
	}
	return false
}

// Challenges implements frontend.Guard.
func (g *guard) Challenges() []string { return g.who.Challenges() }
