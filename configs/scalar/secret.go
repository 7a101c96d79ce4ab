package scalar

import "fmt"

// Redacted is what stands for a secret wherever one would be printed.
const Redacted = "***"

// Secret is a text that must not be seen: it prints, formats and marshals as
// Redacted. An empty secret prints as nothing.
type Secret string

// Reveal returns the text itself, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// String returns Redacted, or "" for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return Redacted
}

// Format writes what String returns, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalText returns what String returns; it serves JSON and YAML too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the text as it is.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = Secret(text)
	return nil
}

// Syntax describes a secret.
func (Secret) Syntax() Syntax { return Syntax{Name: "secret", Example: "${PASSWORD}"} }
