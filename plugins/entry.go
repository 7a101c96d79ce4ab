package plugins

import "time"

// EntryKind says what a path is.
type EntryKind uint8

// The kinds of entries.
const (
	File EntryKind = iota + 1
	Directory
)

// String returns "file" or "directory".
func (k EntryKind) String() string {
	switch k {
	case File:
		return "file"
	case Directory:
		return "directory"
	}
	return "unknown"
}

// Entry is what one endpoint knows of one path.
type Entry struct {
	// Name is the last component, decoded; "" for the root.
	Name string
	Kind EntryKind
	// Size is in bytes; negative when the storage did not say. Directories
	// have none.
	Size int64
	// ModTime is the time of the last change; zero when unknown.
	ModTime time.Time
	// ETag is the storage's entity tag with its quotes, and "W/" when weak;
	// "" when it sent none. Tags of different endpoints are not comparable.
	ETag string
	// Digests are the checksums that came along with the answer.
	Digests []Digest
	// Copies are further places which the storage itself named for this file.
	Copies []Copy
}

// Digest is one checksum of a file.
type Digest struct {
	// Algorithm is the lower-case IANA name: "adler32", "md5", "sha",
	// "sha-256", "sha-512", "crc32c".
	Algorithm string
	// Sum is the raw value, adler32 and crc32c in big-endian order.
	Sum string
}

// Copy is a place for a file outside the endpoint that named it.
type Copy struct {
	// URL is absolute and percent-encoded, its scheme http or https.
	URL string
	// Priority orders the copies of one file, 1 being first; 0 is unknown.
	Priority int
	// Country is the ISO 3166-1 code of where the copy is; "" when unknown.
	Country string
}
