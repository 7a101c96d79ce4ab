package multistatus

import (
	"time"

	"canopy/plugins"
)

// Response is what a storage said of one href. Fields that it did not give,
// or gave in a form that cannot be read, hold the value named as unknown:
// nothing is guessed. Only properties of a propstat whose status is 2xx, or
// missing, count; where one is given twice, the last that can be read wins, and
// of checksums by the same algorithm the first.
type Response struct {
	// Href is the address as the storage wrote it, white space around it cut
	// off: XML entities are decoded, percent-encoding is not. It may be a path
	// or an absolute URL, with or without a slash at the end of a directory,
	// and may hold any bytes: XRootD 5 writes paths as they are, '%', '?', '#'
	// and invalid UTF-8 included. What it names is the caller's to check. It is
	// never empty.
	Href string
	// Status is the status of the response as a whole, such as 404 or 423; 0
	// when it has none, which is the usual case. The statuses of propstats
	// never appear here: they concern properties, not the path.
	Status int

	// Kind is Directory when resourcetype holds collection or iscollection is
	// true, File when either was given and neither says so, and 0 when the
	// storage gave neither of them.
	Kind plugins.EntryKind
	// Length is getcontentlength in bytes; -1 when unknown.
	Length int64
	// Modified is getlastmodified in UTC; zero when unknown.
	Modified time.Time
	// Created is creationdate in UTC; zero when unknown.
	Created time.Time
	// ETag is getetag as sent, quotes and "W/" included; "" when unknown.
	ETag string
	// ContentType is getcontenttype; "" when unknown.
	ContentType string
	// Space is the quota of RFC 4331 in bytes: quota-used-bytes and
	// quota-available-bytes; -1 each when unknown.
	Space plugins.Space
	// Digests are the checksums in the dialects of dCache (Checksums), of
	// ownCloud (checksums/checksum) and of LCGDM (sumtype and sumvalue), each
	// algorithm once. The slice is reused with the Response, its elements may
	// be kept.
	Digests []plugins.Digest
}
