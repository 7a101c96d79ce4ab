package nametrans

import (
	"crypto/md5"
	"encoding/hex"
	"strings"
)

// hashing is Rucio's deterministic layout.
type hashing struct {
	from []string // longest first
	with string
}

func (h *hashing) forward(path string) (string, bool) {
	for _, prefix := range h.from {
		if rest, ok := below(path, prefix); ok {
			return h.place(rest), true
		}
	}
	return "", false
}

// place returns the endpoint path for what is left below a prefix.
func (h *hashing) place(rest string) string {
	if rest == "" {
		return h.with
	}
	slash := strings.LastIndexByte(rest, '/')
	if slash == 0 {
		return h.checked(join(h.with, scopeDirectory(rest)))
	}
	scope, name := rest[:slash], rest[slash+1:]
	// The layout is defined by MD5; nothing here is a secret.
	sum := md5.Sum([]byte(strings.ReplaceAll(scope[1:], "/", ".") + ":" + name))
	var hash [4]byte
	hex.Encode(hash[:], sum[:2])
	if strings.LastIndexByte(scope, '/') == 0 {
		scope = scopeDirectory(scope)
	}
	return h.checked(join(h.with, scope+"/"+string(hash[:2])+"/"+string(hash[2:])+"/"+name))
}

// checked returns path, or "" if it is not clean: a scope such as "user..x"
// has no directory.
func (h *hashing) checked(path string) string {
	if !clean(path) {
		return ""
	}
	return path
}

// scopeDirectory returns the directory of a scope of one component, both with
// their leading slash.
func scopeDirectory(scope string) string {
	if strings.HasPrefix(scope, "/user") || strings.HasPrefix(scope, "/group") {
		return strings.ReplaceAll(scope, ".", "/")
	}
	return scope
}

func (h *hashing) back(to string, from []string) ([]string, bool) {
	rest, ok := below(to, h.with)
	if !ok {
		return from, true
	}
	for _, prefix := range h.from {
		if rest == "" {
			from = append(from, prefix)
			continue
		}
		from = append(from, join(prefix, dotted(rest)))
		if scope, name, ok := unhash(rest); ok {
			from = append(from, join(prefix, scope+name), join(prefix, dotted(scope)+name))
		}
	}
	return from, true
}

func (h *hashing) lists() bool { return false }

// dotted makes one component of the path, which begins with a slash.
func dotted(path string) string { return "/" + strings.ReplaceAll(path[1:], "/", ".") }

// unhash takes the two hash components out of /scope/xx/yy/name.
func unhash(path string) (scope, name string, ok bool) {
	last := strings.LastIndexByte(path, '/')
	if last < len("/s/xx/yy") {
		return "", "", false
	}
	return path[:last-len("/xx/yy")], path[last:], true
}
