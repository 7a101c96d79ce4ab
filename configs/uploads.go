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
	// A resumable upload that stands still for so long is removed, too.
	Cleanup time.Duration `yaml:"cleanup"`
	// How many copies of the files below a path there are to be. Those that
	// are missing are made after the upload, in the background. Without it,
	// none are.
	//
	// Example: [{path: /atlas, copies: 2}]
	Copies []Copies `yaml:"copies"`
	// The directory in which resumable uploads are gathered until they are
	// whole, on a disk of this machine and for this process alone. Without it
	// there are none.
	//
	// Example: /var/spool/canopy
	Spool string `yaml:"spool"`
	// How much all unfinished resumable uploads together may be going to have,
	// by the sizes that their clients announce; also the largest that one can
	// be.
	SpoolSize scalar.Size `yaml:"spool_size"`
}

// Placement is a rule for where new files go.
type Placement string

// UnmarshalText accepts the known rules.
func (p *Placement) UnmarshalText(text []byte) error { return pick(p, text, p.Syntax().Choices) }

// Syntax lists the rules.
func (Placement) Syntax() scalar.Syntax { return oneOf("nearest", "most-free", "first", "spread") }

// Transfers are copies from and to other servers, which a client asks for
// (third-party copy).
type Transfers struct {
	// Whether servers in private networks, and on this machine, may be read
	// from and written to. If not, nobody can use Canopy to reach what only
	// Canopy can.
	Private bool `yaml:"private"`
	// Networks, addresses, host names and domains (with a dot at their
	// beginning) that may be whatever their addresses are. They are also sent
	// the client's credential where a server redirects to them.
	//
	// Example: [10.1.0.0/16, .example.org]
	Allow []string `yaml:"allow"`
	// A PEM file of authorities whose certificates are believed besides those
	// that the system does.
	CA string `yaml:"ca" config:"file"`
	// How many copies may be under way at once.
	Most int `yaml:"most"`
	// The collector, a host and a port, that is told by UDP of connections that
	// carry a file for whose copy the client gave a SciTag. Without it, nobody is.
	//
	// Example: fireflies.example.org:10514
	Fireflies string `yaml:"fireflies"`
}
