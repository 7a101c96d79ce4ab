package digest

import (
	"encoding/base64"
	"iter"
	"net/http"
	"slices"
	"strings"

	"canopy/plugins"
)

// maxMembers bounds how much of one header is read: no file has more
// checksums than there are algorithms, and what goes far beyond is an attack.
const maxMembers = 64

// members yields the members of comma-separated header lines, without the
// space around them. A comma in a quoted string does not separate.
func members(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		left := maxMembers
		for _, line := range lines {
			for line != "" {
				end := comma(line)
				member := strings.Trim(line[:end], " \t")
				line = line[min(end+1, len(line)):]
				if member == "" {
					continue
				}
				if left--; left < 0 || !yield(member) {
					return
				}
			}
		}
	}
}

// comma returns the index of the first comma outside a quoted string, or the
// length of s.
func comma(s string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == ',' && !quoted:
			return i
		}
	}
	return len(s)
}

// put adds d, in place of an earlier value by the same algorithm: of members
// with the same key, the last counts (RFC 8941 section 3.2).
func put(ds []plugins.Digest, d plugins.Digest) []plugins.Digest {
	i := slices.IndexFunc(ds, func(e plugins.Digest) bool { return e.Algorithm == d.Algorithm })
	if i < 0 {
		return append(ds, d)
	}
	ds[i] = d
	return ds
}

// ParseDigest returns the checksums in the lines of a Digest header (RFC 3230),
// one per algorithm. What is not known or not sound is left out.
func ParseDigest(lines ...string) []plugins.Digest {
	var ds []plugins.Digest
	for member := range members(lines) {
		name, value, _ := strings.Cut(member, "=")
		if d, ok := Decode(strings.TrimSpace(name), strings.TrimSpace(value)); ok {
			ds = put(ds, d)
		}
	}
	return ds
}

// ParseRepr returns the checksums in the lines of a Repr-Digest or
// Content-Digest header (RFC 9530), one per algorithm. What is not known or not
// sound is left out.
func ParseRepr(lines ...string) []plugins.Digest {
	var ds []plugins.Digest
	for member := range members(lines) {
		name, value, _ := strings.Cut(member, "=")
		a, ok := lookup(name)
		if !ok {
			continue
		}
		value, _, _ = strings.Cut(value, ";")
		value = strings.TrimRight(value, " \t")
		if len(value) < 2 || value[0] != ':' || value[len(value)-1] != ':' {
			continue
		}
		sum, err := base64.StdEncoding.DecodeString(value[1 : len(value)-1])
		if err == nil && len(sum) == a.size {
			ds = put(ds, plugins.Digest{Algorithm: a.name, Sum: string(sum)})
		}
	}
	return ds
}

// ParseContentMD5 returns the checksum in a Content-MD5 header, and whether it
// holds one.
func ParseContentMD5(value string) (plugins.Digest, bool) {
	return Decode("md5", strings.TrimSpace(value))
}

// FromHeader returns what the header of an answer says of the checksums of the
// whole file, one per algorithm: from Digest, Repr-Digest and, unless the
// answer holds only a part, Content-MD5. Content-Digest is not looked at,
// because an answer to HEAD may give that of its own empty body. Checksums of
// an encoded (compressed) answer are not those of the file, so there are none.
func FromHeader(h http.Header) []plugins.Digest {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil
	}
	ds := ParseDigest(h.Values("Digest")...)
	for _, d := range ParseRepr(h.Values("Repr-Digest")...) {
		ds = put(ds, d)
	}
	if h.Get("Content-Range") == "" && !slices.ContainsFunc(ds, isMD5) {
		if d, ok := ParseContentMD5(h.Get("Content-MD5")); ok {
			ds = append(ds, d)
		}
	}
	return ds
}

func isMD5(d plugins.Digest) bool { return d.Algorithm == "md5" }

// AppendDigest appends the value of a Digest header (RFC 3230) that holds ds.
// Digests that are not Valid are left out.
func AppendDigest(b []byte, ds ...plugins.Digest) []byte {
	start := len(b)
	for _, d := range ds {
		if !Valid(d) {
			continue
		}
		if len(b) > start {
			b = append(b, ',')
		}
		b = append(b, d.Algorithm...)
		b = append(b, '=')
		if a, _ := lookup(d.Algorithm); a.short() {
			b = append(b, Hex(d)...)
		} else {
			b = append(b, Base64(d)...)
		}
	}
	return b
}

// FormatDigest returns the value of a Digest header (RFC 3230) that holds ds,
// "" if none of them is Valid.
func FormatDigest(ds ...plugins.Digest) string { return string(AppendDigest(nil, ds...)) }

// FormatRepr returns the value of a Repr-Digest or Content-Digest header
// (RFC 9530) that holds ds, "" if none of them is Valid.
func FormatRepr(ds ...plugins.Digest) string {
	var b strings.Builder
	for _, d := range ds {
		if !Valid(d) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		a, _ := lookup(d.Algorithm)
		b.WriteString(a.repr)
		b.WriteString("=:")
		b.WriteString(Base64(d))
		b.WriteByte(':')
	}
	return b.String()
}
