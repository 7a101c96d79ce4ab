package propfind

import (
	"encoding/xml"
	"iter"
)

// Property is a property that Canopy knows.
type Property uint8

// The properties that Canopy knows, in the order in which they are written.
const (
	ResourceType  Property = iota
	ContentLength          // of files only
	LastModified
	CreationDate
	ETag
	DisplayName
	ContentType    // of files only
	QuotaUsed      // RFC 4331, of collections only
	QuotaAvailable // RFC 4331, of collections only
	SupportedLock
	LockDiscovery     // where there are locks
	DCacheChecksums   // Checksums of dCache
	OwncloudChecksums // checksums of ownCloud and Nextcloud
	properties        // how many there are
)

// The namespaces of the known properties.
const (
	DAV      = "DAV:"
	DCache   = "http://www.dcache.org/2013/webdav"
	Owncloud = "http://owncloud.org/ns"
)

var names = [properties]xml.Name{
	ResourceType:      {Space: DAV, Local: "resourcetype"},
	ContentLength:     {Space: DAV, Local: "getcontentlength"},
	LastModified:      {Space: DAV, Local: "getlastmodified"},
	CreationDate:      {Space: DAV, Local: "creationdate"},
	ETag:              {Space: DAV, Local: "getetag"},
	DisplayName:       {Space: DAV, Local: "displayname"},
	ContentType:       {Space: DAV, Local: "getcontenttype"},
	QuotaUsed:         {Space: DAV, Local: "quota-used-bytes"},
	QuotaAvailable:    {Space: DAV, Local: "quota-available-bytes"},
	SupportedLock:     {Space: DAV, Local: "supportedlock"},
	LockDiscovery:     {Space: DAV, Local: "lockdiscovery"},
	DCacheChecksums:   {Space: DCache, Local: "Checksums"},
	OwncloudChecksums: {Space: Owncloud, Local: "checksums"},
}

// Name returns the name of p.
func (p Property) Name() xml.Name { return names[p] }

// Lookup returns the known property called name.
func Lookup(name xml.Name) (Property, bool) {
	for p, n := range names {
		if n == name {
			return Property(p), true
		}
	}
	return 0, false
}

// Dead reports whether name is one that clients may give to a property of their
// own (RFC 4918 section 4). The namespaces of the protocol and of storage
// systems are not theirs: what has no value there is not there.
func Dead(name xml.Name) bool {
	switch name.Space {
	case DAV, DCache, Owncloud, "http://nextcloud.org/ns", "LCGDM:", "http://apache.org/dav/props/",
		"http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2000/xmlns/":
		return false
	}
	return name.Local != ""
}

// Dead returns the properties that r asks for by name and that may be of
// clients.
func (r Request) Dead() []xml.Name {
	var list []xml.Name
	for _, n := range r.Names {
		if Dead(n) {
			list = append(list, n)
		}
	}
	return list
}

// Set is a set of known properties.
type Set uint16

// SetOf returns the set of properties.
func SetOf(properties ...Property) Set {
	var s Set
	for _, p := range properties {
		s |= 1 << p
	}
	return s
}

// Has reports whether p is in s.
func (s Set) Has(p Property) bool { return s>>p&1 != 0 }

// All are the properties that allprop asks for. Those of RFC 4331 are not
// among them by its section 2, nor is what costs something to find out.
const All Set = 1<<ResourceType | 1<<ContentLength | 1<<LastModified |
	1<<CreationDate | 1<<ETag | 1<<DisplayName | 1<<ContentType

// Wanted returns the known properties that r asks for.
func (r Request) Wanted() Set {
	switch {
	case r.PropName:
		return 1<<properties - 1
	case r.AllProp:
		return All | r.Known
	}
	return r.Known
}

// Unknown returns the properties that r asks for and Canopy does not know.
func (r Request) Unknown() []xml.Name {
	var list []xml.Name
	for _, n := range r.Names {
		if _, known := Lookup(n); !known {
			list = append(list, n)
		}
	}
	return list
}

// Properties yields all known properties in order.
func Properties() iter.Seq[Property] {
	return func(yield func(Property) bool) {
		for p := range properties {
			if !yield(p) {
				return
			}
		}
	}
}
