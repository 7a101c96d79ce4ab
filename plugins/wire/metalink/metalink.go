// Package metalink reads and writes the documents that list a file's copies:
// Metalink 4 (RFC 5854) and its forerunner, version 3, which older grid clients
// still ask for.
//
// A Document holds files, each with a name, size, checksums and URLs. A Writer
// streams one file after the other, so that the metalink of a whole directory
// takes no memory. Parse reads either version into the same form.
//
// # Order
//
// Clients disagree on how to choose: aria2 goes by priority, davix takes the
// URLs as they come. So the Writer sorts them by priority and numbers those that
// have none after the one before.
//
// # Names
//
// A file's name is a path relative to where the client puts things, with
// slashes between its components, none of which is empty, "." or "..". A
// document that comes from outside and says otherwise yields a file without a
// name. XML cannot hold every byte a file name can: control characters and
// bytes that are not UTF-8 are written as "%" and two hexadecimal digits. There
// is no way back from that, as "%" itself stays as it is; the URL is what leads
// to the file, the name is for people and for the local copy.
//
// # Copies
//
// File.Copies and Duplicates turn what a metalink, and the Link headers of
// RFC 6249, say into the plugins.Copy of the storage contract, keeping only
// URLs that may be given to a client.
package metalink

import (
	"strings"

	"canopy/plugins"
)

// The media types of the two versions.
const (
	MediaType4 = "application/metalink4+xml"
	MediaType3 = "application/metalink+xml"
)

// Accept is what to ask a storage with that may have a metalink for a file.
const Accept = MediaType4 + ", " + MediaType3 + ";q=0.9"

const (
	namespace4 = "urn:ietf:params:xml:ns:metalink"
	namespace3 = "http://www.metalinker.org/"
)

// Document is one metalink.
type Document struct {
	Files []File
}

// File is one file of a metalink.
type File struct {
	// Name is the relative path; "" when a document gave none that is safe.
	Name string
	// Size is in bytes; negative when unknown.
	Size int64
	// Hashes are the checksums of the whole file, one per algorithm.
	Hashes []plugins.Digest
	URLs   []URL
}

// URL is one place of a file.
type URL struct {
	URL string
	// Priority orders the places, 1 being first and 999999 last; 0 is unknown.
	Priority int
	// Location is meant to be the ISO 3166-1 alpha-2 code of a country, and is
	// the name of a storage in some documents; "" when unknown.
	Location string
}

// maxPriority is the largest priority of RFC 5854.
const maxPriority = 999999

// preference3 turns a priority into the preference of version 3, which runs
// from 100, the best, to 1.
func preference3(priority int) int { return max(1, 101-priority) }

// priority3 is the inverse of preference3, as far as there is one.
func priority3(preference int) int {
	if preference < 0 || preference > 100 {
		return 0
	}
	return min(100, 101-preference)
}

// safeName reports whether name is a path that stays below where it starts.
func safeName(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return !strings.Contains(name, "\x00")
}
