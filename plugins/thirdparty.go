package plugins

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
// itself, so that clients who ask for that can be sent there: its Locator has an
// address for COPY.
type Copier interface {
	// Copies reports whether the storage does so in that mode. It is pure
	// computation, its answer is always the same, and it is true of one mode at
	// least.
	Copies(mode CopyMode) bool
}
