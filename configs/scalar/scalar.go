// Package scalar holds the single values of a configuration file that YAML
// itself does not know: sizes, distances, secrets, durations, networks. Each
// says in a Syntax how it is written, for error messages, for the JSON Schema
// and for the reference.
package scalar

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"
)

// Syntax is how a value is written in the file.
type Syntax struct {
	// Name is what people call such a value: "duration".
	Name string
	// Pattern is a regular expression for the whole text, without anchors and
	// in the dialect that JSON Schema and Go share; "" if any text may do.
	Pattern string
	// Example is one valid value.
	Example string
	// Choices are all values there are, where they can be enumerated.
	Choices []string
}

// Described is implemented by value types that explain themselves.
type Described interface{ Syntax() Syntax }

var (
	durationType = reflect.TypeFor[time.Duration]()
	prefixType   = reflect.TypeFor[netip.Prefix]()
)

// SyntaxOf returns the syntax of values of type t, or of what t points to: its own if it is Described,
// else that of a type which Parse knows.
func SyntaxOf(t reflect.Type) (Syntax, bool) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if d, ok := reflect.Zero(t).Interface().(Described); ok {
		return d.Syntax(), true
	}
	switch t {
	case durationType:
		return Syntax{Name: "duration", Pattern: `0|([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+`, Example: "30s"}, true
	case prefixType:
		return Syntax{Name: "network", Pattern: `[0-9A-Fa-f.:]+/[0-9]{1,3}`, Example: "10.0.0.0/8"}, true
	}
	return Syntax{}, false
}

// Parse reads text as a value of a standard library type that has a special
// form here. It reports whether t is such a type.
func Parse(t reflect.Type, text string) (value any, known bool, err error) {
	switch t {
	case durationType:
		value, err = parseDuration(text)
		return value, true, err
	case prefixType:
		value, err = parseNetwork(text)
		return value, true, err
	}
	return nil, false, nil
}

// Format is the inverse of Parse.
func Format(value any) (text string, known bool) {
	switch v := value.(type) {
	case time.Duration:
		return formatDuration(v), true
	case netip.Prefix:
		return v.String(), true
	}
	return "", false
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration; write a number with a unit, such as 30s, 5m or 1h30m", text)
	}
	if d < 0 {
		return 0, fmt.Errorf("%q is negative; durations count from 0", text)
	}
	return d, nil
}

// formatDuration drops the zero parts that time.Duration prints: 10m, not
// 10m0s.
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func parseNetwork(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
			return netip.Prefix{}, fmt.Errorf("%q is a single address; write %s", text, netip.PrefixFrom(a, a.BitLen()))
		}
		return netip.Prefix{}, fmt.Errorf("%q is no network; write it as in 10.1.0.0/16 or 2001:db8::/32", text)
	}
	if p.Addr().Is4In6() {
		return netip.Prefix{}, errors.New("IPv4 networks are not written in IPv6 form; write as in 10.1.0.0/16")
	}
	if m := p.Masked(); m != p {
		return netip.Prefix{}, fmt.Errorf("%q has bits beyond its mask; write %s", text, m)
	}
	return p, nil
}
