package scalar

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
)

// Size is a number of bytes. It is written as a plain number or with a unit:
// 10GiB (powers of 1024: KiB MiB GiB TiB PiB), 5MB (powers of 1000: kB MB GB
// TB PB) or 512B. The number may have a decimal fraction if it has a unit.
type Size int64

var sizeForm = regexp.MustCompile(`^([0-9]{1,19}(?:\.[0-9]{1,9})?) ?(B|[kK]B|[MGTP]B|[KMGTP]iB)?$`)

var sizeUnits = [...]struct {
	name  string
	bytes int64
}{
	{"PiB", 1 << 50}, {"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"PB", 1e15}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1}, {"", 1},
}

// UnmarshalText reads a size; fractions of a byte are refused.
func (s *Size) UnmarshalText(text []byte) error {
	m := sizeForm.FindSubmatch(text)
	if m == nil {
		return fmt.Errorf("%q is no size; write bytes as a number, or with a unit as in 10GiB or 5MB", text)
	}
	n, ok := new(big.Rat).SetString(string(m[1]))
	if !ok {
		return fmt.Errorf("%q is no size; write it as in 10GiB or 5MB", text)
	}
	for _, u := range sizeUnits {
		if u.name == string(m[2]) {
			n.Mul(n, new(big.Rat).SetInt64(u.bytes))
			break
		}
	}
	switch {
	case !n.IsInt():
		return fmt.Errorf("%q is not a whole number of bytes; use a smaller unit", text)
	case !n.Num().IsInt64():
		return fmt.Errorf("%q is too large; the greatest size is 8191PiB", text)
	}
	*s = Size(n.Num().Int64())
	return nil
}

// MarshalText writes the size with the largest unit that divides it.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String writes the size with the largest unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if u.bytes > 1 && s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Syntax describes a size.
func (Size) Syntax() Syntax {
	return Syntax{Name: "size", Pattern: `[0-9]+(\.[0-9]+)? ?(B|[kK]B|[MGTP]B|[KMGTP]iB)?`, Example: "10GiB"}
}
