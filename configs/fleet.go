package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"canopy/configs/decode"
	"canopy/configs/source"
	"canopy/nametrans"
	"canopy/plugins"

	"go.yaml.in/yaml/v3"
)

// endpoints checks each endpoint and what they are to each other.
func (v *validator) endpoints() {
	if len(v.config.Endpoints) == 0 && v.sound("endpoints") && !v.Refused("") {
		v.refuse("endpoints", "there is none; a federation needs at least one endpoint")
	}
	names, storages := make(map[string]string), make(map[string]string)
	for i := range v.config.Endpoints {
		e, key := &v.config.Endpoints[i], fmt.Sprintf("endpoints[%d]", i)
		v.endpoint(key, e)
		if first, dup := names[e.Name]; dup && e.Name != "" {
			v.refuse(key+".name", "a second endpoint %q, first on line %d; give each its own name", e.Name, v.Line(first+".name"))
		} else {
			names[e.Name] = key
		}
		if e.Config == nil {
			continue
		}
		e.Identity = fingerprint(e.Type, encode(decode.Essence(e.Config)), e.Mount, encode(decode.Essence(e.Translate)))
		where := fingerprint(e.Type, address(e.Config), e.Mount, encode(decode.Essence(e.Translate)))
		if first, dup := storages[where]; dup && v.sound(key) {
			v.refuse(key, "the same storage is mounted at the same place on line %d; remove one, or give it another mount", v.Line(first))
		} else {
			storages[where] = key
		}
	}
}

func (v *validator) endpoint(key string, e *Endpoint) {
	if v.Has(key + ".name") {
		v.word(key+".name", e.Name)
	}
	if v.Has(key+".type") && e.Config == nil {
		v.unknownType(key+".type", e.Type)
	}
	v.names(key, e)
	v.site(key+".site", e.Site)
	switch {
	case e.Write && !e.Read:
		v.refuse(key+".write", "what is written must be seen; set read to true, or write to false")
	case !e.Read && !e.List:
		v.refuse(key, "the endpoint is neither read from nor listed; set read or list to true, or remove it")
	}
	if !(e.Weight > 0 && e.Weight <= 1_000_000) {
		v.refuse(key+".weight", "%g is out of range; write a number above 0, up to 1000000", e.Weight)
	}
	v.word(key+".tier", e.Tier)
	v.between(key+".limits.requests", e.Limits.Requests, 1, 1_000_000)
	if !v.Has(key + ".limits.queue") {
		e.Limits.Queue = 4 * e.Limits.Requests
	}
	v.between(key+".limits.queue", e.Limits.Queue, 0, 4_000_000)
	v.atLeast(key+".limits.timeout", e.Limits.Timeout, time.Millisecond)
	v.atLeast(key+".health.every", e.Health.Every, 10*time.Millisecond)
	v.clean(key+".health.path", e.Health.Path)
	v.own(key, e.Config)
}

// own has the endpoint's type check its own keys.
func (v *validator) own(key string, c plugins.Config) {
	if c == nil || !v.sound(key) {
		return
	}
	var f *plugins.FieldError
	switch err := c.Validate(); {
	case errors.As(err, &f):
		v.refuse(source.Join(key, f.Key), "%s", f.Problem)
	case err != nil:
		v.refuse(key, "%s", err)
	}
}

func (v *validator) unknownType(key, name string) {
	if slices.Contains(laterTypes, name) {
		v.refuse(key, "this version does not support endpoints of type %s yet; use one of %s", name, strings.Join(v.types.Names(), ", "))
		return
	}
	if n := source.Nearest(name, v.types.Names()); n != "" {
		v.refuse(key, "unknown endpoint type %.64q; did you mean %q?", name, n)
		return
	}
	v.refuse(key, "unknown endpoint type %.64q; use one of %s", name, strings.Join(v.types.Names(), ", "))
}

// names settles the mount and checks the rules.
func (v *validator) names(key string, e *Endpoint) {
	switch {
	case v.Has(key + ".mount"):
		if !v.clean(key+".mount", e.Mount) {
			return
		}
		if v.config.Namespace == "/" && within(e.Mount, reserved) {
			v.refuse(key+".mount", "what is below %s are Canopy's own pages; choose another path", reserved)
		}
	case len(e.Translate) == 0:
		e.Mount = "/"
	}
	if !v.sound(key + ".translate") {
		return
	}
	var r *nametrans.RuleError
	switch _, err := e.Translation(); {
	case errors.As(err, &r) && r.Index < 0:
		v.refuse(source.Join(key, r.Key), "%s", r.Problem)
	case errors.As(err, &r):
		at := fmt.Sprintf("%s.translate[%d]", key, r.Index)
		if r.Key != "" {
			at = source.Join(at, r.Key)
		}
		v.refuse(at, "%s", r.Problem)
	case err != nil:
		v.refuse(key+".translate", "%s", err)
	}
}

// site checks that a site is known, if any is.
func (v *validator) site(key, name string) {
	sites := v.config.Geo.Sites
	switch {
	case !v.Has(key) || v.Refused(key):
		return
	case len(sites) == 0:
		v.word(key, name)
		return
	}
	names := make([]string, len(sites))
	for i, s := range sites {
		names[i] = s.Name
	}
	if slices.Contains(names, name) {
		return
	}
	if n := source.Nearest(name, names); n != "" {
		v.refuse(key, "no site %.64q in geo.sites; did you mean %q?", name, n)
		return
	}
	v.refuse(key, "no site %.64q in geo.sites; add it there, or use one of %s", name, strings.Join(names, ", "))
}

// address returns what the storage behind a type's settings is: its url, if
// it has one, else all of them.
func address(c plugins.Config) string {
	n := decode.Essence(c)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "url" {
			return strings.TrimRight(n.Content[i+1].Value, "/")
		}
	}
	return encode(n)
}

func encode(n *yaml.Node) string {
	if n == nil {
		return ""
	}
	// A tree that Essence built is always valid.
	b, _ := yaml.Marshal(n)
	return string(b)
}

func fingerprint(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Same reports whether an open endpoint of o may stand for e: all that it was
// opened with is equal, secrets included.
func (e *Endpoint) Same(o *Endpoint) bool {
	return e.Name == o.Name && e.Identity == o.Identity && e.Limits == o.Limits && reflect.DeepEqual(e.Config, o.Config)
}
