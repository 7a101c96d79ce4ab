// Package accept reads the Accept header (RFC 9110 section 12.5.1), as far as
// it takes to choose between the few forms that Canopy has of a thing.
//
// Only a media type that a client names counts as a wish for it. Nearly every
// client takes "*/*" along, which says nothing about what it would rather
// have, but outweighs a type named with no higher quality: aria2 asks for
// "*/*,application/metalink4+xml" and means the file.
package accept

import "strings"

// maxMembers bounds how many media types of a request are looked at.
const maxMembers = 64

// Quality returns the quality, in thousandths, that the header's lines give to
// the media range by this very name, such as "text/html" or "*/*", in any
// case; 0 if they do not name it, or exclude it. A quality that makes no sense
// is taken as 0.
func Quality(lines []string, name string) int {
	best, members := 0, 0
	for _, line := range lines {
		for line != "" {
			if members++; members > maxMembers {
				return best
			}
			var member string
			member, line, _ = strings.Cut(line, ",")
			media, parameters, _ := strings.Cut(member, ";")
			if strings.EqualFold(strings.TrimSpace(media), name) {
				best = max(best, quality(parameters))
			}
		}
	}
	return best
}

// quality returns the value of the parameter q, 1000 if there is none.
func quality(parameters string) int {
	for parameters != "" {
		var p string
		p, parameters, _ = strings.Cut(parameters, ";")
		name, value, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			return thousandths(strings.TrimSpace(value))
		}
	}
	return 1000
}

// thousandths reads a qvalue: 0 or 1 with at most three decimals.
func thousandths(s string) int {
	whole, decimals, _ := strings.Cut(s, ".")
	if whole != "0" && whole != "1" || len(decimals) > 3 {
		return 0
	}
	n := int(whole[0]-'0') * 1000
	for i, unit := 0, 100; i < len(decimals); i, unit = i+1, unit/10 {
		if decimals[i] < '0' || decimals[i] > '9' {
			return 0
		}
		n += int(decimals[i]-'0') * unit
	}
	if n > 1000 {
		return 0
	}
	return n
}

// Prefers reports whether the lines name one of names with a higher quality
// than anything ("*/*" and "application/*"), and returns the one of the
// highest quality, the first of equals.
func Prefers(lines []string, names ...string) (name string, ok bool) {
	if len(lines) == 0 {
		return "", false
	}
	best := max(Quality(lines, "*/*"), Quality(lines, "application/*"))
	for _, n := range names {
		if q := Quality(lines, n); q > best {
			best, name, ok = q, n, true
		}
	}
	return name, ok
}

// Named returns the one of names to which the lines give the highest quality,
// the first of equals, or "" if they name none.
func Named(lines []string, names ...string) (name string) {
	best := 0
	for _, n := range names {
		if q := Quality(lines, n); q > best {
			best, name = q, n
		}
	}
	return name
}
