package scalar

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Distance is a length on the ground in metres. It is written with its unit:
// 100km, 1.5km, 800m.
type Distance float64

var distanceForm = regexp.MustCompile(`^([0-9]{1,9}(?:\.[0-9]{1,6})?) ?(km|m)$`)

// UnmarshalText reads a distance.
func (d *Distance) UnmarshalText(text []byte) error {
	m := distanceForm.FindSubmatch(text)
	if string(text) == "0" {
		*d = 0
		return nil
	}
	if m == nil {
		return fmt.Errorf("%q is no distance; write it with its unit, as in 100km or 800m", text)
	}
	n, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		return fmt.Errorf("%q is no distance; write it as in 100km or 800m", text)
	}
	if string(m[2]) == "km" {
		n *= 1000
	}
	*d = Distance(math.Round(n*1000) / 1000)
	return nil
}

// MarshalText writes kilometres from one kilometre on, else metres.
func (d Distance) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// String writes kilometres from one kilometre on, else metres.
func (d Distance) String() string {
	n, unit := float64(d), "m"
	if n >= 1000 {
		n, unit = n/1000, "km"
	}
	s := strconv.FormatFloat(n, 'f', 6, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") + unit
}

// Syntax describes a distance.
func (Distance) Syntax() Syntax {
	return Syntax{Name: "distance", Pattern: `0|[0-9]+(\.[0-9]+)? ?(km|m)`, Example: "100km"}
}
