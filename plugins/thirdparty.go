package plugins

import "context"

// CopyMode is which way a file goes in a third-party copy (WLCG HTTP-TPC), as
// the server sees it that is asked for it.
type CopyMode string

// The modes.
const (
	// Pull has the server fetch the file from the other party.
	Pull CopyMode = "pull"
	// Push has the server send the file there.
	Push CopyMode = "push"
)

// Copier is an endpoint whose storage copies files from and to other servers by
// itself: clients who ask for that can be sent there, its Locator having an
// address for COPY, and Canopy can ask for it where a file is to have more copies.
type Copier interface {
	// Copies reports whether the storage does so in that mode. It is pure
	// computation, its answer is always the same, and it is true of one mode at
	// least.
	Copies(mode CopyMode) bool
	// Copy has the storage copy the file path in a mode that it has, and returns
	// when that is done. It may take as long as the transfer. Nothing is written
	// over: Exists is the error of a pull where there is something. After any
	// other error a part may be left at the destination, and after one that is
	// Silent or Canceled it may still grow.
	Copy(ctx context.Context, path string, other ThirdParty) error
}

// ThirdParty is the other server of a copy.
type ThirdParty struct {
	Mode CopyMode
	// URL is absolute: where the file comes from, or where it goes. It may hold a
	// signature, and is not to be shown.
	URL string
}
