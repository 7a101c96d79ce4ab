package digest

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"canopy/plugins"
)

// Want is what a client wishes to know: checksums by any of some algorithms,
// and in which header.
type Want struct {
	// Header is the name of the header for the answer, "Digest" or
	// "Repr-Digest"; "" when the client asks for nothing.
	Header string
	// Algorithms are the known ones among those wanted, each once, the
	// preferred first. None may be left although the client asked.
	Algorithms []string
}

// ParseWant reads Want-Digest and Want-Repr-Digest. A client that sends both
// gets Digest, as from XRootD.
func ParseWant(h http.Header) Want {
	if lines := h.Values("Want-Digest"); len(lines) > 0 {
		return Want{Header: "Digest", Algorithms: WantDigest(lines...)}
	}
	if lines := h.Values("Want-Repr-Digest"); len(lines) > 0 {
		return Want{Header: "Repr-Digest", Algorithms: WantRepr(lines...)}
	}
	return Want{}
}

// Choose returns those of ds that are wanted, the preferred first.
func (w Want) Choose(ds []plugins.Digest) []plugins.Digest {
	var chosen []plugins.Digest
	for _, name := range w.Algorithms {
		for _, d := range ds {
			if d.Algorithm == name && Valid(d) {
				chosen = append(chosen, d)
				break
			}
		}
	}
	return chosen
}

// Set puts ds into the header that the client asked for. It does nothing if
// the client asked for none, or ds holds nothing Valid.
func (w Want) Set(h http.Header, ds ...plugins.Digest) {
	var value string
	switch w.Header {
	case "Digest":
		value = FormatDigest(ds...)
	case "Repr-Digest":
		value = FormatRepr(ds...)
	}
	if value != "" {
		h.Set(w.Header, value)
	}
}

// WantDigest returns the known algorithms in the lines of a Want-Digest header
// (RFC 3230), by descending q, equal ones in the order given. A q of 0 excludes
// an algorithm; a member with a malformed q is passed over.
func WantDigest(lines ...string) []string {
	var l wishes
	for member := range members(lines) {
		name, params, _ := strings.Cut(member, ";")
		if weight, ok := quality(params); ok {
			l.add(strings.TrimSpace(name), weight)
		}
	}
	return l.names()
}

// WantRepr returns the known algorithms in the lines of a Want-Repr-Digest
// header (RFC 9530), by descending preference (10 to 1), equal ones in the
// order given. Preference 0 excludes an algorithm; a member without a sound
// preference is passed over.
func WantRepr(lines ...string) []string {
	var l wishes
	for member := range members(lines) {
		name, value, _ := strings.Cut(member, "=")
		value, _, _ = strings.Cut(value, ";")
		if weight, err := strconv.ParseUint(strings.TrimSpace(value), 10, 8); err == nil && weight <= 10 {
			l.add(name, int(weight))
		}
	}
	return l.names()
}

// SetWant asks for checksums by algorithms, the preferred first, in both
// conventions. Algorithms that are not known are left out.
func SetWant(h http.Header, algorithms ...string) {
	var old, repr []string
	for _, name := range algorithms {
		a, ok := lookup(name)
		if !ok {
			continue
		}
		q, preference := "", max(1, 10-len(old))
		if len(old) > 0 {
			q = ";q=0." + strconv.Itoa(max(1, 10-len(old)))
		}
		old = append(old, a.name+q)
		repr = append(repr, a.repr+"="+strconv.Itoa(preference))
	}
	if len(old) > 0 {
		h.Set("Want-Digest", strings.Join(old, ", "))
		h.Set("Want-Repr-Digest", strings.Join(repr, ", "))
	}
}

// wishes are algorithms and how much each is wanted.
type wishes []wish

type wish struct {
	name   string
	weight int
}

// add notes that the algorithm spelt so is wanted. The last mention counts.
func (l *wishes) add(spelling string, weight int) {
	name, ok := Name(spelling)
	if !ok {
		return
	}
	*l = slices.DeleteFunc(*l, func(w wish) bool { return w.name == name })
	*l = append(*l, wish{name, weight})
}

// names returns the algorithms that are wanted at all, most wanted first.
func (l wishes) names() []string {
	l = slices.DeleteFunc(l, func(w wish) bool { return w.weight == 0 })
	slices.SortStableFunc(l, func(a, b wish) int { return cmp.Compare(b.weight, a.weight) })
	var names []string
	for _, w := range l {
		names = append(names, w.name)
	}
	return names
}

// quality returns the q among parameters ("q=0.5; x=y") in thousandths, 1000 if
// there is none, and whether it is well-formed (RFC 9110 section 12.4.2).
func quality(params string) (int, bool) {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		whole, fraction, _ := strings.Cut(strings.TrimSpace(value), ".")
		if len(whole) != 1 || len(fraction) > 3 {
			return 0, false
		}
		q, err := strconv.ParseUint(whole+fraction+"000"[len(fraction):], 10, 16)
		return int(q), err == nil && q <= 1000
	}
	return 1000, true
}
