package configs

import (
	"time"

	"canopy/configs/scalar"
)

// Uploads is what becomes of files that are written.
type Uploads struct {
	// Where a new file goes, among the endpoints with write: true that answer
	// and have room: nearest to the client, in the order of select; most-free,
	// where most room is; first, in the order of this file; spread, the same
	// endpoint for a path whoever asks, evenly by weight. A file that exists is
	// written where it is.
	//
	// Example: nearest
	Place Placement `yaml:"place"`
	// For how long what was sent of an upload that has broken off is kept,
	// where the endpoint cannot take it back at once. It is never visible.
	Cleanup time.Duration `yaml:"cleanup"`
}

// Placement is a rule for where new files go.
type Placement string

// UnmarshalText accepts the known rules.
func (p *Placement) UnmarshalText(text []byte) error { return pick(p, text, p.Syntax().Choices) }

// Syntax lists the rules.
func (Placement) Syntax() scalar.Syntax { return oneOf("nearest", "most-free", "first", "spread") }
