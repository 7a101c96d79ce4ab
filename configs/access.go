package configs

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"strings"

	"canopy/configs/scalar"
)

// Clients is what is known of the programs that come as clients.
type Clients struct {
	// The networks of proxies in front of Canopy. Only from these is
	// Forwarded or X-Forwarded-For believed.
	//
	// Example: [10.0.0.0/8]
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`
	// User agents that cannot follow a redirect, beyond those known already:
	// a pattern for the User-Agent header, in which * is any text, and perhaps
	// the one method it is true of. For these, Canopy carries the bytes.
	//
	// Example: ["cadaver/*", "rclone/* PUT"]
	Proxy []AgentPattern `yaml:"proxy"`
}

// AgentPattern matches user agents, for all methods or one.
type AgentPattern struct {
	// Agent is a pattern for the whole User-Agent header; * is any text.
	Agent string
	// Method is an HTTP method; "" is all.
	Method string
}

// UnmarshalText reads "AGENT" or "AGENT METHOD".
func (p *AgentPattern) UnmarshalText(text []byte) error {
	agent, method := string(text), ""
	if i := strings.LastIndexByte(agent, ' '); i >= 0 && isMethod(agent[i+1:]) {
		agent, method = agent[:i], agent[i+1:]
	}
	agent = strings.TrimSpace(agent)
	if agent == "" {
		return errors.New(`the pattern is empty; write it as in "cadaver/*" or "rclone/* PUT"`)
	}
	if strings.Trim(agent, "*") == "" && method == "" {
		return errors.New("the pattern is true of every client; set access: proxy on the endpoints instead")
	}
	*p = AgentPattern{agent, method}
	return nil
}

func isMethod(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == ""
}

// MarshalText is the inverse of UnmarshalText.
func (p AgentPattern) MarshalText() ([]byte, error) {
	return []byte(strings.TrimSuffix(p.Agent+" "+p.Method, " ")), nil
}

// Syntax describes a pattern.
func (AgentPattern) Syntax() scalar.Syntax {
	return scalar.Syntax{Name: "pattern", Example: `"rclone/* PUT"`}
}

// Matches reports whether a request with this User-Agent and method is meant.
func (p AgentPattern) Matches(agent, method string) bool {
	if p.Method != "" && p.Method != method {
		return false
	}
	parts := strings.Split(p.Agent, "*")
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return agent == first
	}
	if len(agent) < len(first)+len(last) || !strings.HasPrefix(agent, first) || !strings.HasSuffix(agent, last) {
		return false
	}
	agent = agent[len(first) : len(agent)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		_, after, found := strings.Cut(agent, part)
		if !found {
			return false
		}
		agent = after
	}
	return true
}

// Auth is how Canopy finds out who a request comes from.
type Auth struct {
	// User names with passwords.
	Basic *Basic `yaml:"basic"`
}

// Basic is authentication by user name and password (RFC 7617).
type Basic struct {
	// File of user names and hashed passwords as htpasswd writes it. It is
	// read anew when it changes.
	//
	// Example: /etc/canopy/users
	Htpasswd string `yaml:"htpasswd" config:"required,file"`
}

// Rule is a set of rights below a path. A right that it does not name is
// left to the rules of shorter paths; an empty list gives it to nobody.
type Rule struct {
	// The federation path from which on the rule holds.
	//
	// Example: /atlas/users
	Path string `yaml:"path" config:"required"`
	// Who may read files.
	//
	// Example: [anyone]
	Read []Principal `yaml:"read"`
	// Who may list directories.
	//
	// Example: [authenticated]
	List []Principal `yaml:"list"`
	// Who may make files and directories and change them.
	//
	// Example: ["group:/atlas/production"]
	Write []Principal `yaml:"write"`
	// Who may delete.
	//
	// Example: ["user:ops"]
	Delete []Principal `yaml:"delete"`
}

// PrincipalKind is what a principal is.
type PrincipalKind uint8

// The kinds of principals.
const (
	Anyone PrincipalKind = iota + 1
	Authenticated
	User
	Group
)

// Principal is whom a right is given to: anyone, authenticated (whoever has
// proved to be somebody), user:NAME or group:NAME.
type Principal struct {
	Kind PrincipalKind
	// Name is that of the user or group.
	Name string
}

// UnmarshalText reads a principal.
func (p *Principal) UnmarshalText(text []byte) error {
	kind, name, named := strings.Cut(string(text), ":")
	switch {
	case !named && kind == "anyone":
		*p = Principal{Kind: Anyone}
	case !named && kind == "authenticated":
		*p = Principal{Kind: Authenticated}
	case named && name != "" && kind == "user":
		*p = Principal{User, name}
	case named && name != "" && kind == "group":
		*p = Principal{Group, name}
	default:
		return fmt.Errorf("%.64q is nobody; write anyone, authenticated, user:NAME or group:NAME", text)
	}
	return nil
}

// String is the inverse of UnmarshalText.
func (p Principal) String() string {
	switch p.Kind {
	case Anyone:
		return "anyone"
	case Authenticated:
		return "authenticated"
	case User:
		return "user:" + p.Name
	case Group:
		return "group:" + p.Name
	}
	return "nobody"
}

// MarshalText is the inverse of UnmarshalText.
func (p Principal) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Syntax describes a principal.
func (Principal) Syntax() scalar.Syntax {
	return scalar.Syntax{Name: "principal", Pattern: `anyone|authenticated|(user|group):.+`, Example: "authenticated"}
}

// cleanPath returns what text has to be to be an absolute, clean path.
func cleanPath(text string) string { return path.Clean("/" + text) }
