package configs

import (
	"fmt"
	"slices"
	"strings"

	"canopy/configs/scalar"
)

// pick sets *v to text if it is among the choices.
func pick[T ~string](v *T, text []byte, choices []string) error {
	if !slices.Contains(choices, string(text)) {
		return fmt.Errorf("%.64q is none of %s", text, strings.Join(choices, ", "))
	}
	*v = T(text)
	return nil
}

func oneOf(choices ...string) scalar.Syntax {
	return scalar.Syntax{Name: "word", Example: choices[0], Choices: choices}
}

// Criterion is a way to compare replicas.
type Criterion string

// UnmarshalText accepts the known criteria.
func (c *Criterion) UnmarshalText(text []byte) error { return pick(c, text, c.Syntax().Choices) }

// Syntax lists the criteria.
func (Criterion) Syntax() scalar.Syntax {
	return oneOf("site", "geo", "latency", "load", "weight", "tier", "random")
}

// Delivery is how the bytes of an endpoint reach clients.
type Delivery string

// The ways of delivery.
const (
	Redirect Delivery = "redirect"
	Proxy    Delivery = "proxy"
	Auto     Delivery = "auto"
)

// UnmarshalText accepts the known ways.
func (d *Delivery) UnmarshalText(text []byte) error { return pick(d, text, d.Syntax().Choices) }

// Syntax lists the ways.
func (Delivery) Syntax() scalar.Syntax {
	return oneOf(string(Redirect), string(Proxy), string(Auto))
}

// Unknown is what is answered when nobody has a path and somebody was silent.
type Unknown string

// The answers.
const (
	Evidence    Unknown = "evidence"
	Unavailable Unknown = "unavailable"
	Absent      Unknown = "absent"
)

// UnmarshalText accepts the known answers.
func (u *Unknown) UnmarshalText(text []byte) error { return pick(u, text, u.Syntax().Choices) }

// Syntax lists the answers.
func (Unknown) Syntax() scalar.Syntax {
	return oneOf(string(Evidence), string(Unavailable), string(Absent))
}

// Level is how much is logged.
type Level string

// UnmarshalText accepts the known levels.
func (l *Level) UnmarshalText(text []byte) error { return pick(l, text, l.Syntax().Choices) }

// Syntax lists the levels.
func (Level) Syntax() scalar.Syntax { return oneOf("debug", "info", "warn", "error") }

// Format is the form of log lines.
type Format string

// UnmarshalText accepts the known forms.
func (f *Format) UnmarshalText(text []byte) error { return pick(f, text, f.Syntax().Choices) }

// Syntax lists the forms.
func (Format) Syntax() scalar.Syntax { return oneOf("json", "text") }
