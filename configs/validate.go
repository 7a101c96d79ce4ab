package configs

import (
	"fmt"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"canopy/configs/decode"
	"canopy/configs/scalar"
	"canopy/plugins"
)

// validator checks what single values cannot show: ranges, and what does not
// go together. A key whose value was refused already is not blamed twice.
type validator struct {
	*decode.Decoder
	config *Config
	types  *plugins.Registry
}

func validate(c *Config, d *decode.Decoder, types *plugins.Registry) {
	v := &validator{Decoder: d, config: c, types: types}
	v.server()
	v.cache()
	v.lookup()
	v.geo()
	v.selection()
	v.access()
	v.endpoints()
	v.atLeast("uploads.cleanup", c.Uploads.Cleanup, time.Second)
	v.copies()
	if c.Uploads.SpoolSize < 1<<20 {
		v.refuse("uploads.spool_size", "%s is too little; write at least 1MiB", c.Uploads.SpoolSize)
	}
	v.between("transfers.most", c.Transfers.Most, 1, 10_000)
	if to := c.Transfers.Fireflies; to != "" {
		host, port, err := net.SplitHostPort(to)
		if n, bad := strconv.ParseUint(port, 10, 16); err != nil || host == "" || bad != nil || n == 0 {
			v.refuse("transfers.fireflies", "%q is not a host with a port, such as fireflies.example.org:10514", to)
		}
	}
}

func (v *validator) refuse(path, format string, args ...any) {
	if !v.Refused(path) {
		v.Refuse(path, format, args...)
	}
}

// clean refuses text that is not an absolute path in its shortest form.
func (v *validator) clean(key, text string) bool {
	switch {
	case v.Refused(key):
		return false
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		v.refuse(key, "%q has control characters; remove them", text)
		return false
	case cleanPath(text) != text:
		v.refuse(key, "%q is not an absolute path in its shortest form; write %q", text, cleanPath(text))
		return false
	}
	return true
}

// word refuses text that cannot stand in headers, metrics and file names.
func (v *validator) word(key, text string) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	strange := func(r rune) bool { return !strings.ContainsRune(letters, r) }
	if len(text) < 1 || len(text) > 63 || strings.ContainsFunc(text, strange) {
		v.refuse(key, "%.80q is no name; use 1 to 63 letters, digits, dots, dashes and underscores", text)
	}
}

// reserved is where Canopy's own pages are.
const reserved = "/-"

func within(p, dir string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/")
}

func (v *validator) server() {
	c := v.config
	if v.Has("listen") && len(c.Listen) == 0 && !v.Refused("listen") {
		v.refuse("listen", `no address is given; write one, such as ":8080"`)
	}
	seen := make(map[Address]int)
	for i, l := range c.Listen {
		key := fmt.Sprintf("listen[%d].address", i)
		if j, dup := seen[l.Address]; dup && l.Address != "" && !strings.HasSuffix(string(l.Address), ":0") {
			v.refuse(key, "%q is listened on twice, first on line %d; keep one", l.Address, v.Line(fmt.Sprintf("listen[%d].address", j)))
		}
		seen[l.Address] = i
	}
	if c.Title == "" || len(c.Title) > 200 || strings.ContainsAny(c.Title, "\r\n\t\x00") {
		v.refuse("title", "a title is one line of at most 200 bytes; shorten it, or remove the key")
	}
	if v.clean("namespace", c.Namespace) && within(c.Namespace, reserved) {
		v.refuse("namespace", "what is below %s are Canopy's own pages; choose another path", reserved)
	}
}

func (v *validator) atLeast(key string, got, least time.Duration) {
	if got < least {
		v.refuse(key, "%s is too short; write at least %s", short(got), short(least))
	}
}

// short is how a duration is written in the file.
func short(d time.Duration) string {
	text, _ := scalar.Format(d)
	return text
}

func (v *validator) between(key string, got, least, most int) {
	if got < least || got > most {
		v.refuse(key, "%d is out of range; write a number from %d to %d", got, least, most)
	}
}

func (v *validator) cache() {
	c := &v.config.Cache
	v.between("cache.entries", c.Entries, 1, 1_000_000_000)
	if !v.Has("cache.ttl.absent") {
		c.TTL.Absent = min(c.TTL.Absent, c.TTL.Entry)
	}
	if c.TTL.Absent > c.TTL.Entry {
		v.refuse("cache.ttl.absent", "%s is longer than entry, %s, so that a new file would be denied longer than an old one believed; shorten it", short(c.TTL.Absent), short(c.TTL.Entry))
	}
	switch {
	case c.RedisPasswordFile == "":
	case c.Redis == nil:
		v.refuse("cache.redis_password_file", "there is no Redis; give cache.redis too, or remove the key")
	case c.Redis.Password != "":
		v.refuse("cache.redis_password_file", "cache.redis has a password as well; remove one of them")
	}
}

func (v *validator) lookup() {
	l := &v.config.Lookup
	v.atLeast("lookup.deadline", l.Deadline, time.Millisecond)
	if !v.Has("lookup.grace") {
		l.Grace = min(l.Grace, l.Deadline)
	}
	if l.Grace > l.Deadline {
		v.refuse("lookup.grace", "%s is longer than the deadline, %s; shorten it", short(l.Grace), short(l.Deadline))
	}
}

func (v *validator) geo() {
	g := &v.config.Geo
	if g.Fuzz > 20_000_000 {
		v.refuse("geo.fuzz", "%s is farther than any two places are apart; write less than 20000km", g.Fuzz)
	}
	names, networks := make(map[string]int), make(map[string]string)
	for i, s := range g.Sites {
		key := fmt.Sprintf("geo.sites[%d]", i)
		if v.Has(key + ".name") {
			v.word(key+".name", s.Name)
		}
		if j, dup := names[s.Name]; dup && s.Name != "" {
			v.refuse(key+".name", "a second site %q, first on line %d; give each its own name", s.Name, v.Line(fmt.Sprintf("geo.sites[%d].name", j)))
		}
		names[s.Name] = i
		if l := s.Location; l != nil && (l[0] < -90 || l[0] > 90 || l[1] < -180 || l[1] > 180) {
			v.refuse(key+".location", "latitude goes from -90 to 90 and longitude from -180 to 180; write [LATITUDE, LONGITUDE]")
		}
		for j, n := range s.Networks {
			if !n.IsValid() {
				continue
			}
			if other, dup := networks[n.String()]; dup {
				v.refuse(fmt.Sprintf("%s.networks[%d]", key, j), "%s belongs to %s already; remove it from one", n, other)
			}
			networks[n.String()] = s.Name
		}
	}
}

func (v *validator) selection() {
	if !v.Has("select") && !v.placed() {
		v.config.Select = slices.DeleteFunc(v.config.Select, func(c Criterion) bool { return c == "geo" })
	}
	if v.Refused("select") {
		return
	}
	seen := make(map[Criterion]bool)
	for i, s := range v.config.Select {
		key := fmt.Sprintf("select[%d]", i)
		switch {
		case s == "":
		case seen[s]:
			v.refuse(key, "%s is named twice; keep the first", s)
		case seen["random"]:
			v.refuse(key, "%s comes after random, which leaves nothing to decide; put random last", s)
		case s == "geo" && !v.placed():
			v.refuse(key, "geo needs to know where clients are; give geo.database, or geo.sites with a location")
		}
		seen[s] = true
	}
}

// placed reports whether anything tells where a client is.
func (v *validator) placed() bool {
	for _, s := range v.config.Geo.Sites {
		if s.Location != nil {
			return true
		}
	}
	return v.config.Geo.Database != ""
}

func (v *validator) access() {
	paths := make(map[string]int)
	for i, r := range v.config.Access {
		key := fmt.Sprintf("access[%d]", i)
		if !v.Has(key + ".path") {
			continue
		}
		v.clean(key+".path", r.Path)
		if j, dup := paths[path.Clean(r.Path)]; dup {
			v.refuse(key+".path", "a second rule for %s, first on line %d; make one of both", r.Path, v.Line(fmt.Sprintf("access[%d].path", j)))
		}
		paths[path.Clean(r.Path)] = i
		if r.Read == nil && r.List == nil && r.Write == nil && r.Delete == nil && v.sound(key) {
			v.refuse(key, "the rule names no right; add read, list, write or delete")
		}
	}
}

// sound reports whether nothing below key was refused.
func (v *validator) sound(key string) bool {
	for _, p := range v.Problems() {
		if strings.HasPrefix(p.Path, key) {
			return false
		}
	}
	return true
}
